//! What goes over the pipes of a process, as exchanges: each line is a message of JSON-RPC, and either side may ask.
//!
//! Nothing stands between here: whoever writes to the process and whoever reads it keep doing so, and hand over copies. A
//! [`PipeEnds`] takes them on their threads, which costs a copy; what they mean is worked out on the thread of the taps.
//! A line on stdout that is no message is a line of the log like any other, and no traffic.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use memchr::memmem;
use tokio::sync::mpsc;

use super::{
    body::{self, Collected},
    conversation::{Counter, Request, Setting, masked_calls},
    fault::{Chosen, Faults},
    hop::Observer,
    note::{Asked, Call, CallKind, Ended, Ending, ExchangeId, Note, Said, Toward},
};
use crate::{
    logs::Overhear,
    model::{At, FaultKind, FaultSpec, ProcessId},
};

/// Bytes that may wait to be read, of all pipes: what comes beyond is passed on all the same, but not recorded.
const MOST_WAITING: usize = 32 << 20;
/// A line over this is no message.
const LONGEST: usize = 4 << 20;
/// Requests that may be without an answer; of one that is older nothing more is recorded.
const MOST_OPEN: usize = 1000;

/// The tap on the pipes of a process, over all its generations.
#[derive(Debug)]
pub(crate) struct PipeTap {
    process: ProcessId,
    faults: Faults,
    connections: Counter,
    copies: mpsc::UnboundedSender<Copied>,
    waiting: Arc<AtomicUsize>,
    observer: Arc<dyn Observer>,
}

/// What was handed over.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) process: ProcessId,
    pub(crate) connection: u64,
    pub(crate) what: What,
}

/// See [`Copied`].
#[derive(Debug)]
pub(crate) enum What {
    /// A line, without its end.
    Line { at: At, toward: Toward, bytes: Vec<u8>, fault: Option<FaultKind> },
    /// The process says no more.
    Over { at: At },
}

impl PipeTap {
    pub(crate) fn new(
        process: ProcessId,
        connections: Counter,
        copies: mpsc::UnboundedSender<Copied>,
        waiting: Arc<AtomicUsize>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { process, faults: Faults::default(), connections, copies, waiting, observer }
    }

    /// From now on this fault.
    pub(crate) fn disturb(&self, spec: FaultSpec) {
        self.faults.set(spec);
    }
}

/// The pipes of one generation, for those who write to them and read from them.
#[derive(Debug)]
pub struct PipeEnds {
    tap: Arc<PipeTap>,
    connection: u64,
    /// The beginning of a line on stdout.
    begun: Mutex<Begun>,
}

#[derive(Debug, Default)]
struct Begun {
    bytes: Vec<u8>,
    /// It cannot become a message: the rest of it goes by.
    is_none: bool,
}

/// What is to be done to a line instead of writing it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipeFault {
    /// It waits this long, and what comes after it waits, too.
    Wait(std::time::Duration),
    /// It goes nowhere.
    Drop,
}

impl PipeEnds {
    pub(crate) fn new(tap: Arc<PipeTap>) -> Self {
        Self { connection: tap.connections.next(), tap, begun: Mutex::default() }
    }

    /// Takes what is about to be written to stdin, and says what a fault does to it. Called before it is written, so that no
    /// answer comes before its request.
    pub fn writes(&self, bytes: &[u8]) -> Option<PipeFault> {
        let chosen = self.tap.faults.armed().then(|| self.choose(bytes)).flatten();
        for line in lines_of(bytes) {
            self.copy(Toward::Server, line, chosen.map(|chosen| chosen.kind));
        }
        let Chosen { deed, last, .. } = chosen?;
        if last {
            self.tap.observer.fault_over(&self.tap.process);
        }
        deed.on_a_pipe()
    }

    fn choose(&self, bytes: &[u8]) -> Option<Chosen> {
        let calls = lines_of(bytes).flat_map(Call::all_in).map(|call| call.method).collect();
        self.tap.faults.choose(&Request { method: String::new(), calls })
    }

    fn hear(&self, line: &[u8]) {
        // A process may print a gigabyte of other things, and each costs no more than this.
        if may_be_message(line) && memmem::find(line, b"\"jsonrpc\"").is_some() {
            self.copy(Toward::Client, line, None);
        }
    }

    fn copy(&self, toward: Toward, line: &[u8], fault: Option<FaultKind>) {
        if self.tap.waiting.fetch_add(line.len(), Ordering::Relaxed) > MOST_WAITING {
            self.tap.waiting.fetch_sub(line.len(), Ordering::Relaxed);
            return self.tap.observer.lost();
        }
        let line = What::Line { at: self.tap.observer.now(), toward, bytes: line.to_vec(), fault };
        // Without the thread of the taps the run is over.
        let _ = self.tap.copies.send(self.copied(line));
    }

    fn copied(&self, what: What) -> Copied {
        Copied { process: self.tap.process.clone(), connection: self.connection, what }
    }
}

impl Overhear for PipeEnds {
    fn heard(&self, bytes: &[u8]) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if begun.bytes.is_empty() {
                if !std::mem::take(&mut begun.is_none) {
                    self.hear(line);
                }
                continue;
            }
            begun.add(line);
            let Begun { bytes, is_none } = std::mem::take(&mut *begun);
            if !is_none {
                self.hear(&bytes);
            }
        }
        begun.add(rest);
    }

    /// Maybe within a line.
    fn ended(&self) {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        if !begun.is_none {
            self.hear(&begun.bytes);
        }
        let _ = self.tap.copies.send(self.copied(What::Over { at: self.tap.observer.now() }));
    }
}

impl Begun {
    fn add(&mut self, part: &[u8]) {
        if self.bytes.is_empty() && !part.is_empty() && !may_be_message(part) || self.bytes.len() + part.len() > LONGEST {
            self.is_none = true;
            self.bytes = Vec::new();
        }
        if !self.is_none {
            self.bytes.extend_from_slice(part);
        }
    }
}

/// Blanks before it are rare, and cost a look at the first that is none.
fn may_be_message(line: &[u8]) -> bool {
    line.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|byte| matches!(byte, b'{' | b'['))
}

fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// What the pipes of one generation say, as exchanges.
#[derive(Debug)]
pub(crate) struct PipeTalk {
    setting: Setting,
    connection: u64,
    open: VecDeque<Open>,
    notes: Vec<Note>,
}

/// A line that has no complete answer yet.
#[derive(Debug)]
struct Open {
    exchange: ExchangeId,
    toward: Toward,
    /// Of what still has none.
    ids: Vec<String>,
}

impl PipeTalk {
    pub(crate) fn new(setting: Setting, connection: u64) -> Self {
        Self { setting, connection, open: VecDeque::new(), notes: Vec::new() }
    }

    /// What has happened since this was asked last.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// A line went by.
    pub(crate) fn line(&mut self, toward: Toward, line: &[u8], at: At, fault: Option<FaultKind>) {
        let mut collected = Collected::default();
        collected.push(line);
        let calls = collected.calls();
        if calls.is_empty() && toward == Toward::Client {
            return;
        }
        let answers = calls.iter().all(|call| matches!(call.kind, CallKind::Result | CallKind::Error)) && !calls.is_empty();
        if answers && let Some(open) = self.answered(toward, &calls) {
            return self.answer(open, toward, (calls, collected), at);
        }
        let exchange = self.setting.exchanges.next();
        let ids: Vec<_> = calls.iter().filter(|call| call.kind == CallKind::Request).filter_map(|call| call.id.clone()).collect();
        self.notes.push(Note::Asked(Asked {
            exchange,
            tap: self.setting.tap.clone(),
            connection: self.connection,
            at,
            http: None,
            body: collected.shown(&self.setting.redactor),
            calls: masked_calls(calls, &self.setting.redactor),
            fault,
            pipe: Some(toward),
        }));
        if ids.is_empty() {
            self.end(exchange, Ending::Sent, at);
            return;
        }
        if self.open.len() == MOST_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(Open { exchange, toward, ids });
    }

    /// The process says no more: what has no answer by now gets none.
    pub(crate) fn over(&mut self, at: At) {
        while let Some(open) = self.open.pop_front() {
            self.end(open.exchange, Ending::Unanswered, at);
        }
    }

    /// The oldest request that one of these answers.
    fn answered(&self, toward: Toward, answers: &[Call]) -> Option<usize> {
        let answers = |id: &String| answers.iter().any(|answer| answer.id.as_ref() == Some(id));
        self.open.iter().position(|open| open.toward == toward.back() && open.ids.iter().any(answers))
    }

    fn answer(&mut self, place: usize, toward: Toward, (calls, line): (Vec<Call>, Collected), at: At) {
        let open = &mut self.open[place];
        open.ids.retain(|id| !calls.iter().any(|call| call.id.as_ref() == Some(id)));
        let (exchange, complete) = (open.exchange, open.ids.is_empty());
        let (mut calls, body) = (masked_calls(calls, &self.setting.redactor), line.shown(&self.setting.redactor));
        if complete {
            self.open.remove(place);
            self.notes.push(Note::Ended(Ended { exchange, at, how: Ending::Answered, body, calls }));
        } else if !calls.is_empty() {
            self.notes.push(Note::Said(Said { exchange, at, toward, call: calls.swap_remove(0), body }));
        }
    }

    fn end(&mut self, exchange: ExchangeId, how: Ending, at: At) {
        self.notes.push(Note::Ended(Ended { exchange, at, how, body: body::Body::default(), calls: Vec::new() }));
    }
}

#[cfg(test)]
#[path = "pipe_tests.rs"]
mod tests;
