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
        // The tests themselves may run under `nohup`.
        let mut command = bench.command_of("env");
        command.arg("--default-signal=HUP").arg(bench.command().get_program());
        Self { child: command.arg("run").arg(file).spawn().expect("the binary runs") }
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
    assert!(run.stderr.contains("`no-such-program-anywhere` was not found in PATH"), "{}", run.stderr);
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
fn p15_p11_a_deaf_child_that_outlives_its_leader_is_named_and_gone_when_the_run_ends_or_is_interrupted() {
    let scenario = |test: &str| {
        format!(
            "name = \"x\"\n[process.server]\nshell = \"trap '' TERM; sleep 600 & echo up; exit 0\"\n[process.test]\nrole = \"test\"\nshell = \"{test}\"\n"
        )
    };
    let bench = Bench::new("deafchild");
    let run = bench.run(&scenario("sleep 0.5"), &[]);
    run.assert_code(5);
    assert!(run.stderr.contains("Leaked by server: pid") && run.stderr.contains("sleep 600"), "{}", run.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
    // Interrupted while its pipe is still held.
    let bench = Bench::new("deafquit");
    let running = Running::start(&bench, &scenario("sleep 600"));
    wait_for_output(&bench, "server", "up");
    running.signal(Signal::SIGINT);
    running.finish().assert_code(130);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_test_that_nobody_starts_holds_up_no_run_and_what_waits_for_it_is_skipped_saying_why() {
    let bench = Bench::new("byhand");
    let run = bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n[process.manual]\nrole = \"test\"\nautostart = false\ncommand = [\"false\"]\n", &[]);
    run.assert_code(0);
    assert!(run.stderr.contains("checks 1/1"), "{}", run.stderr);
    let bench = Bench::new("untried");
    let run = bench.run("name = \"x\"\n[process.manual]\nrole = \"test\"\nautostart = false\ncommand = [\"false\"]\n", &[]);
    run.assert_code(0);
    assert!(run.stderr.contains("No test was run: nothing has started manual (autostart = false).\n"), "{}", run.stderr);
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
fn s1_a_run_under_nohup_goes_on_when_its_terminal_goes() {
    let bench = Bench::new("nohup");
    let file = bench.write(
        "scenario.toml",
        "name = \"x\"\n[process.server]\nshell = \"while :; do echo tick; test -e hung-up && echo tock; sleep 0.02; done\"\n",
    );
    let mut shell = bench.command_of("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(bench.command().get_program()).arg("run").arg(file);
    let running = Running { child: shell.spawn().expect("sh exists") };
    wait_for_output(&bench, "server", "tick");
    running.signal(Signal::SIGHUP);
    bench.write("hung-up", "");
    wait_for_output(&bench, "server", "tock");
    running.signal(Signal::SIGTERM);
    running.finish().assert_code(143);
    bench.assert_nothing_left(Duration::from_millis(500));
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

/// A file that refuses every byte, as a full disk does, on every machine.
fn refusing() -> Stdio {
    std::fs::File::open("/dev/null").expect("every Linux has it").into()
}

#[test]
fn a_stdout_that_cannot_be_written_is_told_and_never_a_success() {
    let bench = Bench::new("full");
    for (exit, code) in [(0, 1), (7, 1)] {
        let file = bench.write(
            "scenario.toml",
            &format!("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"echo said; sleep 0.3; echo more; exit {exit}\"\n"),
        );
        let report = bench.dir.path().join("r.json");
        let mut command = bench.command();
        command.arg("run").arg(file).arg("--report").arg(format!("json={}", report.display()));
        let run = Finished::of(&command.stdout(refusing()).output().expect("the binary runs"));
        run.assert_code(code);
        let report: Value = serde_json::from_slice(&std::fs::read(report).expect("it was written")).expect("JSON");
        assert_eq!(report["exit_code"], code);
        let told = report["reason"].as_str().is_some_and(|reason| reason.ends_with("but stdout could not be written"));
        assert_eq!(told, exit == 0, "{report}");
        assert!(run.stderr.contains("error: stdout cannot be written (Bad file descriptor"), "{}", run.stderr);
        let said = std::fs::read_to_string(bench.recording().join("logs/test.out")).expect("it was recorded");
        assert_eq!(said, "said\nmore\n", "the run went on");
        let verdict = if exit == 0 { "x: PASSED (exit 0)" } else { "x: FAILED (exit 1)" };
        assert!(run.stderr.contains(verdict), "{}", run.stderr);
    }
}

#[test]
fn a_closed_terminal_is_one_request_however_many_hang_ups_come() {
    let bench = Bench::new("hup");
    let running = Running::start(
        &bench,
        "name = \"x\"\n[process.server]\nshell = \"trap 'sleep 0.7; echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done\"\n[process.test]\nrole = \"test\"\ncommand = [\"sleep\", \"600\"]\n",
    );
    wait_for_output(&bench, "server", "up");
    for _ in 0..3 {
        running.signal(Signal::SIGHUP);
        // Signals of a kind that wait at the same time are one: each must be seen by itself.
        std::thread::sleep(Duration::from_millis(100));
    }
    let run = running.finish();
    run.assert_code(129);
    assert!(run.stdout.contains("server | bye"), "it had its grace: {}", run.stdout);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn s3_a_second_signal_gives_up_what_a_stalled_reader_would_make_us_wait_for() {
    let bench = Bench::new("stall");
    let file = bench.write(
        "scenario.toml",
        "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"head -c 3000000 /dev/zero | tr '\\\\0' x | fold -w 100\"\n",
    );
    let mut child = bench.command().arg("run").arg(file).spawn().expect("the binary runs");
    // Held open and never read.
    let stdout = child.stdout.take().expect("it is piped");
    wait_for("the run to end", SOON, || {
        let base = bench.dir.path().join("state/e2e-tui/recordings");
        std::fs::read_dir(base).is_ok_and(|mut runs| {
            runs.next().is_some_and(|run| {
                let events = std::fs::read_to_string(run.expect("it can be read").path().join("events.jsonl")).unwrap_or_default();
                events.contains("run-ended")
            })
        })
    });
    assert!(child.try_wait().expect("it is a child").is_none(), "it waits for the reader");
    let running = Running { child };
    running.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    let second = Instant::now();
    running.signal(Signal::SIGINT);
    let run = running.finish();
    assert!(second.elapsed() < Duration::from_secs(5), "{:?}", second.elapsed());
    run.assert_code(0);
    assert!(run.stderr.contains("x: PASSED (exit 0)"), "the verdict had been reached: {}", run.stderr);
    drop(stdout);
}

/// A run with a report; the report as JSON.
fn run_with_report(bench: &Bench, scenario: &str) -> (Finished, Value) {
    let path = bench.dir.path().join("report.json");
    let run = bench.run(scenario, &["--report", &format!("json={}", path.display())]);
    let text = std::fs::read_to_string(path).expect("the report was written");
    (run, serde_json::from_str(&text).expect("it is JSON"))
}

#[test]
fn the_report_keeps_leaks_of_generations_that_were_restarted() {
    let bench = Bench::new("reportleak");
    let (run, report) = run_with_report(
        &bench,
        "name = \"x\"\n[process.server]\nshell = \"if [ -e again ]; then echo second; sleep 600; fi; touch again; setsid sleep 601 & sleep 0.5; exit 1\"\nrestart = { policy = \"on-failure\", backoff = \"500ms\" }\nready = { log = \"second\" }\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n",
    );
    run.assert_code(5);
    let leaks = report["leaks"].as_array().expect("a list");
    assert_eq!(leaks.len(), 1, "{report:#}");
    assert_eq!((leaks[0]["process"].as_str(), leaks[0]["command"].as_str()), (Some("server"), Some("sleep 601")));
    assert!(leaks[0]["pid"].is_u64());
    assert!(run.stderr.contains("(sleep 601)"), "{}", run.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn the_report_counts_from_the_run_s_start_and_stands_before_the_take_down() {
    let bench = Bench::new("reportms");
    let (run, report) = run_with_report(
        &bench,
        "name = \"x\"\n[process.early]\nshell = \"echo on; exec sleep 600\"\nready = { log = \"on\" }\n[process.late]\nshell = \"sleep 0.4; echo on; exec sleep 600\"\nready = { log = \"on\" }\ndepends_on = [\"early\"]\n[process.deaf]\nshell = \"trap '' TERM; echo on; while :; do sleep 0.1; done\"\nready = { log = \"on\" }\nstop = { grace = \"200ms\" }\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"late\", \"deaf\"]\n",
    );
    run.assert_code(0);
    let row = |i: usize| &report["processes"][i];
    assert_eq!(row(1)["name"], "late");
    let (early, late) = (row(0)["ready_ms"].as_u64().expect("ready"), row(1)["ready_ms"].as_u64().expect("ready"));
    assert!(late >= early + 400, "late is started after early and takes 400 ms more: {early}, {late}");
    assert_eq!((row(0)["state"].as_str(), row(0)["signal"].as_str()), (Some("ready"), None));
    assert_eq!(row(0)["exits"].as_array().map(Vec::len), Some(0), "ends in the take-down are told by stop");
    assert_eq!(row(0)["stop"]["signal"], "SIGTERM");
    assert_eq!(row(2)["stop"]["escalated_to_kill"], true);
    assert!(row(3)["stop"].is_null(), "it had ended by itself");
}

#[test]
fn a_report_that_cannot_be_written_is_found_before_anything_starts() {
    let bench = Bench::new("noreport");
    let scenario = "name = \"x\"\n[process.test]\nrole = \"test\"\ncommand = [\"touch\", \"started\"]\n";
    bench.write("there", "old");
    std::os::unix::fs::symlink("there", bench.dir.path().join("link")).expect("a link");
    for args in [
        ["--report", "json=none/report.json"],
        ["--report", "json=."],
        ["--report", "json=link"],
        ["--archive", "/proc/x.tar.zst"],
        ["--archive", "there"],
        ["--archive-on-failure", "there"],
        ["--archive-on-failure", "/proc/x"],
    ] {
        let run = bench.run(scenario, &args);
        run.assert_code(2);
        let name = args[1].trim_start_matches("json=");
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(name), "{args:?}: {}", run.stderr);
        assert!(!bench.dir.path().join("started").exists(), "{args:?}");
    }
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("there")).expect("it is there"), "old");
    let run = bench.run(scenario, &["--report", "json=there"]);
    run.assert_code(0);
    assert!(std::fs::read_to_string(bench.dir.path().join("there")).expect("it is there").contains("\"passed\""));
}

#[test]
fn a_run_that_cannot_start_has_a_report_too() {
    let bench = Bench::new("errorreport");
    let scenario = "name = \"x\"\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n";
    let run = bench.run(scenario, &["--report", "json=r.json", "--recordings-dir", "/proc/nowhere"]);
    run.assert_code(2);
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(bench.dir.path().join("r.json")).expect("it was written")).expect("it is JSON");
    assert_eq!((report["verdict"].as_str(), report["exit_code"].as_u64()), (Some("error"), Some(2)));
    assert!(report["reason"].as_str().is_some_and(|reason| reason.contains("/proc/nowhere")), "{report:#}");
}

#[test]
fn a_report_s_reason_is_plain_text() {
    let bench = Bench::new("ansi");
    let (run, report) = run_with_report(
        &bench,
        "name = \"x\"\n[process.server]\nshell = \"sleep 600\"\nready = { http = \"http://127.0.0.1:9/\\u001b[31mred\", timeout = \"200ms\" }\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n",
    );
    run.assert_code(3);
    assert!(!report["reason"].as_str().expect("text").contains('\u{1b}'), "{report:#}");
    assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
}

#[test]
fn the_closing_block_ends_with_the_archive_and_how_to_replay() {
    let bench = Bench::new("block");
    let kept = bench.dir.path().join("my runs");
    let scenario =
        "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"for i in 1 2 3 4 5 6 7 8 9; do echo line $i >&2; done; exit 7\"\n";
    let run = bench.run(scenario, &["--archive", "run.tar.zst", "--recordings-dir", kept.to_str().expect("a name")]);
    run.assert_code(1);
    let lines: Vec<&str> = run.stderr.lines().collect();
    let at = |start: &str| {
        lines.iter().position(|line| line.trim_start().starts_with(start)).unwrap_or_else(|| panic!("no {start} in\n{}", run.stderr))
    };
    assert_eq!(at("x: FAILED (exit 1)"), 0);
    assert!(at("Nothing was left") < at("Archive: run.tar.zst"));
    assert!(run.stderr.contains("… 4 more lines in its log") && run.stderr.contains("| line 9"), "{}", run.stderr);
    assert!(!run.stderr.contains("| line 4"), "{}", run.stderr);
    let recorded = lines[at("Recorded: ")];
    assert_eq!(at("Recorded: "), lines.len() - 1);
    let command = recorded.strip_prefix("Recorded: e2e-tui replay ").expect("how to replay");
    // The command works as printed, but for the dashboard.
    let words = format!("{} explain {command}", env!("CARGO_BIN_EXE_e2e-tui"));
    let told = Finished::of(&bench.command_of("sh").args(["-c", &words]).output().expect("a shell"));
    told.assert_code(0);
    assert!(told.stdout.contains("line 9"), "{}", told.stdout);
}

#[test]
fn diagnostics_bring_their_own_headings() {
    let bench = Bench::new("heading");
    let run = bench.run("name = \"x\"\n[ports]\nunused = \"auto\"\n[process.test]\ncommand = [\"true\"]\nbad = 1\n", &[]);
    run.assert_code(2);
    assert!(run.stderr.starts_with("warning: "), "{}", run.stderr);
    assert!(!run.stderr.contains("error: warning"), "{}", run.stderr);
}

#[test]
fn no_scenario_is_refused_with_its_place_and_no_nul_reaches_a_start() {
    let bench = Bench::new("nul");
    let check = |text: &str| {
        let file = bench.write("scenario.toml", text);
        Finished::of(&bench.command().arg("check").arg(file).output().expect("the binary runs"))
    };
    let none = check("name = \"x\"\n");
    none.assert_code(2);
    assert!(none.stderr.contains("has no process") && none.stderr.contains("scenario.toml:1:1"), "{}", none.stderr);
    for bad in ["shell = \"echo a\\u0000b\"", "command = [\"echo\", \"a\\u0000b\"]", "command = [\"true\"]\nenv = { A = \"a\\u0000b\" }"] {
        let run = check(&format!("name = \"x\"\n[process.test]\n{bad}\n"));
        run.assert_code(2);
        assert!(run.stderr.contains("NUL") && run.stderr.contains("scenario.toml:"), "{bad}: {}", run.stderr);
    }
}

#[test]
fn k3_a_run_of_no_time_at_all_is_refused_and_one_of_centuries_is_not() {
    let bench = Bench::new("zero");
    let scenario = "name = \"x\"\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n";
    let run = bench.run(scenario, &["--timeout", "0s"]);
    run.assert_code(2);
    assert!(run.stderr.contains("cannot end before it begins"), "{}", run.stderr);
    bench.run(scenario, &["--timeout", "1000000000h"]).assert_code(0);
}

#[test]
fn a_line_that_is_cut_says_how_long_it_is() {
    let bench = Bench::new("long");
    let run = bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"head -c 3000000 /dev/zero | tr '\\\\0' x; echo\"\n", &[]);
    run.assert_code(0);
    let line = run.stdout.lines().find(|line| line.starts_with("test | x")).expect("it is printed");
    assert!(line.ends_with(" … (cut here: 64 KiB of 2.9 MiB)"), "{}", &line[line.len() - 60..]);
}

#[test]
fn an_idle_run_looks_at_nothing() {
    let bench = Bench::new("idle");
    let running = Running::start(&bench, TALKER);
    wait_for_output(&bench, "test", "testing");
    let tasks = format!("/proc/{}/task", running.child.id());
    let printer = std::fs::read_dir(tasks).expect("it runs").flatten().map(|task| task.path());
    let printer = printer.into_iter().find(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "printer\n"));
    let printer = printer.expect("it prints");
    let wakes = || {
        let status = std::fs::read_to_string(printer.join("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("the kernel counts");
        line.trim().parse::<u64>().expect("a number")
    };
    let mut before = wakes();
    wait_for("the printer to sleep", SOON, || {
        std::thread::sleep(Duration::from_millis(400));
        let now = wakes();
        std::mem::replace(&mut before, now) == now
    });
    running.signal(Signal::SIGTERM);
    running.finish().assert_code(143);
}

/// A service that answers a test through files, and says afterwards what it did.
const TALKED_ABOUT: &str = r#"
name = "expect"
[process.server]
shell = "echo listening; while [ ! -e asked ]; do sleep 0.02; done; touch answered; sleep 0.3; printf '\\033[31mGET /mcp 502\\033[0m took 61ms\\n' >&2; sleep 600"
ready = { log = "listening" }
[process.test]
role = "test"
depends_on = ["server"]
shell = "touch asked; while [ ! -e answered ]; do sleep 0.02; done; echo 3 calls; echo 2 calls"
"#;

#[test]
fn expectations_are_part_of_the_verdict_and_of_the_report() {
    let bench = Bench::new("expect");
    let expectations = r#"
[[expect]]
process = "server"
must_see = "^GET /mcp 502 took"
[[expect]]
process = "test"
must_see = '^\d calls$'
count = "= 2"
[[expect]]
process = "server"
must_see = "listening"
within = "20s"
[[expect]]
process = "server"
must_not_see = "panicked"
[[expect]]
process = "server"
metric = 'took (\S+)'
p95 = "<= 0.1s"
max = "< 62ms"
"#;
    let (run, report) = run_with_report(&bench, &format!("{}{expectations}", TALKED_ABOUT.trim_start()));
    run.assert_code(0);
    assert!(run.stderr.contains("checks 6/6"), "{}", run.stderr);
    let all = report["expectations"].as_array().expect("a list");
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|one| one["met"] == true), "{report:#}");
    assert_eq!(
        (all[1]["process"].as_str(), all[1]["must_see"].as_str(), all[1]["count"].as_str()),
        (Some("test"), Some(r"^\d calls$"), Some("= 2"))
    );
    assert!(all[0]["at_ms"].is_u64() && all[3]["at_ms"].is_null(), "{report:#}");
    assert_eq!(all[4]["detail"], "p95 0.06s, max 61ms of 1");
}

#[test]
fn violated_expectations_fail_the_run_with_1_and_their_line() {
    let bench = Bench::new("violated");
    let expectations = r#"
[[expect]]
process = "server"
must_not_see = ' 5\d\d '
[[expect]]
process = "server"
must_see = "never said"
[[expect]]
process = "server"
must_see = "listening"
"#;
    let (run, report) = run_with_report(&bench, &format!("{}{expectations}", TALKED_ABOUT.trim_start()));
    run.assert_code(1);
    assert!(run.stdout.contains("server * violated: must not see \" 5\\d\\d \"   GET /mcp 502 took 61ms"), "{}", run.stdout);
    assert_eq!(report["reason"], "server: expectation violated: must not see \" 5\\d\\d \"");
    let met: Vec<_> = report["expectations"].as_array().expect("a list").iter().map(|one| one["met"].as_bool()).collect();
    assert_eq!(met, [Some(false), Some(false), Some(true)]);
    let first = &report["first_failure"];
    assert_eq!(
        (first["process"].as_str(), first["line"]["stream"].as_str(), first["line"]["number"].as_u64()),
        (Some("server"), Some("err"), Some(1))
    );
    assert!(run.stderr.contains("server") && run.stderr.contains("GET /mcp 502"), "{}", run.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn what_is_expected_of_a_process_that_does_not_run_is_not_asked() {
    let bench = Bench::new("only");
    let scenario = format!(
        "{}\n[process.other]\ncommand = [\"true\"]\n[[expect]]\nprocess = \"other\"\nmust_see = \"x\"\n",
        TALKED_ABOUT.trim_start()
    );
    let file = bench.write("scenario.toml", &scenario);
    let run = bench.run_file(&file, &["--only", "test"]);
    run.assert_code(0);
    assert!(run.stderr.contains("checks 1/1"), "{}", run.stderr);
}

#[test]
fn a_junit_report_tells_tests_expectations_and_failed_services_whatever_they_print() {
    let bench = Bench::new("junit");
    let scenario = "name = \"x\"\n[process.server]\nshell = \"sleep 0.2; exit 3\"\n[process.good]\nrole = \"test\"\nshell = \"sleep 0.4; echo fine\"\n[process.bad]\nrole = \"test\"\nshell = \"sleep 0.4; printf 'a<b & \\\\001\\\\033[31m]]>\\\\377 ##vso[x]\\\\n' >&2; exit 7\"\n[[expect]]\nprocess = \"good\"\nmust_see = \"fine\"\n";
    let run = bench.run(scenario, &["--report", "junit=r.xml", "--report", "json=r.json"]);
    run.assert_code(3);
    let xml = std::fs::read_to_string(bench.dir.path().join("r.xml")).expect("it was written");
    assert!(
        xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"x\" tests=\"4\" failures=\"1\" errors=\"1\""),
        "{xml}"
    );
    for part in [
        "<error message=\"failed: exited with 3\" type=\"error\">",
        "<failure message=\"failed: exited with 7\" type=\"failure\">",
        "name=\"must see &quot;fine&quot;\"",
        "<system-out>fine\n</system-out>",
        "<system-err>a&lt;b &amp; ␁]]&gt;",
        "## vso[x]",
    ] {
        assert!(xml.contains(part), "{part} is missing in\n{xml}");
    }
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()), "{xml}");
    assert!(bench.dir.path().join("r.json").exists());
}

#[test]
fn failures_are_annotations_where_github_runs() {
    let bench = Bench::new("github");
    let file = bench.write(
        "scenario.toml",
        "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"echo '::set-env name=A::b'; echo '##vso[x]'; exit 7\"\n",
    );
    let output = bench.command().env("GITHUB_ACTIONS", "true").arg("run").arg(file).output().expect("the binary runs");
    let run = Finished::of(&output);
    run.assert_code(1);
    assert!(run.stderr.contains("\n::error title=x%3A FAILED::test exited with 7\n"), "{}", run.stderr);
    assert!(run.stdout.lines().all(|line| !line.trim_start().starts_with("::") && !line.contains("##vso[")), "{}", run.stdout);
}

#[test]
fn events_are_lines_of_json_in_place_of_the_log() {
    let bench = Bench::new("events");
    let run = bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"echo '##e2e mark ##vso[x]'\"\n", &["--events"]);
    run.assert_code(0);
    let events: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let kinds: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"run-started"), Some(&"run-ended")));
    let mark = events.iter().find(|event| event["event"] == "marked").expect("it was set");
    assert_eq!(mark["text"], "##vso[x]");
    assert!(!run.stdout.contains("##vso["), "{}", run.stdout);
}

#[test]
fn many_runs_keep_the_failures_and_the_last_pass() {
    let bench = Bench::new("repeat");
    let scenario = "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"echo x >> count; [ $(wc -l < count) -ne 3 ]\"\n";
    let recordings = || std::fs::read_dir(bench.dir.path().join("state/e2e-tui/recordings")).map_or(0, Iterator::count);
    let run = bench.run(scenario, &["--repeat", "5", "--quiet", "--report", "json=r.json"]);
    run.assert_code(1);
    assert!(run.stderr.contains("run 5 of 5: ✓✓✗✓✓   4 of 5 passed   p50 "), "{}", run.stderr);
    assert_eq!(recordings(), 2, "the failure and the last pass");
    let report = std::fs::read_to_string(bench.dir.path().join("r.json")).expect("it was written");
    assert!(report.contains("\"verdict\": \"failed\""), "the first failure's: {report}");
    std::fs::remove_file(bench.dir.path().join("count")).expect("it was counted");
    let run = bench.run(scenario, &["--until-fail", "--quiet"]);
    run.assert_code(1);
    assert!(run.stderr.contains("run 3: ✓✓✗   2 of 3 passed"), "{}", run.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_signal_ends_all_runs_that_were_to_come() {
    let bench = Bench::new("repeatint");
    let file = bench.write("scenario.toml", TALKER);
    let child = bench.command().arg("run").arg(file).args(["--repeat", "100"]).spawn().expect("the binary runs");
    let running = Running { child };
    wait_for_output(&bench, "test", "testing");
    running.signal(Signal::SIGINT);
    running.finish().assert_code(130);
    bench.assert_nothing_left(Duration::from_millis(500));
}
