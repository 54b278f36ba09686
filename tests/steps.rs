//! The steps of a scenario on real processes, without a dashboard.

mod support;

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use support::{Bench, Finished, wait_for};

fn run(name: &str, scenario: &str, args: &[&str]) -> (Finished, Value, Bench) {
    let bench = Bench::new(name);
    let report = bench.dir.path().join("report.json");
    let option = format!("json={}", report.display());
    let run = bench.run(scenario, &[&["--report", &option], args].concat());
    bench.assert_nothing_left(Duration::from_millis(500));
    let text = std::fs::read_to_string(report).expect("a report is written whatever happens");
    (run, serde_json::from_str(&text).expect("it is JSON"), bench)
}

/// How each step ended.
fn stages(report: &Value) -> Vec<&str> {
    report["steps"].as_array().into_iter().flatten().filter_map(|step| step["stage"].as_str()).collect()
}

/// A service that says so and stays, and a test that reads lines until it is told to go.
const PAIR: &str = r#"
name = "pair"
timeout = "30s"
[process.server]
shell = "trap 'echo reloaded' HUP; echo up $$; while :; do sleep 0.05; done"
restart = { policy = "on-failure", backoff = "50ms" }
stop = { grace = "1s" }
[process.test]
role = "test"
stdin = "pipe"
shell = "while read -r line; do echo got $line; [ \"$line\" = go ] && exit 0; done; exit 1"
depends_on = { server = "ready" }
"#;

#[test]
fn what_steps_kill_signal_and_restart_comes_back_and_the_run_passes() {
    let steps = r#"
[[step]]
when = { log = "server", matches = "^up" }
do = { kill = "server" }
note = "Killed under way."
[[step]]
when = { process = "server", is = "ready" }
do = { signal = { process = "server", name = "HUP" } }
[[step]]
when = { log = "server", matches = "reloaded" }
do = [{ restart = "server" }, { wait = "100ms" }, { send = { process = "test", text = "hello" } }]
[[step]]
when = { log = "test", matches = "got hello" }
do = [{ mark = "said" }, { export = "half.tar.zst" }, { export = "half.tar.zst" }, { send = { process = "test", text = "go" } }]
timeout = "20s"
"#;
    let (run, report, bench) = run("steps", &format!("{PAIR}{steps}"), &["--archive", "whole.tar.zst"]);
    run.assert_code(0);
    assert_eq!(stages(&report), ["done"; 4], "{report:#}");
    assert_eq!(report["steps"][0]["do"], "kill server");
    let ends: Vec<_> = report["processes"][0]["exits"].as_array().expect("a list").iter().map(|exit| &exit["signal"]).collect();
    assert_eq!(ends.first(), Some(&&Value::from("SIGKILL")), "{report:#}");
    for told in ["step 1   kill server   Killed under way.", "said", "step 4 done"] {
        assert!(run.stdout.lines().any(|line| line.contains(" * ") && line.contains(told)), "{told} is missing in\n{}", run.stdout);
    }
    // The archive of the run so far, written over once, and that of all of it tell the same of the steps.
    for (archive, wanted) in [("half.tar.zst", "step 4   mark"), ("whole.tar.zst", "step 4 done")] {
        let out = bench.command().args(["logs", archive]).output().expect("the binary runs");
        let log = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(log.contains(wanted) && log.contains("step 1 done"), "{archive}:\n{log}{}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn a_step_that_waits_too_long_fails_the_run_and_says_for_what() {
    let steps = r#"
[[step]]
when = { process = "server", is = "failed" }
timeout = "300ms"
do = { mark = "never" }
[[step]]
do = { stop = "server" }
"#;
    let (run, report, _bench) = run("late", &format!("{PAIR}{steps}"), &[]);
    run.assert_code(1);
    assert_eq!(stages(&report), ["failed", "skipped"]);
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("step 1 failed: waited 300 ms for server failed: it is "), "{reason}");
    assert!(run.stderr.contains(reason), "{}", run.stderr);
}

#[test]
fn a_step_never_writes_over_what_is_no_archive() {
    let bench = Bench::new("over");
    let notes = bench.write("notes.txt", "mine");
    let steps = "[[step]]\nwhen = { process = \"server\", is = \"ready\" }\ndo = { export = \"notes.txt\" }\n";
    let run = bench.run(&format!("{PAIR}{steps}"), &[]);
    run.assert_code(1);
    assert!(run.stderr.contains("step 1 failed: ") && run.stderr.contains("notes.txt exists"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(notes).expect("it is there"), "mine");
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_rehearsal_ends_with_its_steps_whatever_the_tests_do() {
    let steps = r#"
[[step]]
when = { process = "server", is = "ready" }
do = { stop = "test" }
[[step]]
do = { kill = "test" }
[[step]]
do = { mark = "end" }
"#;
    let scenario = format!("{PAIR}{steps}");
    let (rehearsed, report, _bench) = run("rehearse", &scenario, &["--rehearse"]);
    rehearsed.assert_code(1);
    assert_eq!(stages(&report), ["done", "failed", "done"], "the second cannot be carried out, the third is all the same");
    assert!(rehearsed.stderr.contains("Rehearsal: 2 of 3 steps passed\n"), "{}", rehearsed.stderr);
    let (rest, report, _bench) = run("rest", &scenario, &["--rehearse", "--from-step", "3"]);
    rest.assert_code(0);
    assert_eq!(stages(&report), ["skipped", "skipped", "done"]);
}

#[test]
fn what_there_is_no_step_for_is_said_before_anything_starts() {
    let bench = Bench::new("nosteps");
    let run = bench.run(PAIR, &["--rehearse"]);
    run.assert_code(2);
    assert!(run.stderr.contains("has no steps: add a [[step]] to it"), "{}", run.stderr);
    let run = bench.run(&format!("{PAIR}[[step]]\nnote = \"x\"\n"), &["--from-step", "2"]);
    run.assert_code(2);
    assert!(run.stderr.contains("has 1 step"), "{}", run.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_step_replaces_its_own_archive_and_no_other() {
    let bench = Bench::new("foreign");
    let steps = "[[step]]\nwhen = { process = \"test\", is = \"running\" }\ndo = [{ export = \"x.tar.zst\" }, { send = { process = \"test\", text = \"go\" } }]\n";
    let scenario = format!("{PAIR}{steps}");
    // Somebody else's: the same format, and none of ours.
    let foreign = zstd::encode_all(&b"a dump of a database"[..], 3).expect("it can be packed");
    let target = bench.dir.path().join("x.tar.zst");
    std::fs::write(&target, &foreign).expect("a disk");
    let refused = bench.run(&scenario, &[]);
    refused.assert_code(1);
    assert!(refused.stderr.contains("step 1 failed: ") && refused.stderr.contains("x.tar.zst exists"), "{}", refused.stderr);
    assert_eq!(std::fs::read(&target).expect("it is there"), foreign, "it is as it was");
    // What is asked for by name is replaced; then the same script finds an archive of its own.
    bench.run(&scenario, &["--force"]).assert_code(0);
    bench.run(&scenario, &[]).assert_code(0);
    let other = scenario.replacen("name = \"pair\"", "name = \"other\"", 1);
    let refused = bench.run(&other, &[]);
    refused.assert_code(1);
    assert!(refused.stderr.contains("x.tar.zst exists"), "the archive of another scenario stays: {}", refused.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn an_archive_that_a_step_is_writing_when_the_run_is_ended_leaves_nothing_beside_it() {
    let bench = Bench::new("cut");
    let scenario = r#"
name = "cut"
[process.talker]
shell = "head -c 60000000 /dev/urandom | base64; echo done; sleep 600"
[[step]]
when = { log = "talker", matches = "^done" }
do = { export = "out/x.tar.zst" }
"#;
    let file = bench.write("scenario.toml", scenario);
    let out = bench.dir.path().join("out");
    std::fs::create_dir(&out).expect("a folder");
    let names = || -> Vec<String> {
        std::fs::read_dir(&out).expect("readable").flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let child = bench.command().args(["run", "--quiet"]).arg(file).spawn().expect("the binary runs");
    wait_for("the archive to be begun", Duration::from_mins(1), || names().iter().any(|name| name.starts_with(".x.tar.zst.")));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("it lives");
    Finished::of(&child.wait_with_output().expect("it ends")).assert_code(130);
    assert!(names().iter().all(|name| name == "x.tar.zst"), "{:?}", names());
    bench.assert_nothing_left(Duration::from_millis(500));
}
