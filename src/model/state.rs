//! Where a process stands. Every state carries its reason: the screen never shows the word alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Actor, At, Exit, ProcessId, Signal};

/// The state of a process, that is of its newest generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProcessState {
    /// Not started yet; `waits_for` says for what, one entry a dependency (`upstream ready`). Empty: about to start.
    Pending {
        /// What it waits for, in file order.
        waits_for: Vec<String>,
    },
    /// Started, and its readiness is being probed.
    Starting {
        /// When it was started.
        since: At,
        /// When it has failed to become ready.
        deadline: At,
    },
    /// Alive, with no readiness of its own to reach (tests and tasks).
    Running,
    /// Alive and ready.
    Ready,
    /// Alive, but its health check has failed as often as `failures` allows.
    Unhealthy {
        /// Failed probes in a row.
        failed: u32,
        /// How many make it unhealthy.
        of: u32,
    },
    /// It failed and will be restarted at `until`.
    Backoff {
        /// When the next start is due.
        until: At,
        /// How it ended, for the reason.
        reason: Failure,
    },
    /// Its tree is being stopped; KILL follows at `kill_at`.
    Stopping {
        /// When KILL goes out.
        kill_at: At,
        /// Who asked.
        by: Actor,
    },
    /// Stopped on request. It stays down until started again.
    Stopped {
        /// Who asked.
        by: Actor,
        /// What was sent, KILL if that was needed; none if it was not alive or its own command was enough.
        signal: Option<Signal>,
    },
    /// Exited with code 0.
    Completed,
    /// Ended in failure, and no policy restarts it.
    Failed {
        /// Why.
        reason: Failure,
    },
    /// Failed as often as its restart policy allows.
    GaveUp {
        /// How it ended last.
        reason: Failure,
        /// How often it ended so in a row.
        times: u32,
    },
    /// Never started, since something it depends on cannot get there.
    Skipped {
        /// That something, and how it stands.
        because: String,
    },
}

impl ProcessState {
    /// The contract's word: `pending`, `gave-up`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Starting { .. } => "starting",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Backoff { .. } => "backoff",
            Self::Stopping { .. } => "stopping",
            Self::Stopped { .. } => "stopped",
            Self::Completed => "completed",
            Self::Failed { .. } => "failed",
            Self::GaveUp { .. } => "gave-up",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// Whether its newest generation is alive, as far as the supervisor knows.
    pub fn is_alive(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running | Self::Ready | Self::Unhealthy { .. } | Self::Stopping { .. })
    }

    /// Whether it is down and nothing but a command will start it.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::Completed | Self::Failed { .. } | Self::GaveUp { .. } | Self::Skipped { .. })
    }
}

/// Why a process failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(tag = "failure", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Failure {
    /// It ended by itself, or by somebody else's signal.
    Exited {
        /// How.
        exit: Exit,
        /// Who had signalled it from outside the policy, if somebody had; then it is nobody's fault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// It could not be started.
    NotStarted {
        /// The whole story: path, PATH searched, cwd, errno.
        error: String,
        /// A word or two for the state column (`not found`, `20001 taken`).
        short: String,
    },
    /// Not ready within its time.
    NeverReady {
        /// What the last attempt met (`connect 127.0.0.1:20001: Connection refused`).
        last: String,
        /// What it had to show (`GET http://127.0.0.1:20001/health answers 200`). Recordings of older versions do not say.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        awaited: String,
        /// How long it had, in milliseconds.
        after_ms: u64,
    },
    /// Its port answers, but somebody else listens there.
    ForeignListener {
        /// The listener; 0 if it is another user's, whose processes cannot be looked into.
        pid: u32,
        /// The port.
        port: u16,
    },
    /// Its health check failed too often and its policy restarts or ends it for that.
    Unhealthy {
        /// The last outcome.
        last: String,
    },
    /// One generation lived longer than its `timeout`.
    TimedOut {
        /// The limit, in milliseconds.
        after_ms: u64,
    },
    /// A limit was hit.
    LimitHit {
        /// Which, and by how much.
        what: String,
    },
    /// The guardian that held it is gone, and it with it.
    GuardianLost,
    /// Something is left that KILL does not end.
    CannotBeKilled {
        /// Who.
        pids: Vec<u32>,
    },
    /// A test that somebody stopped.
    StoppedBy {
        /// Who.
        by: Actor,
    },
    /// A process it depends on is not there any more.
    Dependency {
        /// Which.
        process: ProcessId,
        /// How it stands.
        state: String,
    },
}

impl Failure {
    /// How the process itself ended, if that is the failure.
    pub fn exit(&self) -> Option<Exit> {
        if let Self::Exited { exit, .. } = self { Some(*exit) } else { None }
    }

    /// For the state column: `exit 101`, `SIGKILL`, `20001 taken`.
    pub fn short(&self) -> String {
        match self {
            Self::Exited { exit, by: None } => exit.to_string(),
            Self::Exited { exit, by: Some(by) } => format!("{exit} by {by}"),
            Self::NotStarted { short, .. } => short.clone(),
            Self::NeverReady { after_ms, .. } => {
                format!("not ready in {}", super::human_duration(std::time::Duration::from_millis(*after_ms)))
            }
            Self::ForeignListener { pid: 0, .. } => "foreign listener (another user's)".into(),
            Self::ForeignListener { pid, .. } => format!("foreign listener (pid {pid})"),
            Self::Unhealthy { .. } => "unhealthy".into(),
            Self::TimedOut { after_ms } => {
                format!("timed out after {}", super::human_duration(std::time::Duration::from_millis(*after_ms)))
            }
            Self::LimitHit { what } => what.clone(),
            Self::GuardianLost => "guardian lost".into(),
            Self::CannotBeKilled { pids } if pids.is_empty() => "cannot be killed".into(),
            Self::CannotBeKilled { pids } => format!("cannot be killed ({} left)", pids.len()),
            Self::StoppedBy { by } => format!("stopped by {by}"),
            Self::Dependency { process, state } => format!("{process} {state}"),
        }
    }
}

impl fmt::Display for Failure {
    /// The whole sentence, for events and errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { error, .. } => f.write_str(error),
            Self::NeverReady { last, awaited, .. } if awaited.is_empty() => write!(f, "{}: {last}", self.short()),
            Self::NeverReady { last, awaited, .. } => write!(f, "{}: {last}; awaited: {awaited}", self.short()),
            Self::ForeignListener { pid: 0, port } => write!(f, "foreign listener (another user's) on port {port}"),
            Self::ForeignListener { pid, port } => write!(f, "foreign listener (pid {pid}) on port {port}"),
            Self::Unhealthy { last } => write!(f, "unhealthy: {last}"),
            Self::Exited { exit: Exit::Code(code), .. } => write!(f, "exited with {code}"),
            Self::Exited { exit: Exit::Signal(signal), .. } => write!(f, "killed by {signal}"),
            other => f.write_str(&other.short()),
        }
    }
}

/// What the health check says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Health {
    /// It has no health check.
    #[default]
    None,
    /// No probe has answered yet.
    Unknown,
    /// The last probes were well.
    Healthy,
    /// It answers, but slower than `degraded_after` or with a `degraded` status.
    Degraded,
    /// `failures` probes in a row failed.
    Unhealthy,
}

impl Health {
    /// The contract's word; `-` where there is no check.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_ready_says_what_was_met_and_what_was_awaited() {
        let never = |awaited: &str| Failure::NeverReady { last: "HTTP 503".into(), awaited: awaited.into(), after_ms: 30_000 };
        assert_eq!(never("").short(), "not ready in 30 s");
        assert_eq!(never("").to_string(), "not ready in 30 s: HTTP 503", "as older versions told it");
        assert_eq!(never("GET http://x answers 200").to_string(), "not ready in 30 s: HTTP 503; awaited: GET http://x answers 200");
    }
}
