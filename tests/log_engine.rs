//! The log engine under load, with real children: nothing is lost, memory stays flat, the view answers at once, and the
//! cost stays near that of the floors. What is measured exactly is in `benches/logs.rs`; these are slices of it with room
//! for a busy machine and an unoptimised build.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use e2e_tui::{
    headless::{Colour, Printer},
    logs::{Capture, CaptureEvent, CaptureStream, LogStore, LogView, MAX_LINE, Selection, Stream, Watch, pipe, plain},
    model::{ProcessId, RunClock},
    redact::Redactor,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

#[path = "../benches/measures/mod.rs"]
#[expect(unreachable_pub, reason = "the bench shares it")]
mod measures;

const SOON: Duration = Duration::from_mins(2);

/// Memory is counted for the whole process, and time is short: one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store, its capture thread, and what it tells.
struct Rig {
    dir: tempfile::TempDir,
    all: Vec<ProcessId>,
    store: Arc<LogStore>,
    capture: Capture,
    told: UnboundedReceiver<CaptureEvent>,
}

impl Rig {
    fn new(processes: usize) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let all = measures::names(processes);
        let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
        let (events, told) = unbounded_channel();
        let capture = Capture::start(store.clone(), Redactor::new(["secret-value".to_owned()]), events).expect("a thread");
        Self { dir, all, store, capture, told }
    }

    /// Starts `script` as a generation of a process.
    fn start(&self, process: usize, generation: u32, script: &str) -> Child {
        let (fd, write) = pipe().expect("a pipe");
        let child = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).stdout(write).spawn().expect("a shell");
        let (process, watch) = (self.all[process].clone(), Watch::default());
        self.capture.add(CaptureStream { process, generation, stream: Stream::Out, fd, watch });
        child
    }

    fn drained(&mut self, process: usize, generation: u32) {
        self.capture.drain(&self.all[process], generation, SOON);
        let deadline = Instant::now() + SOON;
        loop {
            match self.told.try_recv() {
                Ok(CaptureEvent::Drained { process: who, generation: which, still_open, .. })
                    if who == self.all[process] && which == generation =>
                {
                    assert!(!still_open);
                    return;
                }
                Ok(_) => {}
                Err(_) => {
                    assert!(Instant::now() < deadline, "it was not drained in time");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// Lets `child` end and everything it said arrive, looking at the newest lines all the while: how long each look took.
    fn watch(&mut self, mut child: Child, process: usize) -> Vec<Duration> {
        let mut view = LogView::new(Selection::All);
        let mut looks = Vec::new();
        let deadline = Instant::now() + SOON;
        while child.try_wait().expect("a child of ours").is_none() {
            assert!(Instant::now() < deadline, "it did not end in time");
            let started = Instant::now();
            view.refresh(&self.store);
            let lines = view.window(&self.store, view.len().saturating_sub(50), 50).expect("readable");
            for line in &lines {
                std::hint::black_box(line.present());
            }
            looks.push(started.elapsed());
            std::thread::sleep(Duration::from_millis(2));
        }
        self.drained(process, 1);
        looks
    }
}

/// Memory of this process, in bytes: now, and at most so far.
fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(what)).expect("it is always told");
    line.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
}

/// How much more memory than now `work` takes at its worst.
fn growth(work: impl FnOnce()) -> u64 {
    // Forgets the highest mark so far.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS:");
    work();
    memory("VmHWM:").saturating_sub(before)
}

const ALLOWED: u64 = 16 << 20;

#[test]
fn o12_a_flood_is_kept_to_the_last_line_while_the_view_answers() {
    let _alone = alone();
    const LINES: u64 = 400_000;
    let mut rig = Rig::new(1);
    let mut looks = Vec::new();
    let grown = growth(|| {
        let child = rig.start(0, 1, &format!("exec seq -f 'INFO flood: line %.0f of many, nothing special' 1 {LINES}"));
        looks = rig.watch(child, 0);
    });
    assert!(grown <= ALLOWED, "{grown} bytes more");
    assert_eq!(rig.store.lines(&rig.all[0]), LINES);
    looks.sort_unstable();
    // Looks wait for each other's processor, too: the machine may have as few as two.
    let slow = looks[looks.len() * 95 / 100];
    assert!(slow <= Duration::from_millis(50), "{slow:?} at the 95th of 100 looks of {}", looks.len());
    let mut text = String::new();
    File::open(rig.dir.path().join("p0.out")).expect("the segment").read_to_string(&mut text).expect("it is text");
    let numbers = text.lines().map(|line| line.split(' ').nth(3).and_then(|number| number.parse::<u64>().ok()));
    assert!(numbers.eq((1..=LINES).map(Some)), "every line, once, in order");
}

#[test]
fn o13_fifty_quiet_ones_are_heard_beside_a_flood() {
    let _alone = alone();
    const QUIET: usize = 50;
    let rig = Rig::new(1 + QUIET);
    let mut flooder = rig.start(0, 1, "exec yes 'INFO a flood that never ends and leaves room for nobody else'");
    let mut pipes: Vec<File> = (1..=QUIET)
        .map(|n| {
            let (fd, write) = pipe().expect("a pipe");
            let process = rig.all[n].clone();
            rig.capture.add(CaptureStream { process, generation: 1, stream: Stream::Out, fd, watch: Watch::default() });
            File::from(write)
        })
        .collect();
    let deadline = Instant::now() + SOON;
    let wait = |what: &str, holds: &dyn Fn(&LogStore) -> bool| {
        while !holds(&rig.store) {
            assert!(Instant::now() < deadline, "in vain: {what}");
            std::thread::sleep(Duration::from_micros(500));
        }
    };
    wait("the flood", &|store| store.bytes(&rig.all[0]) > 16 << 20);
    let (mut before, mut took) = (Vec::new(), Vec::new());
    let mut views: Vec<_> = rig.all[1..].iter().map(|process| LogView::new(Selection::Some(vec![process.clone()]))).collect();
    for round in 1..=3 {
        for ((pipe, process), view) in pipes.iter_mut().zip(&rig.all[1..]).zip(&mut views) {
            let (said, at) = (rig.store.stamp(), Instant::now());
            std::io::Write::write_all(pipe, b"quiet\n").expect("the pipe has room");
            wait("a quiet line", &|store| store.lines(process) == round);
            view.refresh(&rig.store);
            let lines = view.window(&rig.store, round - 1, 9).expect("readable");
            assert_eq!(lines.iter().map(|line| line.bytes.as_slice()).collect::<Vec<_>>(), [b"quiet"]);
            took.push(at.elapsed());
            let (seq, _) = rig.store.place_of_line(process, Stream::Out, round).expect("readable").expect("it is there");
            before.push(seq - said);
        }
    }
    flooder.kill().and_then(|()| flooder.wait()).expect("a child of ours");
    before.sort_unstable();
    took.sort_unstable();
    // From the write until it can be shown. Of a build that is not optimised one chunk of the flood takes 50 ms on a busy
    // machine, and those at the end are lines that it let nobody look for.
    let most = if cfg!(debug_assertions) { 50 } else { 95 };
    assert!(took[took.len() * most / 100] <= Duration::from_millis(200), "{took:.1?}");
    // Counted in chunks of the flood that were read before a quiet line that was there: 256 KiB each, far below a
    // millisecond. However busy the machine is, a line waits for its turn only.
    assert!(before[before.len() / 2] <= 4, "{before:?}");
    assert!(before[before.len() * 95 / 100] <= 64, "{before:?}");
}

#[test]
fn o1_a_line_without_an_end_costs_no_memory_and_is_reachable() {
    let _alone = alone();
    const SIZE: u64 = 64 << 20;
    let mut rig = Rig::new(1);
    let grown = growth(|| {
        let child = rig.start(0, 1, &format!("head -c {SIZE} /dev/zero | tr '\\0' x; printf 'the end'"));
        rig.watch(child, 0);
    });
    assert!(grown <= ALLOWED, "{grown} bytes more");
    let mut view = LogView::new(Selection::All);
    view.refresh(&rig.store);
    let lines = view.window(&rig.store, 0, 9).expect("readable");
    assert_eq!((lines.len(), lines[0].cut, lines[0].bytes.len(), lines[0].size), (1, true, MAX_LINE, SIZE + 7));
    assert_eq!(view.line_part(&rig.store, 0, SIZE - 1, 99).expect("readable"), b"xthe end");
    assert_eq!(fs::metadata(rig.dir.path().join("p0.out")).expect("the segment").len(), SIZE + 7);
}

#[test]
fn o5_a_title_without_an_end_costs_no_memory_and_ends_with_its_line() {
    let _alone = alone();
    let mut rig = Rig::new(1);
    let grown = growth(|| {
        let child = rig.start(0, 1, "printf '\\033]0;'; head -c 33554432 /dev/zero | tr '\\0' x; printf '\\nafter\\n'");
        rig.watch(child, 0);
    });
    assert!(grown <= ALLOWED, "{grown} bytes more");
    let mut view = LogView::new(Selection::All);
    view.refresh(&rig.store);
    let lines = view.window(&rig.store, 0, 9).expect("readable");
    assert_eq!((lines.len(), plain(&lines[1].bytes).as_str()), (2, "after"));
}

#[test]
fn numbered_lines_of_many_processes_and_restarts_are_all_there_once() {
    let _alone = alone();
    const PROCESSES: usize = 8;
    const LIVES: u32 = 12;
    const LINES: u64 = 2_000;
    let mut rig = Rig::new(PROCESSES);
    for generation in 1..=LIVES {
        let children: Vec<Child> = (0..PROCESSES)
            .map(|process| {
                rig.start(process, generation, &format!("seq -f '{generation} %.0f' 1 {LINES}; printf 'last words of {generation}'"))
            })
            .collect();
        for (process, mut child) in children.into_iter().enumerate() {
            assert!(child.wait().expect("a child of ours").success());
            rig.drained(process, generation);
        }
    }
    let check = |store: &LogStore| {
        for process in &rig.all {
            let mut view = LogView::new(Selection::Some(vec![process.clone()]));
            view.refresh(store);
            let lines = view.window(store, 0, usize::MAX).expect("readable");
            let life = |g: u32| (1..=LINES).map(move |n| format!("{g} {n}")).chain([format!("last words of {g}")]);
            assert!(lines.iter().map(|line| plain(&line.bytes)).eq((1..=LIVES).flat_map(life)), "none lost, none doubled");
            assert!(lines.is_sorted_by_key(|line| (line.generation, line.number)));
        }
    };
    check(&rig.store);
    assert_eq!(rig.store.total_lines(), PROCESSES as u64 * u64::from(LIVES) * (LINES + 1));
    // And from the disk.
    rig.capture.stop();
    check(&LogStore::open(rig.dir.path(), &rig.all).expect("the recording"));
}

#[test]
fn a_scenario_s_caps_formats_and_alerts_are_honoured_and_recorded() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let scenario = r#"
        name = "capped"
        recording = { max_disk = "1MB" }
        [process.plain]
        role = "test"
        command = ["sh", "-c", "echo ERROR is a word; echo slow answer; seq -f '%.0f of many lines, each as long as any other' 1 100000; echo 'the end'"]
        log = { format = "plain", alert = ['^slow'] }
        [process.usual]
        role = "test"
        command = ["echo", "ERROR is a level"]
    "#;
    fs::write(dir.path().join("x.toml"), scenario).expect("a disk");
    let mut command = Command::new(env!("CARGO_BIN_EXE_e2e-tui"));
    command.current_dir(&dir).args(["run", "x.toml", "--quiet", "--recordings-dir", "rec"]).stdin(Stdio::null());
    let out = command.output().expect("it starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let recording = fs::read_dir(dir.path().join("rec")).expect("recordings").flatten().find(|entry| entry.path().join("logs").is_dir());
    let recording = recording.expect("one recording").path();
    let on_disk = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(recording.join("logs/plain.out")).expect("the segment")) * 512;
    assert!(on_disk < 1_400_000, "{on_disk} bytes of 5 MB are kept");
    let read = e2e_tui::record::Recording::open(&recording).expect("the recording");
    let plain_id = ProcessId::new("plain").expect("a name");
    assert!(read.logs.dropped(&plain_id).lines > 50_000 && read.logs.lines(&plain_id) == 100_003);
    let alerts = e2e_tui::logs::Query { alerts: Some(Vec::new()), lifecycle: e2e_tui::logs::Lifecycle::Dropped, ..Default::default() };
    let mut filter = e2e_tui::logs::Filter::new(LogView::new(Selection::All), vec![alerts]);
    assert!(filter.advance(&read.logs, Duration::MAX).expect("readable"));
    let found = filter.view().window_of(&read.logs, filter.rows(0), 0, 9).expect("readable");
    assert_eq!(found.iter().map(|line| plain(&line.bytes)).collect::<Vec<_>>(), ["ERROR is a level"], "the slow answer is gone by now");
    let counts = ["plain", "usual"].map(|name| read.snapshot.row(name).expect("it is there").alerts);
    assert_eq!(counts, [1, 1], "of plain lines only its own pattern matters");
}

/// What is allowed of an optimised build, and of one that is not.
fn allowed(optimised: f64, other: f64) -> f64 {
    if cfg!(debug_assertions) { other } else { optimised }
}

/// Tells what was not measured, past the capture of the test runner: `.ci/run` counts these lines.
fn skipped(why: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED {why}\n").as_bytes());
}

fn input(dir: &Path, count: usize) -> (std::path::PathBuf, Vec<u8>) {
    let (path, said) = (dir.join("input"), measures::lines(count));
    fs::write(&path, &said).expect("a disk");
    (path, said)
}

#[test]
fn capture_costs_little_more_than_cat() {
    let _alone = alone();
    const LINES: usize = 200_000;
    let dir = tempfile::tempdir().expect("a folder");
    let (input, _) = input(dir.path(), LINES);
    let mut walls = Vec::new();
    let ratio = measures::median_ratio(3, || {
        let (floor, ours) = (measures::cat(&input, dir.path(), 1), measures::capture(&input, dir.path(), 1, 1, LINES));
        walls.push((ours.wall, floor.wall));
        (ours.cpu, floor.cpu)
    });
    assert!(ratio <= allowed(5.0, 150.0), "x{ratio:.1} of `cat >file`; {walls:?}");
}

#[test]
fn printing_a_flood_costs_little_beside_capturing_it() {
    let _alone = alone();
    const LINES: usize = 200_000;
    let dir = tempfile::tempdir().expect("a folder");
    let (input, said) = input(dir.path(), LINES);
    let store = measures::store_of(&said, &dir.path().join("logs"));
    let printed = dir.path().join("printed");
    let ratio = measures::median_ratio(3, || {
        let floor = measures::capture(&input, dir.path(), 1, 0, LINES);
        let out = std::io::BufWriter::with_capacity(64 << 10, File::create(&printed).expect("a file"));
        let ours = measures::cost(|| {
            Printer::start(store.clone(), out, Colour::No, |_| {}).expect("a thread").finish().expect("the disk takes it");
        });
        (ours.cpu, floor.cpu)
    });
    let text = fs::read_to_string(&printed).expect("it is text");
    let said = String::from_utf8(said).expect("it is text");
    assert!(text.lines().eq(said.lines().map(|line| format!("p0 | {line}"))), "every line, behind its name");
    // Both in the same build: a line that is looked at alone costs ten times this.
    assert!(ratio <= 2.0, "x{ratio:.1} of capturing it");
}

#[test]
fn a_filter_keeps_up_with_rg_and_shows_its_first_screen_at_once() {
    let _alone = alone();
    const LINES: usize = 200_000;
    let dir = tempfile::tempdir().expect("a folder");
    let (_, said) = input(dir.path(), LINES);
    let store = measures::store_of(&said, &dir.path().join("logs"));
    let segment = dir.path().join("logs/p0.out");
    for pattern in measures::PATTERNS {
        let (_, found) = measures::filter(&store, pattern);
        let regex = regex::bytes::RegexBuilder::new(pattern).case_insensitive(!pattern.contains(['E', 'O'])).build().expect("a pattern");
        assert_eq!(found, said.split(|b| *b == b'\n').filter(|line| regex.is_match(line)).count() as u64, "{pattern}");
    }
    if measures::rg(&segment, "x").is_some() {
        let ratio = measures::median_ratio(3, || {
            let (theirs, _) = measures::rg(&segment, "ERROR").expect("it is installed");
            (measures::filter(&store, "ERROR").0, theirs)
        });
        assert!(ratio <= allowed(6.0, 100.0), "x{ratio:.1} of rg");
    } else {
        skipped("rg is not installed");
    }
    // A screen needs the newest lines only, however long the log is: a small part of what asking all of it takes.
    let whole = measures::filter(&store, "ERROR").0;
    let first = (0..5).map(|_| measures::first_screen(&store, "ERROR", 50)).min().expect("five");
    assert!(first * 4 <= whole, "{first:?} of {whole:?}");
    let jumps = measures::jumps(&store, 200);
    assert!(jumps[jumps.len() / 2] <= Duration::from_millis(if cfg!(debug_assertions) { 60 } else { 5 }), "{:?}", jumps[jumps.len() / 2]);
}
