//! Asking: by the supervisor as one of its probes, by the test through the manager, or by whoever holds a check.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::oneshot};

use super::{HealthCheck, HealthError, HealthStatus};
use crate::{
    health::{Answer, Question, ask},
    model::{CustomProbe, Probe, ProbeOutcome, human_duration, words_of},
};

/// The probe that asks `check`.
pub(in crate::harness) fn probe_of(check: &Arc<dyn HealthCheck>) -> Probe {
    check.probe().unwrap_or_else(|| {
        let (asked, turn) = (check.clone(), Arc::new(()));
        Probe::Custom(CustomProbe::new(&check.name(), move || {
            let (check, turn) = (asked.clone(), turn.clone());
            async move { outcome(ask_beside(check, turn).await) }
        }))
    })
}

/// Asks on a thread beside the supervisor's: a check that blocks its thread holds up nobody but itself. While one does that was
/// given up, `turn` is taken, and no other is asked.
async fn ask_beside(check: Arc<dyn HealthCheck>, turn: Arc<()>) -> Result<HealthStatus, HealthError> {
    // The probe holds one, this question another.
    if Arc::strong_count(&turn) > 2 {
        return Err(HealthError("the check before this one still blocks its thread".to_owned()));
    }
    let (asker, gone) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let asked = tokio::task::spawn_blocking(move || {
        let answer = runtime.block_on(async {
            tokio::select! {
                answer = check.check() => answer,
                _ = gone => Err(HealthError("nobody waits for the answer".to_owned())),
            }
        });
        drop(turn);
        answer
    });
    let answer = asked.await;
    drop(asker);
    answer.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Err(HealthError("the run has ended".to_owned())),
    })
}

fn outcome(answer: Result<HealthStatus, HealthError>) -> ProbeOutcome {
    match answer {
        Ok(HealthStatus::Healthy) => ProbeOutcome::Ok,
        Ok(HealthStatus::Degraded { why }) => ProbeOutcome::Degraded { why },
        Ok(HealthStatus::Unhealthy { why }) | Err(HealthError(why)) => ProbeOutcome::Failed { short: "unhealthy".to_owned(), why },
    }
}

/// An answer that the supervisor was given, as test suites see it.
pub(in crate::harness) fn status(answer: Result<Answer, String>) -> Result<HealthStatus, HealthError> {
    answer.map_err(HealthError).map(|answer| match answer.outcome {
        ProbeOutcome::Ok => HealthStatus::Healthy,
        ProbeOutcome::Degraded { why } => HealthStatus::Degraded { why },
        ProbeOutcome::Failed { why, .. } => HealthStatus::Unhealthy { why },
    })
}

/// Asks a check of the test suite's own, on the harness's runtime.
pub(in crate::harness) async fn ask_custom(runtime: &Handle, check: Arc<dyn HealthCheck>) -> Result<HealthStatus, HealthError> {
    let (limit, name) = (check.timeout(), check.name());
    let asked = runtime.spawn(async move { tokio::time::timeout(limit, ask_beside(check, Arc::new(()))).await });
    match asked.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Ok(HealthStatus::Unhealthy { why: format!("no answer within {}", human_duration(limit)) }),
        Err(ended) => Err(HealthError(match ended.try_into_panic() {
            Ok(panic) => format!("{name} panicked: {}", words_of(&*panic)),
            Err(_) => "the run has ended".to_owned(),
        })),
    }
}

/// Asks a built-in question on the current tokio runtime.
pub(super) async fn ask_once(probe: Probe, timeout: Duration) -> Result<HealthStatus, HealthError> {
    let Some(question) = Question::of(&probe, &[], |_| None).ok().flatten() else {
        return Err(HealthError("this check needs the process it belongs to: ask with `manager.check_health(..)`".to_owned()));
    };
    if Handle::try_current().is_err() {
        let what = "a check needs a tokio runtime around it: ask in a `#[tokio::test]`, or with `manager.check_health(..)`";
        return Err(HealthError(what.to_owned()));
    }
    status(Ok(ask(&question, timeout, None).await))
}
