//! Health checks: what a program asks a process to learn whether it is ready, and whether it is still well.
//!
//! The built-in ones are questions that the supervisor knows how to ask; any other is a type of the test suite's own that
//! implements [`HealthCheck`]. Thresholds and what follows are the supervisor's.

use std::{fmt, panic::resume_unwind, pin::Pin, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    health::{Answer, Question, ask},
    model::{CustomProbe, HttpProbe, Probe, ProbeOutcome, Text, human_duration, words_of},
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
    /// Asks once. It is given up after [`timeout`](Self::timeout). Runs on a tokio runtime of the
    /// harness, on a thread beside its supervisor; a panic is a bad answer.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), e2e_tui::harness::HealthError> {
    /// use e2e_tui::harness::{HealthCheck, HealthStatus, TcpHealthCheck};
    ///
    /// assert_eq!(TcpHealthCheck::new("127.0.0.1:6379").check().await?, HealthStatus::Healthy);
    /// # Ok(())
    /// # }
    /// ```
    fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>>;

    /// The pause after one check before the next; 5 s unless it says otherwise.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use e2e_tui::harness::{HealthCheck, TcpHealthCheck};
    ///
    /// assert_eq!(HealthCheck::interval(&TcpHealthCheck::new("127.0.0.1:6379")), Duration::from_secs(5));
    /// ```
    fn interval(&self) -> Duration {
        INTERVAL
    }

    /// How long one check may take; 2 s unless it says otherwise.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use e2e_tui::harness::{HealthCheck, TcpHealthCheck};
    ///
    /// assert_eq!(HealthCheck::timeout(&TcpHealthCheck::new("127.0.0.1:6379")), Duration::from_secs(2));
    /// ```
    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    /// Failures in a row that make the process unhealthy; 3 unless it says otherwise.
    ///
    /// ```
    /// use e2e_tui::harness::{BoxFuture, HealthCheck, HealthError, HealthStatus};
    ///
    /// struct Touchy;
    ///
    /// impl HealthCheck for Touchy {
    ///     fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>> {
    ///         Box::pin(async { Ok(HealthStatus::Healthy) })
    ///     }
    ///
    ///     fn failures(&self) -> u32 {
    ///         1
    ///     }
    /// }
    /// ```
    fn failures(&self) -> u32 {
        3
    }

    /// What stands for it in messages.
    ///
    /// ```
    /// use e2e_tui::harness::{BoxFuture, HealthCheck, HealthError, HealthStatus};
    ///
    /// struct Migrated;
    ///
    /// impl HealthCheck for Migrated {
    ///     fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>> {
    ///         Box::pin(async { Err(HealthError("no table `orders`".into())) })
    ///     }
    ///
    ///     fn name(&self) -> String {
    ///         "the database's migrations".into()
    ///     }
    /// }
    /// ```
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
        let (asked, turn) = (check.clone(), Arc::new(()));
        Probe::Custom(CustomProbe::new(&check.name(), move || {
            let (check, turn) = (asked.clone(), turn.clone());
            async move { outcome(ask_beside(check, turn).await) }
        }))
    })
}

/// Asks on a thread beside the supervisor's: a check that blocks its thread holds up nobody but itself. While one does that was
/// given up, `turn` is taken, and no other is asked.
async fn ask_beside(check: Arc<dyn HealthCheck>, turn: Arc<()>) -> Result<HealthStatus, HealthError> {
    // The probe holds one, this question another.
    if Arc::strong_count(&turn) > 2 {
        return Err(HealthError("the check before this one still blocks its thread".to_owned()));
    }
    let (asker, gone) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let asked = tokio::task::spawn_blocking(move || {
        let answer = runtime.block_on(async {
            tokio::select! {
                answer = check.check() => answer,
                _ = gone => Err(HealthError("nobody waits for the answer".to_owned())),
            }
        });
        drop(turn);
        answer
    });
    let answer = asked.await;
    drop(asker);
    answer.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Err(HealthError("the run has ended".to_owned())),
    })
}

fn outcome(answer: Result<HealthStatus, HealthError>) -> ProbeOutcome {
    match answer {
        Ok(HealthStatus::Healthy) => ProbeOutcome::Ok,
        Ok(HealthStatus::Degraded { why }) => ProbeOutcome::Degraded { why },
        Ok(HealthStatus::Unhealthy { why }) | Err(HealthError(why)) => ProbeOutcome::Failed { short: "unhealthy".to_owned(), why },
    }
}

/// An answer that the supervisor was given, as test suites see it.
pub(super) fn status(answer: Result<Answer, String>) -> Result<HealthStatus, HealthError> {
    answer.map_err(HealthError).map(|answer| match answer.outcome {
        ProbeOutcome::Ok => HealthStatus::Healthy,
        ProbeOutcome::Degraded { why } => HealthStatus::Degraded { why },
        ProbeOutcome::Failed { why, .. } => HealthStatus::Unhealthy { why },
    })
}

/// Asks a check of the test suite's own, on the harness's runtime.
pub(super) async fn ask_custom(runtime: &Handle, check: Arc<dyn HealthCheck>) -> Result<HealthStatus, HealthError> {
    let (limit, name) = (check.timeout(), check.name());
    let asked = runtime.spawn(async move { tokio::time::timeout(limit, ask_beside(check, Arc::new(()))).await });
    match asked.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Ok(HealthStatus::Unhealthy { why: format!("no answer within {}", human_duration(limit)) }),
        Err(ended) => Err(HealthError(match ended.try_into_panic() {
            Ok(panic) => format!("{name} panicked: {}", words_of(&*panic)),
            Err(_) => "the run has ended".to_owned(),
        })),
    }
}

/// Asks a built-in question on the current tokio runtime.
async fn ask_once(probe: Option<Probe>, timeout: Duration) -> Result<HealthStatus, HealthError> {
    let question = probe.and_then(|probe| Question::of(&probe, &[], |_| None).ok().flatten());
    let Some(question) = question else {
        return Err(HealthError("this check needs the process it belongs to: ask with `manager.check_health(..)`".to_owned()));
    };
    status(Ok(ask(&question, timeout, None).await))
}

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
#[derive(Clone)]
pub struct HttpHealthCheck {
    url: String,
    expected_status: u16,
    headers: Vec<(String, String)>,
    interval: Duration,
    timeout: Duration,
}

impl fmt::Debug for HttpHealthCheck {
    /// Without the values of its headers: tokens live there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("HttpHealthCheck")
            .field("url", &self.url)
            .field("expected_status", &self.expected_status)
            .field("headers", &headers)
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .finish()
    }
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

built_in!(HttpHealthCheck, "HttpHealthCheck::new(\"http://127.0.0.1:8080/health\")");

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
        Probe::Log { pattern: self.pattern.regex().clone() }
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
        Probe::Stdio { send: self.ping_message.clone(), expect: self.expected_response.regex().clone() }
    }
}

built_in!(StdioHealthCheck, "StdioHealthCheck::new(\"ping\", \"^pong\")");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_shown() {
        let check = HttpHealthCheck::new("http://127.0.0.1:1/health").header("Authorization", "Bearer s3cret-token");
        let shown = format!("{check:?}");
        assert!(shown.contains("Authorization") && !shown.contains("s3cret"), "{shown}");
        let builder = crate::harness::E2ETestHarness::builder().secret("s3cret-token").var("token", "s3cret-token");
        assert!(!format!("{builder:?}").contains("s3cret"), "{builder:?}");
    }
}
