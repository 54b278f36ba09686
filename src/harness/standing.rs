//! How a process stands, as a test suite asks: is it there, or why not?

use std::{fmt::Write as _, time::Duration};

use super::{Evidence, LogAggregator, ProcessError, engine::Engine};
use crate::model::{Actor, Exit, Failure, Phase, ProbeOutcome, ProcessId, ProcessSnapshot, ProcessState, Role, Snapshot};

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
        Failure::NeverReady { last, awaited, after_ms } => {
            ProcessError::NeverReady { awaited: awaited.clone(), last: last.clone(), within: Duration::from_millis(*after_ms), evidence }
        }
        Failure::ForeignListener { .. } => {
            ProcessError::NeverReady { awaited: String::new(), last: failure.to_string(), within: after, evidence }
        }
        Failure::Unhealthy { last } => ProcessError::HealthCheckFailed { last: last.clone(), evidence },
        Failure::LimitHit { .. } | Failure::TimedOut { .. } => ProcessError::LimitExceeded { what: failure.to_string(), evidence },
        Failure::StoppedBy { .. } | Failure::Dependency { .. } | Failure::GuardianLost => {
            ProcessError::NotRunning { reason: failure.to_string(), evidence }
        }
    }
}

/// It is not ready, and may yet be. `met`: what its last attempt has met.
pub(super) fn not_ready(engine: &Engine, row: &ProcessSnapshot, timeout: Duration, met: Option<String>) -> ProcessError {
    let mut last = format!("it is {}", row.state.word());
    match &row.state {
        ProcessState::Pending { waits_for } if !waits_for.is_empty() => {
            last.push_str(" and waits for ");
            last.push_str(&waits_for.join(", "));
        }
        ProcessState::Backoff { reason, .. } => _ = write!(last, " since it {reason}"),
        _ => {}
    }
    let probed = || {
        row.probes.iter().rev().find_map(|probe| match &probe.outcome {
            ProbeOutcome::Failed { why, .. } => Some(why.clone()),
            ProbeOutcome::Ok | ProbeOutcome::Degraded { .. } => None,
        })
    };
    if let Some(met) = met.or_else(|| row.trouble.clone()).or_else(probed) {
        _ = write!(last, "; its last check: {met}");
    }
    if let Some(exit) = row.exits.last().filter(|_| !matches!(row.state, ProcessState::Backoff { .. })) {
        _ = write!(last, "; the start before ended with {}", exit.exit);
    }
    let awaited = row.info.awaits.clone();
    ProcessError::NeverReady { awaited, last, within: timeout, evidence: Box::new(evidence(engine, row)) }
}

/// It was to be gone, and lives.
pub(super) fn alive_still(engine: &Engine, row: &ProcessSnapshot, after: Duration) -> ProcessError {
    let pid = row.pid.map_or_else(|| "some of its tree".to_owned(), |pid| format!("pid {pid}"));
    ProcessError::ShutdownTimeout { after, left: format!("{pid} is still alive"), evidence: Box::new(evidence(engine, row)) }
}

/// All its processes are gone, but the run is not over.
pub(super) fn never_ended(engine: &Engine, after: Duration) -> ProcessError {
    let evidence = Evidence { process: "the run".to_owned(), recording: engine.dir.clone(), ..Evidence::default() };
    ProcessError::ShutdownTimeout {
        after,
        left: "nothing lives, but its recording is not complete".to_owned(),
        evidence: Box::new(evidence),
    }
}

/// Whether something of it has outlived its KILL.
pub(super) fn cannot_be_killed(row: &ProcessSnapshot) -> bool {
    matches!(row.failure, Some(Failure::CannotBeKilled { .. }))
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
