//! What "What happened" lists. Who finds the facts is not the front's business: it draws them and jumps to them.

use std::time::Duration;

use crate::model::{At, ProcessId};

use super::logview::desk::Seek;

/// One thing that happened on the way to a failure, in time order from the first abnormal event to the failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// When.
    pub at: At,
    /// The event it is told by, if it is one: where the log is parked.
    pub seq: Option<u64>,
    /// To whom; none: the run.
    pub process: Option<ProcessId>,
    /// What: `exited 101  "panicked at src/upstream.rs:42"`. A quoted part is shortened within its quotes.
    pub text: String,
    /// How long after the first of them.
    pub distance: Duration,
}

impl Fact {
    pub(crate) fn place(&self) -> Seek {
        self.seq.map_or(Seek::Time(self.at), Seek::Seq)
    }
}
