//! All of a log, for who prints it: where many lines follow each other that are shown as they are, they are handed out as
//! one text. A line for itself costs ten times as much.

use std::{io, ops::Range};

use super::{
    line::{LogLine, MAX_LINE},
    record::{CONTINUES, ROUGH},
    store::LogStore,
    text::plain_lines,
    view::LogView,
    window::{ChunkReader, Part, Piece},
};
use crate::model::ProcessId;

/// Rows looked for at once.
const ROWS: usize = 1 << 16;

/// Rows that follow each other.
#[derive(Debug)]
pub enum Stretch<'a> {
    /// Lines of one process as text, each with its newline; none is longer than a view shows.
    Lines {
        /// Whose.
        process: &'a ProcessId,
        /// What they say: no control characters but tabs.
        text: &'a [u8],
    },
    /// One row, whatever it is.
    Row(LogLine),
}

impl LogView {
    /// Hands rows from `from` on to `each`, in order, and returns the first that was not; that is [`len`](Self::len) at the
    /// end. With `colours`, lines that have any come as rows.
    pub fn stretches(
        &self,
        store: &LogStore,
        from: u64,
        colours: bool,
        each: &mut dyn FnMut(Stretch<'_>) -> io::Result<()>,
    ) -> io::Result<u64> {
        let (mut next, mut bytes, mut chunk) = (from, Vec::new(), ChunkReader::default());
        for piece in self.plan(store, from, ROWS)? {
            let mut rows = Vec::new();
            match piece {
                Piece::Lines(mut part) => {
                    next = part.row + part.take;
                    if let Some((count, place)) = lines_of(store, &part, colours, &mut bytes)? {
                        each(Stretch::Lines { process: store.owner(part.stream).0, text: &bytes[place] })?;
                        (part.row, part.skip, part.take) = (part.row + count, part.skip + count, part.take - count);
                    }
                    if part.take > 0 {
                        chunk.read_piece(store, Piece::Lines(part), &mut rows)?;
                    }
                }
                note @ Piece::Note(row, _) => {
                    next = row + 1;
                    chunk.read_piece(store, note, &mut rows)?;
                }
            }
            rows.into_iter().try_for_each(|row| each(Stretch::Row(row)))?;
        }
        Ok(next)
    }
}

/// How many lines of a part end in their chunk, and where in `bytes` they stand as text; none if there are none, if they
/// are lost, or if one of them has to be looked at for itself.
fn lines_of(store: &LogStore, part: &Part, colours: bool, bytes: &mut Vec<u8>) -> io::Result<Option<(u64, Range<usize>)>> {
    let rough = part.record.is(ROUGH);
    if (rough && colours) || !store.chunk(part.stream, part.index, &part.record, bytes)? {
        return Ok(None);
    }
    // The newline before the first line of the part, and that behind its last.
    let before = usize::try_from(part.skip).unwrap_or(usize::MAX) + usize::from(part.record.is(CONTINUES));
    let nth = |from: usize, n: usize| memchr::memchr_iter(b'\n', &bytes[from..]).nth(n).map(|at| from + at + 1);
    let start = if before == 0 { 0 } else { nth(0, before - 1).unwrap_or(bytes.len()) };
    let count = memchr::memchr_iter(b'\n', &bytes[start..]).count() as u64;
    // Mostly the part ends with its chunk; where it does not, the end is counted.
    let end = match usize::try_from(part.take) {
        Ok(take) if (take as u64) < count => take.checked_sub(1).and_then(|last| nth(start, last)),
        _ => memchr::memrchr(b'\n', &bytes[start..]).map(|at| start + at + 1),
    };
    let Some(end) = end else { return Ok(None) };
    if has_long_line(&bytes[start..end]) {
        return Ok(None);
    }
    let count = count.min(part.take);
    if !rough {
        return Ok(Some((count, start..end)));
    }
    *bytes = plain_lines(&bytes[start..end - 1]);
    bytes.push(b'\n');
    Ok(Some((count, 0..bytes.len())))
}

/// Whether a line of `text` is longer than a view shows.
fn has_long_line(text: &[u8]) -> bool {
    let mut at = 0;
    while text.len() - at > MAX_LINE + 1 {
        match memchr::memrchr(b'\n', &text[at..=at + MAX_LINE]) {
            Some(newline) => at += newline + 1,
            None => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        logs::{Selection, Stream, plain},
        model::{At, RunClock},
    };

    proptest! {
        /// For any output in any chunks: the stretches say what the rows say, one after the other.
        #[test]
        fn stretches_say_what_rows_say(
            said in proptest::collection::vec((0usize..2, "([ab\n]|\t|\u{1b}\\[31m|\r|\u{fc}){0,12}"), 0..20),
            from in 0u64..10,
        ) {
            let all: Vec<_> = ["a", "b"].iter().map(|name| ProcessId::new(name).expect("a name")).collect();
            let store = LogStore::in_memory(&all, RunClock::start());
            for (n, (process, text)) in (0..).zip(&said) {
                store.append(&all[*process], Stream::Out, 1, At(n), text.as_bytes());
            }
            let mut view = LogView::new(Selection::All);
            view.refresh(&store);
            let rows = view.window(&store, from, usize::MAX).expect("readable");
            let expected: Vec<_> = rows.into_iter().map(|line| (line.process.expect("somebody's"), plain(&line.bytes))).collect();
            for colours in [false, true] {
                let mut found = Vec::new();
                let next = view.stretches(&store, from, colours, &mut |stretch| {
                    match stretch {
                        Stretch::Row(line) => found.push((line.process.expect("somebody's"), plain(&line.bytes))),
                        Stretch::Lines { process, text } => {
                            let text = str::from_utf8(text).expect("it is text");
                            found.extend(text.split_terminator('\n').map(|line| (process.clone(), line.to_owned())));
                        }
                    }
                    Ok(())
                }).expect("readable");
                prop_assert_eq!(&found, &expected);
                prop_assert_eq!(next, view.len().max(from));
            }
        }
    }

    #[test]
    fn a_long_line_is_a_row() {
        let text = |len: usize| [vec![b'x'; len], vec![b'\n']].concat();
        assert!(!has_long_line(&[text(MAX_LINE), text(MAX_LINE), text(3)].concat()));
        assert!(has_long_line(&[text(3), text(MAX_LINE + 1), text(3)].concat()));
        assert!(has_long_line(&[text(3), text(MAX_LINE + 1)].concat()));
        assert!(!has_long_line(b""));
    }
}
