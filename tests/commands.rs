//! Commands that tell of the program and the machine: `doctor`, `completions`, `man`.

use std::{
    io::Write,
    process::{Command, Output},
};

fn said(args: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_e2e-tui"))
        .args(args)
        .env("XDG_STATE_HOME", dir.path().join("state"))
        .env("XDG_CONFIG_HOME", dir.path().join("config"))
        .output()
        .expect("the program runs")
}

/// Says so where libtest does not keep it: `.ci/run` looks for these lines.
fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}");
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn doctor_tells_what_holds_processes_together_and_where_recordings_are() {
    let text = text(&said(&["doctor"]));
    for word in
        ["subreaper", "pidfd", "cgroup", "state/e2e-tui/recordings: no recordings yet", "config/e2e-tui (nothing there", "- terminal"]
    {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
}

#[test]
fn every_shell_gets_completions_and_others_are_told_which_there_are() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&said(&["completions", shell]));
        assert!(script.contains("E2E_TUI_COMPLETE") && script.contains("e2e-tui"), "{shell}:\n{script}");
    }
    let refused = said(&["completions", "tcsh"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("bash, elvish, fish, powershell, zsh"));
}

#[test]
fn the_manual_page_has_every_command_that_help_names() {
    let (page, help) = (text(&said(&["man"])), text(&said(&["--help"])));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let heading = format!(".SH e2e-tui {name}\n").replace('-', r"\-");
        assert!(page.contains(&heading), "{name} is not in the page");
    }
    // The commands have no pages of their own, and the exit codes are in no other place.
    assert!(!page.contains("(1)") && page.contains("Exit codes: 0 passed"), "{page}");
}

#[test]
fn a_command_that_is_not_quite_written_is_named() {
    for args in [&["chekc"][..], &["chekc", "x.toml"], &["chekc", "x.toml", "--format", "json"], &["chcek", "--no-color"]] {
        let refused = said(args);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && told.contains("did you mean `check`?"), "{args:?}: {told}");
    }
    // What is a scenario, or near to nothing, is none.
    for args in [&["leak", "--no-such-option"][..], &["check", "--no-such-option"], &["whatever"]] {
        let told = String::from_utf8_lossy(&said(args).stderr).into_owned();
        assert!(!told.contains("did you mean"), "{args:?}: {told}");
    }
    assert!(said(&["--help"]).status.success() && said(&["--version"]).status.success());
}

#[test]
fn names_in_options_are_right_or_wrong_whatever_the_command_shows() {
    for (args, meant) in [
        (&["check", "forward", "--layout", "lgos"][..], "did you mean \"logs\"?"),
        (&["check", "forward", "--format", "json", "--theme", "drak"], "did you mean \"dark\"?"),
        (&["run", "forward", "--layout", "gird"], "did you mean \"grid\"?"),
        (&["run", "forward", "--report", "jnuit=x.xml"], "did you mean `junit`?"),
    ] {
        let refused = said(args);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && told.contains(meant), "{args:?}: {told}");
    }
}

/// Runs with a stdout or stderr whose reader is gone.
fn unread(args: &[&str], stderr: bool) -> Output {
    let dir = tempfile::tempdir().expect("a folder");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_e2e-tui"));
    command.args(args).env("XDG_STATE_HOME", dir.path());
    if stderr {
        command.stderr(writer).output().expect("the program runs")
    } else {
        command.stdout(writer).output().expect("the program runs")
    }
}

#[test]
fn a_reader_that_is_gone_is_no_mistake() {
    for args in [&["list"][..], &["schema"], &["check", "forward"], &["check", "forward", "--format", "json"], &["recordings"], &["man"]] {
        let output = unread(args, false);
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{args:?}");
    }
    assert_eq!(unread(&["run", "no-such-file.toml"], true).status.code(), Some(2));
    assert_eq!(unread(&["check", "no-such-file.toml"], true).status.code(), Some(2));
}

#[test]
fn an_answer_that_cannot_be_written_is_none() {
    use std::os::unix::fs::FileTypeExt;
    let full = std::path::Path::new("/dev/full");
    if !std::fs::metadata(full).is_ok_and(|there| there.file_type().is_char_device()) {
        return skipped("an answer that cannot be written: /dev/full is no device here");
    }
    let full = std::fs::OpenOptions::new().write(true).open(full).expect("a device");
    let output = Command::new(env!("CARGO_BIN_EXE_e2e-tui")).args(["check", "forward"]).stdout(full).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stdout could not be written"));
}
