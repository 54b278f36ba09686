//! The dashboard in a real terminal. Faults carry their ids of the reliability board in their names.

mod faults;
mod headless;
mod keys;
mod killed;
mod opening;
mod past;
mod pictures;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod suspend;
mod terminal;
mod typing;

use std::fmt::Write;
use std::time::{Duration, Instant};

use support::Bench;
use terminal::Terminal;

/// Two services and a test that goes on for a long time.
const QUIET: &str = r#"
name = "quiet"
[process.one]
shell = "echo one is up; exec sleep 600"
[process.two]
shell = "echo two is up; exec sleep 600"
"#;

fn open(bench: &Bench, scenario: &str, width: u16, height: u16) -> Terminal {
    let file = bench.write("scenario.toml", scenario);
    let mut command = bench.command();
    command.arg("--scenario").arg(file);
    Terminal::start(&command, width, height)
}

/// The modes and settings of the terminal are those of before.
fn assert_restored(terminal: &Terminal) {
    // The window may have another size by now, which stands in the first line; its modes are the same.
    let modes = |settings: &str| settings.lines().skip(1).collect::<String>();
    assert_eq!(modes(&terminal.settings()), modes(&terminal.before), "line discipline");
    terminal.screen(|screen| {
        assert!(!screen.alternate_screen(), "the normal screen is back");
        assert!(!screen.hide_cursor(), "the cursor is back");
        assert!(!screen.bracketed_paste(), "pastes come plain again");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is the terminal's");
    });
}

#[test]
fn it_opens_on_a_scenario_and_leaves_the_terminal_as_it_was() {
    let bench = Bench::new("opens");
    let mut terminal = open(&bench, QUIET, 120, 40);
    terminal.wait_for("two is up");
    let screen = terminal.wait("both run", |text| text.matches("◐ running").count() + text.matches("● ready").count() == 2);
    assert!(screen.starts_with(" quiet   ▐ RUNNING ▌"), "{screen}");
    terminal.send("q");
    terminal.wait_for("2 processes are still up. Stop all and quit?");
    terminal.send("\r");
    assert_eq!(terminal.ended().code(), Some(0));
    bench.assert_nothing_left(Duration::from_secs(2));
    let left = terminal.wait_for("Recorded:");
    assert!(left.contains("quiet: STOPPED (exit 0)"), "{left}");
    assert!(terminal.before.contains("isig icanon"), "the settings were read: {}", terminal.before);
    assert_restored(&terminal);
}

#[test]
fn x_stops_a_process_s_whole_tree_and_s_brings_it_back() {
    let bench = Bench::new("stop");
    let scenario = "name = \"tree\"\n[process.parent]\nshell = \"sleep 601 & sleep 602 & echo up; wait\"\n";
    let mut terminal = open(&bench, scenario, 80, 24);
    terminal.wait_for("● ready");
    assert_eq!(bench.alive().iter().filter(|(_, command)| command.starts_with("sleep")).count(), 2);
    terminal.send("x");
    terminal.wait_for("○ stopped  by you, TERM");
    terminal.send("s");
    terminal.wait_for("● ready");
    terminal.send("\x03");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t1_t2_a_storm_of_sizes_settles() {
    let bench = Bench::new("sizes");
    let mut terminal = open(&bench, QUIET, 80, 24);
    terminal.wait_for("two is up");
    let sizes = [(1, 1), (0, 0), (500, 2), (2, 300), (80, 24), (40, 10), (65535, 1), (200, 60)];
    let memory = terminal.memory();
    let started = Instant::now();
    for (width, height) in sizes.iter().cycle().take(1000) {
        terminal.resize_at_once(*width, *height);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "a thousand in {:?}", started.elapsed());
    assert!(terminal.memory() < memory + 32_000, "{memory} KiB before, {} KiB after", terminal.memory());
    terminal.resize(120, 40);
    terminal.send("\x0c");
    // Frames for the sizes before may still come.
    terminal.wait("the screen has its size", |text| ["CPU%", "? keys  q quit", "─ Events ─"].iter().all(|part| text.contains(part)));
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
}

#[test]
fn t4_a_terminal_that_vanishes_ends_the_run_at_once() {
    let bench = Bench::new("vanish");
    let mut terminal = open(&bench, QUIET, 80, 24);
    terminal.wait_for("two is up");
    let started = Instant::now();
    let cpu = terminal.cpu();
    terminal.vanish();
    terminal.ended();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(terminal.cpu().saturating_sub(cpu) < Duration::from_millis(500));
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t3_a_closed_terminal_leaves_each_process_its_grace() {
    let bench = Bench::new("hangup");
    let scenario =
        "name = \"x\"\n[process.server]\nshell = \"trap 'sleep 0.8; echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done\"\n";
    let mut terminal = open(&bench, scenario, 80, 24);
    terminal.wait_for("● ready");
    // The kernel sends a hang-up, and reads and writes fail besides.
    terminal.vanish();
    terminal.ended();
    let said = std::fs::read_to_string(bench.recording().join("logs/server.out")).expect("it was recorded");
    assert!(said.ends_with("bye\n"), "it had its grace: {said}");
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t7_no_colour_where_none_is_wanted() {
    let bench = Bench::new("plain");
    let file = bench.write("scenario.toml", QUIET);
    let mut command = bench.command();
    command.arg("--scenario").arg(file).env("TERM", "dumb");
    let mut terminal = Terminal::start(&command, 80, 24);
    terminal.wait_for("one is up");
    let written = String::from_utf8_lossy(&terminal.written()).into_owned();
    assert!(!written.contains("\x1b[?2026") && !written.contains("\x1b]2;"));
    for sequence in written.split("\x1b[").skip(1) {
        let Some((params, _)) = sequence.split_once('m').filter(|(p, _)| p.bytes().all(|b| b.is_ascii_digit() || b == b';')) else {
            continue;
        };
        let weights = ["", "0", "1", "2", "4", "7", "22", "24", "27", "39", "49", "59"];
        assert!(params.split(';').all(|p| weights.contains(&p)), "a colour: {params}");
    }
    terminal.send("\x03");
    terminal.ended();
}

#[test]
fn t10_a_stalled_terminal_holds_up_nothing_but_its_picture() {
    let bench = Bench::new("stalled");
    let scenario = r#"
name = "flood"
[process.flood]
shell = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i of a flood that nobody reads; done; touch done; exec sleep 600"
"#;
    let mut terminal = open(&bench, scenario, 120, 40);
    terminal.wait_for("─ Logs");
    terminal.stall(true);
    let deadline = Instant::now() + terminal::PATIENCE;
    while !bench.dir.path().join("done").exists() {
        assert!(Instant::now() < deadline, "the child is held up by the terminal");
        std::thread::sleep(Duration::from_millis(10));
    }
    let memory = terminal.memory();
    assert!(memory < 200_000, "{memory} KiB");
    // Keys are taken although nothing can be shown.
    terminal.send("\x03");
    std::thread::sleep(Duration::from_millis(50));
    terminal.stall(false);
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t10_a_terminal_that_nobody_reads_does_not_hold_up_the_end() {
    let bench = Bench::new("stalled-end");
    let scenario = "name = \"chatty\"\n[process.chatty]\nshell = \"i=0; while :; do i=$((i+1)); echo line $i $i $i; sleep 0.01; done\"\n";
    let mut terminal = open(&bench, scenario, 160, 48);
    terminal.wait_for("line 1");
    terminal.stall(true);
    support::wait_for("the terminal is full", terminal::PATIENCE, || !terminal.takes_more());
    let asked = Instant::now();
    let pid = nix::unistd::Pid::from_raw(terminal.child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it lives");
    let status = terminal.ended();
    assert!(status.code().is_some(), "{status:?}");
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn o12_every_key_is_answered_in_a_flood() {
    let bench = Bench::new("answers");
    let mut scenario = String::from("name = \"flood\"\n");
    for letter in ["A", "B", "C", "D"] {
        let _ = write!(scenario, "[process.{letter}]\ncommand = [\"yes\", \"{}\"]\n", letter.repeat(40));
    }
    let mut terminal = open(&bench, &scenario, 160, 48);
    // From the merged log to that of the selected process.
    terminal.wait_for("─ Logs");
    terminal.send("a");
    terminal.wait_for(&"A".repeat(40));
    let mut took = Vec::new();
    for (key, letter) in [("j", "B"), ("k", "A")].into_iter().cycle().take(40) {
        let pressed = Instant::now();
        terminal.send(key);
        terminal.wait_for(&letter.repeat(40));
        took.push(pressed.elapsed());
    }
    took.sort_unstable();
    // All were answered. How fast is told by `cargo bench --bench fronts -- keys`; this is a build for tests, on a machine
    // that has more to do.
    assert!(took[took.len() / 2] <= Duration::from_millis(500), "{took:?}");
    terminal.send("\x03\x03");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(5));
}

#[test]
fn t13_every_mode_is_undone_whatever_was_on() {
    let bench = Bench::new("modes");
    let mut terminal = open(&bench, QUIET, 80, 24);
    terminal.wait_for("two is up");
    terminal.screen(|screen| {
        assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste());
        assert_ne!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    });
    terminal.send("/abc");
    terminal
        .wait("the cursor shows while something is typed", |text| text.contains("/abc") && terminal.screen(|screen| !screen.hide_cursor()));
    terminal.send("\x1b");
    terminal.wait("Esc leaves the prompt", |text| text.contains("? keys") && !text.contains("/abc"));
    // Whoever had the window meanwhile may have drawn on it: it is drawn anew when it is looked at again.
    let drawn = |terminal: &Terminal| String::from_utf8_lossy(&terminal.written()).matches("\x1b[2J").count();
    let before = drawn(&terminal);
    terminal.send("\x1b[O\x1b[I");
    terminal.wait("all of it is drawn anew", |_| drawn(&terminal) > before);
    terminal.send("Q");
    terminal.ended();
    terminal.wait_for("Recorded:");
    assert_restored(&terminal);
    let written = String::from_utf8_lossy(&terminal.written()).into_owned();
    let at = |sequence: &str| written.find(sequence).unwrap_or_else(|| panic!("{sequence:?} was never sent"));
    assert!(at("\x1b[22;2t") < at("\x1b]2;quiet - e2e-tui"), "the title is kept aside before it is set");
    assert!(at("\x1b]2;quiet - e2e-tui") < at("\x1b[23;2t"), "and given back");
    assert!(written.ends_with('\n') && at("\x1b[?1004h") < at("\x1b[?1004l"), "focus reports go off, too");
}

#[test]
fn the_mouse_chooses_rows_and_copies_lines() {
    let bench = Bench::new("mouse");
    let mut terminal = open(&bench, QUIET, 100, 30);
    terminal.wait_for("two is up");
    terminal.send("\x1bOQ\x1b[<0;5;4M");
    terminal.wait_for("the mouse is the terminal's again");
    terminal.wait_for("▌ 1 one");
    terminal.send("\x1bOQ");
    terminal.wait_for("the mouse is the dashboard's now");
    terminal.send("\x1b[<0;5;4M\x1b[<0;5;4m");
    terminal.wait_for("▌ 2 two");
    terminal.send("\x1b[<0;30;6M\x1b[<32;30;7M");
    terminal.wait_for("selecting 2 lines");
    terminal.send("\x1b[<0;30;7m");
    terminal.wait_for("copied 2 lines");
    let written = String::from_utf8_lossy(&terminal.written()).into_owned();
    assert!(written.contains("\x1b]52;c;"), "the clipboard is asked by OSC 52");
    terminal.send("\x03");
    terminal.ended();
}

#[test]
fn the_mouse_takes_text_of_one_pane_and_scrolls_what_it_points_at() {
    let bench = Bench::new("mouse-text");
    let scenario = "name = \"long\"\n[process.one]\nshell = \"for i in $(seq 60); do echo line $i of many; done; exec sleep 600\"\n";
    let mut terminal = open(&bench, scenario, 100, 30);
    terminal.wait_for("line 60 of many");
    // The last line that comes by itself: from now on none moves.
    let screen = terminal.wait_for("╌ ● one ready");
    let (y, line) = screen.lines().enumerate().find(|(_, line)| line.contains("line 59 of many")).expect("it is shown");
    let x = line.split("line 59").next().map_or(0, |before| before.chars().count());
    // The button goes down on the line's first letter, and up on the 9 of its number.
    let (from, to, y) = (x + 1, x + 7, y + 1);
    terminal.send(&format!("\x1b[<0;{from};{y}M\x1b[<32;{to};{y}M"));
    terminal.wait("what is drawn over is reversed", |_| {
        terminal.screen(|screen| screen.cell(y as u16 - 1, to as u16 - 1).is_some_and(vt100::Cell::inverse))
    });
    terminal.send(&format!("\x1b[<0;{to};{y}m"));
    terminal.wait_for("copied 7 characters, 7 bytes");
    let copy = std::fs::read_to_string(bench.dir.path().join("state/e2e-tui/copy.txt")).expect("a copy is in a file, too");
    assert_eq!(copy, "line 59");
    terminal.send("\x1b[<65;30;10M\x1b[<64;30;10M\x1b[<64;30;10M");
    terminal.wait("the wheel scrolls the log", |text| text.contains("paused") && text.contains("▌ 1 one"));
    terminal.send("i");
    let screen = terminal.wait_for("start alone");
    let (y, line) = screen.lines().enumerate().find(|(_, line)| line.contains("start alone")).expect("it is shown");
    let x = line.split("start").next().map_or(0, str::len);
    terminal.send(&format!("\x1b[<0;{};{}M\x1b[<32;{};{}M\x1b[<0;{};{}m", x + 1, y + 1, x + 11, y + 1, x + 11, y + 1));
    terminal.wait_for("copied 11 characters");
    terminal.send("\x03\x03");
    terminal.ended();
}

#[test]
fn the_kitty_keyboard_is_used_where_it_is_spoken_and_undone() {
    let bench = Bench::new("kitty");
    let mut terminal = open(&bench, QUIET, 80, 24);
    let written = |terminal: &Terminal| String::from_utf8_lossy(&terminal.written()).into_owned();
    let until = |terminal: &Terminal, wanted: &str| terminal.wait(wanted, |_| written(terminal).contains(wanted));
    until(&terminal, "\x1b[?u\x1b[c");
    let asked = written(&terminal);
    let first = asked.find("RUNNING").expect("a frame came");
    assert!(first < asked.find("\x1b[?u").expect("it was asked"), "nothing stands between the start and the first frame");
    terminal.send("\x1b[?0u\x1b[?62;4c");
    until(&terminal, "\x1b[>1u");
    terminal.wait_for("two is up");
    terminal.send("\x1b[106u");
    terminal.wait_for("▌ 2 two");
    terminal.send("?\x1b[27u");
    terminal.wait("Esc closes the help", |text| text.contains("─ Logs"));
    terminal.send("\x1b[99;5u");
    assert_eq!(terminal.ended().code(), Some(0));
    terminal.wait_for("Recorded:");
    let written = written(&terminal);
    let (pop, normal) = (written.rfind("\x1b[<u").expect("it is undone"), written.rfind("\x1b[?1049l").expect("the screen is left"));
    assert!(pop < normal, "the alternate screen has a stack of its own");
    assert_restored(&terminal);
}

#[test]
fn an_idle_dashboard_costs_next_to_nothing() {
    let bench = Bench::new("idle");
    let mut scenario = String::from("name = \"idle\"\n");
    for n in 0..20 {
        let _ = write!(scenario, "[process.p{n}]\ncommand = [\"sleep\", \"600\"]\n");
    }
    let mut terminal = open(&bench, &scenario, 160, 48);
    terminal.wait("all run", |text| text.matches("● ready").count() + text.matches("◐ running").count() >= 15);
    // The first seconds still settle (rates, samples).
    std::thread::sleep(Duration::from_secs(3));
    let (cpu, bytes) = (terminal.cpu(), terminal.written().len());
    std::thread::sleep(Duration::from_secs(4));
    let (cpu, bytes) = (terminal.cpu().saturating_sub(cpu), terminal.written().len() - bytes);
    assert!(cpu <= Duration::from_millis(120), "{cpu:?} in 4 s");
    assert!(bytes <= 8 * 1024, "{bytes} bytes in 4 s");
    terminal.send("\x03");
    terminal.ended();
}

/// Keys at random, by whoever gives the seed; `E2E_FUZZ_SECONDS` lets it run for hours.
#[test]
fn random_keys_never_break_it() {
    let seconds = std::env::var("E2E_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    let seed = std::env::var("E2E_FUZZ_SEED").ok().and_then(|s| s.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()) | 1);
    let mut state = seed;
    let mut random = move |n: usize| {
        // xorshift: enough for keys, and the same everywhere.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let scenario = r#"
name = "fuzz"
[process.chatty]
shell = "while :; do echo \"$(date) INFO id=6f1b8a529c1d4f0e8a7710de2bf900c2 hello\"; sleep 0.01; done"
[process.crashy]
shell = "echo thread \\'main\\' panicked at x.rs:1:; echo boom; exit 101"
restart = { policy = "on-failure", max_attempts = 50, backoff = "200ms", max_backoff = "200ms" }
[ports]
up = "auto"
[process.up]
kind = "mock-upstream"
listens = "up"
tap = true
[process.caller]
kind = "test-client"
target = "${process.up.url}/mcp"
scenario = "soak"
duration = "1h"
rate = 50
depends_on = ["up"]
[[step]]
when = { after = "100ms" }
do = { mark = "one" }
note = "the first"
[[step]]
when = { after = "300ms" }
do = [{ fault = { at = "up", kind = "delay", delay = "20ms" } }, { kill = "up" }, { start = "up" }]
note = "the second"
"#;
    // Everything but what quits at once; C-z needs a shell to come back from.
    let keys: Vec<&str> = "W [ ] { } = j k g G h l / n N & ! \\ + - e E F * o O A M H f t w p v c C S s r R x X a | m u U V [ ] { } = L T D . 0 \x1b[5~ \x1b[6~ L z : ? ~ i d 1 2 9         \t \r \x1b \x1b[A \x1b[B \x1b[5~ \x1b[6~ \x1b[H \x1b[F \x1b[Z \x1bOQ \x04 \x05 \x0c \x12 \x15 \x18 \x7f q Q y é 日 \x1b[200~x\ry\x1b[201~ \
        \x1b[<0;9;9M \x1b[<32;12;20M \x1b[<0;12;20m \x1b[<64;5;12M \x1b[<65;5;12M"
        .split(' ')
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .chain([" "])
        .collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let bench = Bench::new("fuzz");
        let mut terminal = open(&bench, scenario, 100, 30);
        terminal.wait_for("─ Logs");
        let mut pressed = Vec::new();
        while Instant::now() < end && terminal.child.try_wait().expect("it can be waited for").is_none() {
            let key = keys[random(keys.len())];
            pressed.push(key);
            terminal.send(key);
            if random(20) == 0 {
                terminal.resize(1 + random(200) as u16, 1 + random(60) as u16);
            }
            if random(4) == 0 {
                std::thread::sleep(Duration::from_millis(random(30) as u64));
            }
        }
        terminal.resize(100, 30);
        terminal.send("\x1b\x1b");
        let closing = Instant::now();
        while terminal.child.try_wait().expect("it can be waited for").is_none() {
            // In a terminal that was given back it is no key any more but a signal, the third of which has a code of its own.
            if !terminal.is_given_back() {
                terminal.send("\x03");
            }
            std::thread::sleep(Duration::from_millis(50));
            assert!(closing.elapsed() < terminal::PATIENCE, "seed {seed}: it does not end after {pressed:?}:\n{}", terminal.text());
        }
        let code = terminal.ended().code();
        // What it said last may still be on its way to the emulator.
        std::thread::sleep(Duration::from_millis(100));
        let written = terminal.written();
        let last = String::from_utf8_lossy(&written[written.len().saturating_sub(3000)..]).into_owned();
        assert!(matches!(code, Some(0 | 1 | 3 | 5)), "seed {seed}: {code:?} after {pressed:?}:\n{last}");
        assert_restored(&terminal);
        bench.assert_nothing_left(Duration::from_secs(3));
    }
}
