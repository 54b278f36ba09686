//! What happens to a process: restarts, stops, limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::{Signal, Text};

/// Which exits lead to a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartMode {
    /// None.
    #[default]
    Never,
    /// Any that is not exit 0.
    OnFailure,
    /// All.
    Always,
}

/// The restart policy.
#[derive(Debug, Clone, PartialEq)]
pub struct RestartPolicy {
    /// Which exits count.
    pub mode: RestartMode,
    /// Restarts (not starts) before giving up; `on-failure`.
    pub max_attempts: u32,
    /// The first delay; it doubles.
    pub backoff: Duration,
    /// The longest delay.
    pub max_backoff: Duration,
    /// A share of the delay, 0 to 1, drawn at random on top.
    pub jitter: f64,
    /// Alive this long, it starts counting anew.
    pub reset_after: Duration,
    /// `always`: the delay before each start.
    pub delay: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            mode: RestartMode::Never,
            max_attempts: 3,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            jitter: 0.0,
            reset_after: Duration::from_mins(1),
            delay: Duration::from_secs(1),
        }
    }
}

/// How a process is stopped: its whole tree is, and the stop ends when the tree is empty.
#[derive(Debug, Clone)]
pub struct StopSpec {
    /// What is sent first.
    pub signal: Signal,
    /// How long the tree has before KILL.
    pub grace: Duration,
    /// A command run instead of the signal.
    pub command: Option<Vec<Text>>,
}

impl Default for StopSpec {
    fn default() -> Self {
        Self { signal: Signal::TERM, grace: Duration::from_secs(10), command: None }
    }
}

/// Resource limits; none is set unless the file says so. Write it with `..Limits::default()`: there will be more.
///
/// ```
/// use e2e_tui::harness::{ProcessConfig, ResourceLimits};
///
/// let limits = ResourceLimits { memory: Some(500 << 20), open_files: Some(1024), ..ResourceLimits::default() };
/// let server = ProcessConfig::new("server", "./server").limits(limits);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Resident memory of the whole tree, in bytes.
    pub memory: Option<u64>,
    /// Open descriptors of each process.
    pub open_files: Option<u64>,
    /// Processes of the whole tree; where the system holds the user to it, of the user.
    pub processes: Option<u64>,
    /// CPU time of each process.
    pub cpu_time: Option<Duration>,
    /// Cores, where cgroups allow it.
    pub cpu: Option<f64>,
    /// Address space of each process, in bytes.
    pub address_space: Option<u64>,
}
