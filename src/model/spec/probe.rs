//! Questions asked of a process: whether it is ready, and how it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::{CustomProbe, Text};

/// A question asked of a process to learn how it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Probe {
    /// An HTTP request and what it must answer.
    Http(HttpProbe),
    /// A TCP connection to `127.0.0.1:PORT` or another address.
    Tcp {
        /// `host:port`.
        addr: Text,
    },
    /// A line of its output that matches. May capture `(?<port>…)`.
    Log {
        /// A Rust regex, on the line without its colour codes.
        pattern: regex::Regex,
    },
    /// A command that exits with 0.
    Exec {
        /// Program and arguments.
        argv: Vec<Text>,
    },
    /// A line sent to its stdin and the answer on its stdout.
    Stdio {
        /// The line to send.
        send: String,
        /// What the answer must match.
        expect: regex::Regex,
    },
    /// A question that the program which drives the run asks by itself.
    Custom(CustomProbe),
}

impl Probe {
    /// The interpolated texts in it.
    pub fn texts(&self) -> Vec<&Text> {
        match self {
            Self::Http(http) => std::iter::once(&http.url).chain(http.headers.iter().map(|(_, v)| v)).chain(&http.body).collect(),
            Self::Tcp { addr } => vec![addr],
            Self::Exec { argv } => argv.iter().collect(),
            Self::Log { .. } | Self::Stdio { .. } | Self::Custom(_) => Vec::new(),
        }
    }

    /// The key in the file: `http`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp { .. } => "tcp",
            Self::Log { .. } => "log",
            Self::Exec { .. } => "exec",
            Self::Stdio { .. } => "stdio",
            Self::Custom(_) => "custom",
        }
    }
}

/// An HTTP probe: no redirects, no proxy, the body read to 10 KiB.
#[derive(Debug, Clone)]
pub struct HttpProbe {
    /// Where.
    pub url: Text,
    /// `GET` unless the file says otherwise.
    pub method: String,
    /// Extra headers.
    pub headers: Vec<(String, Text)>,
    /// What to send.
    pub body: Option<Text>,
    /// Statuses that are well; 200 unless the file says otherwise.
    pub expect: Vec<u16>,
    /// What the body must match.
    pub expect_body: Option<regex::Regex>,
}

/// When a process counts as ready.
#[derive(Debug, Clone)]
pub struct ReadySpec {
    /// What is asked; none: being alive is enough.
    pub probe: Option<Probe>,
    /// How long it may take.
    pub timeout: Duration,
    /// The pause between two attempts.
    pub interval: Duration,
}

impl Default for ReadySpec {
    fn default() -> Self {
        Self { probe: None, timeout: Duration::from_secs(30), interval: Duration::from_millis(100) }
    }
}

/// How health is watched.
#[derive(Debug, Clone)]
pub struct HealthSpec {
    /// What is asked.
    pub probe: Probe,
    /// The pause after one probe's end before the next.
    pub interval: Duration,
    /// The whole time of one probe, from connect to the body's last byte.
    pub timeout: Duration,
    /// Failures in this time after the start do not count.
    pub start_period: Duration,
    /// Failures in a row that make it unhealthy.
    pub failures: u32,
    /// Successes in a row that make it healthy again.
    pub successes: u32,
    /// Slower answers are degraded.
    pub degraded_after: Option<Duration>,
    /// Statuses that are degraded.
    pub degraded: Vec<u16>,
    /// What being unhealthy leads to.
    pub on_unhealthy: OnUnhealthy,
    /// Probe only while somebody looks or waits.
    pub lazy: bool,
}

/// What being unhealthy leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnhealthy {
    /// A restart, where the restart policy allows one.
    #[default]
    Restart,
    /// Nothing but the state.
    None,
}
