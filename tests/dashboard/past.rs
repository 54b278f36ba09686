//! Time travel on a real run, and on its replay.

use std::time::Duration;

use super::{open, support::Bench, terminal::Terminal};

/// It crashes once, and what is said afterwards is told apart from what was said before.
const CRASH: &str = r#"
name = "crash"
[process.one]
shell = "if [ -e again ]; then echo second life; exec sleep 600; else touch again; echo first life; exit 9; fi"
restart = { policy = "on-failure", backoff = "100ms" }
"#;

fn walk(terminal: &mut Terminal) {
    // The newest turn is the restart, the one before it the crash.
    terminal.send("{{");
    let screen = terminal.wait("the crash", |text| text.contains("PAST ") && text.contains("exit 9"));
    assert!(screen.contains("↻ backoff") && !screen.contains("second life") && screen.contains("first life"), "{screen}");
    terminal.send("]]]");
    terminal.wait_for("second life");
    terminal.send("=");
    terminal.wait("now", |text| !text.contains("PAST "));
}

#[test]
fn a_run_that_goes_on_and_its_recording_go_back_to_the_crash() {
    let bench = Bench::new("past");
    let mut terminal = open(&bench, CRASH, 120, 40);
    terminal.wait_for("second life");
    walk(&mut terminal);
    terminal.send("{x");
    terminal.wait_for("which is past: = goes back to now");
    assert!(!bench.alive().iter().all(|(_, command)| !command.starts_with("sleep")), "nothing was stopped");
    terminal.send("=\x03");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));

    let mut command = bench.command();
    command.arg("replay").arg(bench.recording());
    let mut terminal = Terminal::start(&command, 120, 40);
    terminal.wait_for("REPLAY");
    terminal.send("G");
    walk(&mut terminal);
    terminal.send("q");
    assert_eq!(terminal.ended().code(), Some(0));
}
