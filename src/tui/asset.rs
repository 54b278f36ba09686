//! What keymap, theme and layout files have in common: all their mistakes at once, each with its place.

use std::{fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One mistake in a keymap, theme or layout file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetError {
    /// The file as the user calls it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
    /// The line it is in.
    pub excerpt: String,
}

impl fmt::Display for AssetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}\n  | {}", self.file, self.line, self.column, self.message, self.excerpt)
    }
}

/// All mistakes of one file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct AssetErrors(pub Vec<AssetError>);

/// A file being read: collects mistakes while its parts are taken out.
pub(crate) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    errors: Vec<AssetError>,
}

/// A value with its place.
pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Reader<'t> {
    /// Reads `text` with `take`; the result counts only if there was no mistake.
    pub(crate) fn read<T>(file: &'t str, text: &'t str, take: impl FnOnce(&mut Self, &DeTable<'t>) -> T) -> Result<T, AssetErrors> {
        let mut reader = Self { file, text, errors: Vec::new() };
        let (table, syntax) = DeTable::parse_recoverable(text);
        if let Some(first) = syntax.first() {
            reader.error(first.span().unwrap_or(0..0), first.message().to_owned());
            return Err(AssetErrors(reader.errors));
        }
        let taken = take(&mut reader, table.get_ref());
        if reader.errors.is_empty() { Ok(taken) } else { Err(AssetErrors(reader.errors)) }
    }

    /// Notes a mistake at `span`.
    pub(crate) fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        let start = (0..=span.start.min(self.text.len())).rev().find(|i| self.text.is_char_boundary(*i)).unwrap_or(0);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let excerpt: String = self.text[line_start..].lines().next().unwrap_or("").chars().take(200).collect();
        self.errors.push(AssetError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
            excerpt,
        });
    }

    /// Notes that `got` is none of `known`, with the nearest of them.
    pub(crate) fn unknown(&mut self, span: Range<usize>, what: &str, got: &str, known: &[&str]) {
        let nearest = known.iter().map(|k| (strsim::damerau_levenshtein(k, got), *k)).min().filter(|(d, k)| *d <= 1 + k.len() / 3);
        let hint = nearest.map_or_else(|| format!("one of: {}", known.join(", ")), |(_, k)| format!("did you mean {k:?}?"));
        self.error(span, format!("unknown {what} {got:?}; {hint}"));
    }

    /// The string in `value`.
    pub(crate) fn string<'v>(&mut self, value: &'v Value<'t>) -> Option<&'v str> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(text);
        }
        self.error(value.span(), "a string is wanted here");
        None
    }

    /// The table in `value`.
    pub(crate) fn table<'v>(&mut self, value: &'v Value<'t>) -> Option<&'v DeTable<'t>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        self.error(value.span(), "a table is wanted here");
        None
    }

    /// The list in `value`.
    pub(crate) fn list<'v>(&mut self, value: &'v Value<'t>) -> Vec<&'v Value<'t>> {
        if let DeValue::Array(list) = value.get_ref() {
            return list.iter().collect();
        }
        self.error(value.span(), "a list is wanted here");
        Vec::new()
    }

    /// The whole number in `value`, at most `max`.
    pub(crate) fn number(&mut self, value: &Value<'t>, max: u16) -> Option<u16> {
        let number = match value.get_ref() {
            DeValue::Integer(i) => u16::from_str_radix(i.as_str(), i.radix()).ok().filter(|n| *n <= max),
            _ => None,
        };
        if number.is_none() {
            self.error(value.span(), format!("a whole number from 0 to {max} is wanted here"));
        }
        number
    }
}
