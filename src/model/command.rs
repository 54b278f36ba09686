//! What can be asked of a run, and by whom.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FaultSpec, ProcessId, Signal};

/// Who asked. Shown wherever the consequence is (`○ stopped  by you, TERM`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The person at the dashboard.
    You,
    /// A step of the scenario, by its number from 1.
    Step(u32),
    /// A library call.
    Library,
    /// A signal sent to the supervisor itself.
    Signal(Signal),
    /// A change of a file that the process watches.
    Watch,
    /// The supervisor: a policy, a timeout, the end of the run.
    Supervisor,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::You => f.write_str("you"),
            Actor::Step(n) => write!(f, "step {n}"),
            Actor::Library => f.write_str("the test"),
            Actor::Signal(signal) => f.write_str(&signal.name()),
            Actor::Watch => f.write_str("watch"),
            Actor::Supervisor => f.write_str("e2e-tui"),
        }
    }
}

/// One thing asked of the supervisor. Every front speaks only this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Command {
    /// Start it, if it is down; a back-off in progress ends at once.
    Start {
        /// Which process.
        process: ProcessId,
    },
    /// Stop its whole tree; it stays down until started again. `now` skips the grace.
    Stop {
        /// Which process.
        process: ProcessId,
        /// KILL at once instead of the stop signal and its grace.
        now: bool,
    },
    /// Stop its tree, then start it anew. Not counted as a restart by policy. `now` skips the grace.
    Restart {
        /// Which process.
        process: ProcessId,
        /// KILL at once instead of the stop signal and its grace.
        now: bool,
    },
    /// Send a signal to its tree, as if from outside: the restart policy reacts to what follows.
    Signal {
        /// Which process.
        process: ProcessId,
        /// Which signal.
        signal: Signal,
    },
    /// Leave it alone, for a debugger: no probe asks it, no deadline ends it, no policy restarts it. Or no longer.
    Hold {
        /// Which process.
        process: ProcessId,
        /// Whether to.
        held: bool,
    },
    /// Disturb what goes to a process through its tap; the kind [`None`](super::FaultKind::None) lets it be again.
    Disturb {
        /// At whose tap, and how.
        fault: FaultSpec,
    },
    /// New attempts of all tests; services stay.
    RerunTests,
    /// Write a line to its stdin.
    SendLine {
        /// Which process.
        process: ProcessId,
        /// The line, without its newline.
        text: String,
    },
    /// Write bytes to its terminal as they are, as if typed there.
    Type {
        /// Which process: one with a terminal of its own.
        process: ProcessId,
        /// What its keyboard sends.
        bytes: Vec<u8>,
    },
    /// Put a mark on the timeline.
    Mark {
        /// What it says.
        text: String,
    },
    /// Carry out a step of the script now, whatever it waits for; the steps behind it follow as they would.
    RunStep {
        /// Which, from 1; none: the next.
        step: Option<u32>,
    },
    /// Keep the script from going on by itself. Or no longer.
    HoldSteps {
        /// Whether to.
        held: bool,
    },
    /// Take the run down, in reverse dependency order. `now` kills everything at once.
    Shutdown {
        /// KILL at once instead of stop signals and graces.
        now: bool,
    },
}

/// A command with its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// Who asks.
    pub by: Actor,
}
