//! Reading what children print, on one OS thread of its own, so that neither a slow disk nor a busy screen nor one
//! chatty child delays anybody else.
//!
//! Streams are handed over with [`Capture::add`]; what is noticed in them comes back as [`CaptureEvent`]s. A stream is
//! read until its writers are gone, and never closed before: a child that prints must not die of it.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::eventfd::{EfdFlags, EventFd},
    unistd::pipe2,
};
use regex::Regex;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    reader::{Order, Reader},
    store::{LogStore, Stream},
};
use crate::{
    model::{Generation, ProcessId},
    redact::Redactor,
};

/// What a pipe may hold, where the system allows it: a child that prints a lot is woken less often.
const PIPE_SIZE: usize = 256 << 10;

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
}

/// What was noticed in a stream. All texts are masked and without colour codes.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// A [`drain`](Capture::drain) is done: all that the process said is in the store.
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
    /// The disk refuses output; it is kept in memory. Told once.
    DiskTrouble {
        /// Why.
        error: String,
    },
}

/// The capture thread. Dropping it reads what is there once more and ends the thread.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How the thread is spoken to.
#[derive(Debug)]
pub(super) struct Shared {
    orders: Mutex<Vec<Order>>,
    pub(super) wake: EventFd,
}

impl Capture {
    /// Starts the thread. What it reads goes to `store`, masked by `redactor`.
    pub fn start(store: Arc<LogStore>, redactor: Redactor, events: UnboundedSender<CaptureEvent>) -> io::Result<Self> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared = Arc::new(Shared { orders: Mutex::default(), wake });
        let mut reader = Reader::new(store, redactor, events, shared.clone())?;
        let thread = std::thread::Builder::new().name("capture".into()).spawn(move || reader.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Reads a stream from now on.
    pub fn add(&self, stream: CaptureStream) {
        self.shared.order(Order::Add(Box::new(stream)));
    }

    /// The generation has ended: reads what it left in its pipes, waits at most `linger` for other holders of them to
    /// let go, and then sends [`CaptureEvent::Drained`].
    pub fn drain(&self, process: &ProcessId, generation: Generation, linger: Duration) {
        self.shared.order(Order::Drain { process: process.clone(), generation, linger });
    }

    /// Reads what is there once more, tells what is still to tell, and ends the thread.
    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.order(Order::Stop);
            // A panic of the thread was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn order(&self, order: Order) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        // It only fails when the counter is full, and then the thread wakes up anyway.
        let _ = self.wake.write(1);
    }

    pub(super) fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A pipe for a child's output: the reading end non-blocking, both closed on exec, as large as the system allows.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    set_nonblocking(&read)?;
    // A user's pages for large pipes are limited; a small one works too.
    let _ = rustix::pipe::fcntl_setpipe_size(&read, PIPE_SIZE);
    Ok((read, write))
}

/// Makes reads of `fd` return at once.
pub(super) fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
