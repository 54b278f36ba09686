//! How one process stands.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

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
#[derive(Debug, Clone)]
pub struct ManagedProcess {
    row: Arc<ProcessSnapshot>,
    clock: RunClock,
}

impl ManagedProcess {
    pub(super) fn of(row: &ProcessSnapshot, clock: RunClock) -> Self {
        Self { row: Arc::new(row.clone()), clock }
    }

    /// Its name.
    pub fn id(&self) -> &ProcessId {
        self.row.id()
    }

    /// Its state, with its reason.
    pub fn state(&self) -> &ProcessState {
        &self.row.state
    }

    /// What its health check says.
    pub fn health(&self) -> Health {
        self.row.health
    }

    /// The leader of its tree, while it lives.
    pub fn pid(&self) -> Option<u32> {
        self.row.pid
    }

    /// Its newest start, from 1; 0 before the first.
    pub fn generation(&self) -> Generation {
        self.row.generation
    }

    /// How often its policy has restarted it.
    pub fn restart_count(&self) -> u32 {
        self.row.restarts
    }

    /// When its newest start was.
    pub fn start_time(&self) -> Option<SystemTime> {
        self.row.started.map(|at| SystemTime::from(self.clock.wall()) + Duration::from_micros(at.0))
    }

    /// How long its newest start took to become ready.
    pub fn ready_after(&self) -> Option<Duration> {
        self.row.ready_after
    }

    /// The port it listens on: as it was set, else as its ready line named it.
    pub fn port(&self) -> Option<u16> {
        self.row.port()
    }

    /// All its ends, oldest first.
    pub fn exits(&self) -> &[ExitRecord] {
        &self.row.exits
    }

    /// What it has left behind although it should be gone.
    pub fn leaks(&self) -> &[Leak] {
        &self.row.leaks
    }
}
