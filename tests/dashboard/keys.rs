//! Every key of the shipped keymap in a real terminal: what the screen says before, the key, what it says after.

use std::{collections::BTreeSet, time::Duration};

use super::{support::Bench, terminal::Terminal};

/// Three processes whose output holds something for every key: long lines, shared ids, alerts, a place in a source,
/// health probes, a block that folds.
const SCENARIO: &str = r#"
name = "keys"

[process.web]
stdin = "pipe"
shell = """
i=0
while [ $i -lt 60 ]; do i=$((i+1)); echo "INFO web line $i session=6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2"; done
echo "beginning-of-a-long-line $(printf 'x%.0s' $(seq 150)) end-of-a-long-line"
echo "GET /health 200"; echo "GET /health 200"
echo "ERROR it broke at src/web.rs:42:7"
exec cat
"""

[process.db]
depends_on = ["web"]
shell = "echo db up session=6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2; exec sleep 600"

[process.check]
role = "test"
depends_on = ["db"]
shell = "echo check passed; exit 0"
"#;

/// What a key changes.
enum After {
    /// It comes.
    Shows(&'static str),
    /// It goes.
    Hides(&'static str),
    /// The log's cursor stands on it.
    Cursor(&'static str),
    /// Another program has had the screen, and has given it back.
    Retakes,
}

use After::{Cursor, Hides, Retakes, Shows};

/// Keys as keymap files write them, what must be on the screen before them, and what they lead to.
type Row = (&'static str, &'static str, After);

/// In the table, where the focus is at first.
const TABLE: &[Row] = &[
    ("j", "▌ 1 web", Shows("▌ 2 db")),
    ("k", "▌ 2 db", Shows("▌ 1 web")),
    ("Down", "▌ 1 web", Shows("▌ 2 db")),
    ("Up", "▌ 2 db", Shows("▌ 1 web")),
    ("G", "▌ 1 web", Shows("▌ 3 check")),
    ("g", "▌ 3 check", Shows("▌ 1 web")),
    ("End", "▌ 1 web", Shows("▌ 3 check")),
    ("Home", "▌ 3 check", Shows("▌ 1 web")),
    ("PgDn", "▌ 1 web", Shows("▌ 3 check")),
    ("PgUp", "▌ 3 check", Shows("▌ 1 web")),
    ("C-d", "▌ 1 web", Shows("▌ 3 check")),
    ("C-u", "▌ 3 check", Shows("▌ 1 web")),
    ("2", "▌ 1 web", Shows("▌ 2 db")),
    ("3", "▌ 2 db", Shows("▌ 3 check")),
    ("1", "▌ 3 check", Shows("▌ 1 web")),
    ("4", "▌ 1 web", Shows("there is no process 4")),
    ("5", "▌ 1 web", Shows("there is no process 5")),
    ("6", "▌ 1 web", Shows("there is no process 6")),
    ("7", "▌ 1 web", Shows("there is no process 7")),
    ("8", "▌ 1 web", Shows("there is no process 8")),
    ("9", "▌ 1 web", Shows("there is no process 9")),
    ("S", "▌ 1 web", Shows("sorted by state, failures first")),
    ("2", "▌ 1 web", Shows("▌ 2 db")),
    ("Space", "▌ 2 db", Shows("ticked db")),
    ("1", "▌ 2 db", Shows("✓ 2 db")),
    ("Space", "▌ 1 web", Shows("ticked web")),
    ("a", "all 3 merged", Shows("2 of 3 merged")),
    ("a", "2 of 3 merged", Hides("merged")),
    ("a", "─ Logs  web", Shows("all 3 merged")),
    ("|", "all 3 merged", Shows("─ db  t+s")),
    ("|", "─ db  t+s", Shows("all 3 merged")),
    ("i", "i why", Shows("─ Details  web")),
    ("i", "─ Details  web", Hides("─ Details")),
    ("d", "i why", Shows("─ Details  web")),
    ("Esc", "─ Details  web", Hides("─ Details")),
    ("Enter", "all 3 merged", Shows("─ Logs  web")),
    ("Esc", "─ Logs  web", Shows("all 3 merged")),
    (">", "r restart web", Shows("Enter send to web")),
    ("h i Enter", "Enter send to web", Shows("sent to web: hi")),
    ("C-x", "r restart web", Shows("Send a signal to web and all it started")),
    ("Esc", "Send a signal", Hides("Send a signal")),
    ("r", "r restart web", Shows("stopped for a restart")),
    ("x", "▌ 1 web        service  ● ready", Shows("○ stopped  by you, TERM")),
    ("s", "○ stopped  by you, TERM", Shows("started by you")),
    ("R", "▌ 1 web        service  ● ready", Shows("killing and restarting web")),
    ("X", "▌ 1 web        service  ● ready", Shows("○ stopped  by you, KILL")),
    ("F7", "○ stopped  by you, KILL", Shows("starting web")),
    ("F9", "▌ 1 web        service  ● ready", Shows("○ stopped  by you, TERM")),
    ("C-r", "▌ 1 web", Shows("running the tests again")),
];

/// In the log.
const LOG: &[Row] = &[
    ("Tab", "following", Shows("Tab table")),
    ("S-Tab", "Tab table", Shows("Tab to the log")),
    ("Tab", "following", Shows("Tab table")),
    ("k", "following", Shows("paused")),
    ("G", "paused", Shows("following")),
    ("Up", "following", Shows("paused")),
    ("End", "paused", Shows("following")),
    ("g", "following", Cursor("web line 1 ")),
    ("j", "web line 1 ", Cursor("web line 2 ")),
    ("k", "web line 2 ", Cursor("web line 1 ")),
    ("Down", "web line 1 ", Cursor("web line 2 ")),
    ("Up", "web line 2 ", Cursor("web line 1 ")),
    ("C-d", "web line 1 ", Cursor("web line 13 ")),
    ("C-u", "web line 13 ", Cursor("web line 1 ")),
    ("PgDn", "web line 1 ", Cursor("web line 25 ")),
    ("PgUp", "web line 25 ", Cursor("web line 1 ")),
    ("Space", "web line 1 ", Cursor("web line 25 ")),
    ("Home", "web line 25 ", Cursor("web line 1 ")),
    ("f", "paused", Shows("following")),
    ("f", "following", Shows("paused")),
    ("F5", "paused", Shows("following")),
    ("l", "beginning-of-a-long-line", Hides("beginning-of-a-long")),
    ("h", "of-a-long-line", Shows("beginning-of-a-long-line")),
    ("Right", "beginning-of-a-long-line", Hides("beginning-of-a-long")),
    ("Left", "of-a-long-line", Shows("beginning-of-a-long-line")),
    ("w", "beginning-of-a-long-line", Shows("end-of-a-long-line")),
    ("w", "end-of-a-long-line", Hides("xx end-of-a-long-line")),
    ("F6", "beginning-of-a-long-line", Shows("xx end-of-a-long-line")),
    ("F6", "end-of-a-long-line", Hides("xx end-of-a-long-line")),
    ("t", "t+s", Shows("merged   clock")),
    ("t", "clock", Shows("merged   delta")),
    ("t", "delta", Shows("merged   own time")),
    ("t", "own time", Shows("merged   t+s")),
    ("p", "I web line 60 session=6f1b…c2", Shows("INFO web line 60 session=6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2")),
    ("p", "as written", Shows("I web line 60 session=6f1b…c2")),
    ("H", "(1 of these hidden", Shows("with probes")),
    ("H", "with probes", Shows("(1 of these hidden")),
    ("A", "check passed", Shows("alerts only")),
    ("A", "alerts only", Shows("check passed")),
    ("/ l i n e Space 1 Enter", "following", Shows("/line 1  11 of 11")),
    ("n", "11 of 11", Shows("/line 1  1 of 11")),
    ("N", "/line 1  1 of 11", Shows("/line 1  11 of 11")),
    ("Esc", "/line 1", Hides("/line 1")),
    ("M", "paused", Shows("web is muted")),
    ("\\", "without web", Hides("without web")),
    ("& l i n e Space 2 Enter", "paused", Shows("11 of 7")),
    ("+", "& line 2", Shows("±1")),
    ("-", "±1", Hides("±1")),
    ("\\", "& line 2", Hides("& line 2")),
    ("! w e b Enter", "web line", Shows("! web")),
    ("\\", "! web", Hides("! web")),
    ("e", "paused", Cursor("it broke at src/web.rs")),
    ("C-e", "it broke", Retakes),
    ("E", "it broke", Shows("went on from the other end")),
    ("F", "PASSED", Shows("nothing has failed")),
    ("g", "paused", Cursor("web line 1 ")),
    ("*", "web line 1 ", Shows("highlighting 6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2; o and O walk along it")),
    ("o", "token", Cursor("web line 2 ")),
    ("O", "token", Cursor("web line 1 ")),
    ("Esc", "token", Hides("token")),
    ("v", "paused", Shows("selecting 1 line")),
    ("j", "selecting 1 line", Shows("selecting 2 lines")),
    ("c", "selecting 2 lines", Shows("copied 2 lines")),
    ("y", "copied 2 lines", Shows("copied 1 line")),
    ("Enter", "web line 2 ", Shows("─ Line  exactly as written")),
    ("Esc", "─ Line", Hides("─ Line")),
    ("m h e r e Enter", "paused", Shows(": here")),
    ("G", "paused", Shows("◆ here")),
    ("U", "◆ here", Cursor("◆ here")),
    ("u", "◆ here", Shows("no mark after this line")),
    ("V", "paused", Shows("─ Timeline")),
    ("Esc", "─ Timeline", Hides("─ Timeline")),
    ("C-a", "paused", Shows("─ Alerts")),
    ("k", "it broke at src/web.rs", Shows("─ Alerts")),
    ("Esc", "─ Alerts", Hides("─ Alerts")),
    ("T", "paused", Shows("no process has a tap: add")),
    ("Esc", "─ Traffic", Hides("─ Traffic")),
    ("D", "paused", Shows("no process has a tap: add")),
    ("W", "paused", Shows("the scenario has no [[expect]]")),
    ("Esc", "─ Expectations", Hides("─ Expectations")),
    ("P", "paused", Shows("the scenario has no [[step]]")),
    ("Esc", "─ Steps", Hides("─ Steps")),
    ("z", "─ Events", Hides("─ Events")),
    ("z", "? keys", Shows("─ Events")),
    ("F8", "─ Events", Hides("─ Events")),
    ("F8", "? keys", Shows("─ Events")),
    ("L", "─ Events", Shows("layout: logs")),
    ("L", "layout: logs", Shows("layout: grid")),
    ("L", "layout: grid", Shows("layout: debug")),
    ("L", "layout: debug", Shows("Seen")),
    (".", "Seen", Shows("[ . ]")),
    ("L", "[ . ]", Shows("─ Logs")),
    (":", "? keys", Shows("─ Palette")),
    ("Esc", "─ Palette", Hides("─ Palette")),
    ("?", "? keys", Shows("─ Keys")),
    ("Esc", "─ Keys", Hides("─ Keys")),
    ("F1", "? keys", Shows("─ Keys")),
    ("Esc", "─ Keys", Hides("─ Keys")),
    ("F2", "? keys", Shows("the mouse is the terminal's again")),
    ("F2", "the mouse", Shows("the mouse is the dashboard's now")),
    ("~", "? keys", Shows("own log")),
    ("Esc", "own log", Hides("own log")),
    ("C-l", "? keys", Shows("? keys")),
    ("G", "paused", Shows("following")),
    ("]", "following", Shows("this is now; [ goes back in time")),
    ("[", "this is now", Shows("▐ PAST ")),
    ("=", "▐ PAST ", Hides("▐ PAST ")),
    ("{", "? keys", Shows("no failure or restart before this")),
    ("}", "no failure or restart before", Shows("no failure or restart after this")),
    ("C-s", "? keys", Shows("exported ")),
    ("C", "? keys", Shows("since clearing")),
    ("c", "since clearing", Shows("there is no line to copy")),
];

fn bytes(key: &str) -> String {
    match key {
        "Enter" => "\r".into(),
        "Esc" => "\x1b".into(),
        "Tab" => "\t".into(),
        "S-Tab" => "\x1b[Z".into(),
        "Space" => " ".into(),
        "Up" => "\x1b[A".into(),
        "Down" => "\x1b[B".into(),
        "Right" => "\x1b[C".into(),
        "Left" => "\x1b[D".into(),
        "Home" => "\x1b[H".into(),
        "End" => "\x1b[F".into(),
        "PgUp" => "\x1b[5~".into(),
        "PgDn" => "\x1b[6~".into(),
        "F1" => "\x1bOP".into(),
        "F2" => "\x1bOQ".into(),
        "F5" => "\x1b[15~".into(),
        "F6" => "\x1b[17~".into(),
        "F7" => "\x1b[18~".into(),
        "F8" => "\x1b[19~".into(),
        "F9" => "\x1b[20~".into(),
        "F10" => "\x1b[21~".into(),
        _ => match key.strip_prefix("C-").and_then(|rest| rest.bytes().next()) {
            Some(letter) => char::from(letter & 0x1f).to_string(),
            None => key.into(),
        },
    }
}

fn opened(bench: &Bench) -> Terminal {
    let file = bench.write("keys.toml", SCENARIO);
    bench.write("src/web.rs", "// here\n");
    let mut command = bench.command();
    command.arg(file).env("EDITOR", "touch");
    let terminal = Terminal::start(&command, 120, 40);
    terminal.wait_for("PASSED");
    terminal.wait_for("check passed");
    terminal
}

fn press(terminal: &mut Terminal, rows: &[Row]) {
    for (keys, before, after) in rows {
        terminal.wait(&format!("before {keys}: {before:?}"), |text| text.contains(before));
        let taken = terminal.taken();
        for key in keys.split(' ') {
            terminal.send(&bytes(key));
        }
        match after {
            Retakes => terminal.wait(&format!("after {keys}: the screen is taken again"), |_| terminal.taken() > taken),
            Shows(wanted) => terminal.wait(&format!("after {keys}: {wanted:?}"), |text| text.contains(wanted)),
            Hides(gone) => terminal.wait(&format!("after {keys}: no {gone:?}"), |text| !text.contains(gone)),
            Cursor(here) => terminal.wait(&format!("after {keys}: the cursor on {here:?}"), |text| {
                text.lines().any(|line| line.starts_with('▸') && line.contains(here))
            }),
        };
    }
}

fn leave(bench: &Bench, mut terminal: Terminal) {
    terminal.send("\x03");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn keys_in_the_table() {
    let bench = Bench::new("keys-table");
    let mut terminal = opened(&bench);
    press(&mut terminal, TABLE);
    leave(&bench, terminal);
}

#[test]
fn keys_in_the_log() {
    let bench = Bench::new("keys-log");
    let mut terminal = opened(&bench);
    press(&mut terminal, LOG);
    assert!(bench.dir.path().join("+42").exists(), "the editor is told the line");
    leave(&bench, terminal);
}

/// The tables above press every key that is shipped; a new key needs a row.
#[test]
fn every_shipped_key_is_pressed_by_a_test() {
    let map: toml::Table = include_str!("../../assets/keymap.toml").parse().expect("it is TOML");
    let pressed: BTreeSet<&str> = TABLE.iter().chain(LOG).flat_map(|(keys, ..)| keys.split(' ')).collect();
    // These end or stop the program, and have tests of their own.
    let elsewhere = ["q", "F10", "Q", "C-c", "C-z"];
    let missing: Vec<&String> = map
        .values()
        .filter_map(toml::Value::as_table)
        .flat_map(toml::Table::keys)
        .filter(|key| !pressed.contains(key.as_str()) && !elsewhere.contains(&key.as_str()))
        .collect();
    assert!(missing.is_empty(), "no test presses {missing:?}");
}
