//! What lines are asked: patterns in and out, level, stream, time, and what else a pane may want to know.

use std::{fmt, ops::Range, sync::Arc, sync::LazyLock};

use regex::{Regex, bytes};

use super::{
    alert::Alerts,
    level::Level,
    pattern::{InvalidPattern, LinePattern, TYPED},
    store::Stream,
    structure::pattern,
};
use crate::model::{At, LogFormat, ProcessId};

/// A pattern as it was typed. Without capital letters it matches any case.
#[derive(Clone)]
pub struct Pattern {
    typed: Arc<str>,
    literal: bool,
    regex: bytes::Regex,
}

impl Pattern {
    /// The text itself.
    pub fn text(typed: &str) -> Result<Self, InvalidPattern> {
        Self::build(typed, &regex::escape(typed), true)
    }

    /// A regular expression.
    pub fn regex(typed: &str) -> Result<Self, InvalidPattern> {
        Self::build(typed, typed, false)
    }

    /// A regular expression; the text itself, where it is none or one of monstrous size.
    pub fn either(typed: &str) -> Result<Self, InvalidPattern> {
        Self::regex(typed).or_else(|_| Self::text(typed))
    }

    /// Lines in which the field `name` has `value`: as `name=value`, `name="value"` or `"name": "value"`.
    pub fn field(name: &str, value: &str) -> Result<Self, InvalidPattern> {
        let (key, wanted) = (regex::escape(name), regex::escape(value));
        let regex = format!(r#"(?:^|[\s{{,(\[])"?{key}"?(?:=|:\s*)"?{wanted}(?:$|["\s,}})\]])"#);
        Self::build(&format!("{name}={value}"), &regex, false)
    }

    fn build(typed: &str, regex: &str, literal: bool) -> Result<Self, InvalidPattern> {
        let any_case = !has_capitals(typed, literal);
        Ok(Self { typed: typed.into(), literal, regex: LinePattern::new(regex, any_case, TYPED)?.regex })
    }

    /// As it was typed.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Whether it is looked for as it stands.
    pub fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether `line`, as [`plain`](super::plain) shows it, holds it.
    pub fn matches(&self, line: &str) -> bool {
        self.regex.is_match(line.as_bytes())
    }

    /// Where `line` holds it; matches of nothing are left out.
    pub fn places<'t>(&'t self, line: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        self.regex.find_iter(line.as_bytes()).map(|found| found.range()).filter(|range| !range.is_empty())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str() && self.typed == other.typed
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.typed)
    }
}

/// Whether a capital letter was typed, other than in a class like `\S`.
fn has_capitals(typed: &str, literal: bool) -> bool {
    let mut escaped = false;
    typed.chars().any(|c| {
        let counts = c.is_uppercase() && (literal || !escaped);
        escaped = c == '\\' && !escaped;
        counts
    })
}

/// What becomes of lifecycle lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lifecycle {
    /// They match by their words; with `alerts`, if they tell of a failure.
    #[default]
    Asked,
    /// They all match.
    Kept,
    /// None matches.
    Dropped,
}

/// A question that is asked of every line. All that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Lines that match each of these.
    pub within: Vec<Pattern>,
    /// Lines that match none of these.
    pub without: Vec<Pattern>,
    /// Lines of this level or above. For `Warn` and `Error` the line must name it; below, lines that name no level match.
    pub level: Option<Level>,
    /// Lines that matter: by the built-in signs, those of their process, and these patterns.
    pub alerts: Option<Vec<Regex>>,
    /// Lines of this stream.
    pub stream: Option<Stream>,
    /// Lines said in this time.
    pub time: Option<Range<At>>,
    /// Processes whose lines can match; none: all.
    pub only: Option<Vec<ProcessId>>,
    /// Processes whose lines do not match; what happens to them still can.
    pub muted: Vec<ProcessId>,
    /// Lines that only tell of an answered health probe do not match.
    pub hide_probes: bool,
    /// What becomes of lifecycle lines.
    pub lifecycle: Lifecycle,
}

/// Access lines of health probes that were answered well. haproxy tells the answer before the question.
pub(super) static PROBE: LazyLock<Regex> = LazyLock::new(|| {
    const ASKED: &str = r#"\b(?:GET|HEAD) (?:https?://[^ /]+)?/(?:healthz?|livez|readyz?|ping|status)(?:\?[^ "]*)?"#;
    pattern(&format!(r#"{ASKED}(?:[ "].*)?\b200\b| 200 \d+ .*"{ASKED} HTTP"#))
});

/// Whether `line` only tells that a health probe was answered.
pub fn is_probe(line: &str) -> bool {
    PROBE.is_match(line)
}

/// What is asked of each line of a text.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Within(bytes::Regex),
    Without(bytes::Regex),
    AtLeast(Level),
    /// By its process's signs, or by these.
    Matters(Option<Arc<Alerts>>),
}

impl Query {
    /// Whether a line said by `process` at this time can match, whatever it says.
    pub(super) fn may_meet(&self, process: &ProcessId, err: bool, at: At) -> bool {
        self.stream.is_none_or(|stream| (stream == Stream::Err) == err)
            && self.time.as_ref().is_none_or(|time| time.contains(&at))
            && self.is_about(process)
            && !self.muted.contains(process)
    }

    /// Whether what `process` says and what happens to it can match.
    pub(super) fn is_about(&self, process: &ProcessId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(process))
    }

    /// What is asked of texts; the rest of a query is known without reading them.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let within = self.within.iter().map(|pattern| Condition::Within(pattern.regex.clone()));
        let without = self.without.iter().map(|pattern| Condition::Without(pattern.regex.clone()));
        let level = self.level.filter(|level| *level > Level::Trace).map(Condition::AtLeast);
        let alerts = self.alerts.as_ref().map(|own| Condition::Matters((!own.is_empty()).then(|| Alerts::new(own, LogFormat::Auto))));
        let probes = self.hide_probes.then(|| LinePattern::new(PROBE.as_str(), false, TYPED).expect("it is one already").regex);
        within.chain(without).chain(probes.map(Condition::Without)).chain(alerts).chain(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_finds_any_case_and_broken_expressions_are_text() {
        let matches = |typed: &str, text: &str| Pattern::either(typed).expect("either").matches(text);
        assert!(matches("error", "an ERROR"));
        assert!(!matches("Error", "an ERROR"));
        assert!(matches(r"e\S+r", "an ERROR"));
        assert!(matches("40[34]", "HTTP 404"));
        assert!(matches("call(", "tools/call(echo)"));
        assert!(Pattern::either("(a{1000}){1000}").expect("as text").is_literal());
        assert!(Pattern::text("a.c").expect("text").matches("xa.c") && !Pattern::text("a.c").expect("text").matches("abc"));
        assert!(Pattern::regex("(").is_err());
    }

    #[test]
    fn fields_are_found_in_logfmt_json_and_debug_output() {
        let field = Pattern::field("status", "502").expect("a field");
        for line in ["status=502 x", "WARN x status=502", r#"{"status":502,"a":1}"#, r#"{"a":1, "status": "502"}"#, r#"h{status="502"}: x"#]
        {
            assert!(field.matches(line), "{line}");
        }
        for line in ["status=5021", "xstatus=502", "status 502", "status=502x"] {
            assert!(!field.matches(line), "{line}");
        }
    }

    #[test]
    fn answered_probes_are_told_from_others() {
        for line in [
            "health probe GET /health → 200",
            "INFO:     127.0.0.1:5 - \"GET /health HTTP/1.1\" 200 OK",
            "127.0.0.1 - - [x] \"HEAD /readyz?v HTTP/1.1\" 200 0",
            "127.0.0.1:5 [23/Nov/2026:06:21:22.693] fe be/srv 0/0/0/1/1 200 100 - - ---- 1/1/0/0/0 0/0 \"GET /health HTTP/1.1\"",
        ] {
            assert!(is_probe(line), "{line}");
        }
        for line in [
            "\"GET /health HTTP/1.1\" 503 x",
            "\"GET /healthy-food HTTP/1.1\" 200",
            "GET /mcp 200",
            "fe be/srv 503 100 - - \"GET /health HTTP/1.1\"",
        ] {
            assert!(!is_probe(line), "{line}");
        }
    }

    #[test]
    fn places_can_be_highlighted() {
        let pattern = Pattern::either("o+").expect("a pattern");
        assert_eq!(pattern.places("foo bOo").collect::<Vec<_>>(), [1..3, 5..7]);
        assert_eq!(Pattern::either("x*").expect("a pattern").places("foo").count(), 0);
    }
}
