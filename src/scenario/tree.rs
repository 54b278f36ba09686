//! A file as a tree of values that know where they stand.
//!
//! `toml` parses; this keeps what it found as owned [`Node`]s with places that say which text they are in, so that trees of
//! several files can be laid over each other (see [`layers`](super::layers)). Mistakes of syntax end here: of those the first is
//! reported, in words of our own. A key given twice is reported with both places, and the walk goes on.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use super::{
    diagnostics::{Collector, Diagnostic},
    source::{SourceId, Sources, Span},
    suggest::shown,
};

/// A key may have fewer dots than this: the parser's own limit.
const MOST_PARTS: usize = 80;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What TOML knows.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    /// None: too large for any use here.
    Integer(Option<i64>),
    Float(f64),
    Bool(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

/// A key of a table with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Span,
    pub(super) node: Node,
}

/// A table in file order.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub(super) IndexMap<String, Entry>);

impl Node {
    /// `a string`, `a table`, … for messages.
    pub(super) fn what(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "a number",
            Value::Float(_) => "a number with a fraction",
            Value::Bool(_) => "true or false",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    pub(super) fn node(&self, key: &str) -> Option<&Node> {
        self.0.get(key).map(|e| &e.node)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(k, e)| (k.as_str(), e))
    }
}

/// Parses the text of `source`. None: its syntax is wrong, and the first mistake was reported.
pub(super) fn parse(sources: &Sources, source: SourceId, out: &mut Collector) -> Option<Table> {
    let text = &*sources.get(source).text;
    let (document, errors) = DeTable::parse_recoverable(text);
    let (twice, wrong): (Vec<_>, Vec<_>) = errors.iter().partition(|e| e.message() == "duplicate key");
    if let Some(first) = wrong.iter().min_by_key(|e| e.span().map_or(usize::MAX, |s| s.start)) {
        out.push(syntax_error(text, source, first));
        return None;
    }
    // Each costs one more parse of the text, so not all of a file of nothing else are looked at.
    for error in twice.iter().take(20) {
        if let Some(second) = error.span() {
            out.push(given_twice(text, source, second));
        }
    }
    Some(table(document.get_ref(), source))
}

fn table(table: &DeTable<'_>, source: SourceId) -> Table {
    let entry = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
        let key_span = span(source, &key.span());
        (key.get_ref().to_string(), Entry { key: key_span, node: node(value, source) })
    };
    Table(table.iter().map(entry).collect())
}

// The parser stops at 80 levels of nesting, which bounds this recursion.
fn node(value: &toml::Spanned<DeValue<'_>>, source: SourceId) -> Node {
    let owned = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(n) => Value::Integer(i64::from_str_radix(n.as_str(), n.radix()).ok()),
        DeValue::Float(x) => Value::Float(x.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(all) => Value::List(all.iter().map(|v| node(v, source)).collect()),
        DeValue::Table(inner) => Value::Table(table(inner, source)),
    };
    Node { span: span(source, &value.span()), value: owned }
}

fn span(source: SourceId, range: &std::ops::Range<usize>) -> Span {
    Span { source, start: range.start, end: range.end }
}

/// The parser's words, and what a person can do about it.
fn syntax_error(text: &str, source: SourceId, error: &toml::de::Error) -> Diagnostic {
    let message = error.message();
    let (what, help) = explain(message);
    let diagnostic = Diagnostic::error(format!("the file is not TOML: {what}"));
    // The parser gives no place for some limits, and one past the text for what is missing at its end.
    let place = error.span().or_else(|| many_dots(text)).unwrap_or(0..0);
    let place = if message.starts_with("carriage return") { lone_return(text, place) } else { place };
    let start = text.floor_char_boundary(place.start.min(text.len()));
    let end = text.ceil_char_boundary(place.end.clamp(start, text.len()));
    let label = match message.split_once(", expected ") {
        Some((_, expected)) if help.is_none() && expected != "nothing" => format!("expected {expected}"),
        _ => "here".to_owned(),
    };
    diagnostic.at(Span { source, start, end }, label).maybe_help(help.map(str::to_owned))
}

/// The first key of more parts than the parser takes.
fn many_dots(text: &str) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let key = line.split(['=', '#']).next().unwrap_or_default();
        if key.matches('.').count() >= MOST_PARTS {
            return Some(start..start + key.trim_end().len());
        }
        start += line.len();
    }
    None
}

/// The carriage return before the place where the parser missed the newline.
fn lone_return(text: &str, place: std::ops::Range<usize>) -> std::ops::Range<usize> {
    match text.as_bytes().get(..place.end).and_then(|before| memchr::memrchr(b'\r', before)) {
        Some(at) => at..at + 1,
        None => place,
    }
}

/// What the parser says, said to somebody who does not know the grammar.
fn explain(message: &str) -> (String, Option<&'static str>) {
    const KNOWN: &[(&str, &str, Option<&str>)] = &[
        ("string values must be quoted", "a value is missing here, or is a text without quotes", Some("texts stand in quotes: \"5s\"")),
        ("cannot recurse further", "more than 80 tables or lists inside each other", Some("is this a scenario?")),
        ("recursion limit", "more than 80 keys joined by dots", Some("is this a scenario?")),
        ("invalid boolean", "this is neither `true` nor `false`", Some("they are written in lower case")),
        ("missing comma between array elements", "a comma is missing between two values of this list", None),
        ("unclosed array", "this list has no end", Some("close it with `]`")),
        ("unclosed table", "this table's header has no end", Some("close it with `]`")),
        ("unclosed inline table", "this table has no end", Some("close it with `}`")),
        ("missing escaped value", "`\\` stands before a letter it cannot be combined with", Some(SINGLE_QUOTES)),
        ("carriage return must be followed by newline", "a carriage return stands alone", Some("end lines with a newline")),
        ("key with no value", "this key has no value", Some("write `key = value`")),
        ("unquoted keys cannot be empty", "a key is missing here", Some("write `key = value`, or `[table]` on a line of its own")),
        ("unexpected key or value", "something stands behind the value", Some("one `key = value` a line")),
        ("extra `=`", "one `=` too many", None),
        ("extra comma", "one comma too many", None),
        ("missing comma between key-value pairs", "a comma is missing between two keys of this table", None),
        ("invalid basic string, expected `\"`", "this text has no end", Some("close it with `\"`; `\"\"\"` begins one of several lines")),
        ("invalid literal string, expected `'`", "this text has no end", Some("close it with `'`; `'''` begins one of several lines")),
        ("invalid multi-line basic string, expected `\"`", "this text has no end", Some("close it with `\"\"\"`")),
        ("invalid multi-line literal string, expected `'`", "this text has no end", Some("close it with `'''`")),
        ("invalid basic string", "a control character stands in this text", Some("write it as `\\u0000`, with its number")),
        ("invalid unquoted key", "this key takes quotes", Some("letters, digits, `-` and `_` need none")),
        ("invalid comment character", "a control character stands in this comment", None),
        ("invalid value", "this is the number of no character", Some("`\\u` takes four hexadecimal digits, `\\U` eight")),
        ("cannot extend value", "what stands before the dot has a value already, and no keys below it", None),
    ];
    const SINGLE_QUOTES: &str = "in single quotes nothing is escaped: ' 5\\d\\d '";
    for (start, what, help) in KNOWN {
        if message.starts_with(start) {
            return ((*what).to_owned(), *help);
        }
    }
    (message.split(", expected").next().unwrap_or(message).to_owned(), None)
}

/// A key that stands in the same table for the second time, with the place of the first.
fn given_twice(text: &str, source: SourceId, second: std::ops::Range<usize>) -> Diagnostic {
    let raw = text.get(second.clone()).unwrap_or_default();
    let name = DeTable::parse(&format!("{raw} = 0")).ok().and_then(|t| t.get_ref().keys().next().map(|k| k.get_ref().to_string()));
    let name = name.unwrap_or_else(|| raw.to_owned());
    let diagnostic =
        Diagnostic::error(format!("`{}` is given twice", shown(&name))).at(span(source, &second), "again here").help("keep one of them");
    match first_place(text, &name, second) {
        Some(first) => diagnostic.and(span(source, &first), "first here"),
        None => diagnostic,
    }
}

/// Where the key was given first: under a name that stands nowhere else, the second one parses, and the first is beside it.
fn first_place(text: &str, name: &str, second: std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
    const FRESH: &str = "\u{1F}the second one";
    let renamed = format!("{}\"\\u001Fthe second one\"{}", text.get(..second.start)?, text.get(second.end..)?);
    let (document, _) = DeTable::parse_recoverable(&renamed);
    fn beside(table: &DeTable<'_>, name: &str) -> Option<std::ops::Range<usize>> {
        if table.contains_key(FRESH) {
            return table.get_key_value(name).map(|(key, _)| key.span());
        }
        table.iter().find_map(|(_, value)| inside(value.get_ref(), name))
    }
    fn inside(value: &DeValue<'_>, name: &str) -> Option<std::ops::Range<usize>> {
        match value {
            DeValue::Table(table) => beside(table, name),
            DeValue::Array(all) => all.iter().find_map(|v| inside(v.get_ref(), name)),
            _ => None,
        }
    }
    beside(document.get_ref(), name).filter(|first| first.end <= second.start)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use nix::time::{ClockId, clock_gettime};

    use super::*;

    fn errors(text: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", "/", text);
        let mut out = Collector::default();
        parse(&sources, id, &mut out);
        out.finish(Arc::new(sources)).render(false)
    }

    #[test]
    fn of_syntax_errors_the_first_is_reported_in_plain_words() {
        insta::assert_snapshot!(errors("a = 5s\nb = [1,2\nc = \"x\n"), @r#"
        error: the file is not TOML: a value is missing here, or is a text without quotes
         --> x.toml:1:5
          |
        1 | a = 5s
          |     ^^ here
          |
          = help: texts stand in quotes: "5s"

        error: cannot run x.toml: 1 error
        "#);
    }

    #[test]
    fn keys_given_twice_are_shown_with_both_places() {
        insta::assert_snapshot!(errors("[process.a]\nrole='x'\n[process.b]\n[process.a]\nrole='y'\nstop = { grace = '1s', grace = '2s' }\n"), @r"
        error: `a` is given twice
         --> x.toml:4:10
          |
        1 | [process.a]
          |          - first here
        ...
        4 | [process.a]
          |          ^ again here
          |
          = help: keep one of them

        error: `role` is given twice
         --> x.toml:5:1
          |
        2 | role='x'
          | ---- first here
        ...
        5 | role='y'
          | ^^^^ again here
          |
          = help: keep one of them

        error: `grace` is given twice
         --> x.toml:6:24
          |
        6 | stop = { grace = '1s', grace = '2s' }
          |          -----         ^^^^^ again here
          |          |
          |          first here
          |
          = help: keep one of them

        error: cannot run x.toml: 3 errors
        ");
    }

    #[test]
    fn c8_deep_nesting_and_degenerate_files_end_soon() {
        let deep = 10_000;
        let files = [
            format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
            format!("a = {}1{}", "{a=".repeat(deep), "}".repeat(deep)),
            format!("[{}a]", "a.".repeat(deep)),
            format!("{}a = 1", "a.".repeat(deep)),
            "[[a]]\n".repeat(100_000),
            "a=1\n".repeat(200_000),
            "=".repeat(1_000_000),
            "\"".repeat(1_000_000),
        ];
        let budget = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });
        // CPU time: a busy machine must not make it fail.
        let clock = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has one"));
        for text in files {
            let start = clock();
            let said = errors(&text);
            let took = clock().saturating_sub(start);
            assert!(took < budget, "{} took {took:?}", &text[..20]);
            assert!(said.len() < 100_000);
        }
        assert!(errors(&format!("a = {}", "[".repeat(deep))).contains("more than 80 tables or lists inside each other"));
    }
}
