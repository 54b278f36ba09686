//! Every bundled scenario, run for real without a terminal, ends as its comments say and leaves nothing behind.

use std::{
    ffi::OsStr,
    process::Command,
    time::{Duration, Instant},
};

#[path = "support/real.rs"]
mod real;

/// What it wrote to stdout, and the closing block on stderr.
fn ended(name: &str, options: &[&str], env: &[(&str, &OsStr)], code: i32, word: &str, within: Duration) -> (String, String) {
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
    assert!(started.elapsed() < within, "{name} took {:?}", started.elapsed());
    (said, closing)
}

/// The same of one that leaves nothing behind.
fn run_both(name: &str, options: &[&str], env: &[(&str, &OsStr)], code: i32, word: &str, within: Duration) -> (String, String) {
    let (said, closing) = ended(name, options, env, code, word, within);
    assert!(closing.contains("no process or port left"), "{closing}");
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
fn chaos_recovers_from_what_its_steps_do() {
    let said = run("chaos", &[], 0, "PASSED", SOON);
    for told in ["step 2   kill upstream", "restarted", "step 4   restart upstream, wait 500 ms", "e2e-tui  * recovered"] {
        assert!(said.contains(told), "{told} is missing in\n{said}");
    }
}

#[test]
fn chaos_rehearsed_says_how_each_step_went() {
    let (_, closing) = run_both("chaos", &["--rehearse", "--quiet"], &[], 0, "PASSED", SOON);
    assert!(closing.contains("Rehearsal: 6 of 6 steps passed\n"), "{closing}");
    assert_eq!(closing.lines().filter(|line| line.contains("  passed  ")).count(), 6, "{closing}");
}

#[test]
fn demo_fails_in_the_middle_and_is_well_again_at_the_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let archive = folder.path().join("demo.tar.zst");
    let set = format!("archive={}", archive.display());
    let said = run("demo", &["--set", "look=1s", "--set", "calls=10", "--set", &set], 0, "PASSED", SOON);
    for told in
        ["step 3   kill -9 the upstream", "client-a * failed", "→ 404, the session is lost: a new handshake", "step 8   export and replay"]
    {
        assert!(said.contains(told), "{told} is missing in\n{said}");
    }
    assert!(archive.is_file(), "the last step packs it");
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

#[test]
fn auth_passes_with_tokens_passed_on_and_added() {
    let said = run("auth", &[], 0, "PASSED", SOON);
    assert!(said.contains("initialize without a token → 401, as it must be"), "{said}");
    assert!(said.contains("initialize with a wrong token → 401, as it must be"), "{said}");
}

#[test]
fn auth_with_a_wrong_token_fails() {
    let said = run("auth", &["--set", "sent=wrong-horse"], 1, "FAILED", SOON);
    assert!(said.contains("ERROR initialize: HTTP 401, wanted 200"), "{said}");
}

#[test]
fn flapping_health_comes_and_goes_while_every_call_passes() {
    let said = run("flapping-health", &[], 0, "PASSED", SOON);
    assert!(said.contains("upstream * unhealthy") && said.matches("upstream * healthy").count() >= 2, "{said}");
}

#[test]
fn flapping_health_that_restarts_costs_the_session() {
    let said = run("flapping-health", &["--set", "on_unhealthy=restart"], 1, "FAILED", SOON);
    assert!(said.contains("HTTP 404, wanted 200") || said.contains("HTTP 502, wanted 200"), "{said}");
}

#[test]
fn leak_is_named_and_ended() {
    let (_, closing) = ended("leak", &[], &[], 5, "LEAKED", SOON);
    let leaked = closing.lines().find_map(|line| line.strip_prefix("Leaked by suite: pid ")).expect("it is named");
    let (pid, command) = leaked.split_once(' ').expect("pid and command");
    assert_eq!(command, "(sleep 600), killed");
    let pid = nix::unistd::Pid::from_raw(pid.parse().expect("a number"));
    assert_eq!(nix::sys::signal::kill(pid, None), Err(nix::errno::Errno::ESRCH), "it is gone");
}

#[test]
fn flood_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.json");
    run("flood", &["--set", "lines=200000", "--quiet", "--report", &format!("json={}", file.display())], 0, "PASSED", SOON);
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("it is there")).expect("JSON");
    assert_eq!(report["processes"][0]["name"], "flood");
    assert_eq!(report["processes"][0]["lines"], 200_000);
}

#[test]
fn soak_passes_and_says_how_long_calls_took() {
    let said = run("soak", &["--set", "duration=6s"], 0, "PASSED", SOON);
    assert!(said.contains(", 0 failed, p50 "), "it says so on the way: {said}");
    assert!(said.lines().any(|line| line.contains(" calls passed, p50 ") && line.contains(", p99 ")), "{said}");
}

#[test]
fn chain_passes_through_nginx_and_two_proxies() {
    let parts = ["node", "mcp-server-everything", "conformance", "mcp-inspector-cli", "mcp-proxy", "nginx"];
    let Some(path) = real::path_with("chain", &parts) else { return };
    let (said, _) = run_both("chain", &[], &[("PATH", &path)], 0, "PASSED", Duration::from_secs(90));
    assert_eq!(said.matches("Passed: 1/1, 0 failed, 0 warnings").count(), 2, "{said}");
    assert!(said.contains("Echo: hello through three hops"), "{said}");
}
