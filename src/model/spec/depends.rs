//! What a process waits for.

use serde::{Deserialize, Serialize};

use super::super::ProcessId;

/// One dependency of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// On whom.
    pub on: ProcessId,
    /// What must hold of it.
    pub condition: Condition,
}

/// What must hold of a dependency before its dependant starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It was started.
    Started,
    /// It is ready.
    Ready,
    /// Its health check says so.
    Healthy,
    /// It has ended, with any code.
    Completed,
    /// It has ended with code 0.
    Succeeded,
}

impl Condition {
    /// The word in the file: `ready`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Healthy => "healthy",
            Self::Completed => "completed",
            Self::Succeeded => "succeeded",
        }
    }
}
