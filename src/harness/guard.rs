//! The value whose end is the end of a process.

use std::{sync::Arc, time::Duration};

use super::manager::Inner;
use crate::model::{Actor, Command, ProcessId};

/// How long a KILL may take, all in all, before a guard stops waiting for it. What is left then, the end of the run kills.
const PATIENCE: Duration = Duration::from_secs(4);

/// Ends a process, with everything it has started, when it is dropped: at once, in this thread, without a runtime. That holds in
/// a panic, in a runtime of one thread, and after the runtime.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// use e2e_tui::harness::{ProcessConfig, ProcessManager};
///
/// let manager = ProcessManager::new().await?;
/// let id = manager.spawn_process(ProcessConfig::new("server", "./server")).await?;
/// let guard = manager.guard(&id);
/// // …
/// drop(guard); // nothing of it is left
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a guard ends its process"]
pub struct ProcessGuard {
    inner: Arc<Inner>,
    process_id: ProcessId,
    armed: bool,
}

impl std::fmt::Debug for ProcessGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessGuard").field("process_id", &self.process_id).field("armed", &self.armed).finish_non_exhaustive()
    }
}

impl ProcessGuard {
    pub(super) fn new(inner: &Arc<Inner>, process_id: &ProcessId) -> Self {
        Self { inner: inner.clone(), process_id: process_id.clone(), armed: true }
    }

    /// Whose end it is.
    ///
    /// ```no_run
    /// # async fn example(guard: &e2e_tui::harness::ProcessGuard) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{} ends with this block", guard.process_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn process_id(&self) -> &ProcessId {
        &self.process_id
    }

    /// Lets the process live on; the end of its manager is its end.
    ///
    /// ```no_run
    /// # async fn example(guard: e2e_tui::harness::ProcessGuard) -> Result<(), Box<dyn std::error::Error>> {
    /// guard.disarm();     // it goes on until the manager ends
    /// # Ok(())
    /// # }
    /// ```
    pub fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for ProcessGuard {
    fn drop(&mut self) {
        if !self.armed || self.inner.engine.outcome().is_some() {
            return;
        }
        let stop = Command::Stop { process: self.process_id.clone(), now: true };
        let ticket = self.inner.engine.run.send(stop, Actor::Library);
        let _ = self.inner.engine.wait_in_thread(ticket.done(), PATIENCE);
    }
}
