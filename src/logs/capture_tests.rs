use std::{
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use proptest::prelude::*;
use regex::Regex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::{
    model::{ProcessId, RunClock},
    redact::Redactor,
};

const SOON: Duration = Duration::from_secs(20);

/// A store, a capture thread, and what it tells.
struct Rig {
    dir: tempfile::TempDir,
    store: Arc<LogStore>,
    capture: Capture,
    told: UnboundedReceiver<CaptureEvent>,
    all: Vec<ProcessId>,
}

impl Rig {
    fn new(secrets: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let all: Vec<_> = ["up", "down"].iter().map(|name| ProcessId::new(name).expect("a name")).collect();
        let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
        let (events, told) = unbounded_channel();
        let redactor = Redactor::new(secrets.iter().map(|secret| (*secret).to_owned()));
        let capture = Capture::start(store.clone(), redactor, events).expect("a thread");
        Self { dir, store, capture, told, all }
    }

    /// A pipe to stream `stream` of process `process`.
    fn pipe(&self, process: usize, stream: Stream, watch: Watch) -> File {
        let (fd, write) = pipe().expect("a pipe");
        self.capture.add(CaptureStream { process: self.all[process].clone(), generation: 1, stream, fd, watch });
        File::from(write)
    }

    /// The next event for which `is` holds; others before it are dropped.
    fn until(&mut self, is: impl Fn(&CaptureEvent) -> bool) -> CaptureEvent {
        let deadline = Instant::now() + SOON;
        loop {
            match self.told.try_recv() {
                Ok(event) if is(&event) => return event,
                Ok(_) => {}
                Err(_) => {
                    assert!(Instant::now() < deadline, "nothing of the kind was told in time");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    fn drained(&mut self, process: usize, linger: Duration) -> (bool, Vec<String>) {
        self.capture.drain(&self.all[process], 1, linger);
        match self.until(|event| matches!(event, CaptureEvent::Drained { .. })) {
            CaptureEvent::Drained { still_open, tail, .. } => (still_open, tail),
            other => panic!("{other:?} is no drain"),
        }
    }

    fn wait(&self, what: &str, holds: impl Fn(&LogStore) -> bool) {
        let deadline = Instant::now() + SOON;
        while !holds(&self.store) {
            assert!(Instant::now() < deadline, "in vain: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn segment(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).expect("the segment")
    }
}

fn watch(ready: &str) -> Watch {
    Watch { ready: Some(Regex::new(ready).expect("a pattern")), ..Watch::default() }
}

#[test]
fn readiness_is_matched_across_chunks_and_colours_and_told_masked() {
    let mut rig = Rig::new(&["s3cret-value"]);
    let mut out = rig.pipe(0, Stream::Out, watch(r"token s3cret-value listening on 127\.0\.0\.1:(?<port>\d+)$"));
    let mut err = rig.pipe(0, Stream::Err, watch("listening"));
    for part in ["starting\ntoken s3cret-", "value \x1b[32mlisten", "ing\x1b[0m on 127.0.0.1:401", "23\r\n"] {
        let bytes = rig.store.bytes(&rig.all[0]);
        out.write_all(part.as_bytes()).expect("the pipe is read");
        rig.wait("the part is read", |store| store.bytes(&rig.all[0]) > bytes);
    }
    let told = rig.until(|_| true);
    let CaptureEvent::Matched { port, line, generation, .. } = told else { panic!("{told:?}") };
    assert_eq!((port, line.as_str(), generation), (Some(40123), "token ************ listening on 127.0.0.1:40123", 1));
    err.write_all(b"listening\n").expect("the pipe is read");
    drop((out, err));
    assert!(!rig.drained(0, SOON).0);
    assert!(!rig.segment("up.out").windows(6).any(|bytes| bytes == b"s3cret"), "no secret reaches the disk");
    assert_eq!(rig.told.try_recv().ok(), None, "it is told once, whichever stream it was on");
}

#[test]
fn an_unfinished_line_can_make_ready() {
    let mut rig = Rig::new(&[]);
    let mut out = rig.pipe(0, Stream::Out, watch("^ready> $"));
    out.write_all(b"ready> ").expect("the pipe is read");
    assert!(matches!(rig.until(|_| true), CaptureEvent::Matched { port: None, .. }));
}

#[test]
fn o10_p5_what_a_process_leaves_behind_is_kept_to_the_last_byte() {
    let mut rig = Rig::new(&["secret-secret"]);
    let (mut out, mut err) = (rig.pipe(0, Stream::Out, Watch::default()), rig.pipe(0, Stream::Err, Watch::default()));
    out.write_all(b"said\nlast words without a newline secret-").expect("the pipe is read");
    err.write_all(b"##e2e progress 1 of 2\n\n\x1b[31mpanicked\x1b[0m at x\n  ##e2e mark here \nnote: run\n").expect("the pipe is read");
    drop((out, err));
    let (still_open, tail) = rig.drained(0, SOON);
    assert!(!still_open);
    assert_eq!(tail, ["panicked at x", "note: run"]);
    assert_eq!(rig.segment("up.out"), b"said\nlast words without a newline secret-");
    let mut view = LogView::new(Selection::All);
    view.refresh(&rig.store);
    assert_eq!(view.len(), 7);
    assert!(view.window(&rig.store, 0, 9).expect("readable").iter().all(|line| !line.partial), "nothing grows any more");
}

#[test]
fn orders_and_alerts_of_a_stream_are_told() {
    let mut rig = Rig::new(&["hunter22"]);
    let mut out = rig.pipe(1, Stream::Out, Watch { alerts: vec![Regex::new(r"slow \d+").expect("a pattern")], ..Watch::default() });
    out.write_all(b"fine\n##e2e mark half hunter22\n##e2e progress 18 of 50\nGET / 502 x\nslow 30\n").expect("the pipe is read");
    let mark = rig.until(|event| matches!(event, CaptureEvent::Mark { .. }));
    assert!(matches!(mark, CaptureEvent::Mark { text, .. } if text == "half ********"));
    let mut told = [rig.until(|_| true), rig.until(|_| true)];
    told.sort_by_key(|event| matches!(event, CaptureEvent::Progress { .. }));
    assert_eq!(
        told[0],
        CaptureEvent::Alerts {
            process: rig.all[1].clone(),
            generation: 1,
            count: 2,
            line: 4,
            stream: Stream::Out,
            text: "GET / 502 x".into()
        }
    );
    assert!(matches!(&told[1], CaptureEvent::Progress { text, .. } if text == "18 of 50"));
    // A flood is told in batches, and counted to the last.
    let flood = "ERROR again\n".repeat(20_000);
    out.write_all(flood.as_bytes()).expect("the pipe is read");
    drop(out);
    rig.capture.drain(&rig.all[1], 1, SOON);
    let (mut count, mut events) = (0, 0);
    loop {
        match rig.until(|_| true) {
            CaptureEvent::Alerts { count: more, .. } => (count, events) = (count + more, events + 1),
            CaptureEvent::Drained { tail, .. } => {
                assert_eq!(tail.len(), 10);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(count, 20_000);
    assert!(events < 200, "{events} events for one flood");
}

#[test]
fn o14_p15_nobody_waits_for_a_grandchild_and_it_goes_on_being_read() {
    let mut rig = Rig::new(&[]);
    let mut out = rig.pipe(0, Stream::Out, Watch::default());
    let mut grandchild = File::from(OwnedFd::from(out.try_clone().expect("a copy")));
    out.write_all(b"leader\n").expect("the pipe is read");
    drop(out);
    let (still_open, tail) = rig.drained(0, Duration::from_millis(20));
    assert!(still_open);
    assert_eq!(tail, ["leader"]);
    grandchild.write_all(b"still here\n").expect("the pipe is read");
    rig.wait("the grandchild's line", |store| store.lines(&rig.all[0]) == 2);
}

#[test]
fn p20_ten_megabytes_at_the_end_are_all_kept() {
    let mut rig = Rig::new(&[]);
    let mut out = rig.pipe(0, Stream::Out, Watch::default());
    let writer = std::thread::spawn(move || {
        let line: Vec<u8> = std::iter::repeat_n(b'x', 99).chain([b'\n']).collect();
        (0..100_000).for_each(|_| out.write_all(&line).expect("the pipe is read"));
    });
    writer.join().expect("the writer ends");
    assert!(!rig.drained(0, SOON).0);
    assert_eq!((rig.store.bytes(&rig.all[0]), rig.store.lines(&rig.all[0])), (10_000_000, 100_000));
}

#[test]
fn o13_a_quiet_line_is_seen_beside_a_flood() {
    let rig = Rig::new(&[]);
    let over = Arc::new(AtomicBool::new(false));
    let mut flood = rig.pipe(0, Stream::Out, Watch::default());
    let mut quiet = rig.pipe(1, Stream::Out, Watch::default());
    let flooder = std::thread::spawn({
        let over = over.clone();
        move || {
            let block = vec![b'\n'; 64 << 10];
            while !over.load(Ordering::Relaxed) {
                flood.write_all(&block).expect("the pipe is read");
            }
        }
    });
    rig.wait("the flood", |store| store.bytes(&rig.all[0]) > 1 << 20);
    quiet.write_all(b"quiet\n").expect("the pipe is read");
    rig.wait("the quiet line", |store| store.lines(&rig.all[1]) == 1);
    over.store(true, Ordering::Relaxed);
    flooder.join().expect("the flooder ends");
}

/// Feeds `writes` one by one and returns the log's rows as text.
fn seen(writes: &[&[u8]]) -> Vec<String> {
    let mut rig = Rig::new(&[]);
    let mut out = rig.pipe(0, Stream::Out, Watch::default());
    for write in writes {
        out.write_all(write).expect("the pipe is read");
    }
    drop(out);
    assert!(!rig.drained(0, SOON).0);
    assert_eq!(rig.segment("up.out"), writes.concat(), "bytes are kept as they came");
    let mut view = LogView::new(Selection::All);
    view.refresh(&rig.store);
    view.window(&rig.store, 0, usize::MAX).expect("readable").iter().map(|line| plain(&line.bytes)).collect()
}

#[test]
fn o2_o11_broken_and_split_characters_are_kept_and_shown() {
    assert_eq!(seen(&[b"caf\xe9 bad\n\xe4", b"\xb8", b"\x96 split\n"]), ["caf\u{fffd} bad", "世 split"]);
}

#[test]
fn o5_an_open_title_of_any_length_ends_with_its_line() {
    let long = vec![b'x'; 200_000];
    let rows = seen(&[b"\x1b]0;", &long, b"\nafter\n"]);
    assert_eq!((rows.len(), rows[1].as_str()), (2, "after"));
}

#[test]
fn o7_a_progress_line_is_one_line() {
    let states: Vec<u8> = (0..=10_000).flat_map(|n| format!("\r{n} of 10000").into_bytes()).collect();
    assert_eq!(seen(&[b"\r1 of 3", b"\r2 of 3", b"\r3 of 3\n"]), ["3 of 3"]);
    // Longer than a view shows, in one chunk or many: its last state is what counts.
    assert_eq!(seen(&[&states, b"\nnext\n"]), ["10000 of 10000", "next"]);
}

#[test]
fn o8_cursor_moves_are_no_part_of_the_text() {
    assert_eq!(seen(&[b"\x1b[2J\x1b[1;1H\x1b[KVITE ready\x1b[?25h\n"]), ["VITE ready"]);
}

#[test]
fn stopping_reads_what_is_there() {
    let mut rig = Rig::new(&[]);
    let mut out = rig.pipe(0, Stream::Out, Watch::default());
    out.write_all(b"the end").expect("the pipe has room");
    rig.capture.stop();
    assert_eq!(rig.segment("up.out"), b"the end");
}

#[test]
fn d2_a_disk_that_refuses_is_told_once_and_the_run_goes_on() {
    let mut rig = Rig::new(&[]);
    for name in ["up.out", "down.out"] {
        std::fs::create_dir(rig.dir.path().join(name)).expect("a folder in the segment's place");
    }
    let (mut up, mut down) = (rig.pipe(0, Stream::Out, Watch::default()), rig.pipe(1, Stream::Out, Watch::default()));
    up.write_all(b"one\n").expect("the pipe is read");
    down.write_all(b"two\n").expect("the pipe is read");
    assert!(matches!(rig.until(|_| true), CaptureEvent::DiskTrouble { .. }));
    rig.wait("both lines", |store| store.total_lines() == 2);
    drop((up, down));
    rig.drained(0, SOON);
    assert_eq!(rig.drained(1, SOON).1, ["two"]);
    assert!(rig.store.is_refused());
    // It recovers: what was kept reaches it although nobody says anything more.
    for name in ["up.out", "down.out"] {
        std::fs::remove_dir(rig.dir.path().join(name)).expect("an empty folder");
    }
    assert_eq!(rig.until(|_| true), CaptureEvent::DiskRecovered { lost: 0 });
    assert!(!rig.store.is_refused());
    assert_eq!((rig.segment("up.out"), rig.segment("down.out")), (b"one\n".to_vec(), b"two\n".to_vec()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// For any bytes in any writes: what went in is on disk, masked, and the index tells the same lines.
    #[test]
    fn bytes_in_are_bytes_on_disk(writes in proptest::collection::vec("([ab\n\u{fc}]|\u{1b}|secret){0,12}", 0..12), cut in 0usize..4) {
        let mut rig = Rig::new(&["secret", "cretsec"]);
        let mut out = rig.pipe(0, Stream::Out, watch("never matched"));
        let mut all = Vec::new();
        for write in &writes {
            // In the middle of characters and secrets, too.
            let bytes = &write.as_bytes()[cut.min(write.len())..];
            out.write_all(bytes).expect("the pipe is read");
            all.extend_from_slice(bytes);
            std::thread::yield_now();
        }
        drop(out);
        prop_assert!(!rig.drained(0, SOON).0);
        Redactor::new(["secret".to_owned(), "cretsec".to_owned()]).mask_bytes(&mut all);
        if all.is_empty() {
            prop_assert!(!rig.dir.path().join("up.out").exists());
            return Ok(());
        }
        let found = rig.segment("up.out");
        prop_assert_eq!(found.len(), all.len());
        // Of an escape that began in an earlier chunk the mask knows nothing any more: then more is masked, never less.
        prop_assert!(found.iter().zip(&all).all(|(found, whole)| found == whole || *found == b'*'), "{}", found.escape_ascii());
        let all = found;
        let read = LogStore::open(rig.dir.path(), &rig.all).expect("the recording");
        let mut view = LogView::new(Selection::All);
        view.refresh(&read);
        let lines: Vec<_> = view.window(&read, 0, usize::MAX).expect("readable").into_iter().map(|line| line.bytes).collect();
        let naive: Vec<_> = all.strip_suffix(b"\n").unwrap_or(&all).split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        prop_assert_eq!(lines, naive);
    }
}
