//! What find and filter look for: a regular expression, or the text itself where it is none. Lower-case patterns
//! match any case.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

/// A pattern with the text it was typed as.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    typed: String,
    regex: Regex,
    literal: bool,
}

/// Bounds of a compiled pattern: enough for any that is typed, too small to eat the machine.
const SIZE_LIMIT: usize = 1 << 20;

impl Pattern {
    /// None for an empty text.
    pub(crate) fn new(typed: &str) -> Option<Self> {
        if typed.is_empty() {
            return None;
        }
        let any_case = !typed.chars().any(char::is_uppercase);
        let build =
            |text: &str| RegexBuilder::new(text).case_insensitive(any_case).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build();
        let (regex, literal) = match build(typed) {
            Ok(regex) => (regex, false),
            Err(_) => (build(&regex::escape(typed)).ok()?, true),
        };
        Some(Self { typed: typed.to_owned(), regex, literal })
    }

    /// As it was typed.
    pub(crate) fn typed(&self) -> &str {
        &self.typed
    }

    /// Whether it was no regular expression and is looked for as it stands.
    pub(crate) fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether `text` holds it.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Where `text` holds it; matches of nothing are left out.
    pub(crate) fn places<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.typed == other.typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_finds_any_case_and_broken_expressions_are_text() {
        let matches = |typed: &str, text: &str| Pattern::new(typed).expect("not empty").matches(text);
        assert!(matches("error", "an ERROR"));
        assert!(!matches("Error", "an ERROR"));
        assert!(matches("40[34]", "HTTP 404"));
        assert!(matches("call(", "tools/call(echo)"));
        assert!(Pattern::new("call(").expect("not empty").is_literal());
        assert!(Pattern::new("").is_none());
    }

    #[test]
    fn costly_expressions_are_taken_as_text() {
        let typed = "(a{1000}){1000}";
        assert!(Pattern::new(typed).expect("not empty").is_literal());
    }
}
