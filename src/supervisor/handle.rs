//! What a front holds of a run: a handle to ask through, and views to read.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{Journal, machine::TestEnd};
use crate::{
    health::Answer,
    logs::LogStore,
    model::{Actor, Command, Outcome, Phase, Probe, ProcessId, ProcessSpec, Request, RunClock, Snapshot},
    process::Screen,
    tap::TrafficStore,
};

/// A request on its way to the supervisor.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) wish: Wish,
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}

/// What can be asked.
#[derive(Debug)]
pub(super) enum Wish {
    /// A command, as every front has it.
    Do(Request),
    /// A process that was not there before.
    Add(Arc<ProcessSpec>),
    /// The test that drives the run has ended.
    Close(TestEnd),
    /// Terminals of processes have another size.
    Resize(Screen),
    /// A process is to be asked how it is, now.
    Ask(Inquiry),
    /// What the last attempt at becoming ready has met.
    Tell { process: ProcessId, why: oneshot::Sender<Option<String>> },
    /// Everything is to stand still.
    StandStill,
    /// It is to go on.
    GoOn,
}

/// One question to a process, out of turn.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) process: ProcessId,
    /// What to ask; none: what its health check asks.
    pub(super) probe: Option<Probe>,
    pub(super) timeout: Duration,
    pub(super) reply: oneshot::Sender<Result<Answer, String>>,
}

/// Resolves when a request was carried out, or says why it was not. Dropping it changes nothing: what was asked is done.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Result<(), String>>);

impl Ticket {
    /// Waits until the request was carried out: a stop until the tree is empty, a start until the process is alive.
    pub async fn done(self) -> Result<(), String> {
        self.0.await.unwrap_or_else(|_| Err("the run has ended".into()))
    }
}

/// A run, to be asked and read. Cheap to clone; the run goes on when all handles are gone.
#[derive(Debug, Clone)]
pub struct RunHandle {
    pub(super) requests: mpsc::UnboundedSender<Asked>,
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
    pub(super) journal: Arc<Journal>,
    pub(super) logs: Arc<LogStore>,
    pub(super) traffic: Arc<TrafficStore>,
    pub(super) clock: RunClock,
    pub(super) observed: Arc<watch::Sender<bool>>,
    pub(super) late: Arc<Mutex<Vec<String>>>,
}

impl RunHandle {
    /// Asks for something. What comes of it is seen in snapshot and journal; the ticket tells when it is done.
    pub fn send(&self, command: Command, by: Actor) -> Ticket {
        self.ask(Wish::Do(Request { command, by }))
    }

    /// Adds a process to the run; it starts at once, or as soon as what it depends on allows. Resolves when it is alive. Text in
    /// its command line, environment and probes is taken as it stands.
    pub fn add(&self, spec: ProcessSpec) -> Ticket {
        self.ask(Wish::Add(Arc::new(spec)))
    }

    /// Says how the test that drives the run has ended (see [`Driver::Test`](super::Driver::Test)). The run is taken down by a
    /// [`Command::Shutdown`] after it.
    pub fn close(&self, end: TestEnd) -> Ticket {
        self.ask(Wish::Close(end))
    }

    /// Says how big the terminals are that processes have of their own: those that live, and those to come.
    pub fn resize_terminals(&self, screen: Screen) {
        drop(self.ask(Wish::Resize(screen)));
    }

    /// Asks `process` once, out of turn: what `probe` asks, or without one what its health check does. Nothing follows from the
    /// answer. Fails with why it cannot be asked: it is not there, has no health check, or nobody can write to its stdin.
    pub async fn probe(&self, process: &ProcessId, probe: Option<Probe>, timeout: Duration) -> Result<Answer, String> {
        let (reply, answer) = oneshot::channel();
        drop(self.ask(Wish::Ask(Inquiry { process: process.clone(), probe, timeout, reply })));
        answer.await.unwrap_or_else(|_| Err("the run has ended".into()))
    }

    /// What the last attempt of `process` at becoming ready has met, if one has failed.
    pub async fn why_not_ready(&self, process: &ProcessId) -> Option<String> {
        let (why, told) = oneshot::channel();
        drop(self.ask(Wish::Tell { process: process.clone(), why }));
        told.await.ok().flatten()
    }

    pub(super) fn ask(&self, wish: Wish) -> Ticket {
        let (answer, ticket) = oneshot::channel();
        // A run that is over drops its receiver: the ticket then says so.
        let _ = self.requests.send(Asked { wish, answer });
        Ticket(ticket)
    }

    /// How the run stands.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// How the run stands, whenever that changes.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// All events so far.
    pub fn journal(&self) -> Arc<Journal> {
        self.journal.clone()
    }

    /// All that was said.
    pub fn logs(&self) -> Arc<LogStore> {
        self.logs.clone()
    }

    /// What went through taps.
    pub fn traffic(&self) -> Arc<TrafficStore> {
        self.traffic.clone()
    }

    /// The run's clock.
    pub fn clock(&self) -> RunClock {
        self.clock
    }

    /// Says whether somebody looks at what trees use: then it is sampled every second, else every five.
    pub fn observe(&self, observed: bool) {
        self.observed.send_if_modified(|now| std::mem::replace(now, observed) != observed);
    }

    /// What the supervisor had to warn of when the run's end was on record already. All is there once the run's task is done.
    pub fn said_late(&self) -> Vec<String> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the end of the run: nothing of it lives.
    pub async fn ended(&self) -> Outcome {
        let mut snapshot = self.watch();
        let ended = snapshot.wait_for(|s| s.phase == Phase::Ended).await;
        let outcome = ended.ok().and_then(|s| s.outcome.clone());
        outcome.unwrap_or_else(|| Outcome::new(crate::model::Verdict::Error, crate::model::exit_code::PANIC, "the supervisor is gone"))
    }
}
