//! Health thresholds: how many probes in a row make a process unhealthy, and how many make it well again.

use super::core::Machine;
use super::types::Life;
use crate::model::{EventKind, Failure, Health, OnUnhealthy, ProbeOutcome, ProbeRecord, ProcessState, RestartMode};

impl Machine {
    pub(super) fn probed(&mut self, i: usize, record: &ProbeRecord) {
        let Life::Up { since, .. } = self.procs[i].life else { return };
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
