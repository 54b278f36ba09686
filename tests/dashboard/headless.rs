//! `run` on a terminal: the line that shows how far it is, below everything else, and gone in the end.

use std::time::Duration;

use super::{support::Bench, terminal::Terminal};

/// It says three lines as the test lets it, and ends when it may.
const STEPS: &str = r#"
name = "steps"
[process.server]
shell = "echo up; exec sleep 600"
[process.test]
role = "test"
shell = "for n in 1 2; do until [ -e go$n ]; do sleep 0.02; done; echo step $n; done"
depends_on = { server = "started" }
"#;

#[test]
fn a_run_on_a_terminal_keeps_a_line_below_its_log_and_takes_it_away() {
    let bench = Bench::new("progress");
    let file = bench.write("scenario.toml", STEPS);
    let mut command = bench.command();
    command.arg("run").arg(file).env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(&command, 80, 24);
    let last = |text: &str| text.trim_end().lines().last().unwrap_or_default().to_owned();
    terminal.wait("the line is there", |text| last(text).contains("waits for test") && text.contains("server | up"));
    bench.write("go1", "");
    let screen = terminal.wait("it stays below what is said", |text| text.contains("step 1") && last(text).contains("1 running"));
    assert!(last(&screen).contains(" s   ") && last(&screen).ends_with("waits for test"), "{screen}");
    assert!(!screen.lines().any(|line| line.contains('|') && line.contains("waits for")), "it never shares a row: {screen}");
    bench.write("go2", "");
    assert_eq!(terminal.ended().code(), Some(0));
    let screen = terminal.wait_for("Recorded:");
    assert!(!screen.contains("waits for test") && screen.contains("test   | step 2"), "{screen}");
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn quiet_and_terminals_that_cannot_clear_a_row_have_no_such_line() {
    for (args, term) in [(&["--quiet"][..], "xterm"), (&[], "dumb")] {
        let bench = Bench::new("no-progress");
        let file = bench.write("scenario.toml", "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"sleep 0.5; echo done\"\n");
        let mut command = bench.command();
        command.arg("run").arg(file).args(args).env("TERM", term);
        let mut terminal = Terminal::start(&command, 80, 24);
        assert_eq!(terminal.ended().code(), Some(0));
        terminal.wait_for("Recorded:");
        let written = String::from_utf8_lossy(&terminal.written()).into_owned();
        assert!(!written.contains("waits for") && !written.contains("\x1b[K"), "{args:?} {term}: {written}");
    }
}

#[test]
fn a_pipe_that_may_end_on_the_same_terminal_has_no_such_line_beside_it_and_a_file_has() {
    for (into, line) in [("| cat", false), ("> log", true)] {
        let bench = Bench::new("tee");
        let file = bench.write("scenario.toml", STEPS);
        let program = bench.command().get_program().to_owned();
        let mut command = bench.command_of("sh");
        command.arg("-c").arg(format!("\"$0\" run \"$1\" {into}")).arg(program).arg(file);
        let mut terminal = Terminal::start(&command, 80, 24);
        if line {
            terminal.wait_for("waits for test");
        } else {
            terminal.wait_for("server | up");
        }
        bench.write("go1", "");
        bench.write("go2", "");
        terminal.ended();
        let screen = terminal.wait_for("Recorded:");
        let written = String::from_utf8_lossy(&terminal.written()).into_owned();
        assert_eq!(written.contains("waits for") && written.contains("\x1b[K"), line, "{into}: {written}");
        assert_eq!(screen.contains("test   | step 2"), !line, "{into}: {screen}");
        bench.assert_nothing_left(Duration::from_secs(2));
    }
}
