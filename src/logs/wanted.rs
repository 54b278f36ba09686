//! Lines that a scenario expects, or expects not to see, counted as they arrive.

use std::ops::Range;

use regex::{Regex, bytes};

use super::{
    pattern::{ACCEPTED, LinePattern},
    scan::Lines,
    text::shorten,
};
use crate::model::measure;

/// Numbers of a metric told at once; a flood of them is told in parts.
const MOST: usize = 4096;

/// What to count in a stream.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How what is found is called.
    pub expectation: u32,
    pattern: Regex,
    /// The same, for many lines at once; none: it has to be asked line by line.
    line_wise: Option<bytes::Regex>,
    /// The unit of captured numbers, if they are wanted.
    unit: Option<String>,
}

impl Wanted {
    /// Lines that match `pattern`.
    pub fn lines(expectation: u32, pattern: &Regex) -> Self {
        let line_wise = LinePattern::new(pattern.as_str(), false, ACCEPTED).ok().map(|pattern| pattern.regex);
        Self { expectation, pattern: pattern.clone(), line_wise, unit: None }
    }

    /// The numbers that the one group of `pattern` captures; those that bring no unit of their own are in `unit`.
    pub fn numbers(expectation: u32, pattern: &Regex, unit: &str) -> Self {
        Self { unit: Some(unit.to_owned()), ..Self::lines(expectation, pattern) }
    }
}

/// What was counted since it was last told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counted {
    /// Lines that match.
    pub lines: u64,
    /// The first of them: its number in its stream, from 1, and its text, capped.
    pub first: Option<(u64, String)>,
    /// The numbers that they name, in the smallest unit of their kind, in order.
    pub numbers: Vec<f64>,
}

impl Counted {
    /// Whether there is so much that it should be told soon.
    pub(super) fn is_full(&self) -> bool {
        self.numbers.len() >= MOST
    }

    /// Counts what `wanted` finds in `lines`.
    pub(super) fn count(&mut self, wanted: &Wanted, lines: &Lines<'_>) {
        let text: &[u8] = &lines.text;
        if let Some(line_wise) = &wanted.line_wise {
            let mut from = 0;
            while let Some(hit) = line_wise.find_at(text, from) {
                let line = line_around(text, hit.start());
                from = line.end + 1;
                self.take(wanted, lines, line);
                if from > text.len() {
                    break;
                }
            }
        } else {
            let mut start = 0;
            for line in text.split(|b| *b == b'\n') {
                let range = start..start + line.len();
                start = range.end + 1;
                if wanted.pattern.is_match(&String::from_utf8_lossy(line)) {
                    self.take(wanted, lines, range);
                }
            }
        }
    }

    fn take(&mut self, wanted: &Wanted, lines: &Lines<'_>, line: Range<usize>) {
        let said = String::from_utf8_lossy(&lines.text[line.clone()]);
        if let Some(unit) = &wanted.unit {
            let groups = wanted.pattern.captures(&said);
            let number = groups.and_then(|groups| measure(groups.get(1)?.as_str(), unit));
            // A line that names no number says nothing about the metric.
            let Some(number) = number else { return };
            self.numbers.push(number);
        }
        self.lines += 1;
        if self.first.is_none() {
            let before = memchr::memchr_iter(b'\n', &lines.text[..line.start]).count() as u64;
            self.first = Some((lines.first + before + 1, shorten(&said)));
        }
    }
}

/// The line that holds the byte at `at`.
fn line_around(text: &[u8], at: usize) -> Range<usize> {
    let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(wanted: &Wanted, text: &str) -> Counted {
        let mut counted = Counted::default();
        counted.count(wanted, &Lines { first: 10, text: text.as_bytes().into() });
        counted
    }

    #[test]
    fn each_line_counts_once_and_the_first_is_kept() {
        let wanted = Wanted::lines(0, &Regex::new(r" 5\d\d ").expect("a pattern"));
        let found = counted(&wanted, "GET 200 \nGET 502 503 \n\nGET 500 \n");
        assert_eq!((found.lines, found.first), (2, Some((12, "GET 502 503 ".into()))));
        assert_eq!(counted(&wanted, ""), Counted::default());
    }

    #[test]
    fn empty_matches_and_ends_of_lines_count_by_line() {
        let count = |pattern: &str, text: &str| counted(&Wanted::lines(0, &Regex::new(pattern).expect("a pattern")), text).lines;
        assert_eq!(count("^$", "a\n\nb\n"), 2, "the last line is empty too");
        assert_eq!(count("x*", "a\nb"), 2);
        assert_eq!(count("b$", "ab\nb c\nb"), 2);
        assert_eq!(count(r"a\nb", "a\nb"), 0);
    }

    #[test]
    fn numbers_are_taken_in_their_unit() {
        let wanted = Wanted::numbers(0, &Regex::new(r"took (\d+\s?\w*)").expect("a pattern"), "ms");
        let found = counted(&wanted, "took 5\ntook 2s\ntook\ntook 7 us\n");
        assert_eq!(found.lines, 3);
        assert_eq!(found.numbers, [5e6, 2e9, 7e3]);
    }
}
