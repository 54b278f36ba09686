//! Which exits lead to a restart.

use std::time::Duration;

use crate::model::RestartMode;

/// Which exits that nobody asked for lead to a restart.
///
/// ```
/// use std::time::Duration;
///
/// use e2e_tui::harness::RestartPolicy;
///
/// let policy = RestartPolicy::OnFailure { max_attempts: 3, backoff: Duration::from_millis(200) };
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestartPolicy {
    /// None.
    #[default]
    Never,
    /// Any that is not exit 0.
    OnFailure {
        /// Restarts (not starts) before it gives up.
        max_attempts: u32,
        /// The first pause; it doubles up to 30 s.
        backoff: Duration,
    },
    /// All. It gives up after 10 exits in a minute.
    Always {
        /// The pause before each start.
        delay: Duration,
    },
}

impl From<RestartPolicy> for crate::model::RestartPolicy {
    fn from(policy: RestartPolicy) -> Self {
        match policy {
            RestartPolicy::Never => Self::default(),
            RestartPolicy::OnFailure { max_attempts, backoff } => {
                Self { mode: RestartMode::OnFailure, max_attempts, backoff, ..Self::default() }
            }
            RestartPolicy::Always { delay } => Self { mode: RestartMode::Always, delay, ..Self::default() },
        }
    }
}

impl From<&crate::model::RestartPolicy> for RestartPolicy {
    /// A scenario's, as far as it can be said here.
    fn from(policy: &crate::model::RestartPolicy) -> Self {
        match policy.mode {
            RestartMode::Never => Self::Never,
            RestartMode::OnFailure => Self::OnFailure { max_attempts: policy.max_attempts, backoff: policy.backoff },
            RestartMode::Always => Self::Always { delay: policy.delay },
        }
    }
}
