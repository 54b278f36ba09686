//! Regular expressions that match within lines, run over many lines at once.
//!
//! Matching line by line costs a search's start-up for each; a pattern that can cross a newline (`[^"]*`) cannot simply
//! be run over a whole chunk. So patterns are rewritten first: nothing in them matches a newline, and `^ $ \A \z` mean
//! the ends of a line. A hit in a chunk then is a hit in one line.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::{
    ParserBuilder,
    hir::{Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, literal},
};

/// Memory that a compiled pattern may take: of one that is typed, which must answer at once, and of a scenario's, which
/// has been accepted with the usual limit of the engine.
pub(super) const TYPED: usize = 1 << 20;
pub(super) const ACCEPTED: usize = 32 << 20;

/// Shorter literals slow the search for all of them down.
const MIN_LITERAL: usize = 4;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPattern(pub(super) String);

/// A pattern for lines.
#[derive(Debug, Clone)]
pub(super) struct LinePattern {
    pub(super) regex: Regex,
    /// One of these is in every match; none if there are no such literals, or too many.
    pub(super) literals: Option<Vec<Vec<u8>>>,
}

impl LinePattern {
    pub(super) fn new(pattern: &str, ignore_case: bool, limit: usize) -> Result<Self, InvalidPattern> {
        let parsed = ParserBuilder::new().multi_line(true).case_insensitive(ignore_case).nest_limit(200).build().parse(pattern);
        let hir = within_lines(parsed.map_err(|error| InvalidPattern(said(&error)))?);
        let regex = RegexBuilder::new(&hir.to_string()).size_limit(limit).dfa_size_limit(4 << 20).nest_limit(400).build();
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => InvalidPattern("the pattern is too big once compiled".into()),
            other => InvalidPattern(other.to_string()),
        })?;
        Ok(Self { regex, literals: literals(&hir) })
    }
}

/// The last line of a parser's message: what is wrong, without the picture of where.
fn said(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The same pattern, which matches no newline and takes a line's ends for the text's.
fn within_lines(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(Class::Unicode(mut class)) => {
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(mut class)) => {
            class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
            Hir::class(Class::Bytes(class))
        }
        HirKind::Look(look) => Hir::look(match look {
            Look::Start | Look::StartCRLF => Look::StartLF,
            Look::End | Look::EndCRLF => Look::EndLF,
            other => other,
        }),
        HirKind::Repetition(mut repetition) => {
            repetition.sub = Box::new(within_lines(*repetition.sub));
            Hir::repetition(repetition)
        }
        HirKind::Capture(Capture { index, name, sub }) => Hir::capture(Capture { index, name, sub: Box::new(within_lines(*sub)) }),
        HirKind::Concat(all) => Hir::concat(all.into_iter().map(within_lines).collect()),
        HirKind::Alternation(all) => Hir::alternation(all.into_iter().map(within_lines).collect()),
    }
}

/// Literals of which one begins or ends every match.
fn literals(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    [literal::ExtractKind::Prefix, literal::ExtractKind::Suffix].into_iter().find_map(|kind| {
        let found = literal::Extractor::new().kind(kind).limit_class(4).limit_total(16).limit_literal_len(16).extract(hir);
        let useful = found.literals()?.iter().all(|literal| literal.len() >= MIN_LITERAL) && !found.is_empty();
        useful.then(|| found.literals().unwrap_or_default().iter().map(|literal| literal.as_bytes().to_vec()).collect())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_match_leaves_its_line() {
        for (pattern, text, hits) in [
            (r#""[^"]*error"#, "say \"hi\nerror \"an error\n", &["\"an error"][..]),
            (r"(?s)a.*z", "a\nz\na-z\n", &["a-z"]),
            (r"^b\s+c$", "b\nc\nb  c\nxb c\n", &["b  c"]),
            (r"\Aone\z", "one\ntwo\none\n", &["one", "one"]),
            (r"a\nb", "a\nb\n", &[]),
            (r"^$", "x\n\ny", &[""]),
        ] {
            let pattern = LinePattern::new(pattern, false, TYPED).expect("a pattern");
            let found: Vec<_> = pattern.regex.find_iter(text.as_bytes()).map(|hit| String::from_utf8_lossy(hit.as_bytes())).collect();
            assert_eq!(found, hits, "{:?}", pattern.regex);
        }
    }

    #[test]
    fn literals_are_found_where_there_are_any() {
        let literals = |pattern, case| LinePattern::new(pattern, case, TYPED).expect("a pattern").literals.unwrap_or_default();
        assert_eq!(literals("panicked|Traceback", false), [b"panicked".to_vec(), b"Traceback".to_vec()]);
        assert_eq!(literals(r"\d+ OK!", false), [b" OK!".to_vec()]);
        assert!(literals(r"\d+", false).is_empty());
    }

    #[test]
    fn o19_mistakes_and_monsters_are_told_in_one_line() {
        let error = |pattern: &str| LinePattern::new(pattern, false, TYPED).expect_err("no pattern").to_string();
        assert_eq!(error("(a"), "unclosed group");
        assert_eq!(error("(?:a{1000}){1000}"), "the pattern is too big once compiled");
        assert!(error(&"(".repeat(500)).lines().count() == 1);
    }

    proptest! {
        /// Over many lines at once a pattern hits the same lines as line by line.
        #[test]
        fn chunks_and_lines_agree(
            pattern in r"(\^|\\A)?(a|b|\.|\[\^a\]|\\s|\(a\|b\)|\\b|\\n|a\+|\[\^b\]\*|\(\?s:\.\*\)|c\?){1,4}(\$|\\z)?",
            text in "[abc \n]{0,40}",
        ) {
            let line_wise = regex::bytes::Regex::new(&pattern).expect("a pattern");
            let pattern = LinePattern::new(&pattern, false, TYPED).expect("a pattern");
            let lines: Vec<&str> = text.split('\n').collect();
            let naive: Vec<usize> = (0..lines.len()).filter(|&i| line_wise.is_match(lines[i].as_bytes())).collect();
            let mut found: Vec<usize> = pattern.regex.find_iter(text.as_bytes())
                .map(|hit| text[..hit.start()].matches('\n').count()).collect();
            found.dedup();
            prop_assert_eq!(found, naive, "{:?}", pattern.regex);
        }
    }
}
