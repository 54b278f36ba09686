//! Ends: of one process, of all, and what follows.

use std::time::Duration;

use super::super::{
    ProcessError,
    standing::{alive_still, cannot_be_killed, failed, never_ended},
    timer::Timer,
};
use super::ProcessManager;
use crate::{
    model::{Actor, Command, StopRecord},
    supervisor::TestEnd,
};

/// What a KILL may take beyond the time that a stop was given.
const KILL_SLACK: Duration = Duration::from_secs(5);

impl ProcessManager {
    /// Stops a process and all it has started: its stop signal, then KILL when its grace or `timeout` is over, whichever comes
    /// first. Returns when nothing of it lives, and says how the stop went. It stays down. Dropping this future changes
    /// nothing: the stop goes on.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.shutdown_process("api", std::time::Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown_process(&self, process: impl AsRef<str>, timeout: Duration) -> Result<Option<StopRecord>, ProcessError> {
        let id = self.named(process)?;
        let engine = &self.inner.engine;
        let stop = |now| engine.run.send(Command::Stop { process: id.clone(), now }, Actor::Library).done();
        let mut stopped = Box::pin(stop(false));
        let in_time = tokio::select! {
            _ = &mut stopped => true,
            () = Timer::start(&engine.runtime, timeout) => false,
        };
        if !in_time {
            tokio::select! {
                _ = stop(true) => {}
                () = Timer::start(&engine.runtime, KILL_SLACK) => {}
            }
        }
        let snapshot = engine.run.snapshot();
        let after = timeout + KILL_SLACK;
        match snapshot.row(id.as_str()) {
            Some(row) if cannot_be_killed(row) => self.noted(Err(failed(engine, row))),
            Some(row) if row.state.is_alive() => self.noted(Err(alive_still(engine, row, after))),
            // It may have been taken down with the whole run meanwhile.
            row => Ok(row.and_then(|row| row.stop)),
        }
    }

    /// Ends the run: all processes at once in reverse order of their dependencies, with their stop signals and graces; what is
    /// left after `timeout` is killed. Then the clean-up hooks run. Nothing can be started afterwards.
    ///
    /// # Errors
    /// [`ProcessError::ShutdownTimeout`] if something still lives, which is told in the recording.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.shutdown_all(std::time::Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown_all(&self, timeout: Duration) -> Result<(), ProcessError> {
        self.end_in_order(TestEnd::Unknown, timeout).await
    }

    pub(in crate::harness) async fn end_in_order(&self, end: TestEnd, timeout: Duration) -> Result<(), ProcessError> {
        let engine = &self.inner.engine;
        if engine.outcome().is_none() {
            engine.ask_end(end.clone(), false);
            tokio::select! {
                _ = engine.over() => {}
                () = Timer::start(&engine.runtime, timeout) => engine.ask_end(end, true),
            }
            tokio::select! {
                _ = engine.over() => {}
                () = Timer::start(&engine.runtime, KILL_SLACK) => engine.last_resort().await,
            }
        }
        self.inner.hooks.run_from_task().await;
        let snapshot = engine.run.snapshot();
        if let Some(row) = snapshot.rows.iter().find(|row| cannot_be_killed(row)) {
            return Err(failed(engine, row));
        }
        if engine.outcome().is_some() {
            return Ok(());
        }
        let after = timeout + KILL_SLACK;
        let alive = snapshot.rows.iter().find(|row| row.state.is_alive());
        Err(alive.map_or_else(|| never_ended(engine, after), |row| alive_still(engine, row, after)))
    }

    /// Kills all processes, with everything they have started, and runs the clean-up hooks. Needs no runtime and does not
    /// return before it is done. Nothing can be started afterwards.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.force_kill_all();
    /// # Ok(())
    /// # }
    /// ```
    pub fn force_kill_all(&self) {
        self.inner.engine.end_now(TestEnd::Unknown);
        self.inner.hooks.run();
    }

    /// Has `hook` called once when everything is down, in whatever way that came about; at once, if everything is. A hook that
    /// panics or takes longer than ten seconds does not keep the others from being called. It may hold a clone of the manager, to
    /// read what was said.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let logs = manager.clone();
    /// manager.on_shutdown(move || drop(logs.save_process_logs("api", "target/logs")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_shutdown(&self, hook: impl FnOnce() + Send + 'static) {
        self.inner.hooks.add(hook);
    }
}
