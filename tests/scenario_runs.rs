//! Every bundled scenario, run for real without a terminal, ends as its comments say and leaves nothing behind.

use std::{
    process::Command,
    time::{Duration, Instant},
};

fn run(name: &str, options: &[&str], code: i32, word: &str, within: Duration) -> String {
    let recordings = tempfile::tempdir().expect("a temporary folder");
    let started = Instant::now();
    let out = Command::new(env!("CARGO_BIN_EXE_e2e-tui"))
        .args(["run", name, "--recordings-dir"])
        .arg(recordings.path())
        .args(options)
        .env_remove("SHADOWCAT_BIN")
        .env_remove("MCP_VALIDATOR_DIR")
        .output()
        .expect("the binary of this package");
    let (said, closing) = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned());
    assert_eq!(out.status.code(), Some(code), "{said}\n{closing}");
    assert!(closing.contains(&format!("{name}: {word} (exit {code})")), "{closing}");
    assert!(closing.contains("no process or port left"), "{closing}");
    assert!(started.elapsed() < within, "{name} took {:?}", started.elapsed());
    said
}

const SOON: Duration = Duration::from_secs(30);

#[test]
fn forward_passes_in_less_than_ten_seconds() {
    run("forward", &[], 0, "PASSED", Duration::from_secs(10));
}

#[test]
fn reverse_passes_with_a_token_and_a_captured_port() {
    let said = run("reverse", &[], 0, "PASSED", SOON);
    assert!(said.contains("waited for") && said.contains("second-proxy"), "{said}");
}

#[test]
fn stdio_passes_over_pipes() {
    run("stdio", &[], 0, "PASSED", SOON);
}

#[test]
fn crash_restart_fails_because_sessions_are_lost() {
    let said = run("crash-restart", &[], 1, "FAILED", SOON);
    assert!(said.contains("crash_after 3 calls") && said.contains("exited 101"), "{said}");
}

#[test]
fn slow_start_waits_and_passes() {
    run("slow-start", &[], 0, "PASSED", SOON);
}

#[test]
fn slow_start_that_is_too_slow_fails_as_a_service() {
    run("slow-start", &["--set", "delay=60s"], 3, "FAILED", SOON);
}

#[test]
fn hang_fails_when_the_client_gives_up() {
    run("hang", &[], 1, "FAILED", SOON);
}
