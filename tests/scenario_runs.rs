//! Every bundled scenario, run for real without a terminal, ends as its comments say and leaves nothing behind.

use std::{
    ffi::OsStr,
    process::Command,
    time::{Duration, Instant},
};

#[path = "support/real.rs"]
mod real;

/// What it wrote to stdout, and the closing block on stderr.
fn run_both(name: &str, options: &[&str], env: &[(&str, &OsStr)], code: i32, word: &str, within: Duration) -> (String, String) {
    let recordings = tempfile::tempdir().expect("a temporary folder");
    let started = Instant::now();
    let out = Command::new(env!("CARGO_BIN_EXE_e2e-tui"))
        .args(["run", name, "--recordings-dir"])
        .arg(recordings.path())
        .args(options)
        .env_remove("SHADOWCAT_BIN")
        .env_remove("MCP_VALIDATOR_DIR")
        .envs(env.iter().copied())
        .output()
        .expect("the binary of this package");
    let (said, closing) = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned());
    assert_eq!(out.status.code(), Some(code), "{said}\n{closing}");
    assert!(closing.contains(&format!("{name}: {word} (exit {code})")), "{closing}");
    assert!(closing.contains("no process or port left"), "{closing}");
    assert!(started.elapsed() < within, "{name} took {:?}", started.elapsed());
    (said, closing)
}

fn run(name: &str, options: &[&str], code: i32, word: &str, within: Duration) -> String {
    run_both(name, options, &[], code, word, within).0
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
    let (said, closing) = run_both("crash-restart", &[], &[], 1, "FAILED", SOON);
    assert!(said.contains("crash_after 3 calls") && said.contains("exited 101"), "{said}");
    assert!(closing.contains("HTTP 404, wanted 200"), "one client's session is gone: {closing}");
    assert!(closing.contains("panicked at") && closing.contains("crash_after 3 calls"), "the dead generation's last lines: {closing}");
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

#[test]
fn everything_passes_on_npms_server_and_clients() {
    let Some(path) = real::path_with("everything", &["node", "mcp-server-everything", "conformance"]) else { return };
    let (said, _) = run_both("everything", &[], &[("PATH", &path)], 0, "PASSED", Duration::from_secs(90));
    assert_eq!(said.matches("Passed: 1/1, 0 failed, 0 warnings").count(), 3, "{said}");
    assert!(said.contains("INFO 5 of 5 calls passed"), "{said}");
}

#[test]
fn everything_without_npm_says_what_to_install() {
    let (_, closing) = run_both("everything", &[], &[("PATH", OsStr::new("/nowhere"))], 3, "FAILED", SOON);
    assert!(closing.contains("npm install @modelcontextprotocol/server-everything@"), "{closing}");
}
