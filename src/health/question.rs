//! What is asked, and what comes back.

use std::time::{Duration, Instant};

use super::{exec::ExecQuestion, stdio::StdioQuestion};
use crate::model::{CustomProbe, HttpProbe, Probe, ProbeOutcome, ProcessId, UnresolvedPort};

/// How much longer than its time a question by command may take, all in all.
const COMMAND_SLACK: Duration = Duration::from_millis(200);

/// A probe with its texts resolved: everything it takes to ask once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Question {
    /// An HTTP request.
    Http(HttpQuestion),
    /// A TCP connection.
    Tcp {
        /// `host:port`.
        addr: String,
    },
    /// A command.
    Exec(ExecQuestion),
    /// A line and its answer.
    Stdio(StdioQuestion),
    /// Whatever the program which drives the run asks.
    Custom(CustomProbe),
}

/// An HTTP request and what it must answer.
#[derive(Debug, Clone)]
pub struct HttpQuestion {
    /// Where.
    pub url: String,
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// What to send.
    pub body: Option<String>,
    /// Statuses that are well.
    pub expect: Vec<u16>,
    /// What the body must match.
    pub expect_body: Option<regex::Regex>,
    /// Statuses that are degraded.
    pub degraded: Vec<u16>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How long it took to come.
    pub took: Duration,
    /// What it was.
    pub outcome: ProbeOutcome,
}

impl Question {
    /// The question that `probe` asks, with the ports that `port_of` knows; none for a log line, which nobody asks for, and for
    /// commands and exchanges, which take more than texts: see [`ExecQuestion`] and [`StdioQuestion`].
    pub fn of(probe: &Probe, degraded: &[u16], port_of: impl Fn(&ProcessId) -> Option<u16>) -> Result<Option<Self>, UnresolvedPort> {
        Ok(match probe {
            Probe::Tcp { addr } => Some(Self::Tcp { addr: addr.resolve(port_of)? }),
            Probe::Http(HttpProbe { url, method, headers, body, expect, expect_body }) => Some(Self::Http(HttpQuestion {
                url: url.resolve(&port_of)?,
                method: method.clone(),
                headers: headers.iter().map(|(k, v)| Ok((k.clone(), v.resolve(&port_of)?))).collect::<Result<_, _>>()?,
                body: body.as_ref().map(|b| b.resolve(&port_of)).transpose()?,
                expect: expect.clone(),
                expect_body: expect_body.clone(),
                degraded: degraded.to_vec(),
            })),
            Probe::Custom(custom) => Some(Self::Custom(custom.clone())),
            Probe::Log { .. } | Probe::Exec { .. } | Probe::Stdio { .. } => None,
        })
    }
}

/// Asks once. Whatever happens, the answer is there after `timeout`. An answer later than `degraded_after` is degraded.
pub async fn ask(question: &Question, timeout: Duration, degraded_after: Option<Duration>) -> Answer {
    let asked = Instant::now();
    let answer = async {
        match question {
            Question::Http(http) => super::http::ask(http).await,
            Question::Tcp { addr } => super::tcp::ask(addr).await,
            Question::Exec(exec) => super::exec::ask(exec, timeout).await,
            Question::Stdio(stdio) => super::stdio::ask(stdio).await,
            Question::Custom(custom) => custom.ask().await,
        }
    };
    // A command keeps the time itself and still has its last words to tell.
    let limit = if matches!(question, Question::Exec(_)) { timeout + COMMAND_SLACK } else { timeout };
    let outcome = tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| ProbeOutcome::Failed {
        short: "timeout".into(),
        why: format!("no answer within {}", crate::model::human_duration(timeout)),
    });
    let took = asked.elapsed();
    let outcome = match (outcome, degraded_after) {
        (ProbeOutcome::Ok, Some(limit)) if took > limit => ProbeOutcome::Degraded {
            why: format!("answered in {}, more than {}", crate::model::human_duration(took), crate::model::human_duration(limit)),
        },
        (outcome, _) => outcome,
    };
    Answer { took, outcome }
}

/// A failed outcome.
pub(super) fn failed(short: &str, why: impl Into<String>) -> ProbeOutcome {
    ProbeOutcome::Failed { short: short.to_owned(), why: why.into() }
}
