//! Where a piece of a text stands in the file that writes it: in quotes, with escapes, or just as it is.

use std::ops::Range;

use super::source::Span;

/// A text, and how it is written.
#[derive(Debug)]
pub(super) struct Written<'a> {
    text: &'a str,
    raw: &'a str,
    span: Span,
    /// Pairs of places, in the text and in what is written: from each on, both go on alike up to the next.
    alike: Vec<(usize, usize)>,
}

impl<'a> Written<'a> {
    /// `text`, which is written as `raw` at `span`.
    pub(super) fn new(text: &'a str, raw: &'a str, span: Span) -> Self {
        // A template is no TOML, and may begin with a quote of its own.
        let alike = if raw == text { vec![(0, 0)] } else { escapes(raw) };
        Self { text, raw, span, alike }
    }

    /// The place of all of it.
    pub(super) fn whole(&self) -> Span {
        self.span
    }

    /// The place of a range of the text; all of it where that is not to be found.
    pub(super) fn place(&self, range: Range<usize>) -> Span {
        let start = self.raw_at(self.alike.partition_point(|(text, _)| *text <= range.start), range.start);
        // What ends right before an escape ends there, not behind it.
        let end = self.raw_at(self.alike.partition_point(|(text, _)| *text < range.end), range.end);
        match self.raw.get(start..end) {
            // With an escape in it, it is written otherwise than it reads.
            Some(found) if found == &self.text[range] || found.contains('\\') => {
                Span { start: self.span.start + start, end: self.span.start + end, ..self.span }
            }
            _ => self.span,
        }
    }

    fn raw_at(&self, next: usize, at: usize) -> usize {
        let (text, raw) = next.checked_sub(1).and_then(|i| self.alike.get(i)).copied().unwrap_or_default();
        raw + (at - text)
    }
}

/// Where a TOML string and what it stands for go on alike.
fn escapes(raw: &str) -> Vec<(usize, usize)> {
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| raw.starts_with(quotes)).unwrap_or_default();
    let mut at = quotes.len();
    if at == 3 {
        // A line break right behind the quotes is none.
        at += raw[at..].find(|c| c != '\r').filter(|line_end| raw[at + line_end..].starts_with('\n')).map_or(0, |line_end| line_end + 1);
    }
    let (mut alike, mut text) = (vec![(0, at)], 0);
    if quotes.starts_with('\'') {
        return alike;
    }
    while let Some(before) = memchr::memchr(b'\\', &raw.as_bytes()[at..]) {
        text += before;
        at += before;
        let digits = match raw.as_bytes().get(at + 1) {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            // A line that goes on in the next one.
            Some(b' ' | b'\t' | b'\r' | b'\n') => {
                let rest = &raw[at + 1..];
                at += 1 + rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
                alike.push((text, at));
                continue;
            }
            _ => 0,
        };
        let hex = raw.get(at + 2..at + 2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        text += hex.filter(|_| digits > 0).and_then(char::from_u32).map_or(1, char::len_utf8);
        at = (at + 2 + digits).min(raw.len());
        alike.push((text, at));
    }
    alike
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::source::{SourceId, Sources},
        *,
    };

    fn source() -> SourceId {
        Sources::default().add("x", "/", "")
    }

    /// Places of `${x}` in what a TOML file writes so.
    fn found(raw: &str) -> Vec<String> {
        let document = format!("a = {raw}");
        let parsed = toml::de::DeTable::parse(&document).expect("TOML");
        let (_, value) = parsed.get_ref().iter().next().expect("one key");
        let text = value.get_ref().as_str().expect("a text").to_owned();
        let written = Written::new(&text, raw, Span { source: source(), start: 0, end: raw.len() });
        text.match_indices("${x}").map(|(at, name)| raw[written.place(at..at + name.len()).range()].to_owned()).collect()
    }

    #[test]
    fn names_are_found_behind_and_between_escapes() {
        assert_eq!(found(r#""\t${x}\\${x}\u00e9${x}\U0001F600${x}\n""#), ["${x}"; 4]);
        assert_eq!(found(r#""\u0024{x} \x24{x}${x}""#), [r"\u0024{x}", r"\x24{x}", "${x}"]);
        assert_eq!(found("\"\"\"\r\na \\\r\n   ${x}\r\n${x} \\\n\n  ${x}\"\"\""), ["${x}"; 3]);
        assert_eq!(found("'''\n\\u ${x}'''"), ["${x}"]);
        assert_eq!(found(r"'\${x}'"), ["${x}"]);
    }

    proptest! {
        #[test]
        fn every_name_is_found_however_the_text_around_it_is_written(pieces in prop::collection::vec(0..10_usize, 0..12)) {
            let raw: String = pieces.iter().map(|n| ["${x}", "\\n", "\\\\", "é", "\\u00e9", " ", "\\x41", "a\\\n  ", "\r\n", "'"][*n]).collect();
            let all_found = found(&format!("\"\"\"{raw}\"\"\"")).iter().all(|name| name == "${x}");
            prop_assert!(all_found, "{}", raw);
        }
    }
}
