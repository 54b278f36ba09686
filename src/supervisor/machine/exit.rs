//! What an exit that nobody asked for leads to.

use std::time::Duration;

use super::backoff::Decision;
use super::core::Machine;
use super::types::{After, Effect, Life, TimerKind};
use crate::model::{At, EventKind, Exit, Failure, Leak, ProcessState, Role, StartCause, Then};

/// How long what a leader left may take to end before it is a leak, and how long its pipe is waited for.
pub(super) const LEAK_TIMEOUT: Duration = Duration::from_millis(200);

impl Machine {
    pub(super) fn leader_exited(&mut self, i: usize, exit: Exit) {
        let now = self.now;
        let proc = &mut self.procs[i];
        let (process, generation) = (proc.id().clone(), proc.generation);
        match &mut proc.life {
            Life::Stopping(stopping) => {
                stopping.exit = Some(exit);
                self.drain_if_stopped(i);
            }
            Life::Up { since, .. } => {
                proc.life = Life::Ending { exit, since: *since, ended: now, stop: None };
                self.cancel_all(i);
                self.out.push(Effect::EndProbes { process: process.clone() });
                self.out.push(Effect::AwaitEmpty { process: process.clone(), generation });
                self.out.push(Effect::Drain { process, generation, linger: LEAK_TIMEOUT });
                self.arm(i, TimerKind::LeakCheck, now + LEAK_TIMEOUT);
            }
            Life::Spawning { .. } | Life::Ending { .. } | Life::None | Life::Clearing { .. } => {}
        }
    }

    /// Its last words are in the log: now its end can be told.
    pub(super) fn drained(&mut self, i: usize, tail: Vec<String>) {
        match &mut self.procs[i].life {
            Life::Stopping(stopping) => {
                stopping.drained = Some(tail);
                self.finish_stop_if_done(i);
            }
            Life::Ending { exit, since, ended, stop } => {
                let (exit, since, ended, stop) = (*exit, *since, *ended, stop.take());
                self.procs[i].life = Life::None;
                self.procs[i].resolve_excuse(exit);
                if let Some(order) = stop {
                    let then = if matches!(order.after, After::Start(_)) { Then::RestartAsked } else { Then::Stopped };
                    self.tell_exit(i, exit, false, ended.since(since), then, tail);
                    self.after_stop(i, order, None);
                } else {
                    self.ended_by_itself(i, exit, ended.since(since), tail);
                }
            }
            _ => {}
        }
    }

    fn ended_by_itself(&mut self, i: usize, exit: Exit, up: Duration, tail: Vec<String>) {
        let now = self.now;
        let draw = self.draw();
        let proc = &mut self.procs[i];
        let decision = proc.ledger.decide(&proc.spec.restart.clone(), Some(exit), up, now, draw);
        let reason = Failure::Exited { exit, by: proc.signalled_by.clone() };
        let test_fails = proc.spec.role == Role::Test;
        match decision {
            Decision::Rest if exit.success() => {
                self.tell_exit(i, exit, false, up, Then::Completed, tail);
                self.set_state(i, ProcessState::Completed);
            }
            Decision::Rest => {
                self.tell_exit(i, exit, false, up, Then::Failed { fails_run: test_fails }, tail);
                self.set_state(i, ProcessState::Failed { reason });
            }
            Decision::Restart { attempt, of, delay } => {
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                self.tell_exit(i, exit, false, up, Then::Restart { delay_ms }, tail);
                self.back_off(i, attempt, of, delay, reason);
            }
            Decision::GiveUp { times } => {
                self.tell_exit(i, exit, false, up, Then::GaveUp, tail);
                self.give_up(i, reason, times);
            }
        }
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
            up,
            then,
            same_cause,
            tail,
            progress: proc.progress.clone(),
        };
        self.emit(event);
    }

    /// A failure of something that lived, or never came to live: the policy decides.
    pub(super) fn failed_alive(&mut self, i: usize, reason: Failure, up: Duration) {
        let now = self.now;
        let draw = self.draw();
        let proc = &mut self.procs[i];
        match proc.ledger.decide(&proc.spec.restart.clone(), None, up, now, draw) {
            Decision::Rest => self.set_state(i, ProcessState::Failed { reason }),
            Decision::Restart { attempt, of, delay } => self.back_off(i, attempt, of, delay, reason),
            Decision::GiveUp { times } => self.give_up(i, reason, times),
        }
    }

    /// It failed, and no policy applies.
    pub(super) fn fail(&mut self, i: usize, reason: Failure) {
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.emit(EventKind::Failed { process, generation, reason: reason.clone(), fatal: true });
        self.set_state(i, ProcessState::Failed { reason });
    }

    fn back_off(&mut self, i: usize, attempt: u32, of: Option<u32>, delay: Duration, reason: Failure) {
        let until = self.now + delay;
        let after_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.procs[i].cause = StartCause::Policy { attempt, of, after_ms };
        self.arm(i, TimerKind::Backoff, until);
        self.set_state(i, ProcessState::Backoff { until, reason });
    }

    fn give_up(&mut self, i: usize, reason: Failure, times: u32) {
        let proc = &self.procs[i];
        let (process, generation, same_cause) = (proc.id().clone(), proc.generation, proc.same_cause_each_time);
        self.emit(EventKind::GaveUp { process, generation, reason: reason.clone(), times, same_cause });
        self.set_state(i, ProcessState::GaveUp { reason, times });
    }

    pub(super) fn backoff_over(&mut self, i: usize) {
        let cause = self.procs[i].cause.clone();
        self.procs[i].wants_start = Some(cause);
        // A restart does not wait for dependencies again: they were met once, and a flapping one must not hold it.
        self.launch(i);
    }

    pub(super) fn look_for_leaks(&mut self, i: usize) {
        if !self.procs[i].tree_empty {
            let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
            self.out.push(Effect::Census { process, generation });
        }
    }

    pub(super) fn members(&mut self, i: usize, leaks: Vec<Leak>) {
        let dead_leader = matches!(self.procs[i].life, Life::None | Life::Ending { .. });
        if leaks.is_empty() || !dead_leader || self.procs[i].tree_empty {
            return;
        }
        self.procs[i].leaked = true;
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.emit(EventKind::Leaked { process, generation, leaks });
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

    /// How long process `i` has lived, for the policy.
    pub(super) fn up(&self, started: At) -> Duration {
        self.now.since(started)
    }
}

impl super::types::Proc {
    /// A signal from outside excuses an end only if that signal brought it about.
    fn resolve_excuse(&mut self, exit: Exit) {
        let handled = matches!(exit, Exit::Code(code) if code >= 128) || exit.signal().is_some();
        if !handled {
            self.signalled_by = None;
        }
    }
}
