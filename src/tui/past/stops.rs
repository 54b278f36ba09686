//! Where time travel stops: at every event that has words, or only at what went wrong and what was tried again.

use crate::model::{EventKind, Standing, StartCause, Then, Verdict};

/// Which events are stopped at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stops {
    /// All that have words.
    Events,
    /// Failures and restarts.
    Failures,
}

/// Whether an event is a failure or a restart.
pub(crate) fn is_turn(kind: &EventKind) -> bool {
    match kind {
        EventKind::Failed { .. }
        | EventKind::GaveUp { .. }
        | EventKind::Leaked { .. }
        | EventKind::RunTimedOut { .. }
        | EventKind::GuardianLost { .. }
        | EventKind::Rerun { .. } => true,
        EventKind::Exited { asked, then, .. } => !asked && !matches!(then, Then::Completed | Then::Stopped),
        EventKind::Spawned { cause, .. } => *cause != StartCause::Run,
        EventKind::Expected { standing, .. } => *standing == Standing::Violated,
        EventKind::VerdictReached { outcome } => !matches!(outcome.verdict, Verdict::Passed | Verdict::Stopped),
        _ => false,
    }
}
