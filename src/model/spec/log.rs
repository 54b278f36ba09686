//! How a process's output is read.

use serde::{Deserialize, Serialize};

/// How lines of output are taken apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// By what each line looks like.
    #[default]
    Auto,
    /// Not at all.
    Plain,
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// As Rust's tracing prints.
    Tracing,
}

impl LogFormat {
    /// As the file writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Plain => "plain",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Tracing => "tracing",
        }
    }
}

/// How a process's output is read.
#[derive(Debug, Clone)]
pub struct LogSpec {
    /// How lines are taken apart.
    pub format: LogFormat,
    /// Lines that matter, besides the built-in ones.
    pub alert: Vec<regex::Regex>,
    /// Bytes kept on disk; the oldest go first.
    pub max_disk: u64,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self { format: LogFormat::Auto, alert: Vec::new(), max_disk: 4_000_000_000 }
    }
}
