//! What an exit that nobody asked for leads to.

use std::time::Duration;

use super::backoff::Decision;
use super::core::Machine;
use super::leftovers::LEAK_TIMEOUT;
use super::types::{After, Effect, Fallen, Life, StopOrder, TimerKind, is_excused};
use crate::model::{Actor, EventKind, Exit, Failure, ProcessState, Role, Signal, StartCause, Then, human_duration};

impl Machine {
    pub(super) fn leader_exited(&mut self, i: usize, exit: Exit) {
        let now = self.now;
        let proc = &mut self.procs[i];
        let (process, generation) = (proc.id().clone(), proc.generation);
        match &mut proc.life {
            Life::Stopping(stopping) => {
                stopping.exit.get_or_insert(exit);
                self.advance_stop(i);
            }
            Life::Up { since, .. } => {
                proc.life = Life::Ending { exit, since: *since, ended: now, stop: None };
                proc.late = self.course.is_certain();
                proc.unfinished = !exit.success();
                self.cancel_all(i);
                self.end_probes(i);
                self.out.push(Effect::AwaitEmpty { process: process.clone(), generation });
                self.out.push(Effect::Drain { process, generation, linger: LEAK_TIMEOUT });
                self.watch_leftovers(i);
            }
            Life::None | Life::Clearing { .. } if std::mem::take(&mut proc.exit_owed) => {
                let up = now.since(proc.started);
                self.tell_exit(i, exit, true, up, Then::Stopped, Vec::new());
            }
            Life::Spawning { .. } | Life::Ending { .. } | Life::None | Life::Clearing { .. } => {}
        }
    }

    /// Its last words are in the log: now its end can be told.
    pub(super) fn drained(&mut self, i: usize, tail: Vec<String>) {
        match &mut self.procs[i].life {
            Life::Stopping(stopping) => {
                stopping.drained = Some(tail);
                self.advance_stop(i);
            }
            Life::Ending { exit, since, ended, stop } => {
                let (exit, since, ended, stop) = (*exit, *since, *ended, stop.take());
                self.procs[i].life = Life::None;
                self.procs[i].resolve_excuse(exit);
                self.ended_by_itself(i, exit, ended.since(since), tail, stop);
            }
            _ => {}
        }
    }

    /// Tells an end that nobody asked for. It counts as what it was, even if somebody has asked for a stop since: that
    /// decides only whether the policy may restart it.
    pub(super) fn ended_by_itself(&mut self, i: usize, exit: Exit, up: Duration, tail: Vec<String>, stop: Option<StopOrder>) {
        let by = match stop {
            Some(StopOrder { after: After::Start(cause), .. }) if !self.course.is_stopping() => {
                self.tell_exit(i, exit, false, up, Then::RestartAsked, tail);
                return self.start_again(i, cause);
            }
            Some(StopOrder { by, .. }) => Some(by),
            None => self.course.stopping_by().or_else(|| self.procs[i].held_by.clone()),
        };
        let reason = self.reason_of(i, exit);
        match (self.decide(i, Some(exit), up), by) {
            (Decision::Rest, _) if exit.success() => {
                self.tell_exit(i, exit, false, up, Then::Completed, tail);
                self.set_state(i, ProcessState::Completed);
            }
            (Decision::Rest, _) => {
                let fails_run = self.fails_run(i, &reason);
                self.tell_exit(i, exit, false, up, Then::Failed { fails_run }, tail);
                self.set_state(i, ProcessState::Failed { reason });
            }
            (Decision::GiveUp { times }, _) => {
                self.tell_exit(i, exit, false, up, Then::GaveUp, tail);
                self.give_up(i, reason, times);
            }
            // As if it had been stopped in its back-off.
            (Decision::Restart { .. }, Some(by)) => {
                self.tell_exit(i, exit, false, up, Then::Stopped, tail);
                self.set_state(i, ProcessState::Stopped { by, signal: None });
            }
            (Decision::Restart { attempt, of, delay }, None) => {
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                self.tell_exit(i, exit, false, up, Then::Restart { delay_ms }, tail);
                self.back_off(i, attempt, of, delay, reason);
            }
        }
    }

    /// Why process `i` ended so: named is what it was ended for, where that shows.
    fn reason_of(&self, i: usize, exit: Exit) -> Failure {
        let proc = &self.procs[i];
        match (proc.spec.limits.cpu_time, &proc.signalled_by) {
            (Some(limit), None) if exit.is_out_of_cpu_time() => {
                Failure::LimitHit { what: format!("cpu_time limit {}", human_duration(limit)) }
            }
            (_, by) => Failure::Exited { exit, by: by.clone() },
        }
    }

    /// What the restart policy says to an end of process `i`.
    fn decide(&mut self, i: usize, exit: Option<Exit>, up: Duration) -> Decision {
        let (now, draw) = (self.now, self.draw());
        let proc = &mut self.procs[i];
        proc.ledger.decide(&proc.spec.restart, exit, up, now, draw)
    }

    /// Whether the run cannot pass any more because process `i` has failed for good, for this reason.
    fn fails_run(&self, i: usize, reason: &Failure) -> bool {
        let proc = &self.procs[i];
        !proc.late && (proc.spec.role == Role::Test || !is_excused(reason))
    }

    /// Puts an end on record, comparing its last words with those of the end before.
    pub(super) fn tell_exit(&mut self, i: usize, exit: Exit, asked: bool, up: Duration, then: Then, tail: Vec<String>) {
        let proc = &mut self.procs[i];
        let words: Option<String> = (!asked).then(|| {
            format!("{exit} {}", tail.last().map(String::as_str).unwrap_or_default()).chars().filter(|c| !c.is_ascii_digit()).collect()
        });
        let same_cause = words.is_some() && proc.last_words == words;
        if words.is_some() {
            proc.same_cause_each_time &= same_cause || proc.last_words.is_none();
            proc.last_words = words;
        }
        let event = EventKind::Exited {
            process: proc.id().clone(),
            generation: proc.generation,
            exit,
            asked,
            by: proc.signalled_by.clone().filter(|_| !asked),
            up,
            then,
            same_cause,
            tail,
            progress: proc.progress.clone(),
            role: Some(proc.spec.role),
        };
        self.emit(event);
    }

    /// It lives, but has failed all the same: its tree is stopped, and then what the policy says now is done.
    pub(super) fn fail_alive(&mut self, i: usize, reason: Failure) {
        let Life::Up { since, .. } = self.procs[i].life else { return };
        if self.course.is_stopping() {
            // Its turn to be stopped comes, and nobody waits for it to become ready or well.
            return;
        }
        self.procs[i].late = self.course.is_certain();
        let decision = self.decide(i, None, self.now.since(since));
        let fatal = !matches!(decision, Decision::Restart { .. }) && self.fails_run(i, &reason);
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.emit(EventKind::Failed { process, generation, reason: reason.clone(), fatal });
        let order = StopOrder { by: Actor::Supervisor, now: false, after: After::Policy };
        self.stop_living(i, order, Some(Fallen { reason, decision }));
    }

    /// It failed, and no policy applies.
    pub(super) fn fail(&mut self, i: usize, reason: Failure) {
        self.tell_failure(i, reason.clone());
        self.set_state(i, ProcessState::Failed { reason });
    }

    /// Puts a failure that no policy makes good on record.
    pub(super) fn tell_failure(&mut self, i: usize, reason: Failure) {
        let (process, generation, fatal) = (self.procs[i].id().clone(), self.procs[i].generation, self.fails_run(i, &reason));
        self.emit(EventKind::Failed { process, generation, reason, fatal });
    }

    pub(super) fn back_off(&mut self, i: usize, attempt: u32, of: Option<u32>, delay: Duration, reason: Failure) {
        let until = self.now + delay;
        let after_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.procs[i].cause = StartCause::Policy { attempt, of, after_ms };
        self.arm(i, TimerKind::Backoff, until);
        self.set_state(i, ProcessState::Backoff { until, reason });
    }

    pub(super) fn give_up(&mut self, i: usize, reason: Failure, times: u32) {
        let fatal = self.fails_run(i, &reason);
        let proc = &self.procs[i];
        let (process, generation, same_cause) = (proc.id().clone(), proc.generation, proc.same_cause_each_time);
        self.emit(EventKind::GaveUp { process, generation, reason: reason.clone(), times, same_cause, fatal });
        self.set_state(i, ProcessState::GaveUp { reason, times });
    }

    /// Somebody wants it up again, and it is down: it starts as soon as what it waits for allows.
    pub(super) fn start_again(&mut self, i: usize, cause: StartCause) {
        self.set_state(i, ProcessState::Pending { waits_for: Vec::new() });
        self.procs[i].wants_start = Some(cause);
    }

    pub(super) fn backoff_over(&mut self, i: usize) {
        if self.course.is_stopping() {
            return;
        }
        let cause = self.procs[i].cause.clone();
        self.procs[i].wants_start = Some(cause);
        // A restart does not wait for dependencies again: they were met once, and a flapping one must not hold it.
        self.launch(i);
    }

    pub(super) fn lived_too_long(&mut self, i: usize) {
        let Life::Up { .. } = self.procs[i].life else { return };
        let after_ms = self.procs[i].spec.timeout.map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        self.fail_alive(i, Failure::TimedOut { after_ms });
    }

    pub(super) fn limit_hit(&mut self, i: usize, what: String) {
        if let Life::Up { .. } = self.procs[i].life {
            self.fail_alive(i, Failure::LimitHit { what });
        }
    }
}

impl super::types::Proc {
    /// A signal from outside excuses an end only if that very signal brought it about: by its number, or as a program that
    /// handles it says so, by the exit code 128 and its number.
    fn resolve_excuse(&mut self, exit: Exit) {
        let brought_about = |signal: &Signal| exit.signal() == Some(*signal) || exit.code() == Some(128 + signal.0);
        if !self.sent.iter().any(brought_about) {
            self.signalled_by = None;
        }
    }
}
