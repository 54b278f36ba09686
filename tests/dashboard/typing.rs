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
    for (number, name) in [("1", "terminal"), ("2", "pipe")] {
        terminal.send(number);
        terminal.send(">");
        terminal.wait_for(&format!("send to {name}"));
        terminal.send(&format!("hello {name}\r"));
        terminal.wait_for(&format!("{name} got hello {name}"));
    }
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
    bench.assert_nothing_left(std::time::Duration::from_secs(2));
}
