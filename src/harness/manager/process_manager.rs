//! The type, and what it knows.

use std::{
    collections::{HashMap, HashSet},
    fmt::{self, Display},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::super::{
    HarnessBuilder, HarnessError, LogAggregator, ManagedProcess, ProcessConfig, ProcessError, ProcessGuard, RestartPolicy,
    engine::Engine,
    hooks::Hooks,
    standing::{failed, run_ended},
};
use crate::{
    model::{Phase, ProcessId, ProcessSnapshot, RunSpec, Snapshot},
    supervisor::{RunHandle, TestEnd},
};

/// Starts, watches, restarts and ends processes for a program. Dropping it ends them all, at once and with everything they have
/// started.
///
/// A clone is another face of the same run, for a task or a clean-up hook. It keeps nothing alive: once the manager it came from
/// is dropped, it says that the run has ended. To share the manager itself, put it into an `Arc`.
///
/// ```no_run
/// use std::time::Duration;
///
/// use e2e_tui::harness::{ProcessConfig, ProcessManager};
///
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// let manager = ProcessManager::new().await?;
/// let id = manager.spawn_process(ProcessConfig::new("server", "./server").port(20_100)).await?;
/// manager.wait_for_ready(&id, Duration::from_secs(10)).await?;
/// manager.shutdown_all(Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a manager ends all that it has started"]
pub struct ProcessManager {
    pub(in crate::harness) inner: Arc<Inner>,
    /// Of the one that was made first, not of its clones.
    _life: Option<Life>,
}

impl Clone for ProcessManager {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), _life: None }
    }
}

impl fmt::Debug for ProcessManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessManager").field("processes", &self.names()).finish_non_exhaustive()
    }
}

/// What managers, handles and guards share.
pub(in crate::harness) struct Inner {
    pub(in crate::harness) engine: Arc<Engine>,
    pub(in crate::harness) hooks: Hooks,
    pub(super) names: Mutex<HashSet<ProcessId>>,
    configs: Mutex<HashMap<ProcessId, ProcessConfig>>,
    /// Of the processes of a scenario.
    policies: HashMap<ProcessId, RestartPolicy>,
}

/// Whose end is the end of the run. Only one holds it, so that a hook which holds a manager does not hold itself.
struct Life(Arc<Inner>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.engine.end_now(TestEnd::Unknown);
        self.0.hooks.run();
    }
}

impl ProcessManager {
    /// A manager with a run and a recording of its own.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = e2e_tui::harness::ProcessManager::new().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn new() -> Result<Self, HarnessError> {
        HarnessBuilder::default().process_manager().await
    }

    pub(in crate::harness) fn of(engine: Arc<Engine>, spec: &RunSpec) -> Self {
        let policies = spec.processes.values().map(|process| (process.id.clone(), RestartPolicy::from(&process.restart))).collect();
        let inner = Arc::new(Inner {
            engine,
            hooks: Hooks::default(),
            names: Mutex::new(spec.processes.keys().cloned().collect()),
            configs: Mutex::default(),
            policies,
        });
        Self { _life: Some(Life(inner.clone())), inner }
    }

    /// What all processes say.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.logs().assert_no_errors();
    /// # Ok(())
    /// # }
    /// ```
    pub fn logs(&self) -> LogAggregator {
        self.inner.engine.logs.clone()
    }

    /// The names of all processes, in the order they were added.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", manager.names());
    /// # Ok(())
    /// # }
    /// ```
    pub fn names(&self) -> Vec<ProcessId> {
        self.inner.engine.run.snapshot().rows.iter().map(|row| row.id().clone()).collect()
    }

    /// How all processes stand.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let alive = manager.processes().iter().filter(|process| process.state().is_alive()).count();
    /// # Ok(())
    /// # }
    /// ```
    pub fn processes(&self) -> Vec<ManagedProcess> {
        self.snapshot().rows.iter().map(|row| self.managed(row)).collect()
    }

    /// How a process stands.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(manager.process("api")?.restart_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn process(&self, process: impl AsRef<str>) -> Result<ManagedProcess, ProcessError> {
        let snapshot = self.snapshot();
        let row = snapshot.row(process.as_ref()).ok_or_else(|| self.unknown(process.as_ref()))?;
        Ok(self.managed(row))
    }

    /// A guard for a process: dropping it ends the process.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = manager.spawn_process(ProcessConfig::new("api", "./api")).await?;
    /// let guard = manager.guard(&id);     // it ends when this is dropped
    /// # Ok(())
    /// # }
    /// ```
    pub fn guard(&self, process: &ProcessId) -> ProcessGuard {
        ProcessGuard::new(&self.inner, process)
    }

    /// The folder of the recording, if it could be made.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", manager.recording());
    /// # Ok(())
    /// # }
    /// ```
    pub fn recording(&self) -> Option<&Path> {
        self.inner.engine.dir.as_deref()
    }

    /// How the whole run stands.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(manager.snapshot().rows.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.engine.run.snapshot()
    }

    /// The supervisor's own handle of the run, which knows more than this face shows.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let events = manager.run().journal().from(0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(&self) -> &RunHandle {
        &self.inner.engine.run
    }

    /// Waits until `met` holds of a process, or says of what is known that it will not.
    pub(in crate::harness) async fn watch<T>(
        &self,
        id: &ProcessId,
        mut met: impl FnMut(&ProcessSnapshot) -> Option<T>,
    ) -> Result<T, ProcessError> {
        let mut snapshots = self.inner.engine.run.watch();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if let Some(found) = snapshot.row(id.as_str()).and_then(&mut met) {
                return Ok(found);
            }
            if snapshot.phase == Phase::Ended || snapshots.changed().await.is_err() {
                return Err(run_ended(&snapshot));
            }
        }
    }

    /// Why a process that should be there is not.
    pub(in crate::harness) fn why_not(&self, id: &ProcessId) -> ProcessError {
        let snapshot = self.snapshot();
        snapshot.row(id.as_str()).map_or_else(|| self.unknown(id.as_str()), |row| failed(&self.inner.engine, row))
    }

    /// A process that was added, though perhaps not told of yet.
    pub(in crate::harness) fn find(&self, name: &str) -> Result<ProcessId, ProcessError> {
        let names = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(name).cloned().ok_or_else(|| {
            drop(names);
            self.unknown(name)
        })
    }

    /// The same, for what the test wants done: that it cannot be is noted.
    pub(super) fn named(&self, name: impl AsRef<str>) -> Result<ProcessId, ProcessError> {
        self.noted(self.find(name.as_ref()))
    }

    /// A result that is handed to the test: a test that then ends without a word has failed for its error.
    pub(in crate::harness) fn noted<T, E: Display>(&self, result: Result<T, E>) -> Result<T, E> {
        self.inner.engine.trouble.noted(result)
    }

    fn managed(&self, row: &ProcessSnapshot) -> ManagedProcess {
        ManagedProcess::of(row, self.inner.engine.run.clock(), self.policy(row.id()))
    }

    /// Whether the test has configured it, and no scenario.
    pub(in crate::harness) fn is_own(&self, id: &ProcessId) -> bool {
        self.configs().contains_key(id)
    }

    /// Which exits of a process lead to a restart.
    pub(super) fn policy(&self, id: &ProcessId) -> RestartPolicy {
        let own = self.configs().get(id).map(|config| config.restart_policy);
        own.or_else(|| self.inner.policies.get(id).copied()).unwrap_or_default()
    }

    pub(super) fn configs(&self) -> MutexGuard<'_, HashMap<ProcessId, ProcessConfig>> {
        self.inner.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self, name: &str) -> ProcessError {
        ProcessError::Unknown { name: name.chars().take(80).collect(), known: self.names().iter().map(ToString::to_string).collect() }
    }
}
