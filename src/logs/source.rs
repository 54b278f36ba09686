//! One stream on its way from the pipe to the store, and what is noticed on the way.

use std::{
    io,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use regex::Regex;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    alert::Alerts,
    heard::{CaptureEvent, CaptureStream, Overhear, Watch},
    pattern::{ACCEPTED, LinePattern},
    scan::{Assembler, Lines, Place},
    store::{LogStore, Stream},
    tap::Tapped,
    text::{is_rough, plain, shorten},
    wanted::{Counted, Wanted},
};
use crate::{
    model::{Generation, ProcessId},
    redact::{Redactor, StreamMask},
};

/// The least time between two alert events of a stream, and between two progress events.
const THROTTLE: Duration = Duration::from_millis(250);

/// The least time between two events about what the scenario expects.
const SOON: Duration = Duration::from_millis(50);

/// An unfinished line that stands still for this long is tried for readiness.
const PROMPT: Duration = Duration::from_millis(100);

/// Marks a stream may set per second; more stay in the log only.
const MARKS: u32 = 20;

/// A stream that is read.
pub(super) struct Source {
    pub(super) process: ProcessId,
    pub(super) generation: Generation,
    stream: Stream,
    /// Its number in the store; none if the store does not know the process.
    number: Option<u16>,
    pub(super) fd: OwnedFd,
    /// What its pipe can hold.
    pub(super) capacity: usize,
    mask: StreamMask,
    redactor: Redactor,
    lines: Assembler,
    ready: Option<Ready>,
    tapped: Option<Tapped>,
    copy: Option<Arc<dyn Overhear>>,
    matched: bool,
    alerts: Arc<Alerts>,
    wanted: Vec<(Wanted, Counted)>,
    wanted_told: Option<Instant>,
    batch: Batch,
    events: UnboundedSender<CaptureEvent>,
}

/// What came of a read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// Its writers are gone.
    End,
}

/// The search for the line that makes the process ready, on what was said before masking.
struct Ready {
    pattern: Regex,
    line_wise: Option<LinePattern>,
    lines: Assembler,
    /// When an unfinished line is tried.
    prompt_due: Option<Instant>,
}

/// What waits to be told.
#[derive(Default)]
struct Batch {
    alerts: u64,
    first: Option<(u64, String)>,
    alerts_told: Option<Instant>,
    progress: Option<String>,
    progress_told: Option<Instant>,
    marks: u32,
    marks_since: Option<Instant>,
}

impl Source {
    pub(super) fn new(stream: CaptureStream, store: &LogStore, redactor: &Redactor, events: UnboundedSender<CaptureEvent>) -> Self {
        let CaptureStream { process, generation, stream, fd, watch: Watch { ready, alerts, wanted, tap, copy } } = stream;
        Self {
            number: store.number(&process, stream),
            mask: redactor.stream(),
            redactor: redactor.clone(),
            lines: Assembler::default(),
            ready: ready.map(Ready::new),
            tapped: tap.map(Tapped::new),
            copy,
            matched: false,
            alerts: Alerts::new(&alerts, store.manner(&process).format),
            wanted: wanted.into_iter().map(|wanted| (wanted, Counted::default())).collect(),
            wanted_told: None,
            batch: Batch::default(),
            process,
            generation,
            stream,
            // A terminal has no such size; its buffer is a page.
            capacity: rustix::pipe::fcntl_getpipe_size(&fd).unwrap_or(4096),
            fd,
            events,
        }
    }

    /// Reads once and passes on what came. `room` begins with space for what the mask holds back.
    pub(super) fn read(&mut self, room: &mut [u8], store: &LogStore) -> (Got, Option<io::Error>) {
        let head = self.redactor.longest_held();
        let count = match rustix::io::read(&self.fd, &mut room[head..]) {
            Ok(0) => return (Got::End, None),
            Ok(count) => count,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return (Got::Nothing, None),
            // A terminal whose other side is closed says EIO; nothing else is known to end a pipe otherwise.
            Err(_) => return (Got::End, None),
        };
        let line = self.ready.as_mut().and_then(|ready| ready.feed(&room[head..head + count]));
        if let Some(tapped) = &mut self.tapped {
            tapped.feed(&room[head..head + count]);
        }
        if let Some(copy) = &self.copy {
            copy.heard(&room[head..head + count]);
        }
        let start = head - self.mask.held().len();
        room[start..head].copy_from_slice(self.mask.held());
        let bytes = &mut room[start..head + count];
        let free = self.mask.mask_in_place(bytes);
        let trouble = self.pass_on(&bytes[..free], store);
        self.tell_ready(line);
        (Got::Bytes(count), trouble)
    }

    /// Nothing more comes: what was held back and the unfinished line count.
    pub(super) fn end(&mut self, store: &LogStore) -> Option<io::Error> {
        let held = self.mask.flush();
        let trouble = self.pass_on(&held, store);
        let line = self.ready.as_mut().and_then(Ready::prompt);
        self.tell_ready(line);
        std::mem::take(&mut self.lines).finish(&mut |lines| self.notice(&lines));
        self.tell(None);
        self.tapped = None;
        if let Some(copy) = self.copy.take() {
            copy.ended();
        }
        if let Some(number) = self.number {
            store.close(number);
        }
        trouble
    }

    /// Appends masked bytes and looks at the lines that are whole with them.
    fn pass_on(&mut self, bytes: &[u8], store: &LogStore) -> Option<io::Error> {
        let (false, Some(number), Some(clock)) = (bytes.is_empty(), self.number, store.clock) else { return None };
        let done = store.append_chunk(number, self.generation, clock.now(), bytes);
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(bytes, done.place, &mut |lines| self.notice(&lines));
        self.lines = lines;
        self.tell(Some(Instant::now()));
        done.trouble
    }

    /// Notes what matters in whole lines.
    fn notice(&mut self, lines: &Lines<'_>) {
        for (wanted, counted) in &mut self.wanted {
            counted.count(wanted, lines);
        }
        let (mut counted, mut number) = (0, lines.first + 1);
        for found in self.alerts.scan(&lines.text) {
            let line = &lines.text[found.line.clone()];
            if found.order {
                self.obey(&String::from_utf8_lossy(line));
                continue;
            }
            self.batch.alerts += 1;
            if self.batch.first.is_none() {
                number += memchr::memchr_iter(b'\n', &lines.text[counted..found.line.start]).count() as u64;
                counted = found.line.start;
                self.batch.first = Some((number, shorten(&String::from_utf8_lossy(line))));
            }
        }
    }

    /// Does what a `##e2e …` line says.
    fn obey(&mut self, line: &str) {
        let order = line.trim().trim_start_matches("##e2e").trim_start();
        let (verb, text) = order.split_once(' ').unwrap_or((order, ""));
        let text = shorten(text.trim());
        match verb {
            "progress" => self.batch.progress = Some(text),
            "mark" => {
                let now = Instant::now();
                if self.batch.marks_since.is_none_or(|since| now - since > Duration::from_secs(1)) {
                    (self.batch.marks, self.batch.marks_since) = (0, Some(now));
                }
                self.batch.marks += 1;
                if self.batch.marks <= MARKS {
                    self.send(CaptureEvent::Mark { process: self.process.clone(), generation: self.generation, text });
                }
            }
            _ => {}
        }
    }

    /// When something waits to be told or tried.
    pub(super) fn due(&self) -> Option<Instant> {
        let alerts = self.batch.first.as_ref().and(self.batch.alerts_told).map(|told| told + THROTTLE);
        let progress = self.batch.progress.as_ref().and(self.batch.progress_told).map(|told| told + THROTTLE);
        let counted = self.has_counted().then_some(self.wanted_told).flatten().map(|told| told + SOON);
        [alerts, progress, counted, self.ready.as_ref().and_then(|ready| ready.prompt_due)].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        self.tell(Some(now));
        if self.ready.as_ref().and_then(|ready| ready.prompt_due).is_some_and(|due| due <= now) {
            let line = self.ready.as_mut().and_then(Ready::prompt);
            self.tell_ready(line);
        }
    }

    fn has_counted(&self) -> bool {
        self.wanted.iter().any(|(_, counted)| *counted != Counted::default())
    }

    /// Sends what waits, now.
    pub(super) fn tell_all(&mut self) {
        self.tell(None);
    }

    /// Sends what waits, at most as often as the throttle allows; without a time everything.
    fn tell(&mut self, now: Option<Instant>) {
        let open = |told: Option<Instant>| now.zip(told).is_none_or(|(now, told)| now >= told + THROTTLE);
        self.tell_counted(now);
        if self.batch.first.is_some()
            && open(self.batch.alerts_told)
            && let Some((line, text)) = self.batch.first.take()
        {
            self.batch.alerts_told = now;
            let count = std::mem::take(&mut self.batch.alerts);
            let (process, generation, stream) = (self.process.clone(), self.generation, self.stream);
            self.send(CaptureEvent::Alerts { process, generation, count, line, stream, text });
        }
        if self.batch.progress.is_some()
            && open(self.batch.progress_told)
            && let Some(text) = self.batch.progress.take()
        {
            self.batch.progress_told = now;
            self.send(CaptureEvent::Progress { process: self.process.clone(), generation: self.generation, text });
        }
    }

    /// Sends what was counted, soon after it was: the verdict may hang on it.
    fn tell_counted(&mut self, now: Option<Instant>) {
        let due = now.zip(self.wanted_told).is_none_or(|(now, told)| now >= told + SOON);
        if !self.has_counted() || !due && !self.wanted.iter().any(|(_, counted)| counted.is_full()) {
            return;
        }
        self.wanted_told = now;
        let mut wanted = std::mem::take(&mut self.wanted);
        for (wanted, counted) in wanted.iter_mut().filter(|(_, counted)| *counted != Counted::default()) {
            let (process, stream, expectation) = (self.process.clone(), self.stream, wanted.expectation);
            self.send(CaptureEvent::Counted { process, stream, expectation, counted: std::mem::take(counted) });
        }
        self.wanted = wanted;
    }

    /// Whether it was this stream that made its process ready, just now.
    pub(super) fn has_matched(&mut self) -> bool {
        std::mem::take(&mut self.matched)
    }

    /// The other stream has made the process ready.
    pub(super) fn forget_ready(&mut self) {
        self.ready = None;
    }

    fn tell_ready(&mut self, found: Option<(Option<u16>, String)>) {
        let Some((port, line)) = found else { return };
        self.ready = None;
        self.matched = true;
        let line = shorten(&self.redactor.mask(&line));
        self.send(CaptureEvent::Matched { process: self.process.clone(), generation: self.generation, port, line });
    }

    fn send(&self, event: CaptureEvent) {
        // Nobody listens any more when the run is being taken down.
        let _ = self.events.send(event);
    }
}

impl Ready {
    fn new(pattern: Regex) -> Self {
        let line_wise = LinePattern::new(pattern.as_str(), false, ACCEPTED).ok();
        Self { pattern, line_wise, lines: Assembler::default(), prompt_due: None }
    }

    /// The first line that matches, with the port it names.
    fn feed(&mut self, bytes: &[u8]) -> Option<(Option<u16>, String)> {
        let (pattern, line_wise) = (&self.pattern, &self.line_wise);
        let mut found = None;
        let place = Place { first_line: 0, continues: true, newlines: 0, rough: is_rough(bytes, true) };
        self.lines.feed(bytes, place, &mut |lines| {
            let may = line_wise.as_ref().is_none_or(|line_wise| line_wise.regex.is_match(&lines.text));
            if found.is_none() && may {
                found = String::from_utf8_lossy(&lines.text).lines().find_map(|line| matched(pattern, line));
            }
        });
        self.prompt_due = (!self.lines.begun().is_empty()).then(|| Instant::now() + PROMPT);
        found
    }

    /// Tries the unfinished line.
    fn prompt(&mut self) -> Option<(Option<u16>, String)> {
        self.prompt_due = None;
        let begun = self.lines.begun();
        if begun.is_empty() { None } else { matched(&self.pattern, &plain(begun)) }
    }
}

/// The line if it matches, and its port.
fn matched(pattern: &Regex, line: &str) -> Option<(Option<u16>, String)> {
    let groups = pattern.captures(line)?;
    Some((groups.name("port").and_then(|port| port.as_str().parse().ok()), line.to_owned()))
}
