//! An instant that is looked at.

use std::sync::Arc;

use crate::{
    logs::{LogStore, LogView, Selection},
    model::{At, ProcessId, Snapshot},
};

/// The run as it stood behind an event.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    /// The event.
    pub(crate) seq: u64,
    /// The run, with what that event led to in the same moment.
    pub(crate) snapshot: Arc<Snapshot>,
}

impl Past {
    /// The last event or piece of output that belongs to it.
    pub(crate) fn until(&self) -> u64 {
        self.snapshot.seq.max(self.seq)
    }

    /// How many lines `process` had begun by then.
    pub(crate) fn lines(&self, logs: &LogStore, process: &ProcessId) -> u64 {
        let mut view = LogView::new(Selection::Some(vec![process.clone()])).without_lifecycle();
        view.refresh(logs);
        view.row_at_seq(logs, self.until().saturating_add(1)).unwrap_or_default()
    }
}

/// Where on the way from the run's start to now that is, for who draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    pub(crate) at: At,
    /// Which of the events with words it is, from 1, and how many there are by now.
    pub(crate) place: (usize, usize),
    /// How long the run has gone on by now.
    pub(crate) now: At,
    /// Lines that the selected process had begun by then, where that is shown.
    pub(crate) lines: u64,
}
