//! What capture is asked to read, and what it tells of it.

use std::{fmt::Debug, os::fd::OwnedFd, sync::Arc};

use regex::Regex;

use super::{
    store::Stream,
    tap::LineTap,
    wanted::{Counted, Wanted},
};
use crate::model::{Generation, ProcessId};

/// A stream to read.
#[derive(Debug)]
pub struct CaptureStream {
    /// Whose.
    pub process: ProcessId,
    /// Which start of it.
    pub generation: Generation,
    /// Which of its streams.
    pub stream: Stream,
    /// The reading end; it is made non-blocking.
    pub fd: OwnedFd,
    /// What to look for in it.
    pub watch: Watch,
}

/// What to look for in a stream.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// The line that makes the process ready. May capture `(?<port>…)`.
    pub ready: Option<Regex>,
    /// Lines that matter, besides the built-in ones.
    pub alerts: Vec<Regex>,
    /// What the scenario expects of its lines.
    pub wanted: Vec<Wanted>,
    /// Where others listen to its lines.
    pub tap: Option<LineTap>,
    /// Who is given a copy of all of it.
    pub copy: Option<Arc<dyn Overhear>>,
}

/// Who hears a stream as it comes, unmasked, on the thread that reads it: whatever takes long is to be done elsewhere.
pub trait Overhear: Debug + Send + Sync {
    /// So much was read at once; a line may be cut.
    fn heard(&self, bytes: &[u8]);
    /// Nothing more comes.
    fn ended(&self);
}

/// What was noticed in a stream. All texts are masked and without colour codes.
#[derive(Debug, Clone, PartialEq)]
pub enum CaptureEvent {
    /// A line matched the readiness pattern; told once per stream of a generation.
    Matched {
        /// Whose.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// The port that the pattern captured.
        port: Option<u16>,
        /// The line.
        line: String,
    },
    /// It printed `##e2e progress TEXT`. In a flood only the newest is told.
    Progress {
        /// Whose.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// The text.
        text: String,
    },
    /// It printed `##e2e mark TEXT`.
    Mark {
        /// Whose.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// The text.
        text: String,
    },
    /// Lines that matter, counted since the last such event.
    Alerts {
        /// Whose.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// How many.
        count: u64,
        /// The number of the first of them in its stream, from 1.
        line: u64,
        /// The stream.
        stream: Stream,
        /// The first of them, capped.
        text: String,
    },
    /// Lines that the scenario expects or expects not to see, counted since the last such event.
    Counted {
        /// Whose.
        process: ProcessId,
        /// The stream.
        stream: Stream,
        /// Which expectation's.
        expectation: u32,
        /// What was counted.
        counted: Counted,
    },
    /// A [`flush`](super::Capture::flush) is done: all that was in the pipes is in the store, and told.
    Flushed,
    /// A [`drain`](super::Capture::drain) is done: all that the process said is in the store.
    Drained {
        /// Whose.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// Somebody still holds a stream open; it goes on being read.
        still_open: bool,
        /// Its last lines, newest last, at most 10; of stderr, if it said anything there.
        tail: Vec<String>,
    },
    /// The disk refuses output; it is kept in memory. Told once, until it has recovered.
    DiskTrouble {
        /// Why.
        error: String,
    },
    /// The oldest output cannot be taken from the disk: it holds more than it may.
    CapNotKept {
        /// Why.
        error: String,
    },
    /// The disk takes output again, and has what was kept in memory.
    DiskRecovered {
        /// Bytes that had to go before.
        lost: u64,
    },
}
