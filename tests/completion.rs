//! Completion as shells ask for it: names of scenarios, processes, variables and recordings.

mod support;

use std::{fs, io::Write, os::unix::fs::symlink, process::Command};

use support::Bench;

const SHOP: &str = "name = \"shop\"\n[vars]\ncalls = 8\n[process.db]\ncommand = [\"db\"]\n[process.web]\ncomand = [\"a mistake\"]\n[process.worker]\ncommand = [\"w\"]\nreplicas = 2\n";

/// A folder with scenarios, where the binary is in the PATH.
fn bench() -> Bench {
    let bench = Bench::new("completion");
    bench.write("shop.toml", SHOP);
    bench.write("scenarios/nightly.toml", SHOP);
    bench.write("Cargo.toml", "[package]\n");
    bench.write("notes.txt", "");
    fs::create_dir(bench.dir.path().join("bin")).expect("a folder");
    symlink(bench.command().get_program(), bench.dir.path().join("bin/e2e-tui")).expect("a link");
    bench
}

fn path(bench: &Bench) -> String {
    format!("{}:{}", bench.dir.path().join("bin").display(), std::env::var("PATH").unwrap_or_default())
}

/// What bash offers at the end of this line.
fn bash(bench: &Bench, words: &[&str]) -> Vec<String> {
    let script = r#"
        source <(e2e-tui completions bash)
        complete -p e2e-tui >/dev/null || exit 1
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9
        _clap_complete_e2e_tui e2e-tui "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = bench.command_of("bash");
    let out = command.args(["--norc", "-c", script, "bash"]).args(words).env("PATH", path(bench)).output().expect("bash is everywhere");
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_scenarios_here_in_their_folder_and_bundled_ones() {
    let bench = bench();
    let offered = bash(&bench, &["e2e-tui", "run", ""]);
    for name in ["shop.toml", "nightly", "forward", "chain"] {
        assert!(offered.iter().any(|one| one == name), "{name} is not in {offered:?}");
    }
    assert!(!offered.iter().any(|one| one == "Cargo.toml" || one == "notes.txt"), "{offered:?}");
    assert_eq!(bash(&bench, &["e2e-tui", "run", "nig"]), ["nightly"]);
    assert_eq!(bash(&bench, &["e2e-tui", "--scenario", "forw"]), ["forward"]);
    assert_eq!(bash(&bench, &["e2e-tui", "check", "scenarios/n"]), ["scenarios/nightly.toml"]);
}

#[test]
fn bash_completes_the_processes_and_variables_of_the_scenario_on_the_line_mistakes_or_not() {
    let bench = bench();
    assert_eq!(bash(&bench, &["e2e-tui", "run", "shop.toml", "--only", "w"]), ["web", "worker", "worker-1", "worker-2"]);
    assert_eq!(bash(&bench, &["e2e-tui", "run", "shop.toml", "--only", "db,we"]), ["db,web"]);
    assert_eq!(bash(&bench, &["e2e-tui", "run", "forward", "--only", "client-"]), ["client-a", "client-b"]);
    assert_eq!(bash(&bench, &["e2e-tui", "run", "shop", "--set", ""]), ["calls="]);
    assert!(bash(&bench, &["e2e-tui", "--theme", "hi"]).contains(&"high-contrast".to_owned()));
    assert!(bash(&bench, &["e2e-tui", "--layout", "gr"]).contains(&"grid".to_owned()));
    assert_eq!(bash(&bench, &["e2e-tui", "run", "forward", "--report", "ju"]), ["junit="]);
    assert_eq!(bash(&bench, &["e2e-tui", "exp"]), ["explain", "export"]);
}

#[test]
fn bash_completes_recordings_and_the_processes_in_them() {
    let bench = bench();
    bench.run("name = \"kept\"\n[process.one]\ncommand = [\"true\"]\n[process.two]\ncommand = [\"true\"]\n", &[]).assert_code(0);
    let id = bench.recording().file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(bash(&bench, &["e2e-tui", "explain", "20"]), [id.as_str()]);
    assert_eq!(bash(&bench, &["e2e-tui", "logs", &id, "--process", ""]), ["one", "two"]);
}

/// The question that the function of a shell asks, without that shell.
fn asked(bench: &Bench, shell: &str, words: &[&str]) -> String {
    let mut command = bench.command();
    let index = (words.len() - 1).to_string();
    let command = command.env("E2E_TUI_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
    let out = command.arg("--").args(words).output().expect("the binary runs");
    assert!(out.status.success(), "{out:?}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn zsh_and_fish_are_answered_with_what_each_name_is() {
    let bench = bench();
    for shell in ["zsh", "fish"] {
        let said = asked(&bench, shell, &["e2e-tui", "run", "forw"]);
        assert!(said.starts_with("forward") && said.lines().count() == 1 && said.contains("proxy"), "{shell}: {said}");
        let said = asked(&bench, shell, &["e2e-tui", "run", "shop", "--only", "wor"]);
        assert_eq!(said.lines().count(), 3, "{shell}: {said}");
    }
}

/// Runs a script in a shell that may not be there.
fn in_shell(bench: &Bench, shell: &str, script: &str) -> Option<String> {
    let there = Command::new(shell).arg("-c").arg("exit 0").output().is_ok_and(|out| out.status.success());
    if !there {
        let _ = writeln!(std::io::stderr(), "SKIPPED completion in {shell}: {shell} is not installed");
        return None;
    }
    let out = bench.command_of(shell).args(["-c", script]).env("PATH", path(bench)).output().expect("it was there a moment ago");
    assert!(out.status.success(), "{out:?}");
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn fish_itself_completes() {
    let bench = bench();
    if let Some(said) = in_shell(&bench, "fish", "e2e-tui completions fish | source; complete -C 'e2e-tui run shop --only we'") {
        assert_eq!(said.trim(), "web");
    }
}

#[test]
fn zsh_itself_takes_the_function() {
    let bench = bench();
    let script = "autoload -U compinit && compinit -D -u && source <(e2e-tui completions zsh) && print $_comps[e2e-tui]";
    if let Some(said) = in_shell(&bench, "zsh", script) {
        assert_eq!(said.trim(), "_clap_dynamic_completer_e2e_tui");
    }
}
