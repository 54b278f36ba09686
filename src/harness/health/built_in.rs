//! The checks that the supervisor knows how to ask by itself; that by HTTP has a file of its own.

use std::time::Duration;

use super::{INTERVAL, TIMEOUT};
use crate::{
    harness::LogPattern,
    model::{Probe, Text},
};

/// What all built-in checks have; `$example` makes one.
macro_rules! built_in {
    ($check:ident, $example:literal) => {
        impl $check {
            /// The pause after one check before the next; 5 s unless set.
            ///
            /// ```no_run
            #[doc = concat!("use e2e_tui::harness::", stringify!($check), ";")]
            ///
            #[doc = concat!("let check = ", $example, ".interval(std::time::Duration::from_millis(500));")]
            /// ```
            #[must_use]
            pub fn interval(mut self, interval: Duration) -> Self {
                self.interval = interval;
                self
            }

            /// How long one check may take; 2 s unless set.
            ///
            /// ```no_run
            #[doc = concat!("use e2e_tui::harness::", stringify!($check), ";")]
            ///
            #[doc = concat!("let check = ", $example, ".timeout(std::time::Duration::from_millis(200));")]
            /// ```
            #[must_use]
            pub fn timeout(mut self, timeout: Duration) -> Self {
                self.timeout = timeout;
                self
            }
        }

        impl crate::harness::HealthCheck for $check {
            fn check(&self) -> crate::harness::BoxFuture<'_, Result<crate::harness::HealthStatus, crate::harness::HealthError>> {
                Box::pin(crate::harness::health::ask::ask_once(self.to_probe(), self.timeout))
            }

            fn interval(&self) -> Duration {
                self.interval
            }

            fn timeout(&self) -> Duration {
                self.timeout
            }

            fn probe(&self) -> Option<Probe> {
                Some(self.to_probe())
            }
        }
    };
}

pub(super) use built_in;

/// A TCP connection that must be accepted.
///
/// ```
/// use e2e_tui::harness::{ProcessConfig, TcpHealthCheck};
///
/// let config = ProcessConfig::new("redis", "redis-server").health_check(TcpHealthCheck::new("127.0.0.1:6379"));
/// ```
#[derive(Debug, Clone)]
pub struct TcpHealthCheck {
    addr: String,
    interval: Duration,
    timeout: Duration,
}

impl TcpHealthCheck {
    /// A connection to `host:port`.
    ///
    /// ```no_run
    /// use e2e_tui::harness::TcpHealthCheck;
    /// let check = TcpHealthCheck::new("127.0.0.1:5432");
    /// ```
    pub fn new(addr: impl Into<String>) -> Self {
        Self { addr: addr.into(), interval: INTERVAL, timeout: TIMEOUT }
    }

    fn to_probe(&self) -> Probe {
        Probe::Tcp { addr: self.addr.as_str().into() }
    }
}

built_in!(TcpHealthCheck, "TcpHealthCheck::new(\"127.0.0.1:6379\")");

/// A command that must exit with 0. It runs under the supervisor: what it forks does not survive it.
///
/// ```
/// use e2e_tui::harness::{ExecHealthCheck, ProcessConfig};
///
/// let config = ProcessConfig::new("db", "postgres").ready_when(ExecHealthCheck::new(["pg_isready", "-q"]));
/// ```
#[derive(Debug, Clone)]
pub struct ExecHealthCheck {
    argv: Vec<String>,
    interval: Duration,
    timeout: Duration,
}

impl ExecHealthCheck {
    /// Program and arguments, passed verbatim.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ExecHealthCheck;
    /// let check = ExecHealthCheck::new(["pg_isready", "-p", "5432"]);
    /// ```
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), interval: INTERVAL, timeout: TIMEOUT }
    }

    fn to_probe(&self) -> Probe {
        Probe::Exec { argv: self.argv.iter().map(|word| Text::from(word.as_str())).collect() }
    }
}

built_in!(ExecHealthCheck, "ExecHealthCheck::new([\"pg_isready\", \"-q\"])");

/// A line of the process's output that shows it is ready. It may capture the port that it listens on as `(?<port>…)`. For
/// readiness only: it is seen once.
///
/// ```
/// use e2e_tui::harness::{LogHealthCheck, ProcessConfig};
///
/// let config = ProcessConfig::new("server", "./server").ready_when(LogHealthCheck::new(r"listening on .*:(?<port>\d+)"));
/// ```
#[derive(Debug, Clone)]
pub struct LogHealthCheck {
    pattern: LogPattern,
    interval: Duration,
    timeout: Duration,
}

impl LogHealthCheck {
    /// A line that matches `pattern`.
    ///
    /// ```no_run
    /// use e2e_tui::harness::LogHealthCheck;
    /// let check = LogHealthCheck::new("^listening on");
    /// ```
    pub fn new(pattern: impl Into<LogPattern>) -> Self {
        Self { pattern: pattern.into(), interval: INTERVAL, timeout: TIMEOUT }
    }

    fn to_probe(&self) -> Probe {
        Probe::Log { pattern: self.pattern.as_regex().clone() }
    }
}

built_in!(LogHealthCheck, "LogHealthCheck::new(\"^listening on\")");

/// A line sent to the process's stdin, and the answer on its stdout. Its stdin becomes a pipe.
///
/// ```
/// use e2e_tui::harness::{ProcessConfig, StdioHealthCheck};
///
/// let config = ProcessConfig::new("server", "./mcp-server")
///     .health_check(StdioHealthCheck::new(r#"{"jsonrpc":"2.0","id":"ping-1","method":"ping"}"#, r#""id":"ping-1""#));
/// ```
#[derive(Debug, Clone)]
pub struct StdioHealthCheck {
    ping_message: String,
    expected_response: LogPattern,
    interval: Duration,
    timeout: Duration,
}

impl StdioHealthCheck {
    /// Sends `ping_message`; a line of the answer must match `expected_response`.
    ///
    /// ```no_run
    /// use e2e_tui::harness::StdioHealthCheck;
    /// let check = StdioHealthCheck::new(r#"{"jsonrpc":"2.0","id":"probe","method":"ping"}"#, "probe");
    /// ```
    pub fn new(ping_message: impl Into<String>, expected_response: impl Into<LogPattern>) -> Self {
        Self { ping_message: ping_message.into(), expected_response: expected_response.into(), interval: INTERVAL, timeout: TIMEOUT }
    }

    fn to_probe(&self) -> Probe {
        Probe::Stdio { send: self.ping_message.clone(), expect: self.expected_response.as_regex().clone() }
    }
}

built_in!(StdioHealthCheck, "StdioHealthCheck::new(\"ping\", \"^pong\")");
