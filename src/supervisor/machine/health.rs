//! Health: when it is asked for, how many probes in a row make a process unhealthy, and how many make it well again.
//!
//! It is asked for from readiness on, as long as the generation lives. `lazy`: only while somebody looks at the run, or waits
//! for `healthy`. A process that is held is not asked at all: whoever stands in it with a debugger does not want it restarted
//! for not answering, nor ended for taking long.

use super::core::Machine;
use super::types::{After, Effect, Life, Proc, StopOrder, TimerKind};
use crate::model::{Actor, Condition, EventKind, Failure, Health, OnUnhealthy, ProbeOutcome, ProbeRecord, ProcessState, RestartMode};

impl Machine {
    /// Begins and ends health probes as they are wanted.
    pub(super) fn watch_health(&mut self) {
        for i in 0..self.procs.len() {
            let wanted = self.wants_health(i);
            if wanted == self.procs[i].watched {
                continue;
            }
            if wanted {
                let proc = &mut self.procs[i];
                proc.watched = true;
                (proc.failed_probes, proc.good_probes) = (0, 0);
                let (process, generation) = (proc.id().clone(), proc.generation);
                self.out.push(Effect::WatchHealth { process, generation });
            } else {
                self.end_probes(i);
            }
        }
    }

    fn wants_health(&self, i: usize) -> bool {
        let proc = &self.procs[i];
        let Some(health) = &proc.spec.health else { return false };
        let begun = matches!(proc.life, Life::Up { .. }) && !matches!(proc.state, ProcessState::Starting { .. });
        let awaited = || {
            let waits = |other: &Proc| other.spec.depends_on.iter().any(|d| d.condition == Condition::Healthy && d.on == *proc.id());
            self.procs.iter().any(|other| other.wants_start.is_some() && waits(other))
        };
        begun && proc.held_by.is_none() && (!health.lazy || self.observed || awaited())
    }

    pub(super) fn end_probes(&mut self, i: usize) {
        self.procs[i].watched = false;
        let process = self.procs[i].id().clone();
        self.out.push(Effect::EndProbes { process });
    }

    /// Somebody wants a process to be left alone, or no longer.
    pub(super) fn ask_hold(&mut self, i: usize, by: Actor, held: bool, ticket: u64) {
        if self.procs[i].held_by.is_some() != held {
            self.procs[i].held_by = held.then(|| by.clone());
            let process = self.procs[i].id().clone();
            self.emit(EventKind::HoldChanged { process, held, by: by.clone() });
            if matches!(self.procs[i].state, ProcessState::Backoff { .. }) {
                // Nothing restarts it by itself now.
                self.begin_stop(i, StopOrder { by, now: false, after: After::Stay });
            }
            self.arm_deadlines(i);
        }
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
    }

    /// Arms what ends a live generation for taking too long, counted from now; nothing does while it is held.
    pub(super) fn arm_deadlines(&mut self, i: usize) {
        self.cancel(i, TimerKind::ReadyDeadline);
        self.cancel(i, TimerKind::Lifetime);
        let proc = &self.procs[i];
        let Life::Up { since, .. } = proc.life else { return };
        let (held, spec) = (proc.held_by.is_some(), proc.spec.clone());
        if held {
            return;
        }
        if matches!(proc.state, ProcessState::Starting { .. }) {
            let deadline = self.now + spec.ready.timeout;
            self.set_state(i, ProcessState::Starting { since, deadline });
            self.arm(i, TimerKind::ReadyDeadline, deadline);
        }
        if let Some(lifetime) = spec.timeout {
            self.arm(i, TimerKind::Lifetime, self.now + lifetime);
        }
    }

    pub(super) fn probed(&mut self, i: usize, record: &ProbeRecord) {
        let Life::Up { since, .. } = self.procs[i].life else { return };
        if self.procs[i].held_by.is_some() {
            // It was under way when the hold began.
            return;
        }
        let Some(spec) = self.procs[i].spec.health.clone() else { return };
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.emit(EventKind::Probed { process, generation, probes: vec![record.clone()] });
        let proc = &mut self.procs[i];
        match &record.outcome {
            ProbeOutcome::Ok | ProbeOutcome::Degraded { .. } => {
                proc.failed_probes = 0;
                proc.good_probes = proc.good_probes.saturating_add(1);
                let (health, detail) = match &record.outcome {
                    ProbeOutcome::Degraded { why } => (Health::Degraded, why.clone()),
                    _ => (Health::Healthy, format!("answered in {}", crate::model::human_duration(record.took))),
                };
                if proc.health != Health::Unhealthy || proc.good_probes >= spec.successes {
                    self.set_health(i, health, detail);
                    if matches!(self.procs[i].state, ProcessState::Unhealthy { .. }) {
                        self.set_state(i, ProcessState::Ready);
                    }
                }
            }
            ProbeOutcome::Failed { why, .. } => {
                proc.good_probes = 0;
                if record.at.since(since) < spec.start_period {
                    return;
                }
                proc.failed_probes = proc.failed_probes.saturating_add(1);
                proc.last_health = Some(why.clone());
                if proc.failed_probes >= spec.failures {
                    self.unhealthy(i, why.clone(), spec.failures, spec.on_unhealthy);
                }
            }
        }
    }

    fn unhealthy(&mut self, i: usize, why: String, of: u32, on_unhealthy: OnUnhealthy) {
        // More failures than it takes are no news.
        let failed = self.procs[i].failed_probes.min(of);
        self.set_health(i, Health::Unhealthy, why.clone());
        if matches!(self.procs[i].state, ProcessState::Starting { .. }) {
            // Before it is ready, readiness decides; health only tells.
            return;
        }
        if self.procs[i].was_ready {
            self.set_state(i, ProcessState::Unhealthy { failed, of });
        }
        if on_unhealthy == OnUnhealthy::Restart && self.procs[i].spec.restart.mode != RestartMode::Never {
            self.fail_alive(i, Failure::Unhealthy { last: why });
        }
    }

    fn set_health(&mut self, i: usize, health: Health, detail: String) {
        let proc = &mut self.procs[i];
        if proc.health != health {
            proc.health = health;
            let (process, generation) = (proc.id().clone(), proc.generation);
            self.emit(EventKind::HealthChanged { process, generation, health, detail });
        }
    }
}
