//! Many harnesses at once, in threads of one program and in programs of their own: nobody meets anybody, nothing is left.
//! `E2E_HARNESSES=64 E2E_ROUNDS=20 cargo test --test harness many -- --nocapture` runs the whole crowd, time after time, and counts.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use e2e_tui::{
    harness::{E2ETestHarness, TestClient},
    process::runs_dir,
    scenario::{Leases, PortRequest},
};

use crate::{
    support::{Bench, wait_for},
    yard::{MARK, SOON},
};

const FOLDER: &str = "E2E_TEST_FOLDER";
/// A crowd on a busy machine takes its time until it is all there.
const ALL_THERE: Duration = Duration::from_mins(2);

fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn crowd() -> usize {
    number("E2E_HARNESSES", 8)
}

fn rounds() -> usize {
    number("E2E_ROUNDS", 1)
}

/// What one of a crowd had while all others had theirs.
struct Had {
    port: u16,
    recording: PathBuf,
}

/// One test among many: a server on a port of its own, then, once `all_are_there`, a request and its words.
async fn one(recordings: &Path, mark: &str, n: usize, all_are_there: impl FnOnce()) -> Had {
    let builder = E2ETestHarness::builder().binary(env!("CARGO_BIN_EXE_e2e-tui")).recordings_dir(recordings);
    let harness = builder.name("crowd").start().await.expect("a harness");
    let port = harness.port_allocator().allocate().await.expect("a port");
    let config = e2e_tui::harness::ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config();
    let server = harness.start_server(port, config.env(MARK, mark).ready_timeout(ALL_THERE)).await.expect("a server");
    all_are_there();
    let client = TestClient::new(&server.url).timeout(ALL_THERE);
    let said = client.call_tool("echo", serde_json::json!({"message": format!("crowd {n}.")})).await.expect("an answer");
    assert!(said.text.contains(&format!("crowd {n}.")), "{}", said.text);
    let recording = harness.recording().expect("it is recorded").to_owned();
    let foreign = harness.logs().find_all("crowd").into_iter().find(|entry| !entry.message.contains(&format!("crowd {n}.")));
    assert!(foreign.is_none(), "{foreign:?}");
    drop(server);
    drop(harness);
    Had { port, recording }
}

/// Nobody had what another had, and nothing is left of anybody: no process, no port, no word of a run.
fn assert_apart(bench: &Bench, all: &[Had], patience: Duration) {
    let ports: BTreeSet<_> = all.iter().map(|had| had.port).collect();
    assert_eq!(ports.len(), crowd(), "all had theirs at the same time: {ports:?}");
    let recordings: BTreeSet<_> = all.iter().map(|had| &had.recording).collect();
    assert_eq!(recordings.len(), crowd(), "each has a recording of its own");
    bench.assert_nothing_left(patience);
    let mut leases = Leases::new().expect("the folder of leases");
    let bound: Vec<_> = ports.into_iter().filter_map(|port| leases.lease(PortRequest::Exactly(port)).err()).collect();
    // Another test may have been given one that was free again; then it says so.
    assert!(bound.iter().all(|error| !error.to_string().contains("is taken by")), "{bound:?}");
    let words: Vec<_> = fs::read_dir(runs_dir()).map_or_else(|_| Vec::new(), |all| all.flatten().map(|entry| entry.file_name()).collect());
    let ids: BTreeSet<_> = recordings.iter().filter_map(|path| path.file_name()).collect();
    let left: Vec<_> = words.iter().filter(|word| ids.iter().any(|id| word.to_string_lossy().contains(&*id.to_string_lossy()))).collect();
    assert!(left.is_empty(), "runs that are over still have their word: {left:?}");
    println!("{} harnesses: {} ports, {} recordings, 0 processes left, 0 ports bound", all.len(), all.len(), recordings.len());
}

#[test]
fn side_by_side_in_threads_of_one_program() {
    for _ in 0..rounds() {
        let bench = Bench::new("threads");
        let recordings = bench.dir.path().join("recordings");
        let there = AtomicUsize::new(0);
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..crowd())
                .map(|n| {
                    let (recordings, mark, there) = (&recordings, &bench.mark, &there);
                    scope.spawn(move || {
                        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                        runtime.block_on(one(recordings, mark, n, || {
                            there.fetch_add(1, Ordering::SeqCst);
                            wait_for("everybody to be there", ALL_THERE, || there.load(Ordering::SeqCst) == crowd());
                        }))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("it passes")).collect()
        });
        assert_apart(&bench, &all, Duration::ZERO);
        assert_eq!(fs::read_dir(&recordings).expect("they are kept").count(), crowd());
    }
}

#[test]
#[ignore = "is started by the test below, many times at once"]
fn one_program() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("it was told where"));
    let mark = std::env::var(MARK).expect("it was told");
    let n = number("E2E_TEST_N", usize::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let there = folder.join("there");
    let had = runtime.block_on(one(&folder.join("recordings"), &mark, n, || {
        fs::write(there.join(n.to_string()), "").expect("a disk");
        wait_for("everybody to be there", ALL_THERE, || fs::read_dir(&there).is_ok_and(|all| all.count() == crowd()));
    }));
    println!("HAD {} {}", had.port, had.recording.display());
}

#[test]
fn side_by_side_in_programs_of_their_own() {
    let this = std::env::current_exe().expect("a test has a path");
    for _ in 0..rounds() {
        let bench = Bench::new("programs");
        fs::create_dir(bench.dir.path().join("there")).expect("a disk");
        let children: Vec<_> = (0..crowd())
            .map(|n| {
                Command::new(&this)
                    .args(["many::one_program", "--exact", "--ignored", "--nocapture"])
                    .env(FOLDER, bench.dir.path())
                    .env(MARK, &bench.mark)
                    .env("E2E_TEST_N", n.to_string())
                    .env("E2E_HARNESSES", crowd().to_string())
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("this very program runs")
            })
            .collect();
        let all: Vec<_> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().expect("it ends");
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
                let had = said.lines().find_map(|line| line.split_once("HAD ")).expect("it says what it had").1;
                let (port, recording) = had.split_once(' ').expect("port and recording");
                Had { port: port.parse().expect("a number"), recording: recording.into() }
            })
            .collect();
        assert_apart(&bench, &all, SOON);
    }
}
