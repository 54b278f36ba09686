//! Chunks put together to lines, so that whatever looks at lines sees whole ones, each once.

use std::borrow::Cow;

use super::{
    line::MAX_LINE,
    text::{is_rough, plain, plain_lines},
};

/// Puts chunks together. Holds at most the beginning of one line.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// The unfinished line.
    begun: Vec<u8>,
    /// Its beginning was handed out: the rest of it is skipped.
    handed: bool,
    /// Its number, from 0.
    number: u64,
}

/// Where a chunk stands in its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The number, from 0, of the line that its first byte belongs to.
    pub(super) first_line: u64,
    /// Its first byte continues the line before.
    pub(super) continues: bool,
    /// Newlines in it.
    pub(super) newlines: u64,
    /// It is more than plain text.
    pub(super) rough: bool,
}

/// Whole lines of a stream.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    /// The number of the first of them, from 0.
    pub(super) first: u64,
    /// What they say as text, each but the last followed by a newline.
    pub(super) text: Cow<'a, [u8]>,
}

impl Assembler {
    /// Takes in the next chunk and hands out the lines that are whole with it. A line is handed out at its 64th KiB, if
    /// it is that long; what is behind that is not looked at.
    pub(super) fn feed(&mut self, bytes: &[u8], place: Place, each: &mut dyn FnMut(Lines<'_>)) {
        let mut rest = bytes;
        let mut first = place.first_line;
        if !place.continues {
            self.finish(each);
            self.number = first;
        }
        if self.handed || !self.begun.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            self.grow(&rest[..end.unwrap_or(rest.len())], each);
            let Some(end) = end else { return };
            self.finish(each);
            rest = &rest[end + 1..];
            first += 1;
        }
        self.number = first;
        let Some(last) = memchr::memrchr(b'\n', rest) else {
            self.grow(rest, each);
            return;
        };
        let (whole, begun) = (&rest[..last], &rest[last + 1..]);
        let text = if place.rough { Cow::Owned(plain_lines(whole)) } else { Cow::Borrowed(whole) };
        each(Lines { first, text });
        if !begun.is_empty() {
            self.number = place.first_line + place.newlines;
            self.grow(begun, each);
        }
    }

    /// The unfinished line, if there is one, has ended: hands it out.
    pub(super) fn finish(&mut self, each: &mut dyn FnMut(Lines<'_>)) {
        if !self.handed && !self.begun.is_empty() {
            self.hand_out(each);
        }
        self.handed = false;
    }

    /// The unfinished line so far.
    pub(super) fn begun(&self) -> &[u8] {
        &self.begun
    }

    fn grow(&mut self, more: &[u8], each: &mut dyn FnMut(Lines<'_>)) {
        if self.handed {
            return;
        }
        self.begun.extend_from_slice(&more[..more.len().min(MAX_LINE - self.begun.len())]);
        if self.begun.len() == MAX_LINE {
            self.hand_out(each);
            self.handed = true;
        }
    }

    fn hand_out(&mut self, each: &mut dyn FnMut(Lines<'_>)) {
        let bytes = std::mem::take(&mut self.begun);
        let text = if is_rough(&bytes, false) { plain(&bytes).into_bytes() } else { bytes };
        each(Lines { first: self.number, text: Cow::Owned(text) });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In any chunks, every line comes out once, with its number and as text.
        #[test]
        fn lines_come_out_whole(
            text in proptest::collection::vec("([abé\n]|\x1b\\[31m|\r){0,9}", 0..8),
            cuts in proptest::collection::vec(0usize..60, 0..4),
        ) {
            let all = text.concat().into_bytes();
            let lines = all.strip_suffix(b"\n").unwrap_or(&all);
            let naive: Vec<(u64, String)> = (0..).zip(lines.split(|b| *b == b'\n').map(plain)).collect();
            // Cut at any byte: characters and sequences may be split.
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= all.len()).chain([0, all.len()]).collect();
            cuts.sort_unstable();
            let mut found: Vec<(u64, String)> = Vec::new();
            let mut assembler = Assembler::default();
            let mut take = |lines: Lines<'_>| {
                let text = String::from_utf8(lines.text.into_owned()).expect("text");
                found.extend((lines.first..).zip(text.split('\n').map(str::to_owned)));
            };
            for pair in cuts.windows(2).filter(|pair| pair[0] < pair[1]) {
                let before = &all[..pair[0]];
                let first_line = memchr::memchr_iter(b'\n', before).count() as u64;
                let continues = before.last().is_some_and(|last| *last != b'\n');
                let newlines = memchr::memchr_iter(b'\n', &all[pair[0]..pair[1]]).count() as u64;
                assembler.feed(&all[pair[0]..pair[1]], Place { first_line, continues, newlines, rough: true }, &mut take);
            }
            assembler.finish(&mut take);
            prop_assert_eq!(found, if all.is_empty() { Vec::new() } else { naive });
        }
    }

    #[test]
    fn o1_a_line_without_an_end_costs_no_memory_and_counts_once() {
        let mut assembler = Assembler::default();
        let mut found = Vec::new();
        let place = |continues| Place { first_line: 3, continues, newlines: 0, rough: false };
        for n in 0..50 {
            assembler.feed(&[b'x'; 10_000], place(n > 0), &mut |lines| found.push((lines.first, lines.text.len())));
        }
        assert_eq!(assembler.begun().len(), 0, "nothing is kept of it once it was handed out");
        assembler.feed(b"end\nshort\n", Place { newlines: 2, ..place(true) }, &mut |lines| found.push((lines.first, lines.text.len())));
        assert_eq!(found, [(3, MAX_LINE), (4, 5)]);
    }

    #[test]
    fn a_line_that_the_store_ends_is_ended_here_too() {
        let mut assembler = Assembler::default();
        let mut found = Vec::new();
        let mut take = |lines: Lines<'_>| found.push((lines.first, String::from_utf8_lossy(&lines.text).into_owned()));
        assembler.feed(b"half", Place { first_line: 0, continues: false, newlines: 0, rough: false }, &mut take);
        assembler.feed(b"other\n", Place { first_line: 2, continues: false, newlines: 1, rough: false }, &mut take);
        assert_eq!(found, [(0, "half".into()), (2, "other".into())]);
    }
}
