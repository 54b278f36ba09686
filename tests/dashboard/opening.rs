//! How the dashboard is opened: by name, by choice, with files of the user's own; and how it says that it cannot.

use std::{process::Output, time::Duration};

use super::{
    QUIET, assert_restored,
    support::{self, Bench},
    terminal::{PATIENCE, Terminal},
};

/// Runs it where there is no terminal.
fn without_terminal(bench: &Bench, args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = bench.command().args(args).output().expect("the program starts");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn t7_without_a_terminal_it_names_the_command_that_needs_none() {
    let bench = Bench::new("no-terminal");
    bench.write("scenario.toml", QUIET);
    for args in [&["--scenario", "scenario.toml"][..], &["scenario"], &[]] {
        let (code, told) = without_terminal(&bench, args);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("e2e-tui run"), "{told}");
    }
}

#[test]
fn the_picker_offers_what_is_here_and_runs_what_is_chosen() {
    let bench = Bench::new("picker");
    bench.write("scenarios/quiet.toml", QUIET);
    bench.write("Cargo.toml", "[package]\nname = \"x\"\n");
    let mut terminal = Terminal::start(&bench.command(), 100, 30);
    let first = terminal.wait_for("? keys");
    let rows: Vec<&str> = first.lines().collect();
    assert!(rows[0].starts_with(" e2e-tui   no scenario given"), "{first}");
    assert!(rows[1].starts_with("▌scenarios/quiet.toml"), "{first}");
    assert!(rows[1].contains("here      2 processes"), "{first}");
    assert!(first.contains("forward                     bundled   clients -> proxy -> upstream"), "{first}");
    assert!(!first.contains("Cargo.toml"), "other tools' files are no scenarios: {first}");
    terminal.send("\r");
    terminal.wait_for("two is up");
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
    bench.assert_nothing_left(Duration::from_secs(2));

    // Its recording is offered now, and replays.
    let mut terminal = Terminal::start(&bench.command(), 100, 30);
    let second = terminal.wait_for("recording stopped");
    assert!(second.contains("2 processes            last: stopped just now"), "{second}");
    terminal.send("G\r");
    terminal.wait_for("REPLAY");
    terminal.send("q");
    assert_eq!(terminal.ended().code(), Some(0));
}

#[test]
fn the_picker_checks_and_begins_scenarios() {
    let bench = Bench::new("picker-check");
    bench.write("scenarios/quiet.toml", QUIET);
    let mut terminal = Terminal::start(&bench.command(), 100, 40);
    terminal.wait_for("▌scenarios/quiet.toml");
    terminal.send("c");
    assert_eq!(terminal.ended().code(), Some(0));
    terminal.wait_for("Start, each as soon as what it waits for holds");
    let mut terminal = Terminal::start(&bench.command(), 100, 40);
    terminal.wait_for("▌scenarios/quiet.toml");
    terminal.send("n");
    assert_eq!(terminal.ended().code(), Some(0));
    terminal.wait_for("wrote scenarios/hello.toml");
    let (code, told) = without_terminal(&bench, &["check", "hello"]);
    assert_eq!(code, Some(0), "the starter has no mistake: {told}");
}

#[test]
fn files_of_the_user_s_own_are_read_before_anything_starts() {
    let bench = Bench::new("own-files");
    bench.write("scenario.toml", QUIET);
    bench.write("config/e2e-tui/keymap.toml", "[everywhere]\n\"Z\" = \"zom\"\n");
    bench.write("mine.toml", "[styles]\ngood = \"gren\"\n");
    let mut command = bench.command();
    command.args(["scenario", "--theme", "mine.toml", "--layout", "gird"]);
    let mut terminal = Terminal::start(&command, 120, 40);
    assert_eq!(terminal.ended().code(), Some(2));
    let told = terminal.wait_for("gird");
    assert!(told.contains("keymap.toml:2:7: unknown action \"zom\"; did you mean \"zoom\"?"), "{told}");
    assert!(told.contains("mine.toml:2:8: unknown colour \"gren\""), "{told}");
    assert!(told.contains("there is no layout \"gird\", neither as a file nor by name; did you mean \"grid\"?"), "{told}");

    bench.write("config/e2e-tui/keymap.toml", "[everywhere]\n\"Z\" = \"zoom\"\n");
    let mut command = bench.command();
    command.args(["scenario", "--layout", "logs"]);
    let mut terminal = Terminal::start(&command, 120, 40);
    terminal.wait_for("two is up");
    terminal.send("Z");
    terminal.wait("the table is zoomed", |text| !text.contains("─ Logs"));
    terminal.send("\x03");
    terminal.ended();
}

#[test]
fn t13_a_replay_and_the_picker_give_the_terminal_back_to_whoever_ends_them() {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    let bench = Bench::new("asked-to-end");
    let run = "name = \"short\"\n[process.test]\nrole = \"test\"\nshell = \"echo done\"\n";
    bench.run(run, &[]).assert_code(0);
    let recording = bench.recording();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let mut replay = bench.command();
        replay.arg("replay").arg(&recording);
        for (command, shown) in [(replay, "REPLAY"), (bench.command(), "no scenario given")] {
            let mut terminal = Terminal::start(&command, 100, 30);
            terminal.wait_for(shown);
            kill(Pid::from_raw(terminal.child.id().cast_signed()), signal).expect("it lives");
            assert_eq!(terminal.ended().code(), Some(128 + signal as i32), "{signal} {shown}");
            support::wait_for("the screen is left", PATIENCE, || terminal.is_given_back());
            assert_restored(&terminal);
        }
    }
}
