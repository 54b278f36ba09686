//! What a check is, and what it answers.

use std::{pin::Pin, time::Duration};

use crate::model::Probe;

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
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// The longest a check takes, unless it says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

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
