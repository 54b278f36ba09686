//! How one process stands.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::RestartPolicy;
use crate::model::{ExitRecord, Generation, Health, Leak, ProcessId, ProcessSnapshot, ProcessState, RunClock};

/// How a process stood when it was asked for. Asking again gives the present.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// # let manager = e2e_tui::harness::ProcessManager::new().await?;
/// for process in manager.processes() {
///     println!("{} is {}, pid {:?}, {} restarts", process.id(), process.state().word(), process.pid(), process.restart_count());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ManagedProcess {
    row: Arc<ProcessSnapshot>,
    clock: RunClock,
    policy: RestartPolicy,
}

impl fmt::Debug for ManagedProcess {
    /// Without its settings: the values of its environment are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedProcess")
            .field("id", self.id())
            .field("state", self.state())
            .field("health", &self.health())
            .field("pid", &self.pid())
            .field("generation", &self.generation())
            .field("restart_count", &self.restart_count())
            .field("port", &self.port())
            .finish_non_exhaustive()
    }
}

impl ManagedProcess {
    pub(super) fn of(row: &ProcessSnapshot, clock: RunClock, policy: RestartPolicy) -> Self {
        Self { row: Arc::new(row.clone()), clock, policy }
    }

    /// Its name.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{}", process.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn id(&self) -> &ProcessId {
        self.row.id()
    }

    /// The same, as text.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(process.name().starts_with("worker-"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(&self) -> &str {
        self.row.id().as_str()
    }

    /// Which of its exits lead to a restart.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(process.restart_policy(), e2e_tui::harness::RestartPolicy::Never);
    /// # Ok(())
    /// # }
    /// ```
    pub fn restart_policy(&self) -> RestartPolicy {
        self.policy
    }

    /// Its state, with its reason.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(process.state().is_alive());
    /// # Ok(())
    /// # }
    /// ```
    pub fn state(&self) -> &ProcessState {
        &self.row.state
    }

    /// What its health check says.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(process.health().word(), "healthy");
    /// # Ok(())
    /// # }
    /// ```
    pub fn health(&self) -> Health {
        self.row.health
    }

    /// The leader of its tree, while it lives.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// let pid = process.pid();
    /// # Ok(())
    /// # }
    /// ```
    pub fn pid(&self) -> Option<u32> {
        self.row.pid
    }

    /// Its newest start, from 1; 0 before the first.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(process.generation(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn generation(&self) -> Generation {
        self.row.generation
    }

    /// How often its policy has restarted it.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(process.restart_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn restart_count(&self) -> u32 {
        self.row.restarts
    }

    /// When its newest start was.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// let since = process.start_time();
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_time(&self) -> Option<SystemTime> {
        self.row.started.map(|at| SystemTime::from(self.clock.wall()) + Duration::from_micros(at.0))
    }

    /// How long its newest start took to become ready.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("ready after {:?}", process.ready_after());
    /// # Ok(())
    /// # }
    /// ```
    pub fn ready_after(&self) -> Option<Duration> {
        self.row.ready_after
    }

    /// What the last attempt to find it ready has met, while it is not. An attempt in its first moments is not told.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(process.not_ready_yet(), Some("connect 127.0.0.1:20001: Connection refused"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn not_ready_yet(&self) -> Option<&str> {
        self.row.trouble.as_deref()
    }

    /// The port it listens on: as it was set, else as its ready line named it.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = process.port();
    /// # Ok(())
    /// # }
    /// ```
    pub fn port(&self) -> Option<u16> {
        self.row.port()
    }

    /// All its ends, oldest first.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(process.exits().is_empty(), "it has not ended once");
    /// # Ok(())
    /// # }
    /// ```
    pub fn exits(&self) -> &[ExitRecord] {
        &self.row.exits
    }

    /// What it has left behind although it should be gone, whether that lives yet or was killed or has ended since.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ManagedProcess) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(process.leaks().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn leaks(&self) -> Vec<&Leak> {
        self.row.leaks.iter().chain(self.row.ended_leaks.iter().map(|ended| &ended.leak)).collect()
    }
}
