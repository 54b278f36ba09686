//! What a person reads when something is wrong: in the error of a test, in a failed assertion, in what is left of the test.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use e2e_tui::harness::{ClientError, HarnessError, HealthCheck, ProcessConfig, ProcessError, TcpHealthCheck, TestClient};
use futures_util::FutureExt as _;

use crate::{
    support::Bench,
    yard::{self, Held, SOON},
};

const FOLDER: &str = "E2E_TEST_FOLDER";

fn process_error(error: HarnessError) -> ProcessError {
    match error {
        HarnessError::Process(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_error_that_a_test_returns_or_unwraps_is_shown_in_words() {
    let bench = Bench::new("words");
    let harness = yard::harness(&bench).await;
    let shown = |error: &dyn std::error::Error| (format!("{error:?}"), error.to_string());
    let error = harness.start_process(yard::script(&bench, "server", "echo 'no such table' >&2; exit 7")).await;
    let error: Box<dyn std::error::Error> = error.expect_err("it dies").into();
    let (returned, words) = shown(error.as_ref());
    assert_eq!(returned, words);
    assert!(returned.contains("server exited with 7 after") && returned.contains("\n  server | no such table"), "{returned}");
    let error = harness.logs().wait_for("never", std::time::Duration::from_millis(10)).await.expect_err("nobody says it");
    let (returned, words) = shown(&error);
    assert_eq!(returned, words);
    assert!(returned.starts_with("no process has said `never` within 10 ms\n"), "{returned}");
    let error = TestClient::new("http://127.0.0.1:1").send_mcp_request("ping", None).await.expect_err("nobody listens");
    assert_eq!(shown(&error), ("connection to 127.0.0.1:1 refused".into(), "connection to 127.0.0.1:1 refused".into()));
    let (returned, words) = shown(&ProcessError::NoBinary { process: "validator".into() });
    assert!(returned == words && returned.contains("set E2E_TUI_BIN to its path"), "{returned}");
}

#[tokio::test]
async fn whatever_error_was_handed_to_the_test_is_archived() {
    let bench = Bench::new("any-error");
    let archives = bench.dir.path().join("archives");
    let count = || std::fs::read_dir(&archives).map_or(0, Iterator::count);
    let start = || yard::builder(&bench, Held::InProcess).archive_on_failure(&archives).start();

    // Before anything was started, of a process that there is not, of one that does not read.
    let harness = start().await.expect("a harness");
    drop(harness.start_process(ProcessConfig::new("no name", "true")).await.expect_err("a name with a space"));
    drop(harness);
    assert_eq!(count(), 1);
    let harness = start().await.expect("a harness");
    drop(harness.process_manager().restart_process("nobody").await.expect_err("there is none"));
    drop(harness);
    assert_eq!(count(), 2);
    let harness = start().await.expect("a harness");
    let deaf = harness.start_process(yard::script(&bench, "deaf", "sleep 600")).await.expect("a shell");
    drop(deaf.send_line("hello").await.expect_err("its stdin is /dev/null"));
    drop((deaf, harness));
    assert_eq!(count(), 3);
    // What is only asked is answered, and no failure.
    let harness = start().await.expect("a harness");
    assert!(harness.port("nobody").is_err() && harness.process_manager().process("nobody").is_err());
    drop(harness);
    assert_eq!(count(), 3);
}

#[tokio::test]
async fn what_is_asked_in_vain_says_what_to_do_in_the_words_of_the_library() {
    let bench = Bench::new("in-vain");
    let harness = yard::harness(&bench).await;
    let deaf = harness.start_process(yard::script(&bench, "deaf", "sleep 600")).await.expect("a shell");
    let error = deaf.send_line("hello").await.expect_err("its stdin is /dev/null");
    assert!(matches!(&error, ProcessError::Refused { reason, .. } if reason == "it reads nothing; give it `.stdin_pipe()`"), "{error}");
    assert!(error.to_string().starts_with("deaf: it reads nothing"), "{error}");
    let error = harness.url("deaf").expect_err("it has no port").to_string();
    assert!(error.contains("`start_server`") && !error.contains("listens`"), "{error}");
}

#[tokio::test]
async fn what_no_program_can_be_given_is_refused_before_it_is_started() {
    let bench = Bench::new("no-program");
    let harness = yard::harness(&bench).await;
    let reason = async |config: ProcessConfig| match harness.start_process(config).await.map_err(process_error) {
        Err(ProcessError::SpawnFailed { reason, evidence }) if evidence.process == "odd" => reason,
        other => panic!("{other:?}"),
    };
    let path = PathBuf::from(OsStr::from_bytes(b"/bin/\xff"));
    assert!(reason(ProcessConfig::new("odd", path)).await.contains("is not UTF-8"));
    for name in ["", "A=B"] {
        let said = reason(ProcessConfig::new("odd", "true").env(name, "1")).await;
        assert!(said.contains("is not the name of a variable"), "{said}");
    }
}

#[test]
fn clients_and_checks_outside_of_a_runtime_say_what_they_need() {
    let client = TestClient::new("http://127.0.0.1:1");
    let error = client.send_mcp_request("ping", None).now_or_never().expect("nothing is waited for").expect_err("no runtime");
    assert!(matches!(&error, ClientError::NoRuntime { method } if method == "ping"), "{error}");
    let error = client.raw_request("POST", &[], "").now_or_never().expect("nothing is waited for").expect_err("no runtime");
    assert!(error.to_string().contains("needs a tokio runtime around it"), "{error}");
    let error = TcpHealthCheck::new("127.0.0.1:1").check().now_or_never().expect("nothing is waited for").expect_err("no runtime");
    assert!(error.to_string().contains("needs a tokio runtime around it"), "{error}");
}

#[tokio::test]
async fn what_stands_in_a_variable_for_secrets_is_in_no_record_of_how_a_process_is_set_up() {
    let bench = Bench::new("set-up");
    let harness = yard::harness(&bench).await;
    let config = yard::script(&bench, "server", "sleep 600").env("API_TOKEN", "s3cret-of-the-test").env("MODE", "shown");
    let server = harness.start_process(config).await.expect("a shell");
    let info = format!("{:?}", server.info().expect("it is there"));
    assert!(info.contains("server") && !info.contains("s3cret"), "{info}");
    let recording = harness.recording().expect("it is recorded").to_owned();
    drop((server, harness));
    let events = std::fs::read_to_string(recording.join("events.jsonl")).expect("they are kept");
    assert!(events.contains("MODE=shown") && events.contains("API_TOKEN=******************") && !events.contains("s3cret"), "{events}");
}

#[tokio::test]
async fn all_that_was_said_is_saved_in_its_time_and_lines_of_any_length_whole() {
    let bench = Bench::new("saved");
    let harness = yard::harness(&bench).await;
    let talks = "yes 'a line like many others' | head -n 30000; head -c 200000 /dev/zero | tr '\\0' x; echo; printf last; sleep 600";
    let talker = harness.start_process(yard::script(&bench, "talker", talks)).await.expect("a shell");
    let logs = talker.logs();
    let long = logs.wait_for("^x", SOON).await.expect("it says so");
    assert!(long.cut && long.message.len() < 200_000 && long.number == 30_001, "{}", long.number);
    logs.wait_for("^last", SOON).await.expect("it says so");
    let asked = std::time::Instant::now();
    assert_eq!(logs.entries().len(), 30_002);
    let read = asked.elapsed();
    let asked = std::time::Instant::now();
    let [out, _] = harness.process_manager().save_process_logs("talker", bench.dir.path().join("new/saved")).expect("a disk");
    // A chunk that is read anew for each of its lines costs hundreds of times as much.
    assert!(asked.elapsed() < read * 10, "{:?} to save what is read in {read:?}", asked.elapsed());
    let whole = "a line like many others\n".repeat(30_000) + &"x".repeat(200_000) + "\nlast\n";
    assert!(std::fs::read_to_string(out).is_ok_and(|saved| saved == whole));
    let error = harness.process_manager().save_process_logs("talker", "/proc/nowhere").expect_err("not there").to_string();
    assert!(error.starts_with("/proc/nowhere: "), "{error}");
}

#[test]
#[ignore = "is started by the tests below, in a place of its own"]
fn in_a_bad_place() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("it was told where"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let builder = e2e_tui::E2ETestHarness::builder().binary(env!("CARGO_BIN_EXE_e2e-tui")).archive_on_failure(folder.join("archives"));
        let harness = builder.start().await.expect("it goes on without a recording");
        println!("RECORDED {:?}", harness.recording());
        std::fs::create_dir(folder.join("gone")).expect("a disk");
        std::env::set_current_dir(folder.join("gone")).expect("it is there");
        std::fs::remove_dir(folder.join("gone")).expect("it is empty");
        let error = harness.start_process(ProcessConfig::new("here", "/bin/pwd")).await.expect_err("there is no here");
        println!("HERE {error}");
        let elsewhere = harness.start_process(ProcessConfig::shell("elsewhere", "sleep 600").working_dir("/")).await;
        assert!(elsewhere.is_ok(), "{elsewhere:?}");
        drop((elsewhere, harness));
    });
}

#[test]
fn a_place_that_cannot_be_recorded_in_or_worked_in_is_named() {
    let bench = Bench::new("bad-place");
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command.args(["words::in_a_bad_place", "--exact", "--ignored", "--nocapture"]).env(FOLDER, bench.dir.path()).stdin(Stdio::null());
    let output = command.env("XDG_STATE_HOME", "/proc/nowhere").env(yard::MARK, &bench.mark).output().expect("this very program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("RECORDED None"), "{said}");
    let told = |what: &str| said.lines().any(|line| what.split('*').all(|part| line.contains(part)));
    assert!(told("HERE here could not be started: the test's own working directory cannot be told*set `.working_dir(..)`"), "{said}");
    assert!(told("no archive could be written: *recordings cannot be kept in /proc/nowhere"), "{said}");
    bench.assert_nothing_left(SOON);
}
