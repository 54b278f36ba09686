//! What fails says so at once, with what a person needs to see.

use std::time::{Duration, Instant};

use e2e_tui::harness::{
    Containment, E2ETestHarness, Exit, HarnessError, HttpHealthCheck, LogHealthCheck, ProcessConfig, ProcessError, ProcessType,
    RestartPolicy, Role,
};

use crate::{
    support::Bench,
    yard::{self, Held, SOON},
};

fn process_error(error: HarnessError) -> ProcessError {
    match error {
        HarnessError::Process(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_wait_fails_within_a_tenth_of_a_second_of_the_death() {
    for held in Held::BOTH {
        let bench = Bench::new("death");
        let harness = yard::builder(&bench, held).start().await.expect("a harness");
        let mut noticed = Vec::new();
        // A busy machine may be late in running anything at all; one try of some shows that nothing here waits for longer.
        while !noticed.iter().any(|late| *late < 0.1) {
            assert!(noticed.len() < 8, "noticed after {noticed:?} s");
            noticed.push(late(&bench, &harness).await);
        }
    }
}

/// How long after its death a process's end is told, in seconds.
async fn late(bench: &Bench, harness: &E2ETestHarness) -> f64 {
    let lives = "echo up; sleep 0.2; date +%s.%N; echo 'thread main panicked: no such table' >&2; exit 101";
    let config = yard::script(bench, "server", lives).ready_when(LogHealthCheck::new("never said"));
    let now = harness.logs().from_now();
    let error = process_error(harness.start_process(config).await.expect_err("it dies"));
    let noticed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let ProcessError::UnexpectedExit { exit, evidence, .. } = &error else { panic!("{error}") };
    assert_eq!((*exit, evidence.last_lines.last().map(String::as_str)), (Exit::Code(101), Some("thread main panicked: no such table")));
    assert!(evidence.recording.as_ref().is_some_and(|path| path.is_dir()), "{evidence:?}");
    let died: f64 = now.find(r"^\d+\.\d+$").expect("the moment of its death").message.parse().expect("a number");
    noticed - died
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let bench = Bench::new("spawn");
    let harness = yard::harness(&bench).await;
    let error = process_error(harness.start_process(ProcessConfig::new("nothing", "./no-such-program")).await.expect_err("there is none"));
    let ProcessError::SpawnFailed { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("no-such-program"), "{reason}");
    let error = harness.start_process(ProcessConfig::new("no name", "true")).await.expect_err("a name with a space");
    assert!(matches!(process_error(error), ProcessError::InvalidName(_)));
    let error = harness.wait_for_ready("nobody", SOON).await.expect_err("there is none");
    assert_eq!(error.to_string(), r#"there is no process "nobody"; there are nothing"#);
}

#[tokio::test]
async fn what_never_becomes_ready_says_what_was_met_last() {
    let bench = Bench::new("never");
    let harness = yard::harness(&bench).await;
    let port = harness.port_allocator().allocate().await.expect("a port");
    // It ignores TERM: the answer does not wait for its end.
    let deaf = yard::script(&bench, "deaf", "trap '' TERM; echo 'warming up'; while :; do sleep 1; done").port(port);
    let deaf = deaf.health_check(HttpHealthCheck::new(format!("http://127.0.0.1:{port}/health"))).ready_timeout(Duration::from_millis(300));
    let asked = Instant::now();
    let error = process_error(harness.start_process(deaf).await.expect_err("it never listens"));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let ProcessError::NeverReady { awaited, last, within, evidence } = &error else { panic!("{error}") };
    assert!(last.contains("refused"), "{last}");
    assert_eq!(awaited, &format!("GET http://127.0.0.1:{port}/health answers 200"));
    assert_eq!((*within, &evidence.last_lines[..]), (Duration::from_millis(300), &["warming up".to_owned()][..]));
    assert!(error.to_string().starts_with("deaf was not ready within 300 ms: "), "{error}");
    assert!(
        error.to_string().contains("; awaited: GET http://127.0.0.1:") && error.to_string().contains("\n  deaf | warming up"),
        "{error}"
    );
    bench.assert_nothing_left(Duration::from_millis(200));
}

#[tokio::test]
async fn a_wait_of_its_own_that_is_over_says_what_was_awaited_and_met_last() {
    let bench = Bench::new("impatient");
    let harness = yard::harness(&bench).await;
    let port = harness.port_allocator().allocate().await.expect("a port");
    let slow = yard::script(&bench, "slow", "echo 'opening the store'; sleep 600").port(port);
    let slow = slow.health_check(HttpHealthCheck::new(format!("http://127.0.0.1:{port}/health")));
    let manager = harness.process_manager();
    let id = manager.spawn_process(slow).await.expect("a shell");
    crate::support::wait_for("it has been asked", SOON, || manager.process(&id).is_ok_and(|process| process.not_ready_yet().is_some()));
    let error = manager.wait_for_ready(&id, Duration::from_millis(50)).await.expect_err("it never listens");
    let ProcessError::NeverReady { awaited, last, within, .. } = &error else { panic!("{error}") };
    assert_eq!((awaited, *within), (&format!("GET http://127.0.0.1:{port}/health answers 200"), Duration::from_millis(50)));
    assert!(last.contains("Connection refused"), "{last}");
}

#[tokio::test]
async fn what_lives_too_long_or_uses_too_much_says_which_limit_it_was() {
    let bench = Bench::new("limits");
    let harness = yard::harness(&bench).await;
    let config = yard::script(&bench, "busy", "while :; do :; done").role(Role::Task).ready_when(LogHealthCheck::new("never said"));
    let config = config.limits(e2e_tui::harness::ResourceLimits { cpu_time: Some(Duration::from_secs(1)), ..Default::default() });
    let error = process_error(harness.start_process(config).await.expect_err("it is ended"));
    let ProcessError::LimitExceeded { what, evidence } = &error else { panic!("{error}") };
    assert_eq!((what.as_str(), evidence.exit.map(|exit| exit.to_string())), ("cpu_time limit 1 s", Some("SIGXCPU".to_owned())));
}

#[tokio::test]
async fn restarts_are_waited_out_until_the_policy_gives_up() {
    let bench = Bench::new("restarts");
    let harness = yard::harness(&bench).await;
    let counter = bench.dir.path().join("count").display().to_string();
    let third = format!("echo x >> {counter}; test $(wc -l < {counter}) -ge 3 || exit 9; echo ready; sleep 600");
    let policy = RestartPolicy::OnFailure { max_attempts: 3, backoff: Duration::from_millis(10) };
    let config = |name, text: &str| yard::script(&bench, name, text).ready_when(LogHealthCheck::new("^ready")).restart_policy(policy);
    let lucky = harness.start_process(config("lucky", &third)).await.expect("the third time");
    assert_eq!(lucky.info().expect("it is there").restart_count(), 2);
    let error = process_error(harness.start_process(config("hopeless", "echo 'no luck' >&2; exit 9")).await.expect_err("never"));
    let ProcessError::RestartLimitExceeded { times, evidence, .. } = &error else { panic!("{error}") };
    assert_eq!((*times, evidence.last_lines.last().map(String::as_str)), (4, Some("no luck")));
}

#[tokio::test]
async fn without_the_binary_own_programs_run_and_parts_say_what_to_set() {
    let bench = Bench::new("no-binary");
    let nowhere = bench.dir.path().join("e2e-tui");
    let error = E2ETestHarness::builder().binary(&nowhere).start().await.expect_err("there is no such binary");
    assert!(error.to_string().contains("named by `.binary()`") && error.to_string().contains("E2E_TUI_BIN"), "{error}");

    // A program of another kind is refused, not spoken to for ever.
    let asked = Instant::now();
    let error = E2ETestHarness::builder().binary("/bin/true").start().await.expect_err("no guardian");
    assert!(matches!(error, HarnessError::Binary { .. }) && asked.elapsed() < Duration::from_secs(7), "{error}");

    // So is one of another version: it says which it is, in its half of the handshake.
    let other = bench.write("other", "#!/bin/sh\nprintf '\\012\\000\\000\\000H\\005\\000\\000\\0009.9.9' >&0\nsleep 5\n");
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let error = E2ETestHarness::builder().binary(&other).start().await.expect_err("another version");
    assert!(error.to_string().contains("is version 9.9.9, but this is version"), "{error}");
}

#[tokio::test]
async fn a_time_limit_takes_everything_down_and_fails_what_is_awaited() {
    let bench = Bench::new("limit");
    let harness = yard::builder(&bench, Held::ByGuardian).timeout(Duration::from_millis(400)).start().await.expect("a harness");
    let tree = harness.start_process(yard::tree(&bench).stop_grace(Duration::from_millis(50))).await.expect("a shell");
    let error = harness.logs().wait_for("never said", SOON).await.expect_err("the time is over");
    assert!(error.to_string().contains("planted"), "the last lines: {error}");
    bench.assert_nothing_left(SOON);
    let error = tree.wait_for_ready(SOON).await.expect_err("it was taken down");
    assert!(error.to_string().contains("stopped by") || error.to_string().contains("has ended"), "{error}");
    let error = process_error(harness.start_process(yard::tree(&bench)).await.expect_err("too late"));
    assert!(matches!(error, ProcessError::RunEnded { .. }), "{error}");
    assert!(matches!(harness.shutdown().await, Err(HarnessError::NotPassed(_))));
}

#[tokio::test]
async fn a_leak_is_told_by_the_report_with_its_pid() {
    let bench = Bench::new("leak");
    let harness = yard::harness(&bench).await;
    let leaky = yard::script(&bench, "leaky", "setsid sleep 600 & echo gone").role(Role::Task);
    let job = harness.start_process(leaky).await.expect("a shell");
    assert_eq!(job.exited().await.expect("it ends"), Exit::Code(0));
    let manager = harness.process_manager().clone();
    crate::support::wait_for("the leak to be told", SOON, || manager.process("leaky").is_ok_and(|process| !process.leaks().is_empty()));
    let error = harness.shutdown().await.expect_err("it leaked");
    let HarnessError::Leaked(leaks) = &error else { panic!("{error}") };
    assert!(leaks[0].contains("sleep 600") && leaks[0].ends_with("left by leaky"), "{leaks:?}");
    bench.assert_nothing_left(Duration::ZERO);
    drop(job);
}

#[tokio::test]
#[should_panic(expected = "left by leaky")]
async fn a_leak_fails_the_test_where_that_is_asked_for() {
    let bench = Bench::new("deny");
    let harness = yard::builder(&bench, Held::ByGuardian).deny_leaks().start().await.expect("a harness");
    let leaky = yard::script(&bench, "leaky", "setsid sleep 600 & echo gone").role(Role::Task);
    let job = harness.start_process(leaky).await.expect("a shell").keep();
    let manager = harness.process_manager().clone();
    crate::support::wait_for("the leak to be told", SOON, || manager.process(&job).is_ok_and(|process| !process.leaks().is_empty()));
    drop(harness);
}

#[tokio::test]
async fn a_proxy_on_stdio_has_no_url_and_is_a_process_like_others() {
    let bench = Bench::new("stdio");
    let harness = yard::harness(&bench).await;
    let command = vec![env!("CARGO_BIN_EXE_e2e-tui").to_owned(), "part".into(), "mock-upstream".into(), "--stdio".into()];
    let mode = e2e_tui::harness::ProxyMode::Stdio { command };
    let config = e2e_tui::harness::ProxyConfig { mode: mode.clone(), ..Default::default() };
    let error = harness.start_shadowcat_proxy(config).await.expect_err("no port");
    assert!(matches!(error, HarnessError::NoPort { .. }), "{error}");
    let config = ProcessType::ShadowcatProxy { mode, bind_address: String::new(), upstream: String::new(), auth: None };
    let proxy = harness.start_process(config.to_process_config()).await.expect("a proxy");
    proxy.send_line(r#"{"jsonrpc":"2.0","id":"ping-7","method":"ping"}"#).await.expect("it reads");
    proxy.logs().wait_for("\"id\":\"ping-7\"", SOON).await.expect("an answer");
}

#[tokio::test]
async fn a_binary_of_another_version_is_refused_whoever_holds_processes_together() {
    let bench = Bench::new("other-version");
    let other = bench.write("other", "#!/bin/sh\nprintf '\\012\\000\\000\\000H\\005\\000\\000\\0009.9.9' >&0\nsleep 5\n");
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let builder = || E2ETestHarness::builder().recordings_dir(bench.dir.path().join("recordings"));
    let error = builder().binary(&other).containment(Containment::Group).start().await.expect_err("another version");
    assert!(error.to_string().contains("is version 9.9.9, but this is version"), "{error}");
}

#[tokio::test]
async fn a_wait_that_is_over_too_soon_says_what_the_process_lacks() {
    let bench = Bench::new("too-soon");
    let harness = yard::harness(&bench).await;
    let manager = harness.process_manager();
    let port = harness.port_allocator().allocate().await.expect("a port");
    let deaf = yard::script(&bench, "deaf", "sleep 600").port(port);
    let id = manager.spawn_process(deaf).await.expect("a shell");
    let waits = yard::script(&bench, "waits", "sleep 600").depends_on(&id);
    let last = async |process: &str| match manager.wait_for_ready(process, Duration::from_millis(150)).await {
        Err(ProcessError::NeverReady { last, within, .. }) if within == Duration::from_millis(150) => last,
        other => panic!("{other:?}"),
    };
    let met = last("deaf").await;
    assert!(met.starts_with("it is starting; its last check: ") && met.contains("refused"), "{met}");
    let begin = manager.spawn_process(waits);
    let wait = async {
        // The name is there as soon as it is begun.
        let met = last("waits").await;
        assert_eq!(met, "it is pending and waits for deaf ready");
    };
    tokio::select! {
        biased;
        started = begin => panic!("{started:?}"),
        () = wait => {}
    }
}

const FOLDER: &str = "E2E_TEST_FOLDER";

#[tokio::test]
#[ignore = "is started by the test below, where there is no binary at hand"]
async fn without_any_binary() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).expect("it was told where"));
    let builder = || E2ETestHarness::builder().recordings_dir(&folder);
    let harness = builder().start().await.expect("own programs need none");
    for _ in 0..2 {
        let error = process_error(harness.start_mcp_validator().await.expect_err("it is a part of the binary"));
        assert!(matches!(&error, ProcessError::NoBinary { process } if process == "validator"), "{error}");
        assert!(error.to_string().contains("E2E_TUI_BIN"), "{error}");
    }
    let own = harness.start_process(ProcessConfig::shell("validator", "sleep 600")).await.expect("a shell");
    assert_eq!(own.process_id.as_str(), "validator", "a start that could not be begun has no name");
    let error = process_error(builder().from_scenario("reverse").await.expect_err("it has built-in parts"));
    assert!(matches!(error, ProcessError::NoBinary { .. }), "{error}");
    let error = process_error(builder().containment(Containment::Subreaper).start().await.expect_err("that takes a guardian"));
    assert!(matches!(error, ProcessError::NoBinary { .. }), "{error}");
    assert_eq!(harness.shutdown().await.expect("nothing leaked").outcome.exit_code, 0);
    println!("ALL OF IT");
}

#[test]
fn parts_need_the_binary_and_own_programs_do_not() {
    let bench = Bench::new("alone");
    // This very program, in a folder where no binary lies beside it.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's folder for tests can be written");
    let this = folder.path().join("harness");
    std::fs::hard_link(std::env::current_exe().expect("a test has a path"), &this).expect("one disk");
    let mut command = std::process::Command::new(&this);
    command.args(["errors::without_any_binary", "--exact", "--ignored", "--nocapture"]).env_remove("E2E_TUI_BIN");
    let output = command.env(FOLDER, bench.dir.path()).env(yard::MARK, &bench.mark).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("ALL OF IT"), "{said}");
    bench.assert_nothing_left(SOON);
}
