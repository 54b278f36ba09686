//! Beginning processes, and waiting until they are ready.

use std::{sync::PoisonError, time::Duration};

use super::super::{
    ProcessConfig, ProcessError, ProcessGuard, RestartPolicy, binary,
    standing::{Standing, failed, not_ready, run_ended, standing},
    timer::Timer,
};
use super::ProcessManager;
use crate::{
    model::{Command, ProcessId},
    supervisor::Ticket,
};

/// How long may be asked what a process lacks that is not ready in time.
const LAST_QUESTION: Duration = Duration::from_millis(500);

/// What a name may be long.
const LONGEST_NAME: usize = 64;

/// A process that was added and may not be alive yet. Dropping it ends the process.
pub(in crate::harness) struct Begun {
    id: ProcessId,
    ticket: Ticket,
    guard: ProcessGuard,
}

impl ProcessManager {
    /// Starts a process and waits until it runs; whether it is ready is another question, see [`wait_for_ready`](Self::wait_for_ready).
    /// Dropping this future before it is done ends the process, too.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = manager.spawn_process(ProcessConfig::new("api", "./api")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_process(&self, config: ProcessConfig) -> Result<ProcessId, ProcessError> {
        let begun = self.begin(config)?;
        let id = begun.id.clone();
        self.alive(begun).await?.disarm();
        Ok(id)
    }

    /// Adds a process to the run. From here on it has an owner.
    pub(in crate::harness) fn begin(&self, config: ProcessConfig) -> Result<Begun, ProcessError> {
        let id = self.noted(self.reserve(&config.name))?;
        let spec = config.to_spec(id.clone(), binary::path(self.inner.engine.binary.as_ref()));
        let spec = self.noted(spec.inspect_err(|_| self.free(&id)))?;
        self.configs().insert(id.clone(), config);
        let guard = ProcessGuard::new(&self.inner, &id);
        let ticket = self.inner.engine.run.add(spec);
        Ok(Begun { id, ticket, guard })
    }

    /// Waits until what was begun is alive, and gives its guard.
    pub(in crate::harness) async fn alive(&self, begun: Begun) -> Result<ProcessGuard, ProcessError> {
        let Begun { id, ticket, guard } = begun;
        let Err(why) = ticket.done().await else { return Ok(guard) };
        let error = if let Some(row) = self.snapshot().row(id.as_str()) {
            failed(&self.inner.engine, row)
        } else {
            // It was not begun, so nobody has its name, and there is nothing to end.
            guard.disarm();
            self.configs().remove(&id);
            self.free(&id);
            ProcessError::RunEnded { reason: why }
        };
        self.noted(Err(error))
    }

    /// `name`, or the first of `name-2`, `name-3`, … that nobody has.
    fn reserve(&self, name: &str) -> Result<ProcessId, ProcessError> {
        let invalid = |_| ProcessError::InvalidName(name.chars().take(80).collect());
        let mut names = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut id = ProcessId::new(name).map_err(invalid)?;
        for n in 2.. {
            if names.insert(id.clone()) {
                break;
            }
            let number = format!("-{n}");
            // Names are ASCII, and at most so long: of one that is, the number takes the end.
            let stem = &name[..name.len().min(LONGEST_NAME - number.len())];
            id = ProcessId::new(&format!("{stem}{number}")).map_err(invalid)?;
        }
        Ok(id)
    }

    /// Gives up a name under which nothing was begun.
    fn free(&self, id: &ProcessId) {
        self.inner.names.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Waits until a process is ready: its check answers, it is alive a moment later, and the listener on its port is its own.
    ///
    /// # Errors
    /// As soon as it has ended (with how, and its last lines), could not be started, or gave up; or when `timeout` is over. A
    /// death that its restart policy answers with a restart is waited out.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.wait_for_ready("api", std::time::Duration::from_secs(10)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_ready(&self, process: impl AsRef<str>, timeout: Duration) -> Result<(), ProcessError> {
        let id = self.named(process)?;
        self.noted(self.ready(&id, timeout).await)
    }

    async fn ready(&self, id: &ProcessId, timeout: Duration) -> Result<(), ProcessError> {
        let restarts = self.policy(id) != RestartPolicy::Never;
        let engine = &self.inner.engine;
        let mut snapshots = engine.run.watch();
        let mut over = Timer::start(&engine.runtime, timeout);
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            match standing(engine, &snapshot, id, restarts) {
                Standing::Ready => return Ok(()),
                Standing::Never(error) => return Err(*error),
                Standing::Waiting => {}
            }
            tokio::select! {
                changed = snapshots.changed() => if changed.is_err() { return Err(run_ended(&snapshot)) },
                () = &mut over => return Err(self.not_ready(id, timeout).await),
            }
        }
    }

    async fn not_ready(&self, id: &ProcessId, timeout: Duration) -> ProcessError {
        let engine = &self.inner.engine;
        let met = tokio::select! {
            met = engine.run.why_not_ready(id) => met,
            () = Timer::start(&engine.runtime, LAST_QUESTION) => None,
        };
        let snapshot = self.snapshot();
        snapshot.row(id.as_str()).map_or_else(|| run_ended(&snapshot), |row| not_ready(engine, row, timeout, met))
    }

    /// Stops a process and starts it anew. Returns when it runs again.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.restart_process("api").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn restart_process(&self, process: impl AsRef<str>) -> Result<(), ProcessError> {
        let id = self.named(process)?;
        self.carried_out(&id, Command::Restart { process: id.clone(), now: false }).await
    }

    /// Starts a process that is down.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.start_process_again("api").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_process_again(&self, process: impl AsRef<str>) -> Result<(), ProcessError> {
        let id = self.named(process)?;
        self.carried_out(&id, Command::Start { process: id.clone() }).await
    }
}
