//! Inputs, effects, and what the machine knows of a process.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use super::backoff::{Decision, Ledger};
use super::expect::Seen;
use super::open::TestEnd;
use super::script::{Alarm, ScriptOptions};
use crate::model::{
    Actor, At, EventKind, Exit, Failure, FaultSpec, Generation, Health, Leak, Outcome, ProbeRecord, ProcessId, ProcessSpec, ProcessState,
    Request, Signal, StartCause,
};

/// What distinguishes the fronts' runs.
#[derive(Debug, Clone)]
pub(crate) struct MachineOptions {
    /// End the run once its verdict is certain and nothing is left to wait for (headless).
    pub(crate) end_when_done: bool,
    /// How long the run may take, if it is bounded.
    pub(crate) timeout: Option<Duration>,
    /// How it takes the steps of its scenario.
    pub(crate) script: ScriptOptions,
    /// Seeds the jitter of back-offs.
    pub(crate) seed: u64,
}

/// Names an armed timer. Numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TimerToken(pub(crate) u64);

/// Something that happened outside.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// The run begins.
    Begin,
    /// Somebody asks for something; `ticket` is resolved when it was carried out.
    Request { request: Request, ticket: u64 },
    /// The child exists.
    Spawned { process: ProcessId, generation: Generation, pid: u32 },
    /// There is no child.
    SpawnFailed { process: ProcessId, generation: Generation, reason: Failure },
    /// The leader was reaped; its output may not have been read yet.
    LeaderExited { process: ProcessId, generation: Generation, exit: Exit },
    /// All that it said is in the log (or its pipe is held open by something it left).
    Drained { process: ProcessId, generation: Generation, tail: Vec<String> },
    /// Nothing of its tree lives.
    TreeEmpty { process: ProcessId, generation: Generation },
    /// What lives of its tree, asked for with [`Effect::Census`].
    Members { process: ProcessId, generation: Generation, leaks: Vec<Leak> },
    /// Somebody was left alone who cannot be proven to be one of its: a leak all the same.
    LeftAlone { process: ProcessId, generation: Generation, leak: Leak },
    /// KILL did not end these, for this reason.
    Stuck { process: ProcessId, generation: Generation, pids: Vec<u32>, why: String },
    /// How its readiness stands.
    Ready { process: ProcessId, generation: Generation, report: ReadyReport },
    /// A health probe ended.
    Probed { process: ProcessId, generation: Generation, record: ProbeRecord },
    /// It need not be started: this is there.
    AlreadyDone { process: ProcessId, generation: Generation, path: String },
    /// A file that it watches has changed, and so many others with it.
    Changed { process: ProcessId, file: String, more: u32 },
    /// It printed a progress line.
    Progress { process: ProcessId, generation: Generation, text: String },
    /// Lines that an expectation is about were said.
    Seen { expectation: usize, seen: Seen },
    /// The fault at its tap was for so many requests, and they have been.
    FaultOver { process: ProcessId },
    /// A line that a step waits for was said; the step's index.
    Said { step: usize },
    /// The command that was to stop it could not be run, or has failed.
    StopCommandFailed { process: ProcessId, generation: Generation },
    /// What a step asked for is done, or cannot be.
    Carried { ticket: u64, result: Result<(), String> },
    /// What was in the pipes is told, asked for with [`Effect::FlushOutput`].
    Flushed,
    /// It uses more than it may; `what` names the limit.
    LimitHit { process: ProcessId, generation: Generation, what: String },
    /// Time stood still for everybody: what is armed has been moved by that already.
    StoodStill { span: Duration },
    /// An armed timer is due.
    Timer(TimerToken),
    /// The guardian is gone, and all trees with it.
    SpawnerLost { why: String },
    /// Whether somebody looks at how processes are.
    Observed { looking: bool },
    /// What is left after everything was stopped, asked for with [`Effect::FinalCensus`].
    FinalCensus { leaks: Vec<(ProcessId, Leak)> },
    /// A process that was not there before.
    Add { spec: Arc<ProcessSpec>, ticket: u64 },
    /// The test that drives the run has ended.
    Close { end: TestEnd, ticket: u64 },
}

/// News from a readiness probe.
#[derive(Debug, Clone)]
pub(crate) enum ReadyReport {
    /// It answered, is alive a moment later, and the listener is its own.
    Yes { answered: At, evidence: String, port: Option<u16> },
    /// The last attempt failed; attempts go on.
    NotYet { why: String },
    /// Somebody else answers on its port.
    Foreign { pid: u32, port: u16 },
}

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Start this generation; `unless_done`: unless what it would make is there.
    Spawn { process: ProcessId, generation: Generation, unless_done: bool },
    /// Disturb what goes through a tap.
    Disturb { fault: FaultSpec },
    /// Send a signal to the whole tree.
    Signal { process: ProcessId, generation: Generation, signal: Signal },
    /// Run its stop command.
    StopCommand { process: ProcessId, generation: Generation },
    /// KILL the whole tree until nothing is left.
    Kill { process: ProcessId, generation: Generation },
    /// Tell when the tree is empty.
    AwaitEmpty { process: ProcessId, generation: Generation },
    /// Tell what lives of the tree.
    Census { process: ProcessId, generation: Generation },
    /// Read its output to the end, waiting at most this long for who holds the pipe.
    Drain { process: ProcessId, generation: Generation, linger: Duration },
    /// Probe its readiness until told otherwise.
    WatchReadiness { process: ProcessId, generation: Generation },
    /// Probe its health until told otherwise.
    WatchHealth { process: ProcessId, generation: Generation },
    /// Stop probing it.
    EndProbes { process: ProcessId },
    /// Write a line to its stdin.
    SendLine { process: ProcessId, generation: Generation, text: String, ticket: u64 },
    /// Write bytes to its terminal.
    Type { process: ProcessId, generation: Generation, bytes: Vec<u8>, ticket: u64 },
    /// Pack the run, as far as it is, into an archive.
    Export { path: PathBuf, ticket: u64 },
    /// Read what is in the pipes and tell what was found in it.
    FlushOutput,
    /// Call back at this moment.
    Arm { timer: TimerToken, at: At },
    /// Put this on record.
    Emit(EventKind),
    /// A request was carried out, or cannot be.
    Resolve { ticket: u64, result: Result<(), String> },
    /// Everything is down: run clean-up commands, look for what is left.
    FinalCensus,
    /// The run is over.
    Finish { outcome: Outcome },
}

/// What a timer is for. A process has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum TimerKind {
    ReadyDeadline,
    Grace,
    KillDeadline,
    Backoff,
    LeakCheck,
    Lifetime,
    /// Of the run, not of a process.
    RunTimeout,
    /// Of the run: a census that a lost guardian may keep from ever being answered.
    CensusDeadline,
    /// Of an expectation: its own time.
    Window(usize),
    /// Of the run: what living processes say last about it.
    LastWords,
    /// Of the script, by the stretch of it that it belongs to.
    Script(u32, Alarm),
}

/// How far a process's newest generation is.
#[derive(Debug, Clone)]
pub(super) enum Life {
    /// Nothing that anybody waits for.
    None,
    /// Asked for, no pid yet. A stop may be waiting.
    Spawning { stop: Option<StopOrder> },
    /// Alive.
    Up { pid: u32, since: At },
    /// The leader is gone, unasked; its output is being read to the end. What somebody asked for since comes after that.
    Ending { exit: Exit, since: At, ended: At, stop: Option<StopOrder> },
    /// Its tree is being stopped.
    Stopping(Stopping),
    /// What its former generation left is being killed before the next start.
    Clearing { next: StartCause },
}

/// What lives of a process's newest tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    /// Nothing.
    Empty,
    /// Its leader, or one is about to; or a stop is at work on it.
    Led,
    /// The leader has ended unasked. What it left has a moment to end by itself; what then lives is a leak.
    /// `asked`: the census is under way. `kill`: once it is answered, everything goes.
    Checking { asked: bool, kill: bool },
    /// What is left is on record. It stays until somebody wants it gone.
    Known,
    /// KILL is on its way to all of it.
    Killing,
    /// These outlive KILL.
    Stuck { pids: Vec<u32> },
}

impl Tree {
    /// Whether there is nothing to wait for any more.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Empty | Self::Stuck { .. })
    }
}

/// A stop in progress.
#[derive(Debug, Clone)]
pub(super) struct Stopping {
    pub(super) order: StopOrder,
    /// Why it is stopped, if it has failed while alive.
    pub(super) fallen: Option<Fallen>,
    /// When the stop began.
    pub(super) since: At,
    /// When the generation was started.
    pub(super) started: At,
    /// What was sent first; none: its own command was run.
    pub(super) signal: Option<Signal>,
    pub(super) exit: Option<Exit>,
    pub(super) killed: bool,
    /// Whether its output is being read to the end.
    pub(super) draining: bool,
    pub(super) drained: Option<Vec<String>>,
}

/// A failure of something alive, and what the policy said to it at that moment.
#[derive(Debug, Clone)]
pub(super) struct Fallen {
    pub(super) reason: Failure,
    pub(super) decision: Decision,
}

/// Who wants a stop, and what comes after.
#[derive(Debug, Clone)]
pub(super) struct StopOrder {
    pub(super) by: Actor,
    pub(super) now: bool,
    pub(super) after: After,
}

/// What comes after a stop.
#[derive(Debug, Clone)]
pub(super) enum After {
    /// It stays down.
    Stay,
    /// It is started again.
    Start(StartCause),
    /// It has failed while alive: the restart policy decides.
    Policy,
}

impl After {
    /// Whether somebody wants it up again.
    pub(super) fn is_start(&self) -> bool {
        matches!(self, Self::Start(_))
    }
}

/// When a ticket is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    Up,
    Down,
}

/// A process as the machine sees it.
#[derive(Debug, Clone)]
pub(super) struct Proc {
    pub(super) spec: Arc<ProcessSpec>,
    pub(super) state: ProcessState,
    /// When it came into this state.
    pub(super) since: At,
    pub(super) generation: Generation,
    pub(super) life: Life,
    pub(super) tree: Tree,
    /// Whether it waits for its dependencies to start.
    pub(super) wants_start: Option<StartCause>,
    /// Why its newest generation was or will be started.
    pub(super) cause: StartCause,
    /// Who stopped it, if it is a test: that counts as a failure.
    pub(super) stopped_by: Option<Actor>,
    /// Its newest generation ended when the verdict was certain already, so that its end does not count.
    pub(super) late: bool,
    /// Whether this generation was ready once.
    pub(super) was_ready: bool,
    /// A generation of it has begun to work and has not ended with 0 by itself, or what it works on has changed since: whatever
    /// it has made so far may be half of it.
    pub(super) unfinished: bool,
    /// When its first generation was started.
    pub(super) first_started: Option<At>,
    /// When its newest generation was started.
    pub(super) started: At,
    /// Its stop is over, but its leader could not be killed: its exit is still to be told, should it come.
    pub(super) exit_owed: bool,
    /// Who signalled this generation from outside.
    pub(super) signalled_by: Option<Actor>,
    /// The signals that it was sent so.
    pub(super) sent: Vec<Signal>,
    pub(super) ledger: Ledger,
    pub(super) health: Health,
    pub(super) failed_probes: u32,
    pub(super) good_probes: u32,
    /// What the last readiness attempt met.
    pub(super) last_trouble: Option<String>,
    /// What of that was put on record last, and when.
    pub(super) trouble_told: Option<(At, String)>,
    pub(super) last_health: Option<String>,
    /// The last words at its previous unasked end, without digits.
    pub(super) last_words: Option<String>,
    pub(super) progress: Option<String>,
    pub(super) same_cause_each_time: bool,
    pub(super) leaked: bool,
    /// Who was told as leaked and may live yet.
    pub(super) left: Vec<u32>,
    /// Who wants neither policy nor probes to act on it.
    pub(super) held_by: Option<Actor>,
    /// When it was restarted for changed files, since that was last remarked on.
    pub(super) changes: Vec<At>,
    /// Whether its health is being probed.
    pub(super) watched: bool,
    pub(super) tickets: Vec<(u64, Goal)>,
    pub(super) timers: BTreeMap<TimerKind, TimerToken>,
}

impl Proc {
    pub(super) fn new(spec: Arc<ProcessSpec>) -> Self {
        let health = if spec.health.is_some() { Health::Unknown } else { Health::None };
        Self {
            spec,
            state: ProcessState::Pending { waits_for: Vec::new() },
            since: At::START,
            generation: 0,
            life: Life::None,
            tree: Tree::Empty,
            wants_start: None,
            cause: StartCause::Run,
            stopped_by: None,
            late: false,
            was_ready: false,
            unfinished: false,
            first_started: None,
            started: At::START,
            exit_owed: false,
            signalled_by: None,
            sent: Vec::new(),
            ledger: Ledger::default(),
            health,
            failed_probes: 0,
            good_probes: 0,
            last_trouble: None,
            trouble_told: None,
            last_health: None,
            last_words: None,
            progress: None,
            same_cause_each_time: true,
            leaked: false,
            left: Vec::new(),
            held_by: None,
            changes: Vec::new(),
            watched: false,
            tickets: Vec::new(),
            timers: BTreeMap::new(),
        }
    }

    pub(super) fn id(&self) -> &ProcessId {
        &self.spec.id
    }

    /// Whether some generation of it lives or is about to.
    pub(super) fn has_life(&self) -> bool {
        !matches!(self.life, Life::None)
    }

    /// Whether it is down and nothing is about to start it.
    pub(super) fn is_down(&self) -> bool {
        !self.has_life() && self.state.is_settled() && self.wants_start.is_none()
    }

    /// Whether its end counts against the run: it failed, nobody outside had a hand in it, and the verdict was still open.
    pub(super) fn failed_by_itself(&self) -> bool {
        let (ProcessState::Failed { reason } | ProcessState::GaveUp { reason, .. }) = &self.state else { return false };
        !self.late && !is_excused(reason)
    }
}

/// Whether a failure is nobody's fault: somebody outside brought it about.
pub(super) fn is_excused(reason: &Failure) -> bool {
    matches!(reason, Failure::Exited { by: Some(_), .. })
}
