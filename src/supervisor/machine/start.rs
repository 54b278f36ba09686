//! Dependencies, starting, readiness.

use super::core::Machine;
use super::types::{After, Effect, Life, ReadyReport, StopOrder, TimerKind};
use crate::model::{Actor, Condition, Dependency, EventKind, Failure, Health, ProcessState, Role, StartCause};

/// How a dependency stands.
enum Standing {
    Holds,
    Waits,
    /// It can't come about any more, for this reason.
    Never(String),
}

impl Machine {
    /// The run begins: everything that starts by itself wants to.
    pub(super) fn begin(&mut self) {
        if let Some(timeout) = self.options.timeout {
            self.arm_run(self.now + timeout);
        }
        for i in 0..self.procs.len() {
            if self.procs[i].spec.autostart {
                self.procs[i].wants_start = Some(StartCause::Run);
            } else {
                self.set_state(i, ProcessState::Pending { waits_for: vec!["being started".into()] });
            }
        }
        self.report_checks();
    }

    /// Starts what can start, skips what never can, until nothing changes.
    pub(super) fn start_what_can(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            for i in 0..self.procs.len() {
                changed |= self.consider(i);
            }
        }
    }

    /// One look at process `i`; whether anything changed that others may wait for.
    fn consider(&mut self, i: usize) -> bool {
        let proc = &self.procs[i];
        if proc.wants_start.is_none() || proc.has_life() {
            return false;
        }
        let mut waits_for = Vec::new();
        for dependency in &proc.spec.depends_on {
            match self.standing(dependency) {
                Standing::Holds => {}
                Standing::Waits => waits_for.push(format!("{} {}", dependency.on, dependency.condition.word())),
                Standing::Never(because) => {
                    let news = !matches!(self.procs[i].state, ProcessState::Skipped { .. });
                    self.set_state(i, ProcessState::Skipped { because });
                    return news;
                }
            }
        }
        if waits_for.is_empty() {
            self.launch(i);
            return true;
        }
        let news = matches!(self.procs[i].state, ProcessState::Skipped { .. });
        self.set_state(i, ProcessState::Pending { waits_for });
        news
    }

    fn standing(&self, dependency: &Dependency) -> Standing {
        let Some(&d) = self.by_name.get(&dependency.on) else { return Standing::Never(format!("{} does not exist", dependency.on)) };
        let on = &self.procs[d];
        let alive = matches!(on.life, Life::Up { .. });
        let completed = on.state == ProcessState::Completed;
        let ended = on.generation > 0 && !on.has_life() && on.state.is_settled();
        // A task or test without a readiness of its own is as ready as it gets once it runs.
        let plain = on.spec.role != Role::Service && on.spec.ready.probe.is_none();
        let holds = match dependency.condition {
            Condition::Started => alive || on.generation > 0 && (completed || ended),
            Condition::Ready => (alive || completed) && (on.was_ready || plain),
            Condition::Healthy => alive && on.health == Health::Healthy,
            Condition::Completed => ended && !matches!(on.state, ProcessState::Skipped { .. }),
            Condition::Succeeded => completed,
        };
        if holds {
            return Standing::Holds;
        }
        let over = match &on.state {
            ProcessState::Failed { .. } | ProcessState::GaveUp { .. } | ProcessState::Skipped { .. } => {
                on.wants_start.is_none() || matches!(on.state, ProcessState::Skipped { .. })
            }
            ProcessState::Completed => !matches!(dependency.condition, Condition::Started | Condition::Completed | Condition::Succeeded),
            _ => false,
        };
        if over && !on.has_life() { Standing::Never(format!("{} {}", dependency.on, on.state.word())) } else { Standing::Waits }
    }

    /// Starts a new generation; first, whatever the former one left is killed.
    pub(super) fn launch(&mut self, i: usize) {
        let Some(cause) = self.procs[i].wants_start.take() else { return };
        self.cancel_all(i);
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        if self.procs[i].tree_empty {
            self.spawn(i, cause);
        } else {
            self.procs[i].life = Life::Clearing { next: cause };
            self.set_state(i, ProcessState::Pending { waits_for: vec!["its leftovers to end".into()] });
            self.arm(i, TimerKind::KillDeadline, self.now + super::stop::KILL_BUDGET);
            self.out.push(Effect::Kill { process: process.clone(), generation });
            self.out.push(Effect::AwaitEmpty { process, generation });
        }
    }

    pub(super) fn spawn(&mut self, i: usize, cause: StartCause) {
        let proc = &mut self.procs[i];
        proc.generation += 1;
        proc.life = Life::Spawning { stop: None };
        proc.tree_empty = false;
        proc.was_ready = false;
        proc.signalled_by = None;
        proc.progress = None;
        proc.last_trouble = None;
        proc.last_health = None;
        (proc.failed_probes, proc.good_probes) = (0, 0);
        proc.cause = cause;
        if proc.spec.health.is_some() {
            proc.health = Health::Unknown;
        }
        let (process, generation) = (proc.id().clone(), proc.generation);
        self.set_state(i, ProcessState::Pending { waits_for: Vec::new() });
        self.out.push(Effect::Spawn { process, generation });
    }

    /// Whether process `i` has a readiness to reach, other than being alive as a task or test.
    fn awaits_ready(&self, i: usize) -> bool {
        let spec = &self.procs[i].spec;
        spec.ready.probe.is_some() || spec.role == Role::Service
    }

    pub(super) fn spawned(&mut self, i: usize, pid: u32) {
        let Life::Spawning { stop } = std::mem::replace(&mut self.procs[i].life, Life::None) else { return };
        let now = self.now;
        let awaits_ready = self.awaits_ready(i);
        let proc = &mut self.procs[i];
        proc.life = Life::Up { pid, since: now };
        proc.started = now;
        let (process, generation, cause) = (proc.id().clone(), proc.generation, proc.cause.clone());
        let (ready_timeout, lifetime) = (proc.spec.ready.timeout, proc.spec.timeout);
        self.emit(EventKind::Spawned { process: process.clone(), generation, pid, cause, awaits_ready });
        if awaits_ready {
            let deadline = now + ready_timeout;
            self.set_state(i, ProcessState::Starting { since: now, deadline });
            self.arm(i, TimerKind::ReadyDeadline, deadline);
            self.out.push(Effect::WatchReadiness { process: process.clone(), generation });
        } else {
            self.set_state(i, ProcessState::Running);
            self.watch_health(i);
        }
        if let Some(lifetime) = lifetime {
            self.arm(i, TimerKind::Lifetime, now + lifetime);
        }
        if let Some(order) = stop {
            self.begin_stop(i, order);
        }
    }

    pub(super) fn spawn_failed(&mut self, i: usize, reason: Failure) {
        let Life::Spawning { stop } = std::mem::replace(&mut self.procs[i].life, Life::None) else { return };
        self.procs[i].tree_empty = true;
        match stop {
            Some(order) => self.after_stop(i, order, None),
            // No program, no directory: trying again would meet the same.
            None => self.fail(i, reason),
        }
    }

    pub(super) fn ready_report(&mut self, i: usize, report: ReadyReport) {
        if !matches!(self.procs[i].life, Life::Up { .. }) || self.procs[i].was_ready {
            return;
        }
        match report {
            ReadyReport::NotYet { why } => self.procs[i].last_trouble = Some(why),
            ReadyReport::Foreign { pid, port } => self.fail_alive(i, Failure::ForeignListener { pid, port }),
            ReadyReport::Yes { answered, evidence, port } => {
                let Life::Up { pid, since } = self.procs[i].life else { return };
                self.cancel(i, TimerKind::ReadyDeadline);
                let proc = &mut self.procs[i];
                proc.was_ready = true;
                let waited_for = proc.spec.depends_on.iter().map(|d| format!("{} {}", d.on, d.condition.word())).collect();
                let (process, generation) = (proc.id().clone(), proc.generation);
                self.emit(EventKind::Ready { process, generation, pid, after: answered.since(since), evidence, waited_for, port });
                self.set_state(i, ProcessState::Ready);
                self.watch_health(i);
            }
        }
    }

    fn watch_health(&mut self, i: usize) {
        if self.procs[i].spec.health.is_some() {
            let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
            self.out.push(Effect::WatchHealth { process, generation });
        }
    }

    pub(super) fn never_ready(&mut self, i: usize) {
        let proc = &self.procs[i];
        let after_ms = u64::try_from(proc.spec.ready.timeout.as_millis()).unwrap_or(u64::MAX);
        let last = proc.last_trouble.clone().unwrap_or_else(|| "no answer".into());
        self.fail_alive(i, Failure::NeverReady { last, after_ms });
    }

    /// It lives, but has failed all the same: stop it, then let the policy decide.
    pub(super) fn fail_alive(&mut self, i: usize, reason: Failure) {
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.emit(EventKind::Failed { process, generation, reason: reason.clone(), fatal: false });
        self.begin_stop(i, StopOrder { by: Actor::Supervisor, now: false, after: After::Fail(reason) });
    }
}
