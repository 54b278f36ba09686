//! Which patterns cost more than they should.
//!
//! The log engine searches each chunk for fixed texts first and runs a pattern only where one was found. A pattern without
//! any fixed text is run over everything that all processes print.

use regex_syntax::hir::{Hir, HirKind};

/// A fixed text shorter than this stands in nearly every line.
const SHORTEST: usize = 2;

/// Whether nothing in the pattern stands in every match of it.
pub(super) fn is_costly(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|hir| !has_literal(&hir))
}

// The parser limits how deep patterns nest.
fn has_literal(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.len() >= SHORTEST,
        HirKind::Concat(parts) => parts.iter().any(has_literal),
        HirKind::Alternation(all) => all.iter().all(has_literal),
        HirKind::Capture(capture) => has_literal(&capture.sub),
        HirKind::Repetition(repetition) => repetition.min > 0 && has_literal(&repetition.sub),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_needs_a_text_that_stands_in_every_match() {
        for pattern in ["panicked", " 5\\d\\d ", "(a+)?fatal|dead", "took (\\d+) ms", "(?:error)+"] {
            assert!(!is_costly(pattern), "{pattern}");
        }
        for pattern in ["\\d\\d", "(?i)error", ".*", "(error)?", "error|\\d", "^$", "x"] {
            assert!(is_costly(pattern), "{pattern}");
        }
    }
}
