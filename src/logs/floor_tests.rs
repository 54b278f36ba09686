//! What capture costs beside the least that anything could: reading the same bytes and writing them to a file.
//!
//! Run it optimised: `cargo test --release --lib floor -- --ignored --nocapture`.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::resource::{UsageWho, getrusage};
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::{
    model::{ProcessId, RunClock},
    redact::Redactor,
};

const LINES: usize = 2_000_000;
const PAIRS: usize = 5;

/// Log-like lines of 100 bytes: one in 64 an alert, and near misses of alert words.
fn lines() -> Vec<u8> {
    let texts = [
        "proxy::http: POST /mcp 200 in 12 ms",
        "session: created 6f1b for 127.0.0.1",
        "upstream: response 1500 bytes, errors=0",
        "pool: reused connection, 51 left of 5000",
        "auth: token accepted, refuse=false",
        "cache: hit for tools/list after 7 us",
        "timer: tick, timeout in 30 s",
        "sse: event 2005 sent, no panic",
    ];
    let line = |n: usize| {
        let (level, text) = if n % 64 == 13 { ("ERROR", "upstream: status 502 Bad Gateway, giving up") } else { ("INFO ", texts[n % 8]) };
        let mut line = format!("2026-11-23T06:25:57.{n:06}Z {level} {text} n={n}");
        line.truncate(99);
        format!("{line:.<99}\n")
    };
    (0..LINES).map(line).collect::<String>().into_bytes()
}

/// CPU time of this process.
fn cpu() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("it is always known");
    let of = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
    of(used.user_time()) + of(used.system_time())
}

/// CPU and wall time of `run`.
fn cost(run: impl FnOnce()) -> (Duration, Duration) {
    let (before, started) = (cpu(), Instant::now());
    run();
    (cpu().saturating_sub(before), started.elapsed())
}

/// Children that print `file`, `count` of them, each into a pipe of its own.
fn producers(file: &std::path::Path, count: usize) -> Vec<(std::os::fd::OwnedFd, std::process::Child)> {
    let make = || {
        let (read, write) = pipe().expect("a pipe");
        let mut command = Command::new("dd");
        command.arg(format!("if={}", file.display())).args(["bs=4k", "status=none"]).stdout(write).stderr(Stdio::null());
        let child = command.spawn().expect("dd is everywhere");
        (read, child)
    };
    (0..count).map(|_| make()).collect()
}

fn floor(input: &std::path::Path, dir: &std::path::Path, count: usize) -> (Duration, Duration) {
    cost(|| {
        let threads: Vec<_> = producers(input, count)
            .into_iter()
            .enumerate()
            .map(|(n, (read, mut child))| {
                let mut to = File::create(dir.join(format!("floor.{n}"))).expect("a file");
                std::thread::spawn(move || {
                    rustix::io::ioctl_fionbio(&read, false).expect("a pipe");
                    let (mut from, mut buffer) = (File::from(read), vec![0; 128 << 10]);
                    loop {
                        match from.read(&mut buffer).expect("a pipe") {
                            0 => break,
                            count => to.write_all(&buffer[..count]).expect("a disk"),
                        }
                    }
                    child.wait().expect("a child of ours");
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    })
}

fn captured(input: &std::path::Path, dir: &std::path::Path, count: usize, secrets: usize) -> (Duration, Duration) {
    let dir = tempfile::tempdir_in(dir).expect("a folder");
    let all: Vec<_> = (0..count).map(|n| ProcessId::new(&format!("p{n}")).expect("a name")).collect();
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    let (events, _told) = unbounded_channel();
    let redactor = Redactor::new((0..secrets).map(|n| format!("secret-value-{n}/{n}")));
    cost(|| {
        let mut capture = Capture::start(store.clone(), redactor, events).expect("a thread");
        let children: Vec<_> = producers(input, count)
            .into_iter()
            .zip(&all)
            .map(|((fd, child), process)| {
                let (process, watch) = (process.clone(), Watch::default());
                capture.add(CaptureStream { process, generation: 1, stream: Stream::Out, fd, watch });
                child
            })
            .collect();
        for mut child in children {
            child.wait().expect("a child of ours");
        }
        capture.stop();
        assert_eq!(store.total_lines(), (LINES * count) as u64);
    })
}

#[test]
#[ignore = "a measurement, for optimised builds"]
#[expect(clippy::print_stderr, reason = "it is what the measurement is for")]
fn capture_beside_the_floor() {
    let dir = tempfile::tempdir().expect("a folder");
    let input = dir.path().join("input");
    std::fs::write(&input, lines()).expect("a disk");
    for (count, secrets) in [(1, 0), (1, 3), (4, 3)] {
        let mut ratios = Vec::new();
        captured(&input, dir.path(), count, secrets);
        for _ in 0..PAIRS {
            let (floor_cpu, floor_wall) = floor(&input, dir.path(), count);
            let (cpu, wall) = captured(&input, dir.path(), count, secrets);
            eprintln!("  floor {floor_cpu:.2?} of {floor_wall:.2?}   captured {cpu:.2?} of {wall:.2?}");
            ratios.push((cpu.as_secs_f64() / floor_cpu.as_secs_f64(), wall.as_secs_f64() / floor_wall.as_secs_f64()));
        }
        let median = |of: fn(&(f64, f64)) -> f64| {
            let mut all: Vec<_> = ratios.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let megabytes = LINES * count / 10_000;
        eprintln!(
            "{count} producer(s), {secrets} secrets, {megabytes} MB: CPU x{:.2}, wall x{:.2} of the floor",
            median(|r| r.0),
            median(|r| r.1)
        );
    }
}
