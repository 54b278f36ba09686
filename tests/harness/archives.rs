//! What is left of a test that failed: an archive, and how to look at it.

use std::{
    panic::AssertUnwindSafe,
    process::{Command, Stdio},
};

use e2e_tui::harness::Role;

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
