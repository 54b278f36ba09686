//! What does not change about a run and its processes while it goes on, as events and recordings tell it.

use serde::{Deserialize, Serialize};

use super::{Containment, ExpectationInfo, ListenPort, ProcessId, Reads, Role, StepInfo};

/// What a run is, as its first event tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct RunInfo {
    /// The recording's id.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// What a user calls the file.
    pub origin: String,
    /// Wall-clock time of the run's start, RFC 3339 with microseconds.
    pub started: String,
    /// How trees are held together: `subreaper`.
    pub containment: Containment,
    /// The run's own timeout, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// All processes, in file order.
    pub processes: Vec<ProcessInfo>,
    /// What is expected of their logs, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<ExpectationInfo>,
    /// The script, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepInfo>,
}

/// What does not change about a process during a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct ProcessInfo {
    /// Its name.
    pub name: ProcessId,
    /// What it is for.
    pub role: Role,
    /// Its built-in kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether a stand-in runs in place of the real program.
    #[serde(default)]
    pub stand_in: bool,
    /// The ports it owns.
    #[serde(default)]
    pub listens: Vec<ListenPort>,
    /// Whether it has a health check.
    #[serde(default)]
    pub has_health: bool,
    /// On whom it depends: `upstream ready`.
    #[serde(default)]
    pub waits_for: Vec<String>,
    /// Restarts its policy allows; none where it allows none or has no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_restarts: Option<u32>,
    /// Where what is sent to it arrives.
    #[serde(default, skip_serializing_if = "Reads::is_nothing")]
    pub reads: Reads,
    /// Whether what goes over its pipes is recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taps_pipes: bool,
    /// What it must show to be ready, masked: `127.0.0.1:20001 accepts a connection`. Empty where being alive is enough.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub awaits: String,
    /// The command line as the file gives it, masked.
    #[serde(default)]
    pub argv: Vec<String>,
    /// Its working directory.
    #[serde(default)]
    pub cwd: String,
    /// How it is watched, restarted and stopped, and its own environment, masked: a label and a text each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
}

impl ProcessInfo {
    /// Whether a tap stands in front of a port of its, or on its pipes.
    pub fn is_tapped(&self) -> bool {
        self.taps_pipes || self.listens.iter().any(|listen| listen.front.is_some())
    }
}
