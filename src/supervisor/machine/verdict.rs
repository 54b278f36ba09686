//! When the run is over and how it ended: the contract's verdict, from states alone.

use super::core::Machine;
use super::open::TestEnd;
use super::types::{Effect, Life, Proc};
use crate::model::{Actor, EventKind, Leak, NoticeLevel, Outcome, ProcessId, ProcessState, Role, Verdict, exit_code, human_duration};

/// How far the run itself is.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    stopping: Option<Actor>,
    killing: bool,
    stopping_since: Option<crate::model::At>,
    timed_out: bool,
    guardian_lost: bool,
    /// The verdict on record.
    outcome: Option<Outcome>,
    /// Whether it was reached by all tests having ended; then later failures do not change it.
    decided: bool,
    census_asked: bool,
    finished: bool,
    /// Nothing that ends, ends the run.
    pub(super) open: bool,
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

    /// Whether the run is on record as ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(super) fn stopping_by(&self) -> Option<Actor> {
        self.stopping.clone()
    }

    /// Whether this is news.
    pub(super) fn begin_stopping(&mut self, by: &Actor, now: bool) -> bool {
        let news = self.stopping.is_none() || now && !self.killing;
        self.killing |= now;
        self.stopping.get_or_insert_with(|| by.clone());
        news
    }

    /// A signal ends the run: its exit code stands before a verdict that was already certain.
    pub(super) fn reopen(&mut self) {
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
            self.stop_next_layer();
        } else {
            self.start_what_can();
        }
        self.report_checks();
        self.judge();
        if self.course.is_stopping() {
            self.course.stopping_since.get_or_insert(self.now);
            self.ask_census_when_down();
        } else if self.options.end_when_done && self.course.outcome.is_some() && self.is_over() {
            self.shut_down(&Actor::Supervisor, false, None);
            self.settle();
        }
    }

    fn tests(&self) -> impl Iterator<Item = &Proc> {
        self.procs.iter().filter(|proc| proc.spec.role == Role::Test)
    }

    /// Whether the run has nothing to wait for: every test's newest attempt has ended, or, without tests, nothing can
    /// run any more. A test that can never start ends it at once.
    fn is_over(&self) -> bool {
        if self.tests().any(|test| matches!(test.state, ProcessState::Skipped { .. })) {
            return true;
        }
        let over = |proc: &Proc| {
            !proc.has_life() && proc.state.is_settled() && proc.wants_start.is_none() || matches!(proc.state, ProcessState::Skipped { .. })
        };
        if self.tests().next().is_some() {
            self.tests().all(over)
        } else {
            self.procs.iter().all(|proc| over(proc) || !proc.spec.autostart && proc.generation == 0)
        }
    }

    /// Tests that have passed, of all; on record when it changes.
    pub(super) fn report_checks(&mut self) {
        let met = self.tests().filter(|test| test.state == ProcessState::Completed).count();
        let of = self.tests().count();
        let checks = (u32::try_from(met).unwrap_or(u32::MAX), u32::try_from(of).unwrap_or(u32::MAX));
        if self.course.checks != checks {
            self.course.checks = checks;
            self.emit(EventKind::Checks { met: checks.0, of: checks.1 });
        }
    }

    /// Puts the verdict on record as soon as it is certain, and again if it gets worse before the run is over.
    fn judge(&mut self) {
        // A guardian lost during the last clean-up still counts.
        if self.course.decided || self.course.census_asked && !self.course.guardian_lost {
            return;
        }
        let failure = self.failure();
        let over = !self.course.open && self.is_over();
        let said = self.said_by_test().filter(|_| !self.course.timed_out && !self.course.guardian_lost);
        let outcome = match (said.or(failure), over, self.course.is_stopping()) {
            (Some(outcome), _, _) => outcome,
            (None, _, true) if matches!(self.course.stopping_by(), Some(Actor::Signal(_))) => self.stopped_outcome(),
            // Tests that were stopped with the run before they ended have not passed.
            (None, true, true) if self.tests().any(|test| test.state != ProcessState::Completed) => self.stopped_outcome(),
            (None, true, _) => Outcome::new(Verdict::Passed, exit_code::PASSED, self.passed_because()),
            (None, false, true) => self.stopped_outcome(),
            (None, false, false) => return,
        };
        self.course.decided = over || self.course.is_stopping();
        if self.course.outcome.as_ref() != Some(&outcome) {
            self.course.outcome = Some(outcome.clone());
            self.emit(EventKind::VerdictReached { outcome });
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
        let by_signal = match self.course.stopping_by() {
            Some(Actor::Signal(signal)) if !self.course.decided => u8::try_from(128 + signal.0).ok(),
            _ => None,
        };
        let failed = |code: u8, reason: String| Some(Outcome::new(Verdict::Failed, by_signal.unwrap_or(code), reason));
        if self.course.guardian_lost {
            return failed(exit_code::SERVICE_FAILED, "guardian lost".into());
        }
        if self.course.timed_out {
            let limit = self.options.timeout.map(human_duration).unwrap_or_default();
            return Some(Outcome::new(Verdict::TimedOut, by_signal.unwrap_or(exit_code::TIMED_OUT), format!("timed out after {limit}")));
        }
        if let Some(proc) = self.procs.iter().find(|proc| proc.spec.role != Role::Test && proc.failed_by_itself()) {
            return failed(exit_code::SERVICE_FAILED, format!("{} {}", proc.id(), state_in_words(proc)));
        }
        if let Some(test) = self.tests().find(|test| matches!(test.state, ProcessState::Skipped { .. })) {
            return failed(exit_code::SERVICE_FAILED, format!("{} {}", test.id(), state_in_words(test)));
        }
        let test = self.tests().find(|test| {
            matches!(test.state, ProcessState::Failed { .. } | ProcessState::GaveUp { .. })
                || matches!(test.state, ProcessState::Stopped { .. }) && test.stopped_by.is_some()
        })?;
        failed(exit_code::TEST_FAILED, format!("{} {}", test.id(), state_in_words(test)))
    }

    /// A rerun makes the verdict open again.
    pub(super) fn withdraw_verdict(&mut self) {
        self.course.outcome = None;
        self.course.decided = false;
        for proc in &mut self.procs {
            proc.stopped_by = None;
        }
    }

    pub(super) fn run_timed_out(&mut self) {
        let limit = self.options.timeout.map(human_duration).unwrap_or_default();
        if self.options.end_when_done || self.course.open {
            if !self.course.decided {
                self.course.timed_out = true;
                self.shut_down(&Actor::Supervisor, false, None);
            }
        } else {
            let text = format!("the run has taken longer than its timeout of {limit}; it goes on");
            self.emit(EventKind::Notice { level: NoticeLevel::Warning, text });
        }
    }

    pub(super) fn guardian_lost(&mut self) {
        self.course.guardian_lost = true;
        self.course.decided = false;
        self.shut_down(&Actor::Supervisor, true, None);
    }

    fn ask_census_when_down(&mut self) {
        let down = self.procs.iter().all(|proc| matches!(proc.life, Life::None) && proc.tree_empty);
        if down && !self.course.census_asked {
            self.course.census_asked = true;
            self.out.push(Effect::FinalCensus);
        }
    }

    /// Everything is down and what is left is known: the run is over.
    pub(super) fn final_census(&mut self, leaks: Vec<(ProcessId, Leak)>) {
        if self.course.finished {
            return;
        }
        self.course.finished = true;
        for (process, leak) in leaks {
            if let Some(&i) = self.by_name.get(&process) {
                self.procs[i].leaked = true;
                let generation = self.procs[i].generation;
                self.emit(EventKind::Leaked { process, generation, leaks: vec![leak] });
            }
        }
        let mut outcome = self.course.outcome.clone().unwrap_or_else(|| self.stopped_outcome());
        let leaking: Vec<_> = self.procs.iter().filter(|proc| proc.leaked).map(|proc| proc.id().to_string()).collect();
        if outcome.exit_code == exit_code::PASSED && !leaking.is_empty() {
            outcome = Outcome::new(Verdict::Leaked, exit_code::LEAKED, format!("{} leaked", leaking.join(", ")));
        }
        let took = self.course.stopping_since.map(|since| self.now.since(since)).unwrap_or_default();
        let (stopped, killed) = (self.course.stopped, self.course.killed);
        self.emit(EventKind::RunEnded { outcome: outcome.clone(), stopped, killed, took });
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
