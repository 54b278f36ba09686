//! Lines typed to processes: to a pipe and to a terminal of their own.

use crate::{open, support::Bench};

/// Says what it reads.
const READERS: &str = r#"
name = "readers"
[process.terminal]
tty = true
shell = "echo ready; read x; test -t 0 && echo terminal got $x; exec sleep 600"
[process.pipe]
stdin = "pipe"
shell = "echo ready; read x; test -p /dev/stdin && echo pipe got $x; exec sleep 600"
"#;

#[test]
fn a_line_reaches_a_pipe_and_a_terminal() {
    let bench = Bench::new("typing");
    let mut terminal = open(&bench, READERS, 120, 40);
    terminal.wait("both run", |text| text.matches("ready").count() >= 2);
    terminal.send("1>");
    terminal.wait_for("every key goes to terminal");
    terminal.send("hello terminax\x7fl\r");
    terminal.wait_for("terminal got hello terminal");
    terminal.send("\x1d2>");
    terminal.wait_for("send to pipe");
    terminal.send("hello pipe\r");
    terminal.wait_for("pipe got hello pipe");
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
    bench.assert_nothing_left(std::time::Duration::from_secs(2));
}

/// Tells what it reads, byte by byte.
const ECHO: &str = r#"
name = "echo"
[process.raw]
tty = true
shell = "stty raw -echo; echo listening; while :; do echo byte $(dd bs=1 count=1 2>/dev/null | od -An -tx1) end; done"
[process.cooked]
tty = true
shell = "trap 'echo interrupted' INT; echo ready; while :; do read x && echo got $x; done"
[process.pipe]
stdin = "pipe"
shell = "echo ready; read x; echo pipe got $x; exec sleep 600"
[process.deaf]
command = ["sleep", "600"]
"#;

#[test]
fn on_a_terminal_every_key_goes_to_the_process_until_the_one_that_ends_it() {
    let bench = Bench::new("raw");
    let mut terminal = open(&bench, ECHO, 120, 40);
    terminal.wait_for("listening");
    terminal.wait("all are up", |text| text.matches("ready").count() >= 3);
    terminal.send("1>");
    let shown = terminal.wait_for("▐ TYPING ▌ every key goes to raw");
    assert!(shown.contains("C-] ends"), "{shown}");
    // What would stop a run, suspend, quit or scroll here is the process's own now.
    let mut told = Vec::new();
    for key in ["q", "\x03", "\x1a", "\r", "\x1b", "\t", "\x1b[A", "\x1b[200~PZ\x1b[201~"] {
        terminal.send(key);
        // The marks around a paste are the terminal's and ours.
        let own = key.trim_start_matches("\x1b[200~").trim_end_matches("\x1b[201~");
        told.extend(own.bytes().map(|byte| format!("byte {byte:02x} end")));
        terminal.wait(&format!("{key:?} arrives"), |text| {
            let shown: Vec<&str> = text.lines().filter_map(|line| line.trim_end().get(line.find("byte ")?..)).collect();
            shown.iter().eq(told.iter())
        });
    }
    terminal.send("\x1d");
    terminal.wait_for("? keys");
    terminal.send("\x1b2>");
    terminal.wait_for("every key goes to cooked");
    terminal.send("two words\r");
    terminal.wait_for("got two words");
    terminal.send("\x03");
    terminal.wait_for("interrupted");
    // The key that ends it and what follows may come in one piece.
    terminal.send("more\r\x1d\x1b4>");
    terminal.wait_for("deaf reads nothing: give it `stdin");
    terminal.send("3>");
    terminal.wait_for("Enter send to pipe");
    terminal.send("a line\r");
    terminal.wait_for("pipe got a line");
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
    bench.assert_nothing_left(std::time::Duration::from_secs(2));
}

#[test]
fn keys_for_a_process_that_is_gone_press_nothing_here() {
    let bench = Bench::new("gone");
    let scenario = "name = \"gone\"\n[process.brief]\ntty = true\nshell = \"echo up; read x; exit 3\"\n[process.other]\ncommand = [\"sleep\", \"600\"]\n";
    let mut terminal = open(&bench, scenario, 100, 30);
    terminal.wait_for("up");
    terminal.send(">");
    terminal.wait_for("every key goes to brief");
    terminal.send("\r");
    terminal.wait_for("exit 3");
    terminal.send("Q");
    let shown = terminal.wait_for("brief is not alive: it is failed");
    assert!(shown.contains("TYPING") && shown.contains("C-] ends"), "{shown}");
    terminal.send("\x1d\x03");
    terminal.ended();
    bench.assert_nothing_left(std::time::Duration::from_secs(2));
}

#[test]
fn its_terminal_is_as_big_as_the_pane_and_it_is_told_of_every_change() {
    let bench = Bench::new("winch");
    let scenario = "name = \"size\"\n[process.sized]\ntty = true\nshell = \"trap 'echo now $(stty size) end' WINCH; echo first $(stty size) end; while :; do sleep 0.02; done\"\n";
    let mut terminal = open(&bench, scenario, 100, 30);
    let size = |text: &str, word: &str| -> Option<(u16, u16)> {
        let line = text.lines().rev().find(|line| line.contains(word) && line.trim_end().ends_with("end"))?;
        let mut numbers = line[line.find(word)?..].split(' ').skip(1).map_while(|n| n.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    let text = terminal.wait("it tells its size", |text| size(text, "first ").is_some());
    let (rows, columns) = size(&text, "first ").expect("waited for");
    assert!((10..30).contains(&rows) && (60..100).contains(&columns), "{rows} {columns}: {text}");
    terminal.resize(150, 50);
    terminal.wait("it is told of more room", |text| size(text, "now ").is_some_and(|(r, c)| r > rows && c == columns + 50));
    terminal.resize(100, 30);
    terminal.wait("and of less", |text| size(text, "now ").is_some_and(|(r, c)| r <= rows && c == columns));
    terminal.send("\x03");
    terminal.ended();
    bench.assert_nothing_left(std::time::Duration::from_secs(2));
}

#[test]
fn a_terminal_that_speaks_the_kitty_protocol_sends_plain_keys_to_processes() {
    let bench = Bench::new("kitty-typing");
    let mut terminal = open(&bench, READERS, 100, 30);
    terminal.wait("both run", |text| text.matches("ready").count() >= 2);
    let until = |terminal: &crate::terminal::Terminal, wanted: &str| {
        terminal.wait(wanted, |_| String::from_utf8_lossy(&terminal.written()).contains(wanted));
    };
    until(&terminal, "\x1b[?u\x1b[c");
    terminal.send("\x1b[?0u\x1b[?62;4c");
    until(&terminal, "\x1b[>1u");
    terminal.send("1>");
    until(&terminal, "\x1b[=0u");
    terminal.send("plain\r");
    terminal.wait_for("terminal got plain");
    terminal.send("\x1d");
    until(&terminal, "\x1b[=1u");
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
    bench.assert_nothing_left(std::time::Duration::from_secs(2));
}
