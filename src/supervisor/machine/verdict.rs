//! When the run is over and how it ended: the contract's verdict, from states alone.
//!
//! - **Certain** is a verdict once every test's newest attempt has ended (without tests: once nothing can run any more), or
//!   once the run is being taken down and every end that came before is told. What fails later does not change it.
//! - **Open again** it is when somebody starts something by hand: a new attempt of a test, all tests (`Rerun`), or a service
//!   or task. The states then decide anew: a service that was put right has not failed any more; one that failed after the
//!   verdict was certain still does not count until a test runs again, since then it may matter.
//! - **Withdrawn** it is, on record, when the states say nothing certain any more although a verdict was shown.
//! - A signal that ends the run gives it its exit code, whatever the verdict; a run that had passed is then stopped.
//! - The last census comes after all that, and can still make a leak (5) of a run that would have ended with 0.

use super::core::Machine;
use super::open::TestEnd;
use super::types::{Effect, Life, Proc};
use crate::model::{Actor, At, EventKind, Leak, NoticeLevel, Outcome, ProcessId, ProcessState, Role, Verdict, exit_code, human_duration};

/// How far the run itself is.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    stopping: Option<Actor>,
    killing: bool,
    stopping_since: Option<At>,
    /// Since when nothing lives any more: then the last census was asked for.
    down_since: Option<At>,
    timed_out: bool,
    guardian_lost: bool,
    /// The verdict on record.
    outcome: Option<Outcome>,
    /// Whether it is certain: then later failures do not change it.
    decided: bool,
    /// Who made it open again, and by starting what.
    reopened: Option<(Actor, ProcessId)>,
    finished: bool,
    /// Nothing that ends, ends the run.
    pub(super) open: bool,
    /// Past its timeout it is taken down.
    pub(super) limited: bool,
    said: Option<TestEnd>,
    stopped: u32,
    killed: u32,
    checks: (u32, u32),
    /// Who waits for the end.
    pub(super) tickets: Vec<u64>,
}

impl Course {
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Whether everything is to go without grace.
    pub(super) fn is_killing(&self) -> bool {
        self.killing
    }

    /// Whether the run is on record as ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether what ends from now on changes the verdict no more.
    pub(super) fn is_certain(&self) -> bool {
        self.decided || self.is_stopping()
    }

    pub(super) fn stopping_by(&self) -> Option<Actor> {
        self.stopping.clone()
    }

    /// Whether this is news.
    pub(super) fn begin_stopping(&mut self, by: &Actor, now: bool, at: At) -> bool {
        let news = self.stopping.is_none() || now && !self.killing;
        self.killing |= now;
        self.stopping.get_or_insert_with(|| by.clone());
        self.stopping_since.get_or_insert(at);
        news
    }

    pub(super) fn is_guardian_lost(&self) -> bool {
        self.guardian_lost
    }

    pub(super) fn lose_guardian(&mut self) {
        self.guardian_lost = true;
        self.decided = false;
    }

    pub(super) fn close(&mut self, end: TestEnd) {
        self.said = Some(end);
        self.decided = false;
    }

    /// What the test that drives the run said of itself.
    pub(super) fn said(&self) -> Option<&TestEnd> {
        self.said.as_ref()
    }

    pub(super) fn is_census_asked(&self) -> bool {
        self.down_since.is_some()
    }

    /// Whether it was not asked for before.
    pub(super) fn ask_census(&mut self, now: At) -> bool {
        let first = self.down_since.is_none();
        self.down_since.get_or_insert(now);
        first
    }

    pub(super) fn count_stop(&mut self, killed: bool) {
        if self.is_stopping() {
            self.stopped += 1;
            self.killed += u32::from(killed);
        }
    }
}

impl Machine {
    /// After every input: start or stop what is next, and see how the run stands.
    pub(super) fn settle(&mut self) {
        if self.course.finished {
            return;
        }
        if self.course.is_stopping() {
            self.skip_steps("the run ended before it was done");
            self.stop_next_layer();
        } else {
            self.start_what_can();
            while self.script_moves() {
                self.start_what_can();
            }
        }
        self.start_windows();
        self.watch_health();
        self.judge();
        self.report_checks();
        if self.course.is_stopping() {
            self.ask_census_when_down();
        } else if self.options.end_when_done && self.course.outcome.is_some() && self.is_over() {
            self.shut_down(&Actor::Supervisor, false, None);
            self.settle();
        }
    }

    /// Whether process `i` is a test whose result the verdict waits for: one that starts by itself or was started, or that a
    /// step starts.
    pub(super) fn takes_part(&self, i: usize) -> bool {
        let proc = &self.procs[i];
        let begun = proc.generation > 0 || proc.has_life() || proc.wants_start.is_some();
        proc.spec.role == Role::Test && (proc.spec.autostart || begun || self.starters.steps.contains_key(proc.id()))
    }

    fn tests(&self) -> impl Iterator<Item = &Proc> {
        self.tests.iter().filter(|&&i| self.takes_part(i)).map(|&i| &self.procs[i])
    }

    /// Whether the run has nothing to wait for: every test's newest attempt has ended, or, without tests, nothing can
    /// run any more. A test that can never start ends it at once.
    fn is_over(&self) -> bool {
        let skipped = |proc: &Proc| matches!(proc.state, ProcessState::Skipped { .. });
        if self.script.is_rehearsal() {
            return self.script.is_rehearsed();
        }
        let script_failed = self.options.end_when_done && self.script.failure().is_some();
        if script_failed || self.tests().any(skipped) {
            return true;
        }
        if self.script_holds() {
            return false;
        }
        let over = |proc: &Proc| proc.is_down() || skipped(proc);
        if self.tests().next().is_some() {
            self.tests().all(over)
        } else {
            self.procs.iter().all(|proc| over(proc) || !proc.spec.autostart && proc.generation == 0)
        }
    }

    /// Tests that have passed, of all; on record when it changes.
    pub(super) fn report_checks(&mut self) {
        let (expected, expectations) = self.expectations.count();
        let met = self.tests().filter(|test| test.state == ProcessState::Completed).count() + expected;
        let of = self.tests().count() + expectations;
        let checks = (u32::try_from(met).unwrap_or(u32::MAX), u32::try_from(of).unwrap_or(u32::MAX));
        if self.course.checks != checks {
            self.course.checks = checks;
            self.emit(EventKind::Checks { met: checks.0, of: checks.1 });
        }
    }

    /// Puts the verdict on record as soon as there is one, again when it changes, and takes it back when it is open again.
    fn judge(&mut self) {
        // A guardian lost during the last clean-up still counts.
        if self.course.is_census_asked() && !self.course.guardian_lost {
            return;
        }
        let outcome = if self.course.decided { self.course.outcome.clone() } else { self.verdict_by_states() };
        let outcome = outcome.map(|outcome| self.as_ended(outcome));
        let reopened = self.course.reopened.take();
        if self.course.outcome == outcome {
            return;
        }
        self.course.outcome.clone_from(&outcome);
        match (outcome, reopened) {
            (Some(outcome), _) => self.emit(EventKind::VerdictReached { outcome }),
            (None, Some((by, process))) => self.emit(EventKind::Rerun { by, process: Some(process) }),
            (None, None) => self.emit(EventKind::Rerun { by: Actor::Supervisor, process: None }),
        }
    }

    /// What the states say, if they say something.
    fn verdict_by_states(&mut self) -> Option<Outcome> {
        let over = !self.course.open && self.is_over();
        let stopping = self.course.is_stopping();
        // An end that came before the take-down counts, once it is told.
        let untold = |proc: &Proc| !proc.late && matches!(proc.life, Life::Ending { .. } | Life::Stopping(_));
        let certain = over || stopping && !self.procs.iter().any(untold);
        if !self.expectations_allow(over, stopping) {
            return None;
        }
        self.course.decided = certain;
        let said = self.said_by_test().filter(|_| !self.course.timed_out && !self.course.guardian_lost);
        if let Some(outcome) = said.or_else(|| self.failure()) {
            return Some(outcome);
        }
        match (over, stopping) {
            _ if !certain => None,
            // Tests that were stopped with the run before they ended have not passed.
            (true, true) if self.tests().any(|test| test.state != ProcessState::Completed) => Some(self.stopped_outcome()),
            (true, _) => Some(Outcome::new(Verdict::Passed, exit_code::PASSED, self.passed_because())),
            (false, _) => Some(self.stopped_outcome()),
        }
    }

    /// Whether there can be a verdict, as far as expectations are concerned: they are decided when everything else is.
    fn expectations_allow(&mut self, over: bool, stopping: bool) -> bool {
        if !over {
            self.forget_last_words();
            return true;
        }
        // Who takes the run down, or has failed anyway, waits for nothing more.
        if stopping || self.failure().is_some() {
            self.decide_expectations();
        }
        self.expectations_are_decided()
    }

    /// An outcome, seen with who ends the run: a signal has its own exit code, and what had passed is stopped by it.
    fn as_ended(&self, outcome: Outcome) -> Outcome {
        match (self.course.stopping_by(), outcome.verdict) {
            (Some(Actor::Signal(_)), Verdict::Passed) => self.stopped_outcome(),
            (Some(Actor::Signal(_)), _) => Outcome { exit_code: self.stopped_outcome().exit_code, ..outcome },
            _ => outcome,
        }
    }

    fn passed_because(&self) -> String {
        match self.tests().count() {
            0 => "everything has ended well".into(),
            1 => "1 test passed".into(),
            n => format!("{n} tests passed"),
        }
    }

    fn stopped_outcome(&self) -> Outcome {
        match self.course.stopping_by() {
            Some(Actor::Signal(signal)) => {
                Outcome::new(Verdict::Stopped, u8::try_from(128 + signal.0).unwrap_or(exit_code::PANIC), format!("ended by {signal}"))
            }
            Some(by) => Outcome::new(Verdict::Stopped, exit_code::PASSED, format!("stopped by {by}")),
            None => Outcome::new(Verdict::Stopped, exit_code::PASSED, "stopped"),
        }
    }

    /// What has failed so far, worst first in the order of the contract's table.
    fn failure(&self) -> Option<Outcome> {
        let failed = |code: u8, reason: String| Some(Outcome::new(Verdict::Failed, code, reason));
        if self.course.guardian_lost {
            return failed(exit_code::SERVICE_FAILED, "guardian lost".into());
        }
        if self.course.timed_out {
            let limit = self.options.timeout.map(human_duration).unwrap_or_default();
            return Some(Outcome::new(Verdict::TimedOut, exit_code::TIMED_OUT, format!("timed out after {limit}")));
        }
        // Of several the first to fail: that is where a person begins to read.
        let first = |failed: &mut dyn Iterator<Item = &Proc>| {
            let proc = failed.min_by_key(|proc| proc.since)?;
            Some(format!("{} {}", proc.id(), state_in_words(proc)))
        };
        let service = first(&mut self.procs.iter().filter(|proc| proc.spec.role != Role::Test && proc.failed_by_itself()));
        // A test that waited for another test in vain has not been failed by a service: the other test's failure tells.
        let is_skipped = |test: &&Proc| matches!(test.state, ProcessState::Skipped { .. }) && !self.waited_for_failed_test(test);
        if let Some(reason) = service.or_else(|| first(&mut self.tests().filter(is_skipped))) {
            return failed(exit_code::SERVICE_FAILED, reason);
        }
        let test = first(&mut self.tests().filter(|test| match &test.state {
            ProcessState::Failed { .. } | ProcessState::GaveUp { .. } => !test.late,
            ProcessState::Stopped { .. } => test.stopped_by.is_some(),
            _ => false,
        }));
        let step = || self.script.failure().filter(|_| !self.script.is_rehearsal()).map(str::to_owned);
        let reason = test.or_else(|| self.expectations.violated()).or_else(step)?;
        failed(exit_code::TEST_FAILED, reason)
    }

    /// Whether a test that failed, or was skipped for one that did, is what `proc` waited for. Dependencies have no circles.
    fn waited_for_failed_test(&self, proc: &Proc) -> bool {
        proc.spec.depends_on.iter().filter_map(|dependency| self.by_name.get(&dependency.on)).any(|&i| {
            let on = &self.procs[i];
            match on.state {
                ProcessState::Failed { .. } | ProcessState::GaveUp { .. } => on.spec.role == Role::Test,
                ProcessState::Stopped { .. } => on.spec.role == Role::Test && on.stopped_by.is_some(),
                ProcessState::Skipped { .. } => self.waited_for_failed_test(on),
                _ => false,
            }
        })
    }

    /// Somebody starts process `i` by hand: the states decide anew.
    pub(super) fn reopen(&mut self, i: usize, by: &Actor) {
        self.course.decided = false;
        self.course.reopened = Some((by.clone(), self.procs[i].id().clone()));
        if self.procs[i].spec.role == Role::Test {
            self.count_ends();
            // A first attempt before the verdict makes nothing good: what was seen until then was seen in this run.
            if self.procs[i].generation > 0 || self.expectations.are_decided() {
                self.reopen_expectations();
            }
        }
    }

    /// A rerun makes the verdict open again.
    pub(super) fn withdraw_verdict(&mut self, by: &Actor) {
        self.emit(EventKind::Rerun { by: by.clone(), process: None });
        self.course.outcome = None;
        self.course.decided = false;
        if !matches!(by, Actor::Step(_)) {
            self.script.forget_failure();
        }
        self.count_ends();
        self.reopen_expectations();
    }

    /// A test runs: what failed after the former verdict may matter to it.
    fn count_ends(&mut self) {
        for proc in &mut self.procs {
            proc.late = false;
        }
    }

    pub(super) fn run_timed_out(&mut self) {
        if !self.options.end_when_done && !self.course.limited {
            let limit = self.options.timeout.map(human_duration).unwrap_or_default();
            let text = format!("the run has taken longer than its timeout of {limit}; it goes on");
            self.emit(EventKind::Notice { level: NoticeLevel::Warning, text });
            return;
        }
        // A test may take longer than its scenario; what a headless run was to show, it has shown.
        if self.course.is_stopping() || self.course.decided && !self.course.limited {
            return;
        }
        let limit_ms = self.options.timeout.map_or(0, |limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let waits = |proc: &&Proc| !proc.is_down() && !matches!(proc.state, ProcessState::Skipped { .. });
        let mut waited_for: Vec<_> = self.tests().filter(waits).map(|test| test.id().clone()).collect();
        if waited_for.is_empty() {
            waited_for = self.procs.iter().filter(waits).map(|proc| proc.id().clone()).collect();
        }
        self.emit(EventKind::RunTimedOut { limit_ms, waited_for });
        self.course.timed_out = true;
        self.course.decided = false;
        self.shut_down(&Actor::Supervisor, false, None);
    }

    /// Everything is down and what is left is known: the run is over.
    pub(super) fn final_census(&mut self, leaks: Vec<(ProcessId, Leak)>) {
        if self.course.finished {
            return;
        }
        self.course.finished = true;
        for (process, leak) in leaks {
            if let Some(&i) = self.by_name.get(&process) {
                self.tell_leak(i, vec![leak]);
            }
        }
        let mut outcome = self.course.outcome.clone().unwrap_or_else(|| self.stopped_outcome());
        let leaking: Vec<_> = self.procs.iter().filter(|proc| proc.leaked).map(|proc| proc.id().to_string()).collect();
        if outcome.exit_code == exit_code::PASSED && !leaking.is_empty() {
            outcome = Outcome::new(Verdict::Leaked, exit_code::LEAKED, format!("{} leaked", leaking.join(", ")));
        }
        let took = self.course.stopping_since.map(|since| self.now.since(since)).unwrap_or_default();
        let (stopped, killed) = (self.course.stopped, self.course.killed);
        let clean_up = self.course.down_since.map(|since| self.now.since(since)).unwrap_or_default();
        self.emit(EventKind::RunEnded { outcome: outcome.clone(), stopped, killed, took, clean_up });
        for ticket in std::mem::take(&mut self.course.tickets) {
            self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        }
        self.resolve_all();
        self.out.push(Effect::Finish { outcome });
    }
}

/// `exited with 1`, `gave up (exit 101)`, `skipped: upstream failed`.
fn state_in_words(proc: &Proc) -> String {
    match &proc.state {
        ProcessState::Failed { reason } => reason.to_string(),
        ProcessState::GaveUp { reason, times } => format!("gave up ({} ×{times})", reason.short()),
        ProcessState::Skipped { because } => format!("skipped: {because}"),
        ProcessState::Stopped { by, .. } => format!("stopped by {by}"),
        state => state.word().to_owned(),
    }
}
