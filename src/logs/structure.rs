//! What a line says about itself: its level, its time, where both stand in it, and what is left to show.

use std::ops::Range;

use regex::Regex;

use super::level::Level;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Structure {
    pub(super) level: Option<Level>,
    pub(super) time: Option<Time>,
    /// Parts of the text that columns show already, in order.
    pub(super) elided: Vec<Range<usize>>,
    /// The text to show instead, where fields were taken apart.
    pub(super) message: Option<String>,
}

/// The line's own time.
#[derive(Debug, PartialEq)]
pub(super) enum Time {
    /// Where it stands in the text.
    At(Range<usize>),
    /// Its value in a field.
    Value(String),
}

/// A pattern of our own.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns in the source are valid")
}
