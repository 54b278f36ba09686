//! Where to go in a log, and what came of it.

use std::ops::Range;

use crate::{
    explain::Fact,
    logs::{RowSet, Stream},
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

impl Way {
    /// The row of `found` next to row `at` this way, if none that is nearer can still be found: `asked` are the rows that a
    /// scan is through with. It goes through a chunk from its beginning, so a row found outside of them proves nothing about
    /// its neighbours. Lines that have only just arrived are not waited for on the way up, or a flood would never let go.
    pub(super) fn certain(self, found: &RowSet, asked: &Range<u64>, at: u64) -> Option<u64> {
        match self {
            Self::Next if asked.start > at.saturating_add(1) => None,
            Self::Next => found.after(at).filter(|row| *row < asked.end),
            Self::Previous => found.before(at.min(asked.end)).filter(|row| *row >= asked.start),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[u64]) -> RowSet {
        let mut set = RowSet::default();
        for row in rows {
            set.insert(*row);
        }
        set
    }

    #[test]
    fn a_match_counts_once_everything_between_was_asked() {
        // Rows 50..60 were asked; the chunk of rows 30..50 is being asked, up to row 35.
        let (found, asked) = (set(&[31, 34, 52, 57]), 50..60);
        assert_eq!(Way::Previous.certain(&found, &asked, 60), Some(57));
        assert_eq!(Way::Previous.certain(&found, &asked, 57), Some(52));
        assert_eq!(Way::Previous.certain(&found, &asked, 52), None, "41 may still be found");
        assert_eq!(Way::Next.certain(&found, &asked, 52), Some(57));
        assert_eq!(Way::Next.certain(&found, &asked, 49), Some(52));
        assert_eq!(Way::Next.certain(&found, &asked, 31), None, "33 may still be found");
    }

    #[test]
    fn lines_that_arrive_are_not_waited_for_upwards_and_not_jumped_over_downwards() {
        // Rows 60..80 have arrived; the chunk they are in is asked up to row 70.
        let (found, asked) = (set(&[52, 57, 63]), 0..60);
        assert_eq!(Way::Previous.certain(&found, &asked, 80), Some(57));
        assert_eq!(Way::Next.certain(&found, &asked, 57), None);
    }

    #[test]
    fn nothing_is_certain_before_the_first_step() {
        assert_eq!(Way::Previous.certain(&set(&[]), &(0..0), 9), None);
        assert_eq!(Way::Next.certain(&set(&[]), &(0..0), 9), None);
    }
}
