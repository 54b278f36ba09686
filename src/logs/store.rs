//! The log store: all that was said in a run, and the one order of it.

use std::{
    collections::HashMap,
    fmt,
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use regex::Regex;

use super::{
    growing::Growing,
    manner::Manner,
    order::{NOTES, Order},
    record::{self, Record},
    ring::Ring,
    segment::{Segment, StreamState},
};
use crate::model::{At, LogFormat, Narration, ProcessId, RunClock};

/// Which of its two streams a process said something on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Both, in the order of their files.
    pub const ALL: [Stream; 2] = [Stream::Out, Stream::Err];

    /// `out` or `err`: in events, reports and file names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// All that the processes of a run said, with the lifecycle lines between.
///
/// One lock guards the index in memory and is held for microseconds; bytes are read and written outside of it.
#[derive(Debug)]
pub struct LogStore {
    pub(super) processes: Growing<ProcessId>,
    numbers: RwLock<HashMap<ProcessId, u16>>,
    pub(super) clock: Option<RunClock>,
    pub(super) segments: Growing<Segment>,
    /// Where segments of processes that come later go; none: memory only.
    dir: Option<PathBuf>,
    /// By process; set once, at the start or never.
    manners: Growing<OnceLock<Manner>>,
    usual: Manner,
    inner: RwLock<Inner>,
    changed: AtomicU64,
    /// Streams that the disk refuses.
    pub(super) refused: AtomicUsize,
    bell: Bell,
}

/// Wakes who looks at the store: once per look, however much is added.
#[derive(Default)]
struct Bell {
    armed: AtomicBool,
    ring: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("armed", &self.armed).finish_non_exhaustive()
    }
}

/// What is known in memory.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) next_seq: u64,
    pub(super) last_at: At,
    pub(super) streams: Vec<StreamState>,
    pub(super) order: Order,
    pub(super) notes: Vec<Note>,
    pub(super) ring: Ring,
    /// Bytes lost to an overrun of the ring.
    pub(super) lost: u64,
    pub(super) caps: Caps,
}

/// How much may be kept on disk, in bytes.
#[derive(Debug, Default)]
pub(super) struct Caps {
    /// By a process's number.
    pub(super) processes: HashMap<u16, u64>,
    pub(super) run: Option<u64>,
}

/// A lifecycle line in its place.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) seq: u64,
    pub(super) at: At,
    pub(super) narration: Narration,
}

impl LogStore {
    /// A store for a run that starts now, in the folder `dir`, which is made if it is missing (0700; files are 0600).
    /// Nothing in it is made before a process says something.
    pub fn create(dir: impl AsRef<Path>, processes: &[ProcessId], clock: RunClock) -> io::Result<Arc<Self>> {
        let dir = dir.as_ref();
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let streams = processes.iter().flat_map(|process| Stream::ALL.map(|stream| segment_path(dir, process, stream)));
        let mut store = Self::new(processes, Some(clock), streams.map(|path| Segment::new(Some(path))).collect());
        store.dir = Some(dir.to_owned());
        Ok(Arc::new(store))
    }

    /// A store that keeps the newest output in memory, for a run whose recording cannot be written.
    pub fn in_memory(processes: &[ProcessId], clock: RunClock) -> Arc<Self> {
        Arc::new(Self::new(processes, Some(clock), (0..processes.len() * 2).map(|_| Segment::new(None)).collect()))
    }

    pub(super) fn new(processes: &[ProcessId], clock: Option<RunClock>, segments: Vec<Segment>) -> Self {
        assert!(segments.len() < usize::from(NOTES), "a run has at most 32,000 processes");
        let inner = Inner {
            next_seq: 1,
            last_at: At::START,
            streams: segments.iter().map(|_| StreamState::default()).collect(),
            order: Order::default(),
            notes: Vec::new(),
            ring: Ring::default(),
            lost: 0,
            caps: Caps::default(),
        };
        Self {
            processes: processes.iter().cloned().collect(),
            numbers: RwLock::new(processes.iter().cloned().zip(0..).collect()),
            clock,
            segments: segments.into_iter().collect(),
            dir: None,
            manners: processes.iter().map(|_| OnceLock::new()).collect(),
            usual: Manner::default(),
            inner: RwLock::new(inner),
            changed: AtomicU64::new(0),
            refused: AtomicUsize::new(0),
            bell: Bell::default(),
        }
    }

    /// Takes the next sequence number, for an event without a line of its own in the log.
    pub fn stamp(&self) -> u64 {
        self.write().take_seq()
    }

    /// Takes the next sequence number and puts a lifecycle line there, in one step. A narration without wording for
    /// the log takes only the number.
    pub fn note(&self, at: At, narration: Narration) -> u64 {
        let mut inner = self.write();
        let seq = inner.take_seq();
        if narration.in_log.is_some() {
            let index = inner.notes.len() as u64;
            inner.order.push(NOTES, index, 1, seq, at);
            inner.notes.push(Note { seq, at, narration });
            drop(inner);
            self.touch();
        }
        seq
    }

    /// Puts lifecycle lines where a recording's events say they were. Rows move: views count anew.
    pub fn place_notes(&self, notes: impl IntoIterator<Item = (u64, At, Narration)>) -> io::Result<()> {
        let mut inner = self.write();
        let told = notes.into_iter().filter(|(_, _, narration)| narration.in_log.is_some());
        inner.notes.extend(told.map(|(seq, at, narration)| Note { seq, at, narration }));
        inner.notes.sort_by_key(|note| note.seq);
        let last = inner.notes.last().map_or(0, |note| note.seq);
        inner.next_seq = inner.next_seq.max(last.saturating_add(1));
        self.put_in_order(&mut inner)?;
        drop(inner);
        self.touch();
        Ok(())
    }

    /// Puts one lifecycle line at sequence number `seq`. Many are placed faster by [`place_notes`](Self::place_notes).
    pub fn place_note(&self, seq: u64, at: At, narration: Narration) -> io::Result<()> {
        self.place_notes([(seq, at, narration)])
    }

    /// The processes, in the order they were given.
    pub fn processes(&self) -> Vec<ProcessId> {
        self.processes.iter().cloned().collect()
    }

    /// Makes room for what `process` will say; nothing if it is known already. False: the store is full.
    pub fn add(&self, process: &ProcessId) -> bool {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        if numbers.contains_key(process) {
            return true;
        }
        let number = self.processes.len();
        if number * 2 + 2 >= usize::from(NOTES) {
            return false;
        }
        // In this order: whoever knows of a stream finds its segment and its owner.
        self.processes.extend([process.clone()]);
        self.manners.extend([OnceLock::new()]);
        self.segments.extend(Stream::ALL.map(|stream| Segment::new(self.dir.as_deref().map(|dir| segment_path(dir, process, stream)))));
        self.write().streams.extend(Stream::ALL.map(|_| StreamState::default()));
        numbers.insert(process.clone(), number as u16);
        true
    }

    /// Lines that `process` has begun, on both streams.
    pub fn lines(&self, process: &ProcessId) -> u64 {
        self.sum(process, |stream| stream.lines)
    }

    /// Bytes that `process` has said, on both streams.
    pub fn bytes(&self, process: &ProcessId) -> u64 {
        self.sum(process, |stream| stream.bytes)
    }

    /// Lines that all processes have begun.
    pub fn total_lines(&self) -> u64 {
        self.read().streams.iter().map(|stream| stream.lines).sum()
    }

    /// Bytes that all processes have said.
    pub fn total_bytes(&self) -> u64 {
        self.read().streams.iter().map(|stream| stream.bytes).sum()
    }

    /// When `process` last said something.
    pub fn last_line_at(&self, process: &ProcessId) -> Option<At> {
        let (out, err) = self.both(process)?;
        let inner = self.read();
        inner.streams[out].last_at.max(inner.streams[err].last_at)
    }

    /// Whether the disk refuses output of some stream at present: it is kept in memory, as far as there is room.
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire) > 0
    }

    /// Bytes that were said while the disk refused them, and that had to go from memory before it recovered.
    pub fn lost(&self) -> u64 {
        self.read().lost
    }

    /// A counter that moves whenever anything was added.
    pub fn changed(&self) -> u64 {
        self.changed.load(Ordering::Acquire)
    }

    /// Calls `ring` when something is added after a look (see [`arm`](Self::arm)). A store has one bell: the first stays.
    pub fn ring_when_changed(&self, ring: impl Fn() + Send + Sync + 'static) {
        let _ = self.bell.ring.set(Box::new(ring));
    }

    /// Says that somebody looks now: what is added from here on rings the bell, once.
    pub fn arm(&self) {
        self.bell.armed.store(true, Ordering::Release);
    }

    /// Says how `process`'s output is to be read: its format, and which of its lines matter besides the built-in ones.
    /// To be said before anything is asked of them; the first word counts.
    pub fn set_manner(&self, process: &ProcessId, format: LogFormat, alerts: &[Regex]) {
        if let Some(number) = self.number_of(process) {
            let _ = self.manners[usize::from(number)].set(Manner::new(format, alerts));
        }
    }

    /// How `process`'s output is to be read.
    pub(super) fn manner(&self, process: &ProcessId) -> &Manner {
        let own = self.number_of(process).and_then(|number| self.manners[usize::from(number)].get());
        own.unwrap_or(&self.usual)
    }

    /// The streams' numbers of a process.
    pub(super) fn both(&self, process: &ProcessId) -> Option<(usize, usize)> {
        let number = usize::from(self.number_of(process)?);
        Some((number * 2, number * 2 + 1))
    }

    /// The number of a stream.
    pub(super) fn number(&self, process: &ProcessId, stream: Stream) -> Option<u16> {
        self.number_of(process).map(|number| number * 2 + u16::from(stream == Stream::Err))
    }

    fn number_of(&self, process: &ProcessId) -> Option<u16> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner).get(process).copied()
    }

    /// Whose stream `number` is.
    pub(super) fn owner(&self, number: u16) -> (&ProcessId, Stream) {
        (&self.processes[usize::from(number / 2)], if number.is_multiple_of(2) { Stream::Out } else { Stream::Err })
    }

    /// Records `from..to` of a stream.
    pub(super) fn records(&self, inner: &Inner, stream: u16, from: u64, to: u64) -> io::Result<Vec<Record>> {
        let stream = usize::from(stream);
        inner.streams[stream].records.range(self.segments[stream].files.get(), from, to)
    }

    pub(super) fn touch(&self) {
        self.changed.fetch_add(1, Ordering::Release);
        if self.bell.armed.load(Ordering::Acquire)
            && self.bell.armed.swap(false, Ordering::AcqRel)
            && let Some(ring) = self.bell.ring.get()
        {
            ring();
        }
    }

    // A panic elsewhere leaves the index as complete as every other instant does.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn sum(&self, process: &ProcessId, of: impl Fn(&StreamState) -> u64) -> u64 {
        let Some((out, err)) = self.both(process) else { return 0 };
        let inner = self.read();
        of(&inner.streams[out]) + of(&inner.streams[err])
    }
}

impl Inner {
    pub(super) fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }
}

/// `upstream.out` in `dir`. Names of processes are safe as file names.
pub(super) fn segment_path(dir: &Path, process: &ProcessId, stream: Stream) -> PathBuf {
    dir.join(format!("{process}.{stream}"))
}

/// The largest number of bytes stored as one chunk.
pub(super) const CHUNK: usize = record::MAX_CHUNK / 4;
