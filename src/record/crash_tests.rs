//! An exporter that dies between any two of its writes: the old archive is there, or a whole new one, never a part.

use std::{
    fmt::Write,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicI64, Ordering},
};

use super::{Manifest, Recording, archive::export, beside::sweep};
use crate::{
    logs::{LogStore, Stream},
    model::{At, Containment, Event, EventKind, ProcessId, ProcessInfo, Role, RunClock, RunInfo},
};

/// Bytes of output, enough for hundreds of writes of a KiB each.
const NOISE: usize = 330_000;

/// How many more boundaries this process lives to see; negative: all.
static LEFT: AtomicI64 = AtomicI64::new(-1);

/// Between two steps of a writer: a child of the test below dies here, without a destructor.
pub(super) fn boundary() {
    if LEFT.load(Ordering::Relaxed) >= 0 && LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
        std::process::abort();
    }
}

/// A KiB at a time: many boundaries.
pub(super) fn piece(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(1 << 10)]
}

/// A recording with so many bytes of output that do not compress.
pub(super) fn recording(dir: &Path, noise: usize) {
    let process = ProcessId::new("up").expect("a name");
    let info = ProcessInfo {
        name: process.clone(),
        role: Role::Test,
        kind: None,
        stand_in: false,
        listens: Vec::new(),
        has_health: false,
        waits_for: Vec::new(),
        max_restarts: None,
        argv: Vec::new(),
        cwd: String::new(),
        reads: crate::model::Reads::Nothing,
        taps_pipes: false,
        awaits: String::new(),
        settings: Vec::new(),
    };
    let info = RunInfo {
        steps: Vec::new(),
        run: "2026-11-23-0625-x-k3".into(),
        scenario: "x".into(),
        description: String::new(),
        origin: "x.toml".into(),
        started: "2026-11-23T06:25:57.881890Z".into(),
        containment: Containment::Subreaper,
        timeout_ms: None,
        processes: vec![info],
        expectations: Vec::new(),
    };
    std::fs::write(dir.join("manifest.json"), Manifest::begin(&info).to_json()).expect("a disk");
    std::fs::write(dir.join("scenario.toml"), "name = \"x\"\n").expect("a disk");
    let begun = Event { seq: 1, at: At(0), kind: EventKind::RunStarted(info) };
    std::fs::write(dir.join("events.jsonl"), serde_json::to_string(&begun).expect("plain data") + "\n").expect("a disk");
    let logs = LogStore::create(dir.join("logs"), std::slice::from_ref(&process), RunClock::start()).expect("a disk");
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut lines = String::new();
    for _ in 0..noise / 66 {
        (0..4).for_each(|_| write!(lines, "{:016x}", next()).expect("writing to a string"));
        lines.push('\n');
    }
    for (n, chunk) in lines.as_bytes().chunks(16 << 10).enumerate() {
        assert!(logs.append(&process, Stream::Out, 1, At(n as u64), chunk).is_none());
    }
    logs.settle();
}

/// The child: exports, and dies at the boundary that it is told.
#[test]
#[ignore = "the test below runs it in processes of its own"]
fn export_until_told_to_die() {
    let Ok(dir) = std::env::var("CRASH_TEST_DIR") else { return };
    let left = std::env::var("CRASH_TEST_LEFT").expect("told").parse().expect("a number");
    LEFT.store(left, Ordering::Relaxed);
    let dir = Path::new(&dir);
    export(&dir.join("recording"), &dir.join("out/x.tar.zst"), true).expect("it lived to the end");
}

#[test]
fn d8_whoever_dies_between_two_writes_leaves_the_old_archive_or_a_whole_new_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let (target, out) = (dir.path().join("out/x.tar.zst"), dir.path().join("out"));
    std::fs::create_dir_all(dir.path().join("recording")).expect("a disk");
    std::fs::create_dir_all(&out).expect("a disk");
    recording(&dir.path().join("recording"), NOISE);
    let mut crashes = 0;
    for left in 0.. {
        std::fs::write(&target, "the old one").expect("a disk");
        let child = Command::new(std::env::current_exe().expect("it runs"))
            .args(["--exact", "record::crash_tests::export_until_told_to_die", "--ignored", "--test-threads=1"])
            .env("CRASH_TEST_DIR", dir.path())
            .env("CRASH_TEST_LEFT", left.to_string())
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("it runs");
        let old = std::fs::read(&target).expect("something is there") == b"the old one";
        if !old {
            let read = Recording::open_named(&target.display().to_string(), dir.path()).expect("a whole new one");
            assert!(read.broken().is_none() && read.logs.total_lines() == (NOISE / 66) as u64, "at boundary {left}");
        }
        if child.success() {
            assert!(!old);
            break;
        }
        crashes += 1;
        sweep(&out).expect("readable");
        assert_eq!(std::fs::read_dir(&out).expect("readable").count(), 1, "nothing but the archive is left at boundary {left}");
    }
    assert!(crashes >= 200, "only {crashes} boundaries");
}
