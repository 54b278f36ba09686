//! The log of a recording, or what somebody wants of it, as `run` printed it.

use std::io::{self, Write};

use super::printer::{Colour, Printing};
use crate::{
    logs::{LogLine, LogStore, LogView, Pattern, Selection, Source, plain, words},
    model::At,
};

/// Rows read at once.
const BATCH: usize = 4096;

/// What is wanted of a log.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose lines.
    pub processes: Selection,
    /// Lines that match all of these, as a filter sees them: without colours, lifecycle lines with their process's name.
    pub patterns: Vec<Pattern>,
    /// Lines said in this time, both ends included.
    pub from: At,
    /// Its end.
    pub until: At,
}

impl Default for Wanted {
    /// All of it.
    fn default() -> Self {
        Self { processes: Selection::All, patterns: Vec::new(), from: At::START, until: At(u64::MAX) }
    }
}

impl Wanted {
    fn holds(&self, line: &LogLine) -> bool {
        let text = match &line.source {
            Source::Lifecycle(told) => words(told),
            Source::Out | Source::Err => plain(&line.bytes),
        };
        self.patterns.iter().all(|pattern| pattern.matches(&text))
    }
}

/// Prints what is `wanted` of `logs`.
pub fn print_recorded(logs: &LogStore, wanted: &Wanted, colour: Colour, out: impl Write) -> io::Result<()> {
    let mut view = LogView::new(wanted.processes.clone());
    view.refresh(logs);
    let mut next = view.row_at_time(logs, wanted.from)?;
    let mut printing = Printing::new(logs, colour, out);
    while next < view.len() {
        let lines = view.window(logs, next, BATCH)?;
        if lines.is_empty() {
            break;
        }
        next += lines.len() as u64;
        for line in lines {
            if line.at > wanted.until {
                return printing.end();
            }
            if line.at >= wanted.from && wanted.holds(&line) {
                printing.print(&line)?;
            }
        }
    }
    printing.end()
}
