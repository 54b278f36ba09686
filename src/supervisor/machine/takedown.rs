//! The take-down of the run: reverse dependency order, in layers, each layer at once; or everything at once.

use std::{collections::HashSet, time::Duration};

use super::core::Machine;
use super::types::{After, Effect, Life, StopOrder, TimerKind, Tree};
use crate::model::{Actor, EventKind, Failure, ProcessState};

/// How long the last census is waited for when the guardian, who carries out its clean-up commands, is gone.
const CENSUS_BUDGET: Duration = Duration::from_secs(5);

impl Machine {
    /// Takes the run down. A second call with `now` kills what the first one asks politely.
    pub(super) fn shut_down(&mut self, by: &Actor, now: bool, ticket: Option<u64>) {
        if self.course.is_finished() {
            // Nothing is left to take down, and a run that is on record as ended is never opened again.
            self.out.extend(ticket.map(|ticket| Effect::Resolve { ticket, result: Ok(()) }));
            return;
        }
        self.course.tickets.extend(ticket);
        if self.course.begin_stopping(by, now, self.now) {
            self.emit(EventKind::StoppingRun { by: by.clone(), now });
        }
        for i in 0..self.procs.len() {
            self.procs[i].wants_start = None;
            if now || matches!(self.procs[i].life, Life::None | Life::Clearing { .. }) {
                self.begin_stop(i, StopOrder { by: by.clone(), now, after: After::Stay });
            }
        }
    }

    /// While the run stops: each process whose dependants are down is next, and nothing keeps what it left.
    pub(super) fn stop_next_layer(&mut self) {
        let Some(by) = self.course.stopping_by() else { return };
        let needed = self.needed();
        for i in 0..self.procs.len() {
            let lives = matches!(self.procs[i].life, Life::Up { .. } | Life::Spawning { stop: None });
            if lives && !needed.contains(&i) {
                self.begin_stop(i, StopOrder { by: by.clone(), now: self.course.is_killing(), after: After::Stay });
            }
            if matches!(self.procs[i].life, Life::None | Life::Ending { .. }) && !self.procs[i].tree.is_settled() {
                self.clear(i, self.course.is_killing());
            }
        }
    }

    /// Whom something alive depends on.
    fn needed(&self) -> HashSet<usize> {
        let alive = self.procs.iter().filter(|proc| proc.has_life());
        alive.flat_map(|proc| &proc.spec.depends_on).filter_map(|d| self.by_name.get(&d.on).copied()).collect()
    }

    /// Once nothing lives: clean-up commands, and a last look for what is left.
    pub(super) fn ask_census_when_down(&mut self) {
        let down = self.procs.iter().all(|proc| !proc.has_life() && proc.tree.is_settled());
        if down && self.course.ask_census(self.now) {
            self.out.push(Effect::FinalCensus);
            if self.course.is_guardian_lost() {
                self.arm_run(TimerKind::CensusDeadline, self.now + CENSUS_BUDGET);
            }
        }
    }

    /// The guardian died: so has everything it held.
    pub(super) fn spawner_lost(&mut self, why: String) {
        if self.course.is_finished() || self.course.is_guardian_lost() {
            return;
        }
        self.emit(EventKind::GuardianLost { why });
        self.course.lose_guardian();
        for i in 0..self.procs.len() {
            self.cancel_all(i);
            self.procs[i].tree = Tree::Empty;
            self.procs[i].wants_start = None;
            match std::mem::replace(&mut self.procs[i].life, Life::None) {
                Life::None => {}
                // Its end was its own; only its last words may be missing.
                Life::Ending { exit, since, ended, .. } => self.ended_by_itself(i, exit, ended.since(since), Vec::new(), None),
                Life::Clearing { .. } => self.set_state(i, ProcessState::Stopped { by: Actor::Supervisor, signal: None }),
                Life::Spawning { .. } | Life::Up { .. } | Life::Stopping(_) => {
                    self.end_probes(i);
                    self.fail(i, Failure::GuardianLost);
                }
            }
        }
        self.shut_down(&Actor::Supervisor, true, None);
        if self.course.is_census_asked() {
            // Its clean-up commands may never end now.
            self.arm_run(TimerKind::CensusDeadline, self.now + CENSUS_BUDGET);
        }
    }
}
