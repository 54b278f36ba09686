//! Health checks: what a program asks a process to learn whether it is ready, and whether it is still well.
//!
//! The built-in ones are questions that the supervisor knows how to ask; any other is a type of the test suite's own that
//! implements [`HealthCheck`]. Thresholds and what follows are the supervisor's.

use std::{pin::Pin, sync::Arc, time::Duration};

use crate::{
    health::{Question, ask},
    model::{CustomProbe, HttpProbe, Probe, ProbeOutcome, Text},
};

use super::LogPattern;

/// A future in a box, as object-safe traits return it.
///
/// ```no_run
/// use e2e_tui::harness::{BoxFuture, HealthError, HealthStatus};
///
/// fn well() -> BoxFuture<'static, Result<HealthStatus, HealthError>> {
///     Box::pin(async { Ok(HealthStatus::Healthy) })
/// }
/// ```
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The pause between two checks, unless a check says otherwise.
const INTERVAL: Duration = Duration::from_secs(5);
/// The longest a check takes, unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How a process is.
///
/// ```no_run
/// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
/// use e2e_tui::harness::HealthStatus;
///
/// assert_eq!(manager.check_health("api").await?, HealthStatus::Healthy);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthStatus {
    /// Well.
    Healthy,
    /// Well, but not as it should be.
    Degraded {
        /// Why.
        why: String,
    },
    /// Not well.
    Unhealthy {
        /// Why.
        why: String,
    },
}

/// A check could not be carried out. Counts as a failure of the process.
///
/// ```no_run
/// let error = e2e_tui::harness::HealthError("the database has no table".into());
/// assert_eq!(error.to_string(), "the database has no table");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HealthError(pub String);

/// A question asked of a process again and again.
///
/// ```
/// use std::{path::PathBuf, time::Duration};
///
/// use e2e_tui::harness::{BoxFuture, HealthCheck, HealthError, HealthStatus};
///
/// /// A server that writes a file once it serves.
/// struct FileThere(PathBuf);
///
/// impl HealthCheck for FileThere {
///     fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>> {
///         Box::pin(async move {
///             Ok(match self.0.exists() {
///                 true => HealthStatus::Healthy,
///                 false => HealthStatus::Unhealthy { why: format!("{} is not there", self.0.display()) },
///             })
///         })
///     }
///
///     fn interval(&self) -> Duration {
///         Duration::from_millis(500)
///     }
/// }
/// ```
pub trait HealthCheck: Send + Sync {
    /// Asks once. It is given up after [`timeout`](Self::timeout). Runs on a tokio runtime of the harness.
    fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>>;

    /// The pause after one check before the next.
    fn interval(&self) -> Duration {
        INTERVAL
    }

    /// How long one check may take.
    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    /// Failures in a row that make the process unhealthy.
    fn failures(&self) -> u32 {
        3
    }

    /// What stands for it in messages.
    fn name(&self) -> String {
        "a check of the test suite".to_owned()
    }

    /// The same question as one that the supervisor asks by itself, where it is one. Not for other implementations.
    #[doc(hidden)]
    fn probe(&self) -> Option<Probe> {
        None
    }
}

/// The probe that asks `check`.
pub(super) fn probe_of(check: &Arc<dyn HealthCheck>) -> Probe {
    check.probe().unwrap_or_else(|| {
        let asked = check.clone();
        Probe::Custom(CustomProbe::new(&check.name(), move || {
            let check = asked.clone();
            async move { outcome(check.check().await) }
        }))
    })
}

fn outcome(answer: Result<HealthStatus, HealthError>) -> ProbeOutcome {
    match answer {
        Ok(HealthStatus::Healthy) => ProbeOutcome::Ok,
        Ok(HealthStatus::Degraded { why }) => ProbeOutcome::Degraded { why },
        Ok(HealthStatus::Unhealthy { why }) | Err(HealthError(why)) => ProbeOutcome::Failed { short: "unhealthy".to_owned(), why },
    }
}

/// Asks a built-in question on the current tokio runtime.
async fn ask_once(probe: Option<Probe>, timeout: Duration) -> Result<HealthStatus, HealthError> {
    let question = probe.and_then(|probe| Question::of(&probe, &[], |_| None).ok().flatten());
    let Some(question) = question else {
        return Err(HealthError("this check needs the process it belongs to, and is asked by its supervisor only".to_owned()));
    };
    Ok(match ask(&question, timeout, None).await.outcome {
        ProbeOutcome::Ok => HealthStatus::Healthy,
        ProbeOutcome::Degraded { why } => HealthStatus::Degraded { why },
        ProbeOutcome::Failed { why, .. } => HealthStatus::Unhealthy { why },
    })
}

macro_rules! built_in {
    ($check:ident) => {
        impl $check {
            /// The pause after one check before the next; 5 s unless set.
            #[must_use]
            pub fn interval(mut self, interval: Duration) -> Self {
                self.interval = interval;
                self
            }

            /// How long one check may take; 2 s unless set.
            #[must_use]
            pub fn timeout(mut self, timeout: Duration) -> Self {
                self.timeout = timeout;
                self
            }
        }

        impl HealthCheck for $check {
            fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>> {
                Box::pin(ask_once(self.probe(), self.timeout))
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

/// An HTTP request that must be answered with a status. No redirects, no proxy, the body read to 10 KiB.
///
/// ```no_run
/// # async fn example() {
/// use e2e_tui::harness::{HealthCheck, HealthStatus, HttpHealthCheck};
///
/// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health").expected_status(204);
/// assert_eq!(check.check().await, Ok(HealthStatus::Healthy));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HttpHealthCheck {
    url: String,
    expected_status: u16,
    headers: Vec<(String, String)>,
    interval: Duration,
    timeout: Duration,
}

impl HttpHealthCheck {
    /// A GET that must be answered with 200.
    ///
    /// ```no_run
    /// use e2e_tui::harness::HttpHealthCheck;
    /// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health");
    /// ```
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), expected_status: 200, headers: Vec::new(), interval: INTERVAL, timeout: TIMEOUT }
    }

    /// The status it must be answered with.
    ///
    /// ```no_run
    /// use e2e_tui::harness::HttpHealthCheck;
    /// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health").expected_status(204);
    /// ```
    #[must_use]
    pub fn expected_status(mut self, status: u16) -> Self {
        self.expected_status = status;
        self
    }

    /// Sends a header along.
    ///
    /// ```no_run
    /// use e2e_tui::harness::HttpHealthCheck;
    /// let check = HttpHealthCheck::new("http://127.0.0.1:8080/health").header("Authorization", "Bearer x");
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn to_probe(&self) -> Probe {
        Probe::Http(HttpProbe {
            url: self.url.as_str().into(),
            method: "GET".into(),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), Text::from(value.as_str()))).collect(),
            body: None,
            expect: vec![self.expected_status],
            expect_body: None,
        })
    }
}

built_in!(HttpHealthCheck);

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

built_in!(TcpHealthCheck);

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

built_in!(ExecHealthCheck);

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
        Probe::Log { pattern: self.pattern.regex().clone() }
    }
}

built_in!(LogHealthCheck);

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
        Probe::Stdio { send: self.ping_message.clone(), expect: self.expected_response.regex().clone() }
    }
}

built_in!(StdioHealthCheck);
