//! Where to go in a log, and what came of it.

use crate::{
    explain::Fact,
    logs::Stream,
    model::{At, Event, EventKind, ProcessId},
};

/// Where to go in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seek {
    /// So many lines down, or up.
    Lines(i64),
    /// So many half pages down, or up.
    HalfPages(i64),
    First,
    /// The end, and stay there.
    Follow,
    /// The first row at or after an event.
    Seq(u64),
    /// A line of a process, by its stream and its number there.
    Line {
        process: ProcessId,
        stream: Stream,
        number: u64,
        seq: u64,
    },
    /// The first row at or after a time.
    Time(At),
    /// The row itself.
    Row(u64),
    Match(Way),
    /// The match nearest to the cursor, upwards first.
    Nearest,
    Alert(Way),
    Token(Way),
}

impl Seek {
    /// Where a fact is to be looked at: its own line, else its place among the events.
    pub(crate) fn fact(fact: &Fact) -> Self {
        match (&fact.process, &fact.line) {
            (Some(process), Some(line)) => {
                let stream = if line.stream == Stream::Err.word() { Stream::Err } else { Stream::Out };
                Self::Line { process: process.clone(), stream, number: line.number, seq: fact.seq }
            }
            _ => Self::Seq(fact.seq),
        }
    }

    /// The first line of a burst of alerts.
    pub(crate) fn alert(event: &Event) -> Option<Self> {
        let EventKind::Alerted { process, line, stream, .. } = &event.kind else { return None };
        let stream = if *stream == Stream::Err.word() { Stream::Err } else { Stream::Out };
        Some(Self::Line { process: process.clone(), stream, number: *line, seq: event.seq })
    }

    /// The line that decided an expectation; none if no line did.
    pub(crate) fn expected(event: &Event) -> Option<Self> {
        let EventKind::Expected { process, line: Some(line), stream, .. } = &event.kind else { return None };
        let stream = if stream.as_deref() == Some(Stream::Err.word()) { Stream::Err } else { Stream::Out };
        Some(Self::Line { process: process.clone(), stream, number: *line, seq: event.seq })
    }

    /// The event it leads to, if it does.
    pub(crate) fn event(&self) -> Option<u64> {
        match self {
            Self::Seq(seq) | Self::Line { seq, .. } => Some(*seq),
            _ => None,
        }
    }
}

/// Down (later) or up (earlier).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Next,
    Previous,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    Done,
    /// Beyond the last; it went on from the other end.
    Wrapped,
    Nothing,
    /// Not all lines have been asked yet.
    NotYet,
}
