//! `e2e-tui run` as a user meets it: real children, exit codes, reports, and nothing left.

mod support;

use std::{
    io::Read,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use support::{Bench, Finished, wait_for};

const SOON: Duration = Duration::from_secs(20);

/// A run under way.
struct Running {
    child: std::process::Child,
}

impl Running {
    fn start(bench: &Bench, scenario: &str) -> Self {
        let file = bench.write("scenario.toml", scenario);
        let child = bench.command().arg("run").arg(file).spawn().expect("the binary runs");
        Self { child }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is not reaped yet");
    }

    fn finish(self) -> Finished {
        Finished::of(&self.child.wait_with_output().expect("it ends"))
    }
}

/// Waits until a run's recording says `text` in the log of `process`.
fn wait_for_output(bench: &Bench, process: &str, text: &str) {
    wait_for(&format!("{process} to say {text:?}"), SOON, || {
        let base = bench.dir.path().join("state/e2e-tui/recordings");
        let Ok(mut runs) = std::fs::read_dir(base) else { return false };
        let Some(Ok(run)) = runs.next() else { return false };
        let said = |stream: &str| std::fs::read_to_string(run.path().join(format!("logs/{process}.{stream}"))).unwrap_or_default();
        said("out").contains(text) || said("err").contains(text)
    });
}

const TALKER: &str = r#"
name = "talk"
[process.server]
shell = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
[process.test]
role = "test"
shell = "echo testing; sleep 600"
"#;

#[test]
fn the_bundled_forward_scenario_passes() {
    let bench = Bench::new("forward");
    let report = bench.dir.path().join("report.json");
    let output =
        bench.command().args(["run", "forward", "--report"]).arg(format!("json={}", report.display())).output().expect("the binary runs");
    let run = Finished::of(&output);
    run.assert_code(0);
    bench.assert_nothing_left(Duration::from_millis(500));
    let report: Value = serde_json::from_str(&std::fs::read_to_string(report).expect("the report was written")).expect("it is JSON");
    assert_eq!(report["verdict"], "passed");
    assert_eq!(report["exit_code"], 0);
    let names: Vec<_> = report["processes"].as_array().expect("a list").iter().map(|p| p["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["upstream", "proxy", "client-a", "client-b"]);
    assert_eq!(report["processes"][0]["health"], "healthy");
    assert!(run.stdout.contains("upstream | "), "{}", run.stdout);
    assert!(run.stdout.lines().any(|l| l.starts_with("client-a * completed")), "{}", run.stdout);
    assert!(!run.stdout.contains('\x1b'), "no escape where stdout is no terminal");
    assert!(run.stderr.contains("forward: PASSED (exit 0)"), "{}", run.stderr);
}

#[test]
fn three_mistakes_are_three_positions_and_nothing_starts() {
    let bench = Bench::new("mistakes");
    let run = bench.run(
        "name = \"x\"\n[process.a]\ncomand = [\"true\"]\ncommand = [\"touch\", \"started\"]\nstop = { grace = 5 }\ndepends_on = [\"b\"]\n",
        &[],
    );
    run.assert_code(2);
    for position in ["scenario.toml:3:1", "scenario.toml:5:", "scenario.toml:6:"] {
        assert!(run.stderr.contains(position), "{position} is missing in\n{}", run.stderr);
    }
    assert!(run.stderr.contains("command"), "a suggestion for the unknown key");
    assert!(!bench.dir.path().join("started").exists());
}

#[test]
fn p1_a_service_that_cannot_start_ends_with_3_and_says_where_it_was_looked_for() {
    let bench = Bench::new("nostart");
    let began = Instant::now();
    let run = bench.run("name = \"x\"\n[process.server]\ncommand = [\"no-such-program-anywhere\"]\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n", &[]);
    run.assert_code(3);
    assert!(run.stderr.contains("\"no-such-program-anywhere\" was not found in PATH"), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(10));
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_failing_test_ends_with_1_and_its_last_words() {
    let bench = Bench::new("fail");
    let run = bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"echo wanted 200 >&2; exit 7\"\n", &[]);
    run.assert_code(1);
    assert!(run.stderr.contains("x: FAILED (exit 1)"), "{}", run.stderr);
    assert!(run.stderr.contains("test exit 7") && run.stderr.contains("wanted 200"), "{}", run.stderr);
}

#[test]
fn a_run_that_takes_too_long_ends_with_4() {
    let bench = Bench::new("timeout");
    bench.run(&format!("timeout = \"300ms\"\n{}", TALKER.trim_start()), &[]).assert_code(4);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn p15_what_a_test_leaves_behind_is_a_leak_with_5_and_is_killed() {
    let bench = Bench::new("leak");
    let began = Instant::now();
    let run = bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"sleep 600 & echo done\"\n", &[]);
    run.assert_code(5);
    assert!(run.stderr.contains("Leaked by test: pid") && run.stderr.contains("sleep 600"), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(10), "nothing waits for it");
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_test_that_nobody_starts_holds_up_no_run_and_what_waits_for_it_is_skipped_saying_why() {
    let bench = Bench::new("byhand");
    let run = bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n[process.manual]\nrole = \"test\"\nautostart = false\ncommand = [\"false\"]\n", &[]);
    run.assert_code(0);
    assert!(run.stderr.contains("checks 1/1"), "{}", run.stderr);
    let bench = Bench::new("bynobody");
    let run = bench.run("name = \"x\"\n[process.server]\nautostart = false\ncommand = [\"sleep\", \"600\"]\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n", &[]);
    run.assert_code(3);
    assert!(run.stdout.contains("server is not started by itself"), "{}", run.stdout);
}

#[test]
fn s1_each_signal_stops_in_order_with_its_code() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGQUIT, 131)] {
        let bench = Bench::new("signal");
        let running = Running::start(&bench, TALKER);
        wait_for_output(&bench, "server", "up");
        wait_for_output(&bench, "test", "testing");
        running.signal(signal);
        let run = running.finish();
        run.assert_code(code);
        assert!(run.stdout.contains("server | bye"), "stopped by its own stop signal: {}", run.stdout);
        assert!(run.stderr.contains("talk: STOPPED"), "{}", run.stderr);
        bench.assert_nothing_left(Duration::from_millis(500));
    }
}

#[test]
fn s2_a_second_signal_kills_at_once() {
    let bench = Bench::new("twice");
    let running = Running::start(
        &bench,
        "name = \"x\"\n[process.deaf]\nshell = \"trap '' TERM; echo up; while :; do sleep 0.05; done\"\nstop = { grace = \"60s\" }\n[process.test]\nrole = \"test\"\ncommand = [\"sleep\", \"600\"]\n",
    );
    wait_for_output(&bench, "deaf", "up");
    running.signal(Signal::SIGINT);
    wait_for("the stop to begin", SOON, || {
        let events = std::fs::read_to_string(bench.recording().join("events.jsonl")).unwrap_or_default();
        events.contains("stopping-run")
    });
    let second = Instant::now();
    running.signal(Signal::SIGINT);
    running.finish().assert_code(130);
    assert!(second.elapsed() < Duration::from_secs(5), "the grace of 60 s is not waited for");
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn s4_kill_9_of_the_supervisor_leaves_nothing_and_a_readable_recording() {
    let bench = Bench::new("kill9");
    let mut running = Running::start(
        &bench,
        "name = \"x\"\n[process.a]\nshell = \"echo said before; trap '' TERM; sleep 600\"\n[process.daemon]\nshell = \"setsid sh -c 'echo daemon; exec sleep 600' & sleep 600\"\n",
    );
    wait_for_output(&bench, "a", "said before");
    wait_for_output(&bench, "daemon", "daemon");
    running.signal(Signal::SIGKILL);
    running.child.wait().expect("it was killed");
    bench.assert_nothing_left(Duration::from_millis(500));
    let recording = bench.recording();
    let read = Finished::of(&bench.command().arg("logs").arg(&recording).output().expect("the binary runs"));
    read.assert_code(0);
    assert!(read.stdout.contains("a      | said before"), "{}", read.stdout);
}

#[test]
fn s6_kill_9_of_the_guardian_ends_the_run_with_3_and_leaves_nothing() {
    let bench = Bench::new("guardian");
    let running = Running::start(&bench, TALKER);
    wait_for_output(&bench, "test", "testing");
    let supervisor = running.child.id();
    let guardian = bench
        .alive()
        .into_iter()
        .map(|(pid, _)| pid)
        .find(|pid| parent(*pid) == Some(supervisor))
        .expect("the supervisor's child is the guardian");
    kill(Pid::from_raw(guardian.cast_signed()), Signal::SIGKILL).expect("it lives");
    let run = running.finish();
    run.assert_code(3);
    assert!(run.stderr.contains("guardian lost"), "{}", run.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[test]
fn o16_a_closed_stdout_ends_the_run_in_order() {
    let bench = Bench::new("pipe");
    let file = bench.write("scenario.toml", "name = \"x\"\n[process.chatty]\nshell = \"while :; do echo line; done\"\n[process.test]\nrole = \"test\"\ncommand = [\"sleep\", \"600\"]\n");
    let mut child = bench.command().arg("run").arg(file).spawn().expect("the binary runs");
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 10]).expect("it says something");
    drop(stdout);
    let run = Finished::of(&child.wait_with_output().expect("it ends"));
    run.assert_code(0);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn o10_p5_p20_all_that_was_said_is_there_once_and_whole() {
    let bench = Bench::new("whole");
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; printf 'no newline at the end'";
    let run = bench.run(&format!("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"{script}\"\n"), &[]);
    run.assert_code(0);
    let lines: Vec<_> = run.stdout.lines().filter_map(|l| l.strip_prefix("test | ")).collect();
    assert_eq!(lines.len(), 20_001);
    assert!(lines[..20_000].iter().enumerate().all(|(i, l)| *l == format!("line {i}")), "in order");
    assert_eq!(lines[20_000], "no newline at the end");
    let exit = run.stdout.lines().position(|l| l.starts_with("test * completed")).expect("its end is told");
    assert!(run.stdout.lines().position(|l| l.contains("no newline")).expect("it was said") < exit, "the end comes after the last words");
}

#[test]
fn c15_secrets_are_in_no_file_and_on_no_screen() {
    let bench = Bench::new("secret");
    let report = bench.dir.path().join("r.json");
    let scenario = "name = \"x\"\n[secrets]\ntoken = { env = \"MY_TOKEN_FOR_TEST\" }\n[process.test]\nrole = \"test\"\nenv = { T = \"${secrets.token}\" }\nshell = \"echo header: $T; printf %s $T | base64; echo $T >&2; exit 1\"\n";
    let file = bench.write("scenario.toml", scenario);
    let output = bench
        .command()
        .env("MY_TOKEN_FOR_TEST", "hunter2-hunter2")
        .arg("run")
        .arg(&file)
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .output();
    let run = Finished::of(&output.expect("the binary runs"));
    run.assert_code(1);
    assert!(run.stdout.contains("header: ***************"), "{}", run.stdout);
    let mut everything = format!("{}{}{}", run.stdout, run.stderr, std::fs::read_to_string(&report).expect("it was written"));
    for entry in walk(&bench.recording()) {
        everything.push_str(&String::from_utf8_lossy(&std::fs::read(entry).expect("it can be read")));
    }
    for secret in ["hunter2", "aHVudGVyMi1odW50ZXIy"] {
        assert!(!everything.contains(secret), "{secret} was found in\n{everything}");
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).expect("the folder is there").flatten().map(|e| e.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn p8_a_crash_loop_gives_up_and_its_service_fails_the_run() {
    let bench = Bench::new("loop");
    let run = bench.run(
        "name = \"x\"\n[process.server]\nshell = \"echo try; exit 101\"\nrestart = { policy = \"on-failure\", max_attempts = 2, backoff = \"20ms\" }\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n",
        &[],
    );
    run.assert_code(3);
    assert_eq!(run.stdout.matches("server | try").count(), 3);
    assert!(run.stdout.contains("gave up"), "{}", run.stdout);
}

#[test]
fn d3_a_folder_for_recordings_that_cannot_be_written_is_an_error() {
    let bench = Bench::new("d3");
    let run = bench
        .run("name = \"x\"\n[process.test]\nrole = \"test\"\ncommand = [\"touch\", \"started\"]\n", &["--recordings-dir", "/proc/nowhere"]);
    run.assert_code(2);
    assert!(run.stderr.contains("/proc/nowhere"), "{}", run.stderr);
    assert!(!bench.dir.path().join("started").exists());
}

#[test]
fn t7_the_dashboard_without_a_terminal_exits_2_and_names_run() {
    let bench = Bench::new("t7");
    let output = bench.command().args(["--scenario", "forward"]).stdin(Stdio::null()).output().expect("the binary runs");
    let run = Finished::of(&output);
    run.assert_code(2);
    assert!(run.stderr.contains("e2e-tui run forward"), "{}", run.stderr);
}
