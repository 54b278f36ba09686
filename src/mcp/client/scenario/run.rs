//! From a scenario's name to what is done.

use std::sync::Arc;

use super::{
    super::{CallError, Failure, Scenario, caller::Test},
    auth, calls, loss, stream,
};

/// Runs the scenario of that test.
pub(in crate::mcp::client) async fn run(test: &Arc<Test>) -> Result<String, Failure> {
    let stateless = test.config.revision.is_stateless();
    match test.config.scenario {
        Scenario::Ping if stateless => Err(misused(test, "revision 2026-07-28 has no ping")),
        Scenario::SessionLoss if stateless => Err(misused(test, "revision 2026-07-28 has no sessions to lose")),
        Scenario::Ping => calls::ping(test).await,
        Scenario::Tools | Scenario::Concurrency => calls::tools(test).await,
        Scenario::Soak => calls::soak(test).await,
        Scenario::Auth => auth::run(test).await,
        Scenario::SessionLoss => loss::run(test).await,
        Scenario::Stream => stream::run(test).await,
    }
}

/// `5 of 5 calls passed, p50 4 ms, p99 6 ms`.
pub(super) fn summary(test: &Test) -> String {
    let passed = test.tally.count();
    let calls = test.pace.total().map_or_else(|| format!("{passed} calls"), |total| format!("{passed} of {total} calls"));
    format!("{calls} passed, {}", test.tally.percentiles())
}

/// A scenario that makes no sense as it was asked for.
pub(super) fn misused(test: &Test, why: &str) -> Failure {
    Failure::new(test.config.scenario.name(), CallError::Wrong(why.to_owned()))
}
