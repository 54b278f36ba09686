//! Reading lines in the order they were said, once, while more are being said.

use std::ops::ControlFlow;

use crate::{
    logs::{LogLine, LogStore, LogView, Selection, plain},
    model::RunClock,
};

use super::LogEntry;

/// Lines read at once.
const BATCH: usize = 1024;

/// A reader that remembers how far it is. Lines that were not whole when they were read are read again.
pub(super) struct Scan {
    view: LogView,
    next: u64,
    growing: Vec<u64>,
}

impl Scan {
    /// From the line at or after sequence number `seq` on.
    pub(super) fn new(selection: Selection, store: &LogStore, seq: u64) -> Self {
        let mut view = LogView::new(selection).without_lifecycle();
        view.refresh(store);
        let next = if seq == 0 { 0 } else { view.row_at_seq(store, seq).unwrap_or(0) };
        Self { view, next, growing: Vec::new() }
    }

    /// Visits each line that is new since the last call, with its text, until told to stop.
    pub(super) fn visit<B>(&mut self, store: &LogStore, mut visit: impl FnMut(&LogLine, &str) -> ControlFlow<B>) -> Option<B> {
        self.view.refresh(store);
        let mut rows = std::mem::take(&mut self.growing);
        loop {
            let again = !rows.is_empty();
            // A recording whose files cannot be read any more has nothing to say.
            let lines = if again { self.view.rows(store, &rows) } else { self.view.window(store, self.next, BATCH) }.unwrap_or_default();
            rows.clear();
            if !again {
                self.next = lines.last()?.row + 1;
            }
            for (i, line) in lines.iter().enumerate() {
                if line.partial {
                    self.growing.push(line.row);
                }
                if let ControlFlow::Break(found) = visit(line, &plain(&line.bytes)) {
                    // What comes after it in this batch has not been seen yet.
                    if again {
                        self.growing.extend(lines[i + 1..].iter().map(|line| line.row));
                    } else {
                        self.next = line.row + 1;
                    }
                    return Some(found);
                }
            }
        }
    }

    /// The last `count` lines of those that are new.
    pub(super) fn last(&mut self, store: &LogStore, count: usize) -> Vec<LogLine> {
        self.view.refresh(store);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.next = self.next.max(self.view.len().saturating_sub(count));
        let mut lines = Vec::new();
        loop {
            let batch = self.view.window(store, self.next, BATCH).unwrap_or_default();
            let Some(last) = batch.last() else { return lines };
            self.next = last.row + 1;
            lines.extend(batch);
        }
    }

    /// All entries that are new.
    pub(super) fn entries(&mut self, store: &LogStore, clock: &RunClock) -> Vec<LogEntry> {
        let mut all = Vec::new();
        let _: Option<()> = self.visit(store, |line, _| {
            all.extend(LogEntry::of(line, clock));
            ControlFlow::Continue(())
        });
        all
    }
}
