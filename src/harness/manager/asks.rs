//! Speaking to processes that live: signals, lines, questions about their health.

use std::time::Duration;

use regex::Regex;

use super::super::{
    HealthError, HealthStatus, ProcessError,
    health::{ask_custom, status},
    standing::{evidence, failed},
};
use super::ProcessManager;
use crate::model::{Actor, Command, Probe, ProcessId, Reads, Signal};

impl ProcessManager {
    /// Sends a signal to a process's tree, as if from outside: its restart policy reacts to what follows.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.signal_process("api", e2e_tui::harness::Signal::HUP).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn signal_process(&self, process: impl AsRef<str>, signal: Signal) -> Result<(), ProcessError> {
        let id = self.named(process)?;
        self.carried_out(&id, Command::Signal { process: id.clone(), signal }).await
    }

    /// Writes a line to a process's stdin, which must be a pipe.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.send_line("shell", "exit").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_line(&self, process: impl AsRef<str>, text: impl Into<String>) -> Result<(), ProcessError> {
        let id = self.named(process)?;
        self.carried_out(&id, Command::SendLine { process: id.clone(), text: text.into() }).await
    }

    pub(super) async fn carried_out(&self, id: &ProcessId, command: Command) -> Result<(), ProcessError> {
        let engine = &self.inner.engine;
        let is_line = matches!(command, Command::SendLine { .. });
        let Err(why) = engine.run.send(command, Actor::Library).done().await else { return Ok(()) };
        let snapshot = engine.run.snapshot();
        self.noted(Err(match snapshot.row(id.as_str()) {
            _ if engine.outcome().is_some() => ProcessError::RunEnded { reason: why },
            None => ProcessError::RunEnded { reason: why },
            Some(row) if row.state.is_settled() => failed(engine, row),
            Some(row) => {
                let evidence = Box::new(evidence(engine, row));
                // The supervisor speaks of the keys of a scenario.
                let is_own = is_line && row.info.reads == Reads::Nothing && self.is_own(id);
                let reason = if is_own { "it reads nothing; give it `.stdin_pipe()`".to_owned() } else { why };
                if row.state.is_alive() {
                    ProcessError::Refused { reason, evidence }
                } else {
                    ProcessError::NotRunning { reason, evidence }
                }
            }
        }))
    }

    /// Asks for a process's health now, whatever its interval: on the harness's own runtime, and by its supervisor, so that a
    /// command is run and a line is sent as for any other check. Of a [`LogHealthCheck`](super::super::LogHealthCheck) it looks
    /// whether its newest start has said the line. Nothing follows from the answer.
    ///
    /// # Errors
    /// The check could not be carried out: there is no such process or check, or the check itself failed or panicked. What it
    /// found is in the [`HealthStatus`].
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", manager.check_health("api").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_health(&self, process: impl AsRef<str>) -> Result<HealthStatus, HealthError> {
        let id = self.find(process.as_ref()).map_err(|error| HealthError(error.to_string()))?;
        let check = self.configs().get(&id).and_then(|config| config.health_check.clone());
        let run = &self.inner.engine.run;
        // A process of a scenario has its check there.
        let Some(check) = check else { return status(run.probe(&id, None, Duration::ZERO).await) };
        match check.probe() {
            None => ask_custom(&self.inner.engine.runtime, check).await,
            Some(Probe::Log { pattern }) => self.has_said(&id, &pattern),
            Some(probe) => status(run.probe(&id, Some(probe), check.timeout()).await),
        }
    }

    /// Whether its newest start has said what its check waits for, and lives.
    fn has_said(&self, id: &ProcessId, pattern: &Regex) -> Result<HealthStatus, HealthError> {
        let process = self.process(id).map_err(|error| HealthError(error.to_string()))?;
        let unhealthy = |why: String| Ok(HealthStatus::Unhealthy { why });
        if !process.state().is_alive() {
            return unhealthy(format!("it is {}", process.state().word()));
        }
        if !self.logs().of(id).was_said(pattern, process.generation()) {
            return unhealthy(format!("it has not said `{pattern}`"));
        }
        Ok(HealthStatus::Healthy)
    }
}
