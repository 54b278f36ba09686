//! Commands that tell of the program and the machine: `doctor`, `completions`, `man`.

use std::process::{Command, Output};

fn said(args: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_e2e-tui"))
        .args(args)
        .env("XDG_STATE_HOME", dir.path().join("state"))
        .env("XDG_CONFIG_HOME", dir.path().join("config"))
        .output()
        .expect("the program runs")
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
        assert!(script.contains("around-failure") && script.contains("recordings"), "{shell}:\n{script}");
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
        assert!(page.contains(&format!(".SH \"{}\"", name.to_uppercase())), "{name} is not in the page");
    }
}
