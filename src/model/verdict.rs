//! How a run ended, in the contract's words and exit codes.

use serde::{Deserialize, Serialize};

/// The word of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// All that had to hold, held.
    Passed,
    /// Ended by the user or a signal, nothing failed.
    Stopped,
    /// A test, an expectation, a service or a task failed.
    Failed,
    /// Passed, but something was left.
    Leaked,
    /// Longer than the run's timeout.
    TimedOut,
    /// Nothing was started.
    Error,
}

impl Verdict {
    /// The word in reports: `passed`, `timed-out`, …
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Leaked => "leaked",
            Self::TimedOut => "timed-out",
            Self::Error => "error",
        }
    }

    /// The word on screen: `PASSED`, `TIMED OUT`, …
    pub fn badge(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Leaked => "LEAKED",
            Self::TimedOut => "TIMED OUT",
            Self::Error => "ERROR",
        }
    }
}

/// The process exit codes of contract.md section 1.
pub mod exit_code {
    /// Passed, or ended by the user with nothing failed.
    pub const PASSED: u8 = 0;
    /// A test failed or was stopped, or an expectation was violated.
    pub const TEST_FAILED: u8 = 1;
    /// Usage or scenario error: nothing was started.
    pub const USAGE: u8 = 2;
    /// A service or task could not be started, never became ready, failed or gave up.
    pub const SERVICE_FAILED: u8 = 3;
    /// The run timed out.
    pub const TIMED_OUT: u8 = 4;
    /// Otherwise passed, but something leaked.
    pub const LEAKED: u8 = 5;
    /// Our own panic.
    pub const PANIC: u8 = 101;
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Outcome {
    /// The word.
    pub verdict: Verdict,
    /// The process exit code that goes with it.
    pub exit_code: u8,
    /// One sentence: `client exited with 1`.
    pub reason: String,
}

impl Outcome {
    /// Puts the three together.
    pub fn new(verdict: Verdict, exit_code: u8, reason: impl Into<String>) -> Self {
        Self { verdict, exit_code, reason: reason.into() }
    }
}
