//! S7: however a test ends, its processes end with it. Ends that take the program along are tried in a program of their own: this
//! very one, told by its environment how to end.

use std::{
    process::{Command, ExitStatus},
    time::Duration,
};

use e2e_tui::harness::E2ETestHarness;

use crate::{
    support::Bench,
    yard::{self, Held, MARK, SOON},
};

/// How the victim is to end, and how its trees are held.
const ENDING: &str = "E2E_TEST_ENDING";
const HELD: &str = "E2E_TEST_HELD";
/// Where its recordings go.
const FOLDER: &str = "E2E_TEST_FOLDER";

/// Runs the victim to its end and waits until nothing of it is left.
fn ends(ending: &str, held: Held) -> (Bench, ExitStatus) {
    let bench = Bench::new(&format!("end-{ending}"));
    let output = program(&bench, ending, held).output().expect("this very program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("THE TREE STANDS"), "{ending}, {held:?}: it did not get that far\n{said}");
    // A guard's drop has done it; the end of the whole program is seen by somebody else, who takes a moment.
    bench.assert_nothing_left(SOON);
    (bench, output.status)
}

fn program(bench: &Bench, ending: &str, held: Held) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command
        .args(["guards::victim", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ENDING, ending)
        .env(HELD, format!("{held:?}"))
        .env(MARK, &bench.mark)
        .env(FOLDER, bench.dir.path())
        .stdin(std::process::Stdio::null());
    command
}

fn in_a_runtime(multi: bool, test: impl Future<Output = ()>) {
    let mut builder = if multi { tokio::runtime::Builder::new_multi_thread() } else { tokio::runtime::Builder::new_current_thread() };
    builder.worker_threads(2).enable_all().build().expect("a runtime").block_on(test);
}

/// A harness with one tree that stands, as the environment says it is to be held.
async fn planted() -> (E2ETestHarness, e2e_tui::harness::ProcessHandle) {
    let builder = E2ETestHarness::builder()
        .binary(env!("CARGO_BIN_EXE_e2e-tui"))
        .recordings_dir(std::env::var_os(FOLDER).expect("it was told where"));
    let builder = match std::env::var(HELD).as_deref() {
        Ok("InProcess") => builder.containment(e2e_tui::harness::Containment::Group),
        _ => builder,
    };
    let harness = builder.start().await.expect("a harness");
    let tree = harness.start_process(e2e_tui::harness::ProcessConfig::shell("tree", yard::TREE)).await.expect("a shell");
    tree.logs().wait_for("planted", SOON).await.expect("it says so");
    println!("THE TREE STANDS");
    (harness, tree)
}

/// Drops something late: while the runtime goes down, or a panic unwinds.
struct DropsWith<T>(T);

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("a second panic");
    }
}

#[test]
#[ignore = "is started by the tests of this file, in a program of its own"]
fn victim() {
    let ending = std::env::var(ENDING).expect("it was told how to end");
    match ending.as_str() {
        "exit" => in_a_runtime(false, async {
            let _held = planted().await;
            std::process::exit(3);
        }),
        "abort" => in_a_runtime(true, async {
            let _held = planted().await;
            std::process::abort();
        }),
        "panic" => in_a_runtime(false, async {
            let _held = planted().await;
            panic!("the test fails");
        }),
        "panic-unheard" => in_a_runtime(false, async {
            let held = planted().await;
            let (reader, writer) = nix::unistd::pipe().expect("a pipe");
            drop(reader);
            rustix::stdio::dup2_stderr(&writer).expect("standard error can be replaced");
            let _held = held;
            panic!("the test fails");
        }),
        "panic-multi" => in_a_runtime(true, async {
            let _held = planted().await;
            panic!("the test fails");
        }),
        "double-panic" => in_a_runtime(false, async {
            let _first = PanicsInDrop;
            let _held = planted().await;
            panic!("the test fails");
        }),
        "panic-in-a-task" => in_a_runtime(true, async {
            let task = tokio::spawn(async {
                let _held = planted().await;
                panic!("the task fails");
            });
            assert!(task.await.expect_err("it panicked").is_panic());
        }),
        "runtime-dropped" => {
            // The task that holds it is dropped with its runtime, at an await that never ends.
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
            let (stands, standing) = std::sync::mpsc::channel();
            runtime.spawn(async move {
                let held = planted().await;
                stands.send(()).expect("it is waited for");
                std::future::pending::<()>().await;
                drop(held);
            });
            standing.recv().expect("it stands");
            drop(runtime);
        }
        "runtime-dropped-in-drop" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let held = runtime.block_on(planted());
            // The runtime first, then what it has made.
            drop(DropsWith((runtime, held)));
        }
        "outside" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let held = runtime.block_on(planted());
            drop(runtime);
            drop(held);
        }
        "another-thread" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let held = runtime.block_on(planted());
            std::thread::spawn(move || drop(held)).join().expect("a drop does not panic");
        }
        "blocked" => in_a_runtime(false, async {
            // The only thread of the runtime is busy; the harness has its own.
            let (harness, tree) = planted().await;
            std::thread::sleep(Duration::from_millis(50));
            drop((tree, harness));
        }),
        "forgotten" => in_a_runtime(false, async {
            std::mem::forget(planted().await);
        }),
        "killed" => in_a_runtime(false, async {
            let _held = planted().await;
            let me = nix::unistd::getpid();
            nix::sys::signal::kill(me, nix::sys::signal::Signal::SIGKILL).expect("it is myself");
            std::future::pending::<()>().await;
        }),
        other => panic!("no such ending: {other}"),
    }
}

#[test]
fn s7_the_end_of_the_whole_program_leaves_nothing() {
    for held in Held::BOTH {
        assert_eq!(ends("exit", held).1.code(), Some(3));
        for ending in ["abort", "killed", "double-panic"] {
            assert_eq!(ends(ending, held).1.code(), None, "{ending} is a signal's end");
        }
        assert_eq!(ends("forgotten", held).1.code(), Some(0));
    }
}

#[test]
fn s7_a_panic_leaves_nothing_in_any_runtime() {
    for held in Held::BOTH {
        assert_eq!(ends("panic", held).1.code(), Some(101));
        assert_eq!(ends("panic-multi", held).1.code(), Some(101));
        assert_eq!(ends("panic-unheard", held).1.code(), Some(101), "nobody reads its standard error: no second panic");
        assert_eq!(ends("panic-in-a-task", held).1.code(), Some(0));
    }
}

#[test]
fn s7_a_drop_needs_no_runtime_and_no_certain_thread() {
    for held in Held::BOTH {
        for ending in ["runtime-dropped", "runtime-dropped-in-drop", "outside", "another-thread", "blocked"] {
            assert_eq!(ends(ending, held).1.code(), Some(0), "{ending}, {held:?}");
        }
    }
}

#[tokio::test]
async fn a_dropped_handle_ends_its_process_before_the_drop_returns_and_no_other() {
    for held in Held::BOTH {
        let bench = Bench::new("handle");
        let harness = yard::builder(&bench, held).start().await.expect("a harness");
        let stays = harness.start_process(yard::script(&bench, "stays", "sleep 600")).await.expect("a shell");
        let tree = harness.start_process(yard::tree(&bench)).await.expect("a shell");
        assert!(bench.alive().len() >= 3, "{:?}", bench.alive());
        let asked = std::time::Instant::now();
        drop(tree);
        let left: Vec<_> = bench.alive().into_iter().filter(|(_, command)| !command.contains("sleep 600")).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        assert_eq!(stays.info().expect("it is there").state().word(), "ready");
        drop(stays);
        bench.assert_nothing_left(Duration::ZERO);
        drop(harness);
    }
}

#[tokio::test]
async fn a_dropped_harness_ends_everything_before_the_drop_returns_whatever_handles_there_are() {
    for held in Held::BOTH {
        let bench = Bench::new("whole");
        let harness = yard::builder(&bench, held).start().await.expect("a harness");
        let tree = harness.start_process(yard::tree(&bench)).await.expect("a shell");
        let kept = harness.start_process(yard::tree(&bench)).await.expect("a shell").keep();
        assert_eq!(kept.as_str(), "tree-2");
        drop(harness);
        bench.assert_nothing_left(Duration::ZERO);
        let error = tree.wait_for_ready(SOON).await.expect_err("the run is over");
        assert!(error.to_string().contains("stopped by the test"), "{error}");
        drop(tree);
    }
}

#[tokio::test]
async fn an_orderly_end_gives_processes_their_time_and_a_report() {
    let bench = Bench::new("orderly");
    let harness = yard::harness(&bench).await;
    let polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done";
    let ready = e2e_tui::harness::LogHealthCheck::new("up");
    let handle = harness.start_process(yard::script(&bench, "polite", polite).ready_when(ready)).await.expect("a shell");
    let logs = handle.logs();
    let report = harness.shutdown().await.expect("nothing leaked");
    assert_eq!((report.outcome.verdict.word(), report.outcome.exit_code), ("passed", 0));
    logs.assert_seen("bye");
    bench.assert_nothing_left(Duration::ZERO);
    drop(handle);
}

#[test]
fn nothing_of_the_host_program_is_changed() {
    let before = host();
    let bench = Bench::new("host");
    in_a_runtime(false, async {
        for held in Held::BOTH {
            let harness = yard::builder(&bench, held).start().await.expect("a harness");
            let tree = harness.start_process(yard::tree(&bench)).await.expect("a shell");
            assert_eq!(host(), before, "while it runs");
            drop((tree, harness));
        }
    });
    assert_eq!(host(), before, "after it");
}

/// What a library must leave alone: signals that are caught or ignored, being a subreaper, limits.
fn host() -> (String, bool, String) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let signals = status.lines().filter(|line| line.starts_with("SigIgn") || line.starts_with("SigCgt")).collect::<Vec<_>>().join(" ");
    let subreaper = nix::sys::prctl::get_child_subreaper().expect("Linux 3.4");
    // The tag of a tree is a limit of the child's, set between fork and exec.
    (signals, subreaper, std::fs::read_to_string("/proc/self/limits").expect("Linux"))
}
