//! What is left of a test that failed: an archive, and how to look at it.

use std::{
    panic::AssertUnwindSafe,
    process::{Command, Stdio},
};

use e2e_tui::harness::{HarnessError, Role};

use crate::{
    support::Bench,
    yard::{self, Held},
};

const FOLDER: &str = "E2E_TEST_FOLDER";

#[test]
#[ignore = "is started by the test below, which reads what it prints"]
fn fails() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).expect("it was told where"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let builder = e2e_tui::E2ETestHarness::builder().binary(env!("CARGO_BIN_EXE_e2e-tui"));
        let harness = builder.recordings_dir(folder.join("recordings")).archive_on_failure(folder.join("archives")).start().await;
        let harness = harness.expect("a harness");
        let config = e2e_tui::harness::ProcessConfig::shell("server", "echo 'connection refused: upstream' >&2; sleep 600");
        let server = harness.start_process(config).await.expect("a shell");
        server.logs().assert_seen("never said");
    });
}

#[test]
fn a_panicking_test_writes_its_archive_and_prints_where_it_is_and_how_to_replay_it() {
    let bench = Bench::new("archive");
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command.args(["archives::fails", "--exact", "--ignored", "--nocapture"]).env(FOLDER, bench.dir.path()).stdin(Stdio::null());
    let output = command.output().expect("this very program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(said.contains("server should have said `never said`"), "{said}");
    assert!(said.contains("panicked at tests/harness/archives.rs:"), "the place is the test's: {said}");
    let line = |label: &str| said.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_else(|| panic!("no {label:?} in\n{said}"));
    let archive = std::path::PathBuf::from(line("Archive: "));
    assert!(archive.starts_with(bench.dir.path().join("archives")) && archive.is_file(), "{archive:?}");
    assert_eq!(line("Recorded: "), format!("e2e-tui replay {}", archive.display()));
    assert!(said.contains("FAILED (exit 1)") && said.contains("the test panicked"), "{said}");
    // It is named after the test, and a person with nothing but the archive sees why it failed.
    assert!(archive.file_name().is_some_and(|name| name.to_string_lossy().contains("archives-fails")), "{archive:?}");
    let explained = Command::new(env!("CARGO_BIN_EXE_e2e-tui")).arg("logs").arg(&archive).output().expect("the binary runs");
    assert!(String::from_utf8_lossy(&explained.stdout).contains("connection refused: upstream"), "{explained:?}");
}

#[tokio::test]
async fn an_error_that_is_handed_to_the_test_is_archived_too_and_a_test_that_says_it_passed_is_not() {
    let bench = Bench::new("handed");
    let archives = bench.dir.path().join("archives");
    let count = || std::fs::read_dir(&archives).map_or(0, Iterator::count);
    let builder = || yard::builder(&bench, Held::InProcess).archive_on_failure(&archives);
    let failing = || yard::script(&bench, "fails", "exit 3").role(Role::Task);

    let harness = builder().start().await.expect("a harness");
    assert!(harness.logs().wait_for("never", std::time::Duration::from_millis(10)).await.is_err());
    drop(harness);
    assert_eq!(count(), 1, "it would be a test that returns the error");

    let harness = builder().start().await.expect("a harness");
    let job = harness.start_process(failing()).await;
    drop(job);
    harness.shutdown().await.expect("the test says that this was meant");
    assert_eq!(count(), 1);

    let harness = builder().start().await.expect("a harness");
    drop(harness);
    assert_eq!(count(), 1, "nothing happened");

    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _harness = std::thread::scope(|scope| {
            let start = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(builder().start()).expect("a harness")
            });
            start.join().expect("it starts")
        });
        std::panic::resume_unwind(Box::new("the test fails"));
    }));
    assert!(panicked.is_err());
    assert_eq!(count(), 2);
    let recordings = std::fs::read_dir(bench.dir.path().join("recordings")).expect("they are kept").count();
    assert_eq!(recordings, 4, "of passing tests too");
}

/// The archives in a folder, by name.
fn archives_in(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .map_or_else(|_| Vec::new(), |all| all.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect());
    names.sort();
    names
}

#[tokio::test]
async fn an_end_in_order_that_fails_leaves_an_archive_too() {
    let bench = Bench::new("in-order");
    let archives = bench.dir.path().join("archives");
    let builder = || yard::builder(&bench, Held::ByGuardian).archive_on_failure(&archives);

    let harness = builder().start().await.expect("a harness");
    let leaky = yard::script(&bench, "leaky", "setsid sleep 600 & echo gone").role(Role::Task);
    let job = harness.start_process(leaky).await.expect("a shell").keep();
    let manager = harness.process_manager().clone();
    crate::support::wait_for("the leak to be told", yard::SOON, || manager.process(&job).is_ok_and(|process| !process.leaks().is_empty()));
    let error = harness.shutdown().await.expect_err("it leaked");
    assert!(matches!(error, HarnessError::Leaked(_)), "{error}");
    assert_eq!(archives_in(&archives).len(), 1);

    let harness = builder().timeout(std::time::Duration::from_millis(200)).start().await.expect("a harness");
    harness.process_manager().spawn_process(yard::script(&bench, "slow", "sleep 600")).await.expect("a shell");
    assert_eq!(harness.verdict().await.expect("the time is over").exit_code, 4);
    let error = harness.shutdown().await.expect_err("a test that took too long has not passed");
    assert_eq!(error.to_string(), "the run did not pass: timed out after 200 ms (exit code 4)");
    assert_eq!(archives_in(&archives).len(), 2);
    bench.assert_nothing_left(std::time::Duration::ZERO);
}

#[tokio::test]
async fn a_time_limit_holds_for_a_scenario_too_whatever_its_verdict_was() {
    let bench = Bench::new("scenario-limit");
    let text = format!(
        "name = \"s\"\ntimeout = \"300ms\"\n[process.server]\nshell = \"sleep 600\"\n[process.test]\nrole = \"test\"\nshell = \"true\"\n\
         [defaults]\nenv = {{ {} = \"{}\" }}\n",
        yard::MARK,
        bench.mark
    );
    let path = bench.write("s.toml", &text).display().to_string();
    let harness = yard::builder(&bench, Held::ByGuardian).from_scenario(&path).await.expect("a scenario");
    assert_eq!(harness.verdict().await.expect("its test ends").exit_code, 0);
    let manager = harness.process_manager();
    crate::support::wait_for("the limit", yard::SOON, || manager.process("server").is_ok_and(|server| server.state().is_settled()));
    bench.assert_nothing_left(yard::SOON);
    let error = harness.shutdown().await.expect_err("it took too long");
    assert!(error.to_string().contains("timed out after 300 ms"), "{error}");
}

#[tokio::test]
#[should_panic(expected = "timed out after 100 ms")]
async fn a_test_that_took_too_long_fails_even_where_nobody_asks() {
    let bench = Bench::new("too-long");
    let harness = yard::builder(&bench, Held::InProcess).timeout(std::time::Duration::from_millis(100)).start().await.expect("a harness");
    harness.verdict().await.expect("the time is over");
    drop(harness);
}

#[tokio::test]
async fn an_error_of_somebody_else_is_archived_where_the_harness_runs_the_test() {
    let bench = Bench::new("foreign");
    let archives = bench.dir.path().join("archives");
    let start = async || yard::builder(&bench, Held::InProcess).archive_on_failure(&archives).start().await.expect("a harness");

    let harness = start().await;
    let recording = harness.recording().expect("it is recorded").to_owned();
    let failed: Result<u16, Box<dyn std::error::Error>> = harness
        .run(async |harness| {
            let _server = harness.start_process(yard::script(&bench, "server", "sleep 600")).await?.keep();
            Ok("no number".parse()?)
        })
        .await;
    assert_eq!(failed.expect_err("it is no number").to_string(), "invalid digit found in string");
    assert_eq!(archives_in(&archives).len(), 1);
    let outcome = e2e_tui::record::Recording::open(&recording).expect("it can be read").snapshot.outcome.clone().expect("it is over");
    assert_eq!((outcome.exit_code, outcome.reason.as_str()), (1, "the test failed: invalid digit found in string"));
    bench.assert_nothing_left(std::time::Duration::ZERO);

    let passed: Result<u8, HarnessError> = start().await.run(async |_| Ok(7)).await;
    assert_eq!(passed.expect("it passed"), 7);
    assert_eq!(archives_in(&archives).len(), 1);

    // The same by hand.
    let harness = start().await;
    let error = "no number".parse::<u16>().map_err(|error| harness.failed(error)).expect_err("it is none");
    drop(harness);
    assert_eq!((error.to_string().as_str(), archives_in(&archives).len()), ("invalid digit found in string", 2));
}

#[tokio::test]
async fn archives_of_recordings_of_one_name_do_not_meet() {
    let bench = Bench::new("namesakes");
    let archives = bench.dir.path().join("archives");
    let harness = yard::builder(&bench, Held::InProcess).archive_on_failure(&archives).start().await.expect("a harness");
    let id = harness.recording().and_then(|path| path.file_name()).expect("it is recorded").to_string_lossy().into_owned();
    std::fs::create_dir(&archives).expect("a disk");
    // A test that records into another folder may have drawn the same name.
    std::fs::write(archives.join(format!("{id}.tar.zst")), "of another test").expect("a disk");
    let error = harness.failed("it does not work");
    drop(harness);
    assert_eq!(archives_in(&archives), [format!("{id}-2.tar.zst"), format!("{id}.tar.zst")], "{error}");
    assert_eq!(std::fs::read(archives.join(format!("{id}.tar.zst"))).expect("it is there"), b"of another test");
}
