//! How the run stands: the fold of its events, and the only state a front reads.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    At, EndedLeak, Exit, ExpectationSnapshot, Failure, Generation, Health, Leak, ListenPort, NoticeLevel, Outcome, ProbeRecord, ProcessId,
    ProcessInfo, ProcessState, RunInfo, Sample, Signal, StepSnapshot,
};

/// How many probe outcomes a process's row keeps.
pub const RECENT_PROBES: usize = 60;

/// How the run stands after some event. Cheap to clone: rows are shared until they change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The run; none before its first event.
    pub run: Option<Arc<RunInfo>>,
    /// The last event folded in.
    pub seq: u64,
    /// When that was.
    pub at: At,
    /// One row a process, in file order.
    pub rows: Vec<Arc<ProcessSnapshot>>,
    /// Where the run is between start and end.
    pub phase: Phase,
    /// The verdict, once it is certain.
    pub outcome: Option<Outcome>,
    /// How the expectations stand, in file order.
    pub expectations: Vec<Arc<ExpectationSnapshot>>,
    /// How the steps of the script stand, in file order.
    pub steps: Vec<Arc<StepSnapshot>>,
    /// Whether the script is kept from going on by itself.
    pub steps_held: bool,
    /// Tests and expectations met, and all of them.
    pub checks: (u32, u32),
    /// Trees stopped at the end, how many needed KILL, how long it took.
    pub take_down: Option<(u32, u32, Duration)>,
    /// How long of that clean-up and last census took, after everything was down.
    pub clean_up: Duration,
    /// The newest notice.
    pub notice: Option<(At, NoticeLevel, String)>,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Processes run.
    #[default]
    Running,
    /// It is being taken down.
    Stopping,
    /// Nothing of it lives.
    Ended,
}

impl Snapshot {
    /// The row of `id`.
    pub fn row(&self, id: &str) -> Option<&ProcessSnapshot> {
        self.rows.iter().find(|row| row.id().as_str() == id).map(|row| &**row)
    }

    /// All alerts of the run.
    pub fn alerts(&self) -> u64 {
        self.rows.iter().map(|row| row.alerts).sum()
    }

    /// How many rows are in a state for which `of` holds.
    pub fn count(&self, of: impl Fn(&ProcessState) -> bool) -> usize {
        self.rows.iter().filter(|row| of(&row.state)).count()
    }
}

/// How one process stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessSnapshot {
    /// What does not change about it.
    pub info: Arc<ProcessInfo>,
    /// Its state, with its reason.
    pub state: ProcessState,
    /// Its newest generation; 0 before the first.
    pub generation: Generation,
    /// The leader's pid while it lives.
    pub pid: Option<u32>,
    /// When its newest generation was started.
    pub started: Option<At>,
    /// When that generation ended.
    pub ended: Option<At>,
    /// How long its newest ready generation took to become ready.
    pub ready_after: Option<Duration>,
    /// What the last attempt to find its newest generation ready has met, until it is.
    pub trouble: Option<String>,
    /// What it depends on, in words, as of its newest start.
    pub waited_for: Vec<String>,
    /// What its health check says.
    pub health: Health,
    /// Its last probes, oldest first, at most [`RECENT_PROBES`].
    pub probes: VecDeque<ProbeRecord>,
    /// Restarts by policy.
    pub restarts: u32,
    /// The port that its ready line named.
    pub captured_port: Option<u16>,
    /// Its own last words about how far it is (`##e2e progress`).
    pub progress: Option<String>,
    /// All ends of its generations, in time order.
    pub exits: Vec<ExitRecord>,
    /// Its last failure, while it stands.
    pub failure: Option<Failure>,
    /// It gave up, and each time its last words were the same.
    pub same_cause: bool,
    /// Lines that matched an alert pattern.
    pub alerts: u64,
    /// What was there, so that it did not have to be started (`skip_if_exists`).
    pub already_done: Option<String>,
    /// What is left of its trees although it should be gone.
    pub leaks: Vec<Leak>,
    /// What was left of the newest, and has gone since.
    pub ended_leaks: Vec<EndedLeak>,
    /// Whether it is left alone: no probe asks it, no policy restarts it.
    pub held: bool,
    /// How what goes to it through its tap is disturbed, in words.
    pub fault: Option<String>,
    /// How its last stop went.
    pub stop: Option<StopRecord>,
    /// What its tree used when last sampled.
    pub sample: Option<Sample>,
}

impl ProcessSnapshot {
    /// A process that has not been started.
    pub fn new(info: Arc<ProcessInfo>) -> Self {
        let health = if info.has_health { Health::Unknown } else { Health::None };
        Self {
            info,
            state: ProcessState::Pending { waits_for: Vec::new() },
            generation: 0,
            pid: None,
            started: None,
            ended: None,
            ready_after: None,
            trouble: None,
            waited_for: Vec::new(),
            health,
            probes: VecDeque::new(),
            restarts: 0,
            captured_port: None,
            progress: None,
            exits: Vec::new(),
            failure: None,
            same_cause: false,
            alerts: 0,
            already_done: None,
            leaks: Vec::new(),
            ended_leaks: Vec::new(),
            held: false,
            fault: None,
            stop: None,
            sample: None,
        }
    }

    /// Its name.
    pub fn id(&self) -> &ProcessId {
        &self.info.name
    }

    /// How long its newest generation has lived at `now`, or lived; none before the first.
    pub fn up(&self, now: At) -> Option<Duration> {
        self.started.map(|started| self.ended.unwrap_or(now).since(started))
    }

    /// The port to show: what it listens on, else what its log named.
    pub fn port(&self) -> Option<u16> {
        self.info.listens.first().map(ListenPort::told).or(self.captured_port)
    }
}

/// One end of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExitRecord {
    /// Which start.
    pub generation: Generation,
    /// How.
    pub exit: Exit,
    /// When.
    pub at: At,
    /// Whether somebody had asked for it.
    pub asked: bool,
    /// Its last lines, newest last.
    pub tail: Vec<String>,
    /// Whether its last words were the same as at its previous unasked exit.
    pub same_cause: bool,
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StopRecord {
    /// The first signal sent; none if its own command was run instead.
    pub signal: Option<Signal>,
    /// Whether KILL was needed after that.
    pub escalated_to_kill: bool,
    /// From the request to the empty tree.
    pub took: Duration,
}
