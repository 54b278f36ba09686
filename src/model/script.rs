//! What a scenario asserts about its logs, and what it does by itself: expectations and steps, resolved.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Health, ProcessId, Signal, Text};

/// A file rendered into a process's own folder before each start.
#[derive(Debug, Clone)]
pub struct FileSpec {
    /// Where, absolute.
    pub path: PathBuf,
    /// What. Templates were read with the scenario, so a run is not affected by a change of one.
    pub content: Text,
}

/// An assertion on the log of a process.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Whose log.
    pub process: ProcessId,
    /// What must hold.
    pub what: Expected,
    /// From that process's first start; none: until the verdict.
    pub within: Option<Duration>,
}

/// What must hold of a log.
#[derive(Debug, Clone)]
pub enum Expected {
    /// Lines match, as many as `count` says.
    MustSee {
        /// On the line without its colour codes.
        pattern: regex::Regex,
        /// At least one unless the file says otherwise.
        count: Bound,
    },
    /// No line matches.
    MustNotSee {
        /// On the line without its colour codes.
        pattern: regex::Regex,
    },
    /// The numbers that the pattern's one group captures stay in their bounds.
    Metric {
        /// With exactly one group.
        pattern: regex::Regex,
        /// At least one of them.
        bounds: Vec<(Statistic, Bound)>,
    },
}

/// Of the numbers that a metric captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// The median.
    P50,
    /// Nineteen of twenty are at most this.
    P95,
    /// Ninety-nine of a hundred are at most this.
    P99,
    /// The largest.
    Max,
}

/// A comparison: `>= 300`, `<= 50ms`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// How.
    pub comparison: Comparison,
    /// With what. A captured number is taken in the same unit, unless it brings one of its own.
    pub value: f64,
    /// `ms`, or nothing.
    pub unit: String,
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

impl Bound {
    /// What a `must_see` means without a `count`.
    pub fn at_least_once() -> Self {
        Self { comparison: Comparison::AtLeast, value: 1.0, unit: String::new() }
    }

    /// Whether `number` keeps it.
    pub fn holds(&self, number: f64) -> bool {
        match self.comparison {
            Comparison::Less => number < self.value,
            Comparison::AtMost => number <= self.value,
            Comparison::Equal => (number - self.value).abs() < f64::EPSILON,
            Comparison::AtLeast => number >= self.value,
            Comparison::More => number > self.value,
        }
    }
}

impl fmt::Display for Bound {
    /// `>= 300`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.comparison {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Equal => "=",
            Comparison::AtLeast => ">=",
            Comparison::More => ">",
        };
        write!(f, "{sign} {}{}", self.value, self.unit)
    }
}

/// A step of the script.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// What it waits for, counted from the end of the step before.
    pub when: StepWhen,
    /// What it does, in order.
    pub actions: Vec<StepAction>,
    /// What to call it; empty: what it does.
    pub title: String,
    /// For the audience; empty if the file has none.
    pub note: String,
    /// A `when` not met by then fails the run.
    pub timeout: Option<Duration>,
}

impl StepSpec {
    /// The processes that it speaks of.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessId> {
        let waits_for: &[ProcessId] = match &self.when {
            StepWhen::AtOnce | StepWhen::After(_) => &[],
            StepWhen::State { processes, .. } | StepWhen::Log { processes, .. } => processes,
        };
        waits_for.iter().chain(self.actions.iter().filter_map(StepAction::process))
    }
}

/// What a step waits for.
#[derive(Debug, Clone)]
pub enum StepWhen {
    /// Nothing.
    AtOnce,
    /// This long after the step before.
    After(Duration),
    /// All of these processes are in a state.
    State {
        /// Which; several where the name is replicated.
        processes: Vec<ProcessId>,
        /// The state's word (`ready`) or a health.
        is: StateOrHealth,
    },
    /// A line of one of these processes matches.
    Log {
        /// Which; several where the name is replicated.
        processes: Vec<ProcessId>,
        /// On the line without its colour codes.
        pattern: regex::Regex,
    },
}

/// What a step's `is` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateOrHealth {
    /// A state by its word. `unhealthy` holds for the health of that name, too.
    State(String),
    /// A health that is no state.
    Health(Health),
}

/// One thing that a step does.
#[derive(Debug, Clone)]
pub enum StepAction {
    /// Start it.
    Start(ProcessId),
    /// Stop it; it stays down.
    Stop(ProcessId),
    /// Stop and start it.
    Restart(ProcessId),
    /// KILL its tree, as if from outside.
    Kill(ProcessId),
    /// Send a signal, as if from outside.
    Signal {
        /// To whom.
        process: ProcessId,
        /// Which.
        signal: Signal,
    },
    /// Write a line to its stdin.
    Send {
        /// To whom.
        process: ProcessId,
        /// Without its newline.
        text: String,
    },
    /// Put a mark on the timeline.
    Mark(String),
    /// Do nothing this long.
    Wait(Duration),
    /// Disturb the traffic in front of a tapped process.
    Fault(FaultSpec),
    /// New attempts of all tests.
    RerunTests,
    /// Show a layout.
    Layout(String),
    /// Put the focus on a process.
    Focus(ProcessId),
    /// Filter the log.
    Filter(String),
    /// Export an archive.
    Export(PathBuf),
}

impl StepAction {
    /// The process that it is done to.
    pub fn process(&self) -> Option<&ProcessId> {
        match self {
            Self::Start(process) | Self::Stop(process) | Self::Restart(process) | Self::Kill(process) | Self::Focus(process) => {
                Some(process)
            }
            Self::Signal { process, .. } | Self::Send { process, .. } => Some(process),
            Self::Fault(fault) => Some(&fault.at),
            Self::Mark(_) | Self::Wait(_) | Self::RerunTests | Self::Layout(_) | Self::Filter(_) | Self::Export(_) => None,
        }
    }
}

/// A disturbance of the traffic in front of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSpec {
    /// In front of whom.
    pub at: ProcessId,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How long, for the kinds that wait.
    pub delay: Option<Duration>,
    /// Which, for the kind `status`.
    pub status: Option<u16>,
    /// Only requests with this JSON-RPC method.
    pub method: Option<String>,
    /// Only so many requests.
    pub count: Option<u64>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Each answer waits.
    Delay,
    /// Each answer waits a random time.
    Jitter,
    /// Each answer has this status.
    Status,
    /// No answer comes.
    Drop,
    /// The connection is reset.
    Reset,
    /// One direction is closed.
    HalfClose,
    /// The body trickles.
    SlowBody,
    /// The body ends early.
    Truncate,
    /// Nothing any more.
    None,
}

impl FaultKind {
    /// Whether it can be done to lines on a pipe, where there is no connection, and no answer of HTTP.
    pub fn is_for_pipes(self) -> bool {
        matches!(self, Self::Delay | Self::Jitter | Self::Drop | Self::None)
    }

    /// As the file writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Jitter => "jitter",
            Self::Status => "status",
            Self::Drop => "drop",
            Self::Reset => "reset",
            Self::HalfClose => "half-close",
            Self::SlowBody => "slow-body",
            Self::Truncate => "truncate",
            Self::None => "none",
        }
    }
}
