//! The log of a recording, or what somebody wants of it, as `run` printed it.

use std::io::{self, Write};

use super::printer::{Colour, Pen};
use crate::{
    logs::{LogLine, LogStore, LogView, Pattern, Selection, Source, plain, words},
    model::At,
};

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
    let mut pen = Pen::new(logs, colour, out);
    view.each_between(logs, wanted.from, wanted.until, |line| {
        if line.at < wanted.from {
            return Ok(());
        }
        let line = if line.cut { &view.whole(logs, line)? } else { line };
        if wanted.holds(line) { pen.print(line) } else { Ok(()) }
    })?;
    pen.end()
}
