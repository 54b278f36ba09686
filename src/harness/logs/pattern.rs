//! Patterns for lines.

use std::fmt;

use regex::Regex;

/// A pattern for one line of output, without its colour codes: a Rust regular expression. A text that is none is looked for as
/// it stands.
///
/// ```
/// use e2e_tui::harness::LogPattern;
///
/// assert!(LogPattern::from(r"listening on \d+").matches("listening on 8080"));
/// assert!(LogPattern::from("call(").matches("tools/call(echo)"), "no regular expression: the text itself");
/// assert!(LogPattern::text("a.c").matches("a.c") && !LogPattern::text("a.c").matches("abc"));
/// ```
#[derive(Debug, Clone)]
pub struct LogPattern {
    typed: String,
    regex: Regex,
}

impl LogPattern {
    /// The text itself.
    ///
    /// ```
    /// use e2e_tui::harness::LogPattern;
    ///
    /// assert!(LogPattern::text("[::1]:8080").matches("listening on [::1]:8080"));
    /// ```
    pub fn text(text: impl Into<String>) -> Self {
        let typed = text.into();
        // Escaped text is an expression unless it is monstrously long; what matches nothing is the honest answer then.
        let regex = Regex::new(&regex::escape(&typed)).unwrap_or_else(|_| Regex::new(r"[^\s\S]").expect("an expression"));
        Self { typed, regex }
    }

    /// A regular expression; an error where it is none.
    ///
    /// ```
    /// use e2e_tui::harness::LogPattern;
    ///
    /// assert!(LogPattern::regex(r"^GET /\S+ 5\d\d$").is_ok_and(|pattern| pattern.matches("GET /mcp 502")));
    /// assert!(LogPattern::regex("call(").is_err());
    /// ```
    pub fn regex(expression: impl Into<String>) -> Result<Self, regex::Error> {
        let typed = expression.into();
        Ok(Self { regex: Regex::new(&typed)?, typed })
    }

    /// Whether `line` matches.
    ///
    /// ```
    /// assert!(e2e_tui::harness::LogPattern::from("ready|listening").matches("now listening"));
    /// ```
    pub fn matches(&self, line: &str) -> bool {
        self.regex.is_match(line)
    }

    pub(in crate::harness) fn as_regex(&self) -> &Regex {
        &self.regex
    }
}

impl From<&str> for LogPattern {
    fn from(typed: &str) -> Self {
        Self::regex(typed).unwrap_or_else(|_| Self::text(typed))
    }
}

impl From<String> for LogPattern {
    fn from(typed: String) -> Self {
        Self::from(typed.as_str())
    }
}

impl From<&String> for LogPattern {
    fn from(typed: &String) -> Self {
        Self::from(typed.as_str())
    }
}

impl From<Regex> for LogPattern {
    fn from(regex: Regex) -> Self {
        Self { typed: regex.as_str().to_owned(), regex }
    }
}

impl From<&LogPattern> for LogPattern {
    fn from(pattern: &LogPattern) -> Self {
        pattern.clone()
    }
}

impl fmt::Display for LogPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}
