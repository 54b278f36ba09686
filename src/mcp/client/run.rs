//! A test, from its first request to its last line.

use std::{sync::Arc, time::Duration};

use super::{
    super::{Level, PartLog, Stop},
    CallError, ClientConfig, Failure, Scenario,
    caller::Test,
    pace::Pace,
    scenario,
    tally::Tally,
};

/// Calls of a test that says neither how many nor how long.
const CALLS: u32 = 5;
/// Length of a soak that says neither.
const SOAK: Duration = Duration::from_secs(30);

/// Runs the test. True if it passed; its last line says so, or why not.
pub async fn run(config: ClientConfig, log: &PartLog, mut stop: Stop) -> bool {
    let (calls, duration) = match (config.calls, config.duration, config.scenario) {
        (None, None, Scenario::Soak) => (None, Some(SOAK)),
        (None, None, _) => (Some(CALLS), None),
        (calls, duration, _) => (calls, duration),
    };
    let pace = Pace::new(calls, duration, config.rate);
    // A line for each call of a soak would bury what it is about.
    let lines = if config.scenario == Scenario::Soak { log.clone().at_least(Level::Warn) } else { log.clone() };
    let test = Arc::new(Test { config, pace, tally: Tally::new(log.clone()), log: lines });
    let outcome = tokio::select! {
        outcome = scenario::run(&test) => outcome,
        () = stop.requested() => Err(Failure::new(test.pace.progress(test.tally.count()), CallError::Interrupted)),
    };
    match outcome {
        Ok(last) => {
            log.info(last);
            true
        }
        Err(failure) => {
            log.error(failure);
            false
        }
    }
}
