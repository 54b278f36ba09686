//! Calls, one after another or in several sessions at once, a number of them or for a time.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{
    super::{
        CallError, Failure, Scenario,
        caller::{Caller, Test},
    },
    run::summary,
};

/// How often a soak says how it goes.
const SOAK_EVERY: Duration = Duration::from_secs(5);
/// Failures of a soak that have a line of their own; the rest is only counted.
const SOAK_LINES: u32 = 20;
/// The pause after a failed call of a soak: a chain that is down fails fast, and would be called in a tight loop.
const SOAK_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn ping(test: &Arc<Test>) -> Result<String, Failure> {
    let mut caller = Caller::new(test)?;
    caller.handshake().await?;
    while let Some(n) = test.pace.next().await {
        caller.ping(n).await?;
    }
    caller.end().await?;
    Ok(summary(test))
}

pub(super) async fn tools(test: &Arc<Test>) -> Result<String, Failure> {
    let callers = callers(test);
    if callers == 1 {
        // In this task, so that its lines come in the order of the story.
        one(Arc::clone(test)).await?;
    } else {
        all(test, callers, one).await?;
    }
    let sessions = if callers > 1 { format!(" in {callers} sessions") } else { String::new() };
    Ok(summary(test).replacen(" passed", &format!(" passed{sessions}"), 1))
}

fn callers(test: &Test) -> u32 {
    test.config.concurrency.unwrap_or(if test.config.scenario == Scenario::Concurrency { 4 } else { 1 }).max(1)
}

/// Runs that many callers at once. The first failure ends them all.
async fn all<F, W>(test: &Arc<Test>, callers: u32, work: F) -> Result<(), Failure>
where
    F: Fn(Arc<Test>) -> W,
    W: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        tasks.spawn(work(Arc::clone(test)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap_or_else(|_| Err(Failure::new("caller", CallError::Interrupted)))?;
    }
    Ok(())
}

async fn one(test: Arc<Test>) -> Result<(), Failure> {
    let mut caller = Caller::new(&test)?;
    caller.handshake().await?;
    caller.list(&[test.config.tool.name()]).await?;
    while let Some(n) = test.pace.next().await {
        caller.tool(n).await?;
    }
    caller.end().await
}

pub(super) async fn soak(test: &Arc<Test>) -> Result<String, Failure> {
    let reports = async {
        loop {
            tokio::time::sleep(SOAK_EVERY).await;
            test.tally.report(&test.pace);
        }
    };
    tokio::select! {
        outcome = all(test, callers(test), enduring) => outcome?,
        () = reports => {}
    }
    match test.tally.failures() {
        None => Ok(summary(test)),
        Some(failures) => Err(Failure::new("soak", CallError::Wrong(format!("{failures}; {}", test.tally.percentiles())))),
    }
}

/// Calls on through failures; a session that is gone is one, and is followed by a new one.
async fn enduring(test: Arc<Test>) -> Result<(), Failure> {
    let mut caller = Caller::new(&test)?;
    caller.handshake().await?;
    let mut lost = false;
    while let Some(n) = test.pace.next().await {
        let outcome = if std::mem::take(&mut lost) {
            match caller.handshake().await {
                Ok(()) => caller.tool(n).await,
                Err(failure) => {
                    lost = true;
                    Err(failure)
                }
            }
        } else {
            caller.tool(n).await
        };
        if let Err(failure) = outcome {
            lost |= failure.error == CallError::Status { got: 404, wanted: 200 };
            note(&test, &failure);
            tokio::time::sleep(SOAK_PAUSE).await;
        }
    }
    caller.end().await
}

fn note(test: &Test, failure: &Failure) {
    let so_far = test.tally.fail_count();
    if so_far < SOAK_LINES {
        test.log.error(failure);
    } else if so_far == SOAK_LINES {
        test.log.error("further failures are only counted");
    }
    test.tally.failed(failure.error.to_string());
}
