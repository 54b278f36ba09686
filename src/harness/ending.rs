//! How a harness ends: in order, as the test says; around a test that it is given; or by its drop.
//!
//! Whatever way it is, a test that did not pass leaves its archive, and words on standard error that say where it is.

use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    E2ETestHarness, HarnessError, TestReport,
    engine::{END_BOUND, Engine},
};
use crate::{
    aside::aside_or_here,
    model::{Outcome, Verdict, exit_code, human_duration},
    supervisor::TestEnd,
};

/// How long the take-down of a test may take before KILL.
const TAKE_DOWN: Duration = Duration::from_secs(15);

impl E2ETestHarness {
    /// Ends the test as passed: everything is stopped in order, nothing is left, and the recording is complete.
    ///
    /// # Errors
    /// [`HarnessError::Leaked`] if something that the test had started outlived its stop, or held a port;
    /// [`HarnessError::NotPassed`] if the run had timed out, had lost its guardian, or was said to have [failed](Self::failed). The
    /// archive is written then, too.
    ///
    /// ```no_run
    /// # async fn example(harness: e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let report = harness.shutdown().await?;
    /// assert_eq!(report.outcome.exit_code, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(self) -> Result<TestReport, HarnessError> {
        // Should this future be dropped on the way, the drop of `self` ends what is left.
        let engine = self.manager.inner.engine.clone();
        let end = engine.trouble.failure().map_or(TestEnd::Passed, TestEnd::Failed);
        let done = self.manager.end_in_order(end, TAKE_DOWN).await;
        self.ended.store(true, Ordering::SeqCst);
        let report = report(&engine, engine.outcome());
        let error = match done {
            Err(error) => error.into(),
            Ok(()) if !report.leaks.is_empty() => HarnessError::Leaked(report.leaks.clone()),
            Ok(()) if report.outcome.exit_code != exit_code::PASSED => HarnessError::NotPassed(Box::new(report.clone())),
            Ok(()) => return Ok(report),
        };
        let (archives, why) = (self.options.archives.clone(), error.to_string());
        if let Some(text) = aside_or_here(move || evidence(&engine, report, archives, Some(&why))).await {
            tell(&text);
        }
        Err(error)
    }

    /// Runs a test around the harness: what it returns says whether it has passed. The harness then ends in order, as by
    /// [`shutdown`](Self::shutdown); after an error everything is killed, the run is recorded as failed for that reason, and its
    /// archive is written. A harness that is just dropped cannot know of an error that others gave the test.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::new().await?;
    /// harness
    ///     .run(async |harness| {
    ///         let server = harness.start_mcp_validator().await?;
    ///         let said = std::fs::read_to_string("expected.txt")?;     // this error is archived, too
    ///         server.logs().assert_seen(said);
    ///         Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    pub async fn run<T, E>(self, test: impl AsyncFnOnce(&Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<HarnessError> + Display,
    {
        match test(&self).await {
            Ok(value) => {
                self.shutdown().await?;
                Ok(value)
            }
            Err(error) => {
                let error = self.failed(error);
                // Its own reasons to fail the test come second.
                let _ = self.end_now();
                Err(error)
            }
        }
    }

    /// Says that the test has failed for `error`, and gives that back: for errors of others, which the harness cannot know of.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let answer: u16 = "no number".parse().map_err(|error| harness.failed(error))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn failed<E: Display>(&self, error: E) -> E {
        self.manager.inner.engine.trouble.fail(&error);
        error
    }

    /// Ends everything in this thread, leaves what a failed test leaves, and says why the test must fail, if it must.
    fn end_now(&self) -> Option<HarnessError> {
        if self.ended.swap(true, Ordering::SeqCst) {
            return None;
        }
        let engine = &self.manager.inner.engine;
        let panicking = std::thread::panicking();
        let end = match engine.trouble.failure() {
            _ if panicking => TestEnd::Failed("the test panicked".to_owned()),
            Some(why) => TestEnd::Failed(why),
            None => TestEnd::Unknown,
        };
        let outcome = engine.end_now(end);
        let in_time = outcome.is_some();
        self.manager.inner.hooks.run();
        let report = report(engine, outcome);
        let must_fail = match report.outcome.verdict {
            Verdict::TimedOut => Some(HarnessError::NotPassed(Box::new(report.clone()))),
            _ if self.options.deny_leaks && !report.leaks.is_empty() => Some(HarnessError::Leaked(report.leaks.clone())),
            _ => None,
        };
        let trouble = engine.trouble.first();
        if panicking || report.outcome.exit_code != exit_code::PASSED || trouble.is_some() {
            let late = (!in_time).then_some(report.outcome.reason.as_str());
            let head = head(trouble.filter(|_| !panicking), late);
            tell(&evidence(engine, report, self.options.archives.clone(), head.as_deref()));
        }
        must_fail
    }
}

impl Drop for E2ETestHarness {
    fn drop(&mut self) {
        if let Some(error) = self.end_now()
            && !std::thread::panicking()
        {
            panic!("{error}");
        }
    }
}

/// How the run ended, or, where it did not in time, that it did not.
fn report(engine: &Engine, outcome: Option<Outcome>) -> TestReport {
    let late = || {
        let why =
            format!("it was not over within {}: everything was killed, and its recording may not be complete", human_duration(END_BOUND));
        Outcome::new(Verdict::Failed, exit_code::SERVICE_FAILED, why)
    };
    TestReport::of(engine, outcome.unwrap_or_else(late))
}

/// What stands above the story of the run: what the test was handed, and that its end came `late`, whose record may tell of a good one.
fn head(trouble: Option<&str>, late: Option<&str>) -> Option<String> {
    let trouble = trouble.map(|trouble| format!("an error was handed to the test: {trouble}"));
    let all: Vec<_> = trouble.into_iter().chain(late.map(str::to_owned)).collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

/// Writes the archive of a test that did not pass, and says what happened and where everything is.
fn evidence(engine: &Arc<Engine>, mut report: TestReport, archives: Option<PathBuf>, head: Option<&str>) -> String {
    let no_archive = archives.and_then(|dir| report.archive_in(engine, &dir)).unwrap_or_default();
    let head = head.map(|head| format!("{head}\n")).unwrap_or_default();
    head + &report.text(engine) + &no_archive
}

/// On standard error, where the test's own panic is told; libtest keeps it with the test. One that is closed or full must not
/// become a panic, which in a drop would end the program.
#[expect(clippy::print_stderr, reason = "a failed test's evidence belongs beside its panic")]
fn tell(text: &str) {
    let _ = catch_unwind(AssertUnwindSafe(|| eprint!("{text}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_came_late_says_so_whatever_its_record_tells() {
        assert_eq!(head(None, None), None);
        assert_eq!(head(None, Some("it was not over within 6 s")).as_deref(), Some("it was not over within 6 s"));
        let both = head(Some("server exited with 7"), Some("it was not over within 6 s"));
        assert_eq!(both.as_deref(), Some("an error was handed to the test: server exited with 7\nit was not over within 6 s"));
    }
}
