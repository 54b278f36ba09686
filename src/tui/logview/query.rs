//! Which lines a log pane shows, and which of them it highlights.

use std::collections::BTreeSet;

use crate::{
    logs::{Level, LogLine, Source, plain, present},
    model::{ProcessId, Tone},
};

use super::pattern::Pattern;

/// What lines are asked. Asked of every line, off the front's thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Query {
    /// Only lines that match.
    pub(crate) within: Option<Pattern>,
    /// No line that matches.
    pub(crate) without: Option<Pattern>,
    /// Only errors and failures.
    pub(crate) alerts_only: bool,
    /// Processes whose lines are hidden.
    pub(crate) muted: BTreeSet<ProcessId>,
    /// Lines shown around each that matches.
    pub(crate) context: u16,
    /// What is highlighted.
    pub(crate) find: Option<Pattern>,
    /// The token that is highlighted and walked along.
    pub(crate) token: Option<String>,
}

/// What was learnt of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) shown: bool,
    pub(crate) found: bool,
    pub(crate) token: bool,
    pub(crate) alert: bool,
}

impl Query {
    /// Whether some lines are not shown.
    pub(crate) fn hides(&self) -> bool {
        self.within.is_some() || self.without.is_some() || self.alerts_only || !self.muted.is_empty()
    }

    /// Asks a line.
    pub(crate) fn ask(&self, line: &LogLine) -> Answer {
        let text = text_of(line);
        let alert = is_alert(line, &text);
        let muted = line.process.as_ref().is_some_and(|process| self.muted.contains(process));
        let life = matches!(line.source, Source::Lifecycle(_));
        let shown = (life || !muted)
            && (!self.alerts_only || alert)
            && self.within.as_ref().is_none_or(|pattern| pattern.matches(&text))
            && self.without.as_ref().is_none_or(|pattern| !pattern.matches(&text));
        Answer {
            shown,
            found: self.find.as_ref().is_some_and(|pattern| pattern.matches(&text)),
            token: self.token.as_ref().is_some_and(|token| text.contains(token.as_str())),
            alert,
        }
    }
}

/// A line as filters and searches see it.
pub(crate) fn text_of(line: &LogLine) -> String {
    match &line.source {
        Source::Lifecycle(told) => {
            let name = told.process.as_ref().map(|process| format!("{process} ")).unwrap_or_default();
            name + &told.log_text().unwrap_or_else(|| told.what.clone())
        }
        Source::Out | Source::Err => plain(&line.bytes),
    }
}

/// Whether it tells of trouble: a failure in the log's own words, or a line of level error.
fn is_alert(line: &LogLine, _text: &str) -> bool {
    match &line.source {
        Source::Lifecycle(told) => matches!(told.tone, Tone::Bad | Tone::Final),
        Source::Out | Source::Err => present(&line.bytes).level == Some(Level::Error),
    }
}

/// Whether an access line only tells that a health check asked.
pub(crate) fn is_probe(text: &str) -> bool {
    let asked = |path: &str| text.split([' ', '"', '?']).any(|word| word == path);
    ["/health", "/healthz", "/livez", "/readyz", "/ping"].iter().any(|path| asked(path))
        && (text.contains("GET") || text.contains("HEAD"))
        && text.contains("200")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::At;

    fn line(process: &str, text: &str) -> LogLine {
        LogLine {
            row: 0,
            seq: 1,
            process: ProcessId::new(process).ok(),
            source: Source::Out,
            number: 1,
            generation: 1,
            at: At(0),
            bytes: text.into(),
            cut: false,
            partial: false,
            lost: false,
        }
    }

    #[test]
    fn filters_combine_and_see_lines_without_colours() {
        let query = Query { within: Pattern::new("call"), without: Pattern::new("ping"), ..Query::default() };
        let shown = |text| query.ask(&line("a", text)).shown;
        assert!(shown("tools/\x1b[31mcall\x1b[0m"));
        assert!(!shown("tools/list"));
        assert!(!shown("call ping"));
    }

    #[test]
    fn a_muted_process_is_silent_and_probes_are_known() {
        let muted = ProcessId::new("a").into_iter().collect();
        let query = Query { muted, ..Query::default() };
        assert!(!query.ask(&line("a", "hello")).shown);
        assert!(query.ask(&line("b", "hello")).shown);
        assert!(is_probe("\"GET /health HTTP/1.1\" 200"));
        assert!(!is_probe("\"GET /health HTTP/1.1\" 503"));
        assert!(query.hides());
    }

    #[test]
    fn errors_are_alerts() {
        let query = Query { alerts_only: true, ..Query::default() };
        assert!(query.ask(&line("a", "2026-11-23T06:25:57Z ERROR broken")).shown);
        assert!(!query.ask(&line("a", "2026-11-23T06:25:57Z INFO fine")).shown);
    }
}
