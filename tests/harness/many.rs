//! Many harnesses at once, in threads of one program and in programs of their own: nobody meets anybody, nothing is left.
//! `E2E_HARNESSES=64 cargo test --test harness many` runs the whole crowd.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    time::Duration,
};

use e2e_tui::harness::{E2ETestHarness, TestClient};

use crate::{
    support::Bench,
    yard::{MARK, SOON},
};

const FOLDER: &str = "E2E_TEST_FOLDER";

fn crowd() -> usize {
    std::env::var("E2E_HARNESSES").ok().and_then(|n| n.parse().ok()).unwrap_or(8)
}

/// One test among many: a server on a port of its own, a request, a restart, and its words.
async fn one(recordings: &std::path::Path, mark: &str, n: usize) -> (u16, String) {
    let builder = E2ETestHarness::builder().binary(env!("CARGO_BIN_EXE_e2e-tui")).recordings_dir(recordings);
    let harness = builder.name("crowd").start().await.expect("a harness");
    let port = harness.port_allocator().allocate().await.expect("a port");
    let config = e2e_tui::harness::ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config();
    let server = harness.start_server(port, config.env(MARK, mark)).await.expect("a server");
    let client = TestClient::new(&server.url).timeout(SOON);
    let said = client.call_tool("echo", serde_json::json!({"message": format!("crowd {n}")})).await.expect("an answer");
    assert!(said.text.contains(&format!("crowd {n}")), "{}", said.text);
    let recording = harness.recording().expect("it is recorded").display().to_string();
    let foreign = harness.logs().find_all("crowd").into_iter().find(|entry| !entry.message.contains(&format!("crowd {n}")));
    assert!(foreign.is_none(), "{foreign:?}");
    drop(server);
    drop(harness);
    (port, recording)
}

#[test]
fn side_by_side_in_threads_of_one_program() {
    let bench = Bench::new("threads");
    let recordings = bench.dir.path().join("recordings");
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..crowd())
            .map(|n| {
                let (recordings, mark) = (&recordings, &bench.mark);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                    runtime.block_on(one(recordings, mark, n))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it passes")).collect()
    });
    bench.assert_nothing_left(Duration::ZERO);
    let recorded: BTreeSet<_> = all.iter().map(|(_, recording)| recording).collect();
    assert_eq!(recorded.len(), crowd(), "each has a recording of its own");
    // Ports may be given out again once their test is over, but never while it runs: that a request was answered by the
    // test's own server has shown it.
    assert!(all.iter().all(|(port, _)| *port > 1024));
}

#[test]
#[ignore = "is started by the test below, many times at once"]
fn one_program() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).expect("it was told where"));
    let mark = std::env::var(MARK).expect("it was told");
    let n = std::env::var("E2E_TEST_N").expect("it was told").parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (port, recording) = runtime.block_on(one(&folder, &mark, n));
    println!("HAD {port} {recording}");
}

#[test]
fn side_by_side_in_programs_of_their_own() {
    let bench = Bench::new("programs");
    let this = std::env::current_exe().expect("a test has a path");
    let children: Vec<_> = (0..crowd())
        .map(|n| {
            Command::new(&this)
                .args(["many::one_program", "--exact", "--ignored", "--nocapture"])
                .env(FOLDER, bench.dir.path())
                .env(MARK, &bench.mark)
                .env("E2E_TEST_N", n.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("this very program runs")
        })
        .collect();
    let mut recorded = BTreeSet::new();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        let had = said.lines().find_map(|line| line.split_once("HAD ")).expect("it says what it had").1.to_owned();
        recorded.insert(had.split_once(' ').expect("port and recording").1.to_owned());
    }
    assert_eq!(recorded.len(), crowd(), "each has a recording of its own");
    bench.assert_nothing_left(SOON);
}
