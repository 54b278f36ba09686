//! How a process stands, as a test suite asks: is it there, or why not?

use std::time::Duration;

use super::{Evidence, LogAggregator, ProcessError, engine::Engine};
use crate::model::{Actor, Exit, Failure, Phase, ProcessId, ProcessSnapshot, ProcessState, Role, Snapshot};

/// Lines that an error shows.
const LAST_LINES: usize = 10;

/// What a wait for readiness has met.
pub(super) enum Standing {
    /// It is there.
    Ready,
    /// It may yet be.
    Waiting,
    /// It will not be.
    Never(Box<ProcessError>),
}

/// How `id` stands. `restarts`: its policy may start it again after a failure.
pub(super) fn standing(engine: &Engine, snapshot: &Snapshot, id: &ProcessId, restarts: bool) -> Standing {
    let Some(row) = snapshot.row(id.as_str()) else {
        return if snapshot.phase == Phase::Ended { never(run_ended(snapshot)) } else { Standing::Waiting };
    };
    match &row.state {
        ProcessState::Ready => Standing::Ready,
        ProcessState::Running | ProcessState::Completed if row.info.role != Role::Service => Standing::Ready,
        // It has failed while alive, and is only being cleared away.
        ProcessState::Stopping { by: Actor::Supervisor, .. } if row.failure.is_some() && !restarts => never(failed(engine, row)),
        state if state.is_settled() => never(failed(engine, row)),
        _ if snapshot.phase != Phase::Running => never(run_ended(snapshot)),
        _ => Standing::Waiting,
    }
}

fn never(error: ProcessError) -> Standing {
    Standing::Never(Box::new(error))
}

/// The run is over, and why.
pub(super) fn run_ended(snapshot: &Snapshot) -> ProcessError {
    let reason = snapshot.outcome.as_ref().map_or("it is being stopped", |outcome| &outcome.reason);
    ProcessError::RunEnded { reason: reason.to_owned() }
}

/// Why a process that should be there is not.
pub(super) fn failed(engine: &Engine, row: &ProcessSnapshot) -> ProcessError {
    let evidence = Box::new(evidence(engine, row));
    let after = row.up(engine.run.clock().now()).unwrap_or_default();
    match &row.state {
        ProcessState::GaveUp { reason, times } => ProcessError::RestartLimitExceeded { times: *times, last: reason.to_string(), evidence },
        ProcessState::Failed { reason } => of_failure(reason, after, evidence),
        ProcessState::Completed => ProcessError::UnexpectedExit { exit: Exit::Code(0), after, evidence },
        ProcessState::Skipped { because } => ProcessError::NotRunning { reason: format!("skipped: {because}"), evidence },
        ProcessState::Stopped { by, .. } => ProcessError::NotRunning { reason: format!("stopped by {by}"), evidence },
        state => match &row.failure {
            Some(failure) => of_failure(failure, after, evidence),
            None => ProcessError::NotRunning { reason: format!("it is {}", state.word()), evidence },
        },
    }
}

fn of_failure(failure: &Failure, after: Duration, evidence: Box<Evidence>) -> ProcessError {
    match failure {
        Failure::Exited { exit, .. } => ProcessError::UnexpectedExit { exit: *exit, after, evidence },
        Failure::NotStarted { error, .. } => ProcessError::SpawnFailed { reason: error.clone(), evidence },
        Failure::CannotBeKilled { pids } => {
            ProcessError::ShutdownTimeout { after, left: format!("still alive after KILL: {pids:?}"), evidence }
        }
        Failure::StoppedBy { .. } | Failure::Dependency { .. } => ProcessError::NotRunning { reason: failure.to_string(), evidence },
        // Never ready, a foreign listener, unhealthy, a limit, its own timeout: alive, and not well.
        other => ProcessError::HealthCheckFailed { last: other.to_string(), evidence },
    }
}

/// What is known of a process.
pub(super) fn evidence(engine: &Engine, row: &ProcessSnapshot) -> Evidence {
    let exit = row.exits.last().filter(|exit| exit.generation == row.generation);
    let said = exit.map(|exit| exit.tail.clone()).unwrap_or_default();
    let last_lines = if said.is_empty() { last_lines(&engine.logs, row.id()) } else { said };
    Evidence {
        process: row.id().to_string(),
        state: row.state.word().to_owned(),
        exit: exit.map(|exit| exit.exit),
        last_lines,
        recording: engine.dir.clone(),
    }
}

fn last_lines(logs: &LogAggregator, id: &ProcessId) -> Vec<String> {
    logs.of(id).tail(LAST_LINES).into_iter().map(|entry| entry.message).collect()
}
