//! Waits for lines and assertions on them, and what their failures show.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use e2e_tui::harness::{E2ETestHarness, LogEntry, LogSource, Role};

use crate::{
    support::Bench,
    yard::{self, SOON},
};

const TALK: &str =
    "echo 'started on 8080'; echo 'GET / 200 in 3 ms'; echo 'GET / 200 in 5 ms'; echo 'slow GET / 200 in 40 ms' >&2; echo done";

async fn talked(bench: &Bench) -> (E2ETestHarness, e2e_tui::harness::ProcessHandle) {
    let harness = yard::harness(bench).await;
    let talker = harness.start_process(yard::script(bench, "talker", TALK).role(Role::Task)).await.expect("a shell");
    talker.exited().await.expect("it ends");
    (harness, talker)
}

fn message(entry: &LogEntry) -> &str {
    &entry.message
}

/// The words of the panic.
fn failure(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("it should fail");
    panic.downcast_ref::<String>().cloned().expect("a message")
}

#[tokio::test]
async fn lines_are_found_counted_and_measured() {
    let bench = Bench::new("lines");
    let (harness, talker) = talked(&bench).await;
    let logs = talker.logs();
    assert_eq!(logs.entries().len(), 5);
    let out: Vec<_> = logs.entries().into_iter().filter(|entry| entry.source == LogSource::Stdout).collect();
    assert_eq!(out.iter().map(message).collect::<Vec<_>>(), ["started on 8080", "GET / 200 in 3 ms", "GET / 200 in 5 ms", "done"]);
    assert_eq!(out.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(logs.find("slow").map(|entry| entry.source), Some(LogSource::Stderr));
    assert_eq!(logs.find_all(r"200 in \d+ ms").len(), 3);
    let metrics = logs.metrics(r"in (\d+) ms").expect("three numbers");
    assert_eq!((metrics.count, metrics.min, metrics.p50, metrics.max), (3, 3.0, 5.0, 40.0));
    assert!((metrics.mean - 16.0).abs() < 1e-9);
    assert_eq!(logs.metrics("in (x)"), None);
    assert_eq!(logs.tail(2), logs.entries()[3..]);
    assert_eq!(logs.from_now().entries(), []);
    assert_eq!(harness.logs().entries().len(), 5);

    let saved = harness.process_manager().save_process_logs("talker", bench.dir.path().join("saved")).expect("a disk");
    assert_eq!(std::fs::read_to_string(&saved[1]).expect("it was written"), "slow GET / 200 in 40 ms\n");
    assert_eq!(std::fs::read_to_string(&saved[0]).expect("it was written").lines().count(), 4);
}

#[tokio::test]
async fn a_line_that_is_said_later_ends_the_wait_and_one_that_never_comes_shows_what_did() {
    let bench = Bench::new("later");
    let harness = yard::harness(&bench).await;
    let late = "echo early; sleep 0.2; printf 'half a '; sleep 0.2; echo line; sleep 600";
    let late = harness.start_process(yard::script(&bench, "late", late)).await.expect("a shell");
    let logs = late.logs();
    assert_eq!(logs.wait_for("^early", SOON).await.expect("at once").message, "early");
    assert_eq!(logs.wait_for("half a line", SOON).await.expect("later").number, 2);
    let error = logs.wait_for("never", Duration::from_millis(50)).await.expect_err("never");
    assert_eq!(error.what, "late has not said `never` within 50 ms");
    assert_eq!(error.lines.len(), 2, "{error}");
    let now = logs.from_now();
    assert!(now.wait_for("early", Duration::from_millis(30)).await.is_err(), "only what is said from now on");
    harness.shutdown().await.expect("no leak");
    assert_eq!(logs.find("^early").map(|entry| entry.number), Some(1), "readable when the run is over");
    drop(late);
}

#[tokio::test]
async fn failures_show_the_lines_that_tell_why() {
    let bench = Bench::new("failures");
    let (harness, talker) = talked(&bench).await;
    let logs = talker.logs();
    logs.assert_seen("started on");
    logs.assert_not_seen("panicked");
    logs.assert_no_errors();
    logs.assert_sequence(&["started", "in 3 ms", "done"]);

    let missing = failure(|| _ = logs.assert_seen("listening on 9090"));
    assert!(missing.starts_with("talker should have said `listening on 9090`\n"), "{missing}");
    assert!(missing.contains("talker out | started on 8080"), "{missing}");

    let unwanted = failure(|| logs.assert_not_seen("in 5 ms"));
    let lines: Vec<_> = unwanted.lines().collect();
    assert_eq!(lines[0], "talker should not have said `in 5 ms`");
    assert!(lines.iter().any(|line| line.starts_with("  > ") && line.ends_with("talker out | GET / 200 in 5 ms")), "{unwanted}");
    assert!(lines.iter().any(|line| line.ends_with("GET / 200 in 3 ms")), "the line before: {unwanted}");

    let out_of_order = failure(|| _ = logs.assert_sequence(&["done", "started on"]));
    assert!(out_of_order.contains("should have said `started on` after these lines"), "{out_of_order}");
    assert!(out_of_order.contains("it was said earlier:"), "{out_of_order}");

    let anywhere = failure(|| _ = harness.logs().assert_seen("from nobody"));
    assert!(anywhere.starts_with("some process should have said"), "{anywhere}");
}

#[tokio::test]
async fn errors_are_found_by_what_they_call_themselves_and_by_what_they_look_like() {
    let bench = Bench::new("errors");
    let harness = yard::harness(&bench).await;
    let text = "echo '2026-11-23T06:25:57.881890Z ERROR proxy: upstream failed'; echo 'all well'; echo \"thread 'main' panicked at src/x.rs:1\" >&2";
    let talker = harness.start_process(yard::script(&bench, "bad", text).role(Role::Task)).await.expect("a shell");
    talker.exited().await.expect("it ends");
    let logs = harness.logs();
    assert_eq!(logs.errors().len(), 2);
    let told = failure(|| logs.assert_no_errors());
    assert!(told.starts_with("2 lines tell of errors"), "{told}");
    logs.assert_no_errors_but(&["upstream failed", "panicked at"]);
    assert_eq!(logs.find("upstream failed").and_then(|entry| entry.level), Some(e2e_tui::harness::LogLevel::Error));
    crate::support::wait_for("the alert to be told", SOON, || !talker.logs().alerts().is_empty());
}

#[tokio::test]
async fn sequences_go_across_processes() {
    let bench = Bench::new("across");
    let harness = yard::harness(&bench).await;
    for (name, text) in [("first", "echo one"), ("second", "echo two")] {
        let job = harness.start_process(yard::script(&bench, name, text).role(Role::Task)).await.expect("a shell");
        job.exited().await.expect("it ends");
        let _ = job.keep();
    }
    let found = harness.logs().assert_sequence(&["one", "two"]);
    assert_eq!(found.iter().map(|entry| entry.process.to_string()).collect::<Vec<_>>(), ["first", "second"]);
    let names: Vec<_> = harness.process_manager().names();
    assert_eq!(harness.logs().of_some(&names[1..]).entries().len(), 1);
}

#[tokio::test]
async fn secrets_are_masked_in_what_tests_see_and_in_what_is_kept() {
    let bench = Bench::new("secret");
    let harness = yard::builder(&bench, yard::Held::ByGuardian).secret("s3cret-value").start().await.expect("a harness");
    let text = yard::script(&bench, "teller", "echo token=$TOKEN").env("TOKEN", "s3cret-value").role(Role::Task);
    let teller = harness.start_process(text).await.expect("a shell");
    teller.exited().await.expect("it ends");
    teller.logs().assert_seen(r"^token=\*{12}$");
    teller.logs().assert_not_seen("s3cret");
}

#[tokio::test]
async fn a_wait_in_vain_says_how_those_stand_who_did_not_say_it() {
    let bench = Bench::new("in-vain");
    let harness = yard::harness(&bench).await;
    let dies = yard::script(&bench, "dies", "read go; echo going >&2; exit 7").role(Role::Task).stdin_pipe();
    let dies = harness.start_process(dies).await.expect("a shell");
    dies.send_line("go").await.expect("it reads");
    dies.exited().await.expect("it ends");
    let error = dies.logs().wait_for("never", Duration::from_millis(20)).await.expect_err("never");
    assert_eq!(error.processes, ["dies is failed: exited with 7"]);
    assert_eq!(error.recording.as_deref(), harness.recording());
    let told = error.to_string();
    assert!(told.contains("dies err | going") && told.contains("dies is failed: exited with 7") && told.contains("recorded: "), "{told}");
    let told = failure(|| _ = dies.logs().assert_seen("never"));
    assert!(told.contains("dies is failed: exited with 7"), "{told}");
}

#[tokio::test]
async fn a_tail_may_be_longer_than_all_that_was_said() {
    let bench = Bench::new("tail");
    let (_harness, talker) = talked(&bench).await;
    let logs = talker.logs();
    assert_eq!(logs.tail(usize::MAX), logs.entries());
    assert_eq!(logs.tail(0), []);
    assert_eq!(logs.tail(1), logs.entries()[4..]);
    assert_eq!(logs.from_now().tail(3), [], "what was said before does not count");
}

#[tokio::test]
async fn a_line_that_still_grows_stands_where_it_begins() {
    let bench = Bench::new("grows");
    let harness = yard::harness(&bench).await;
    // One stream at a time, as they are told to: two pipes have no order of their own.
    let text = "read go; printf 'the start of '; read go; echo other >&2; read go; echo 'a line'; sleep 600";
    let talker = harness.start_process(yard::script(&bench, "talker", text).stdin_pipe()).await.expect("a shell");
    let logs = talker.logs();
    talker.send_line("go").await.expect("it reads");
    logs.wait_for("the start", SOON).await.expect("it says so");
    talker.send_line("go").await.expect("it reads");
    logs.wait_for("other", SOON).await.expect("it says so");
    let told = failure(|| _ = logs.assert_sequence(&["other", "the start"]));
    assert!(told.contains("it was said earlier:"), "{told}");
    let manager = harness.process_manager().clone();
    let told = tokio::task::spawn_blocking({
        let logs = logs.clone();
        move || failure(|| _ = logs.assert_sequence(&["the start", "a line"]))
    });
    // Said while the assertion waits: it is the same line.
    manager.send_line("talker", "go").await.expect("it reads");
    let told = told.await.expect("it fails");
    assert!(told.contains("should have said `a line` after these lines"), "{told}");
    logs.assert_sequence(&["the start of a line", "other"]);
}

#[tokio::test]
async fn a_failure_for_very_many_lines_shows_the_first_and_counts_the_rest() {
    let bench = Bench::new("very-many");
    let harness = yard::harness(&bench).await;
    let text = "echo before; yes 'upstream failed' | head -n 20000; echo after";
    let talker = harness.start_process(yard::script(&bench, "talker", text).role(Role::Task)).await.expect("a shell");
    talker.exited().await.expect("it ends");
    let logs = talker.logs();
    let told = failure(|| logs.assert_not_seen("failed"));
    assert!(told.contains("| before\n  > ") && told.ends_with("\n  … and 19988 more"), "{told}");
    assert_eq!(told.matches("> ").count(), 12, "{told}");
}
