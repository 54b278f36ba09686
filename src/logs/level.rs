//! How serious lines say they are, and the words and letters for it.

/// How serious a line says it is.
///
/// ```
/// use e2e_tui::harness::LogLevel;
///
/// assert!(LogLevel::Error > LogLevel::Warn);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Fine detail.
    Trace,
    /// For developers.
    Debug,
    /// As expected.
    Info,
    /// Worth a look.
    Warn,
    /// Errors and worse.
    Error,
}

impl Level {
    /// Its letter in the log view: `E W I D T`.
    ///
    /// ```
    /// assert_eq!(e2e_tui::harness::LogLevel::Warn.letter(), 'W');
    /// ```
    pub fn letter(self) -> char {
        match self {
            Self::Trace => 'T',
            Self::Debug => 'D',
            Self::Info => 'I',
            Self::Warn => 'W',
            Self::Error => 'E',
        }
    }

    /// Its name: `error`.
    ///
    /// ```
    /// assert_eq!(e2e_tui::harness::LogLevel::Error.word(), "error");
    /// ```
    pub fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// The level that a word names.
pub(super) fn level_of_word(word: &str) -> Option<Level> {
    let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    if !(3..=9).contains(&word.len()) {
        return None;
    }
    if is(&["error", "err", "fatal", "critical", "crit", "severe", "panic", "emerg", "alert", "emergency", "erro", "ftl", "dpanic"]) {
        Some(Level::Error)
    } else if is(&["warn", "warning", "wrn"]) {
        Some(Level::Warn)
    } else if is(&["info", "inf", "notice", "information"]) {
        Some(Level::Info)
    } else if is(&["debug", "dbg", "debu"]) {
        Some(Level::Debug)
    } else if is(&["trace", "trc", "verbose"]) {
        Some(Level::Trace)
    } else {
        None
    }
}

/// The level that one letter names in `[I …]`.
pub(super) fn level_of_letter(token: &str) -> Option<Level> {
    Some(match token {
        "E" | "C" | "F" => Level::Error,
        "W" => Level::Warn,
        "I" => Level::Info,
        "D" => Level::Debug,
        "T" => Level::Trace,
        _ => return None,
    })
}
