//! Diagnostics as people and editors read them.
//!
//! The excerpts come from `annotate-snippets`, the renderer of rustc and cargo. It is given only the lines around a
//! mark, so that a file of a megabyte costs no more than a short one.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::{
    diagnostics::{Diagnostic, Diagnostics, Label, Severity},
    source::{Source, SourceId, Sources},
};

/// Lines longer than this are shown cut; nothing a person wrote is.
const LONGEST_LINE: usize = 20_000;

impl Diagnostics {
    /// As text with excerpts, each diagnostic `error: …`, `--> file:line:col`, the lines, `= help: …`, then one line that counts.
    /// With `styled`, in the colours of rustc.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
        let mut text = String::new();
        for diagnostic in &self.all {
            text.push_str(&one(&renderer, &self.sources, diagnostic));
            text.push_str("\n\n");
        }
        if let Some(total) = self.total() {
            text.push_str(&renderer.render(&[Group::with_title(Level::ERROR.primary_title(total))]));
            text.push('\n');
        }
        // The renderer spells out other control characters of the excerpt, but lets these through, and terminals act on them.
        text.replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "\u{fffd}")
    }

    /// The closing line: `cannot run forward.toml: 3 errors and 1 warning`.
    fn total(&self) -> Option<String> {
        let count = |n: usize, what| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let file = self.sources.first()?;
        match (self.errors(), self.warnings()) {
            (0, _) => None,
            (errors, 0) => Some(format!("cannot run {}: {}", file.name, count(errors, "error"))),
            (errors, warnings) => Some(format!("cannot run {}: {} and {}", file.name, count(errors, "error"), count(warnings, "warning"))),
        }
    }

    /// For editors: a list of `{ severity, message, places: [{ file, line, column, end_line, end_column, text, primary }], helps }`,
    /// lines and columns from 1.
    pub fn to_json(&self) -> Value {
        let place = |label: &Label| {
            let end = super::source::Span { start: label.span.end, ..label.span };
            let ((line, column), (end_line, end_column)) = (self.sources.position(label.span), self.sources.position(end));
            json!({
                "file": self.sources.get(label.span.source).name, "line": line, "column": column,
                "end_line": end_line, "end_column": end_column, "text": label.text, "primary": label.primary,
            })
        };
        self.all
            .iter()
            .map(|d| {
                json!({
                    "severity": match d.severity { Severity::Error => "error", Severity::Warning => "warning" },
                    "message": d.message,
                    "places": d.labels.iter().map(place).collect::<Vec<_>>(),
                    "helps": d.helps,
                })
            })
            .collect()
    }
}

fn one(renderer: &Renderer, sources: &Sources, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&diagnostic.message));
    for (id, labels) in by_source(diagnostic) {
        let source = sources.get(id);
        group = match snippet(source, &labels) {
            Some(snippet) => group.element(snippet),
            None => match labels.first() {
                Some(label) => {
                    let (line, column) = sources.position(label.span);
                    group.element(Origin::path(source.name.as_str()).line(line).char_column(column)).element(cut(source, label, line))
                }
                None => group,
            },
        };
    }
    let helps = diagnostic.helps.iter().map(|text| Level::HELP.message(text));
    renderer.render(&[helps.fold(group, Group::element)])
}

/// The labels of each source, the source of the first primary label first: the title belongs to it.
fn by_source(diagnostic: &Diagnostic) -> Vec<(SourceId, Vec<&Label>)> {
    let mut groups: Vec<(SourceId, Vec<&Label>)> = Vec::new();
    let (primary, other): (Vec<_>, Vec<_>) = diagnostic.labels.iter().partition(|l| l.primary);
    for label in primary.into_iter().chain(other) {
        match groups.iter_mut().find(|(source, _)| *source == label.span.source) {
            Some((_, labels)) => labels.push(label),
            None => groups.push((label.span.source, vec![label])),
        }
    }
    groups
}

/// The lines from the first to the last label; none where one is absurdly long.
fn snippet<'a>(source: &'a Source, labels: &[&'a Label]) -> Option<Snippet<'a, Annotation<'a>>> {
    let text = &*source.text;
    let first = labels.iter().map(|l| l.span.start).min().unwrap_or(0).min(text.len());
    let last = labels.iter().map(|l| l.span.end).max().unwrap_or(0).clamp(first, text.len());
    let bytes = text.as_bytes();
    let from = memchr::memrchr(b'\n', &bytes[..first]).map_or(0, |i| i + 1);
    let to = memchr::memchr(b'\n', &bytes[last..]).map_or(text.len(), |i| last + i);
    let to = if to > from && bytes[to - 1] == b'\r' { to - 1 } else { to };
    let line = memchr::memchr_iter(b'\n', &bytes[..from]).count() + 1;
    let excerpt = text.get(from..to).unwrap_or_default();
    if excerpt.lines().any(|line| line.len() > LONGEST_LINE) {
        return None;
    }
    let annotations = labels.iter().map(|label| {
        // The mark of an empty range at the end of a line would fall off the excerpt.
        let start = label.span.start.clamp(from, to) - from;
        let end = label.span.end.clamp(from + start, to) - from;
        annotation(label, start..end)
    });
    Some(Snippet::source(excerpt).line_start(line).path(source.name.as_str()).annotations(annotations))
}

fn annotation(label: &Label, range: std::ops::Range<usize>) -> Annotation<'_> {
    let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let text = Some(label.text.as_str()).filter(|text| !text.is_empty());
    kind.span(range).label(text)
}

/// Only the start of the marked text, where the line around it is too long to show.
fn cut<'a>(source: &'a Source, label: &'a Label, line: usize) -> Snippet<'a, Annotation<'a>> {
    let text = &*source.text;
    let start = text.floor_char_boundary(label.span.start.min(text.len()));
    let end = text.floor_char_boundary(label.span.end.clamp(start, start.saturating_add(60)).min(text.len()));
    let excerpt = text[start..end].lines().next().unwrap_or_default();
    Snippet::source(excerpt).line_start(line).annotation(annotation(label, 0..excerpt.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{diagnostics::Collector, source::Span};

    fn diagnostics(text: &str, build: impl Fn(SourceId) -> Diagnostic) -> Diagnostics {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", "/", text);
        let mut all = Collector::default();
        all.push(build(id));
        all.finish(Arc::new(sources))
    }

    #[test]
    fn a_diagnostic_shows_its_lines_and_what_to_do() {
        let all = diagnostics("name = 1\r\n[process.ä]\r\nrole = 'tset'\r\n", |source| {
            Diagnostic::error("`tset` is no role")
                .at(Span { source, start: 31, end: 37 }, "use service, task or test")
                .and(Span { source, start: 10, end: 22 }, "of this process")
                .help("did you mean `test`?")
        });
        insta::assert_snapshot!(all.render(false), @r"
        error: `tset` is no role
         --> x.toml:3:8
          |
        2 | [process.ä]
          | ----------- of this process
        3 | role = 'tset'
          |        ^^^^^^ use service, task or test
          |
          = help: did you mean `test`?

        error: cannot run x.toml: 1 error
        ");
        let json = all.to_json();
        assert_eq!(
            json[0]["places"][0],
            json!({ "file": "x.toml", "line": 3, "column": 8, "end_line": 3, "end_column": 14, "text": "use service, task or test", "primary": true })
        );
        assert_eq!((&json[0]["severity"], &json[0]["helps"]), (&json!("error"), &json!(["did you mean `test`?"])));
    }

    #[test]
    fn marks_past_the_end_and_on_endless_lines_do_no_harm() {
        let at = |start, end| move |source| Diagnostic::error("x").at(Span { source, start, end }, "here");
        assert!(diagnostics("", at(0, 0)).render(false).contains("x.toml:1:1"));
        assert!(diagnostics("ab", at(5, 9)).render(true).contains("here"));
        assert!(diagnostics("a = [\n", at(6, 6)).render(false).contains("here"));
        let endless = diagnostics(&format!("\na = {}", "é".repeat(400_000)), at(205, 300_001)).render(false);
        assert!(endless.len() < 1000 && endless.contains("x.toml:2:105"), "{endless}");
    }
}
