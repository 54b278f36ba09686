//! What the log engine costs, beside the least that anything could: the same work by `cat >file` and by `rg`.
//!
//! Nothing absolute holds on a shared machine, so everything is measured in pairs, in turn, and told as a ratio.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use e2e_tui::{
    logs::{Capture, CaptureStream, Filter, LogStore, LogView, Pattern, Query, Selection, Stream, Watch, pipe},
    model::{At, ProcessId, RunClock},
    redact::Redactor,
};
use nix::sys::resource::{UsageWho, getrusage};
use tokio::sync::mpsc::unbounded_channel;

/// The patterns of the filter's measure: rare, in most lines, an expression, and none at all.
pub const PATTERNS: [&str; 4] = ["ERROR", "INFO", r"\d{3} OK", "no line holds this"];

/// CPU and wall time of some work.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub cpu: Duration,
    pub wall: Duration,
}

/// Log-like lines of 100 bytes: one in 64 an alert, and near misses of alert words.
pub fn lines(count: usize) -> Vec<u8> {
    let texts = [
        "proxy::http: POST /mcp 200 OK in 12 ms",
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
    (0..count).map(line).collect::<String>().into_bytes()
}

/// The names of `count` processes.
pub fn names(count: usize) -> Vec<ProcessId> {
    (0..count).map(|n| ProcessId::new(&format!("p{n}")).expect("a name")).collect()
}

/// CPU and wall time of `run` in this process.
pub fn cost(run: impl FnOnce()) -> Cost {
    let cpu = || {
        let used = getrusage(UsageWho::RUSAGE_SELF).expect("it is always known");
        let of = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
        of(used.user_time()) + of(used.system_time())
    };
    let (before, started) = (cpu(), Instant::now());
    run();
    Cost { cpu: cpu().saturating_sub(before), wall: started.elapsed() }
}

/// Children that print `file`, `count` of them, each into a pipe of its own.
fn producers(file: &Path, count: usize) -> Vec<(OwnedFd, Child)> {
    let make = || {
        let (read, write) = pipe().expect("a pipe");
        let mut command = Command::new("dd");
        command.arg(format!("if={}", file.display())).args(["bs=4k", "status=none"]).stdout(write).stderr(Stdio::null());
        (read, command.spawn().expect("dd is everywhere"))
    };
    (0..count).map(|_| make()).collect()
}

/// What `count` times `cat >file` cost, for children that print `input`.
pub fn cat(input: &Path, dir: &Path, count: usize) -> Cost {
    cost(|| {
        let copy = |(n, (read, mut child)): (usize, (OwnedFd, Child))| {
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
        };
        let threads: Vec<_> = producers(input, count).into_iter().enumerate().map(copy).collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    })
}

/// What capturing them costs: kept, masked, indexed, looked through for alerts. All `lines` of each must be there.
pub fn capture(input: &Path, dir: &Path, count: usize, secrets: usize, lines: usize) -> Cost {
    let dir = tempfile::tempdir_in(dir).expect("a folder");
    let all = names(count);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    let (events, _told) = unbounded_channel();
    let redactor = Redactor::new((0..secrets).map(|n| format!("secret-value-{n}/{n}")));
    cost(|| {
        let mut capture = Capture::start(store.clone(), redactor, events).expect("a thread");
        let mut children = Vec::new();
        for ((fd, child), process) in producers(input, count).into_iter().zip(&all) {
            let (process, watch) = (process.clone(), Watch::default());
            capture.add(CaptureStream { process, generation: 1, stream: Stream::Out, fd, watch });
            children.push(child);
        }
        for child in &mut children {
            child.wait().expect("a child of ours");
        }
        capture.stop();
        assert_eq!(store.total_lines(), (lines * count) as u64, "nothing may be lost");
    })
}

/// A store that holds `said`, as one process said it.
pub fn store_of(said: &[u8], dir: &Path) -> Arc<LogStore> {
    let all = names(1);
    let store = LogStore::create(dir, &all, RunClock::start()).expect("a store");
    for (n, chunk) in (0..).zip(said.chunks(128 << 10)) {
        assert!(store.append(&all[0], Stream::Out, 1, At(n), chunk).is_none(), "the disk takes it");
    }
    store
}

fn query(pattern: &str) -> Query {
    Query { within: vec![Pattern::regex(pattern).expect("a pattern")], ..Query::default() }
}

/// How long a filter takes to ask every line, and how many it finds.
pub fn filter(store: &LogStore, pattern: &str) -> (Duration, u64) {
    let started = Instant::now();
    let mut filter = Filter::new(LogView::new(Selection::All), vec![query(pattern)]);
    while !filter.advance(store, Duration::from_millis(3)).expect("readable") {}
    (started.elapsed(), filter.rows(0).len())
}

/// How long `rg` takes to count the same on one thread; none where it is not installed.
pub fn rg(file: &Path, pattern: &str) -> Option<(Duration, u64)> {
    let started = Instant::now();
    let out = Command::new("rg").args(["-j1", "--no-mmap", "-c", "-e"]).arg(pattern).arg(file).stdin(Stdio::null()).output().ok()?;
    let took = started.elapsed();
    let count = String::from_utf8_lossy(&out.stdout);
    Some((took, count.trim().parse().unwrap_or(0)))
}

/// How long it takes from a new question to the first `height` lines that match, read and ready to be shown.
pub fn first_screen(store: &LogStore, pattern: &str, height: u64) -> Duration {
    let started = Instant::now();
    let mut filter = Filter::new(LogView::new(Selection::All), vec![query(pattern)]);
    while filter.rows(0).len() < height && !filter.advance(store, Duration::from_millis(3)).expect("readable") {}
    let from = filter.rows(0).len().saturating_sub(height);
    let lines = filter.view().window_of(store, filter.rows(0), from, height as usize).expect("readable");
    for line in &lines {
        std::hint::black_box(line.present());
    }
    started.elapsed()
}

/// How long it takes to be at each of `count` places all over the log, ready to be shown, fastest first.
pub fn jumps(store: &LogStore, count: u64) -> Vec<Duration> {
    let mut view = LogView::new(Selection::All);
    view.refresh(store);
    let jump = |n: u64| {
        let row = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % view.len();
        let started = Instant::now();
        let lines = view.window(store, row, 50).expect("readable");
        assert_eq!(lines.first().map(|line| line.row), Some(row));
        for line in &lines {
            std::hint::black_box(line.present());
        }
        started.elapsed()
    };
    let mut all: Vec<_> = (1..=count).map(jump).collect();
    all.sort_unstable();
    all
}

/// The median of the ratios of `pairs` pairs, after one that does not count.
pub fn median_ratio(pairs: usize, mut pair: impl FnMut() -> (Duration, Duration)) -> f64 {
    pair();
    let mut ratios: Vec<f64> = (0..pairs).map(|_| pair()).map(|(ours, floor)| ours.as_secs_f64() / floor.as_secs_f64().max(1e-6)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
