//! What events are made of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Actor, At, ProcessId, micros};

/// Why a generation was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum StartCause {
    /// The run began, or what it waited for came about.
    Run,
    /// Somebody asked.
    Asked {
        /// Who.
        by: Actor,
    },
    /// The restart policy.
    Policy {
        /// Which restart, from 1.
        attempt: u32,
        /// How many it allows; none: no bound.
        of: Option<u32>,
        /// The back-off before it, in milliseconds.
        after_ms: u64,
    },
    /// A rerun of the tests.
    Rerun,
}

/// What follows an exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(tag = "then", rename_all = "kebab-case")]
pub enum Then {
    /// Nothing: it has completed.
    Completed,
    /// Nothing: it has failed. `fails_run`: the run cannot pass any more.
    Failed {
        /// Whether the run cannot pass any more because of it.
        fails_run: bool,
    },
    /// Nothing: it was stopped.
    Stopped,
    /// A restart after a delay.
    Restart {
        /// The delay, in milliseconds.
        delay_ms: u64,
    },
    /// A restart somebody asked for, once the tree is empty.
    RestartAsked,
    /// Nothing: its policy is exhausted.
    GaveUp,
}

/// The outcome of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct ProbeRecord {
    /// When it ended.
    #[serde(rename = "at_us")]
    pub at: At,
    /// How long it took, in microseconds.
    #[serde(rename = "took_us", with = "micros")]
    #[cfg_attr(feature = "cli", schemars(with = "u64"))]
    pub took: Duration,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: ProbeOutcome,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ProbeOutcome {
    /// Well.
    Ok,
    /// Well, but slow or with a `degraded` status.
    Degraded {
        /// Why.
        why: String,
    },
    /// Not well.
    Failed {
        /// A word for the health column: `refused`, `timeout`, `503`.
        short: String,
        /// The whole story.
        why: String,
    },
}

/// Something that should be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Leak {
    /// The process, if it is one.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Its command line, masked and capped; or what holds the port.
    pub command: String,
    /// The port, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A [`Leak`] that has gone since it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedLeak {
    /// What it was.
    pub leak: Leak,
    /// Whether it was killed for it; else it has ended by itself.
    pub killed: bool,
}

impl EndedLeak {
    /// How it went.
    pub fn word(&self) -> &'static str {
        if self.killed { "killed" } else { "gone" }
    }
}

/// What a tree uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Sample {
    /// Whose tree.
    pub process: ProcessId,
    /// CPU use since the last sample, in percent of one core.
    pub cpu_percent: f32,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// How many processes it has.
    pub processes: u32,
}

/// How serious a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something works less well than it should.
    Warning,
    /// Something is broken.
    Error,
}
