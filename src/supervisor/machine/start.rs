//! Dependencies, starting, readiness.

use std::time::Duration;

use super::core::Machine;
use super::types::{After, Effect, Goal, Life, ReadyReport, StopOrder, TimerKind, Tree};
use crate::{
    model::{Condition, Dependency, EventKind, Failure, Health, Probe, ProcessId, ProcessState, Role, StartCause},
    scenario::awaited,
};

/// What attempts to find a process ready meet is told this long after its start…
const TOLD_AFTER: Duration = Duration::from_millis(200);
/// …and no more often than this.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// How a dependency stands.
enum Standing {
    Holds,
    Waits,
    /// It can't come about any more, since that one stands like this. `told`: that it does was told as a failure.
    Never {
        on: ProcessId,
        how: String,
        told: bool,
    },
}

impl Machine {
    /// The run begins: everything that starts by itself wants to.
    pub(super) fn begin(&mut self) {
        if let Some(timeout) = self.options.timeout {
            self.arm_run(TimerKind::RunTimeout, self.now + timeout);
        }
        for i in 0..self.procs.len() {
            if self.procs[i].spec.autostart {
                self.procs[i].wants_start = Some(StartCause::Run);
            } else {
                let waits_for = vec![self.starters.waits_for(self.procs[i].id())];
                self.set_state(i, ProcessState::Pending { waits_for });
            }
        }
        self.begin_script();
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
                Standing::Never { on, how, told } => {
                    let news = !matches!(self.procs[i].state, ProcessState::Skipped { .. });
                    self.set_state(i, ProcessState::Skipped { because: format!("{on} {how}") });
                    if news && !told && self.procs[i].spec.role == Role::Test {
                        self.tell_failure(i, Failure::Dependency { process: on, state: how });
                    }
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
        let never = |how: &str, told| Standing::Never { on: dependency.on.clone(), how: how.to_owned(), told };
        let Some(&d) = self.by_name.get(&dependency.on) else { return never("does not exist", false) };
        let on = &self.procs[d];
        let alive = matches!(on.life, Life::Up { .. });
        let completed = on.state == ProcessState::Completed;
        let ended = on.generation > 0 && !on.has_life() && on.state.is_settled();
        // A task or test without a readiness of its own is as ready as it gets once it runs.
        let plain = on.spec.role != Role::Service && on.spec.ready.probe.is_none();
        let holds = match dependency.condition {
            Condition::Started => alive || completed || ended,
            Condition::Ready => (alive || completed) && (on.was_ready || plain),
            Condition::Healthy => alive && on.health == Health::Healthy,
            Condition::Completed => ended && !matches!(on.state, ProcessState::Skipped { .. }),
            Condition::Succeeded => completed,
        };
        if holds {
            return Standing::Holds;
        }
        if on.has_life() {
            return Standing::Waits;
        }
        match &on.state {
            ProcessState::Skipped { .. } => never("skipped", self.is_told(d)),
            _ if on.wants_start.is_some() => Standing::Waits,
            ProcessState::Failed { .. } | ProcessState::GaveUp { .. } => never(on.state.word(), self.is_told(d)),
            ProcessState::Completed => match dependency.condition {
                Condition::Ready if !on.was_ready => never("completed before it was ready", false),
                Condition::Ready | Condition::Healthy => never("completed", false),
                Condition::Started | Condition::Completed | Condition::Succeeded => Standing::Waits,
            },
            // Down for want of somebody to start it. Is there anybody?
            ProcessState::Pending { .. } if !self.can_be_started(d) => never("is not started by itself", false),
            ProcessState::Stopped { .. } if !self.can_be_started(d) => never("stopped", false),
            _ => Standing::Waits,
        }
    }

    /// Whether the failure that keeps process `i` from starting, or from having started, is on record.
    fn is_told(&self, i: usize) -> bool {
        let proc = &self.procs[i];
        let failed = matches!(proc.state, ProcessState::Failed { .. } | ProcessState::GaveUp { .. }) && !proc.late;
        failed || proc.spec.depends_on.iter().filter_map(|d| self.by_name.get(&d.on)).any(|&d| self.is_told(d))
    }

    /// Whether somebody may still start process `i`: a person at the dashboard, a test that drives the run, a step.
    fn can_be_started(&self, i: usize) -> bool {
        !self.options.end_when_done || self.starters.steps.contains_key(self.procs[i].id())
    }

    /// Starts a new generation; first, whatever the former one left is killed.
    pub(super) fn launch(&mut self, i: usize) {
        let Some(cause) = self.procs[i].wants_start.take() else { return };
        self.cancel(i, TimerKind::Backoff);
        if self.procs[i].tree == Tree::Empty {
            self.spawn(i, cause);
        } else {
            self.procs[i].life = Life::Clearing { next: cause };
            self.set_state(i, ProcessState::Pending { waits_for: vec!["its leftovers to end".into()] });
            self.clear(i, false);
        }
    }

    pub(super) fn spawn(&mut self, i: usize, cause: StartCause) {
        debug_assert!(!self.course.is_stopping(), "{}: started while the run stops", self.procs[i].id());
        let proc = &mut self.procs[i];
        proc.generation += 1;
        proc.life = Life::Spawning { stop: None };
        proc.tree = Tree::Led;
        proc.late = false;
        proc.stopped_by = None;
        proc.was_ready = false;
        proc.signalled_by = None;
        proc.sent.clear();
        proc.progress = None;
        (proc.last_trouble, proc.trouble_told) = (None, None);
        proc.last_health = None;
        (proc.failed_probes, proc.good_probes) = (0, 0);
        proc.cause = cause;
        if proc.spec.health.is_some() {
            proc.health = Health::Unknown;
        }
        // Who still waits for the end of the former generation has seen it, although somebody wanted a new one before.
        self.resolve_goal(i, Goal::Down, true, &Ok(()));
        let proc = &self.procs[i];
        let (process, generation, unless_done) = (proc.id().clone(), proc.generation, !proc.unfinished);
        self.set_state(i, ProcessState::Pending { waits_for: Vec::new() });
        self.out.push(Effect::Spawn { process, generation, unless_done });
    }

    /// Whether process `i` has a readiness to reach, other than being alive as a task or test.
    fn awaits_ready(&self, i: usize) -> bool {
        let spec = &self.procs[i].spec;
        spec.ready.probe.is_some() || spec.role == Role::Service
    }

    pub(super) fn spawned(&mut self, i: usize, pid: u32) {
        let Life::Spawning { stop } = &mut self.procs[i].life else { return };
        let stop = stop.take();
        let now = self.now;
        let awaits_ready = self.awaits_ready(i);
        let proc = &mut self.procs[i];
        proc.life = Life::Up { pid, since: now };
        proc.unfinished = true;
        proc.started = now;
        proc.first_started.get_or_insert(now);
        let (process, generation, cause) = (proc.id().clone(), proc.generation, proc.cause.clone());
        let ready_timeout = proc.spec.ready.timeout;
        self.emit(EventKind::Spawned { process: process.clone(), generation, pid, cause, awaits_ready });
        if let Some(order) = stop {
            // Nobody waits for it to become ready any more.
            return self.stop_living(i, order, None);
        }
        if awaits_ready {
            self.set_state(i, ProcessState::Starting { since: now, deadline: now + ready_timeout });
            self.out.push(Effect::WatchReadiness { process, generation });
        } else {
            self.set_state(i, ProcessState::Running);
        }
        self.arm_deadlines(i);
    }

    pub(super) fn spawn_failed(&mut self, i: usize, reason: Failure) {
        let Life::Spawning { stop } = &mut self.procs[i].life else { return };
        let stop = stop.take();
        self.procs[i].life = Life::None;
        self.procs[i].tree = Tree::Empty;
        self.procs[i].late = self.course.is_certain();
        // No program, no directory: a policy that tried again would meet the same. Somebody who asks again may know better.
        if let Some(StopOrder { after: After::Start(cause), .. }) = stop
            && !self.course.is_stopping()
        {
            return self.start_again(i, cause);
        }
        self.fail(i, reason);
    }

    /// It need not be started: what it would make is there. That is as good as an exit with 0.
    pub(super) fn already_done(&mut self, i: usize, path: String) {
        let Life::Spawning { stop } = &mut self.procs[i].life else { return };
        let stop = stop.take();
        let proc = &mut self.procs[i];
        proc.life = Life::None;
        proc.tree = Tree::Empty;
        proc.was_ready = true;
        let (process, generation) = (proc.id().clone(), proc.generation);
        self.emit(EventKind::AlreadyDone { process, generation, path });
        match stop {
            // Whoever wants it again may have made room for it since.
            Some(StopOrder { after: After::Start(cause), .. }) if !self.course.is_stopping() => self.start_again(i, cause),
            _ => self.set_state(i, ProcessState::Completed),
        }
    }

    pub(super) fn ready_report(&mut self, i: usize, report: ReadyReport) {
        if !matches!(self.procs[i].state, ProcessState::Starting { .. }) {
            return;
        }
        match report {
            ReadyReport::NotYet { why } => self.not_ready_yet(i, why),
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
            }
        }
    }

    /// Puts on record what an attempt has met, where that is news and it has had a moment to begin: attempts come ten times a
    /// second, and some say what time it is.
    fn not_ready_yet(&mut self, i: usize, why: String) {
        let (now, proc) = (self.now, &mut self.procs[i]);
        proc.last_trouble = Some(why.clone());
        let is_news = match &proc.trouble_told {
            None => now.since(proc.started) >= TOLD_AFTER,
            Some((at, told)) => *told != why && now.since(*at) >= TOLD_EVERY,
        };
        if is_news {
            proc.trouble_told = Some((now, why.clone()));
            let (process, generation) = (proc.id().clone(), proc.generation);
            self.emit(EventKind::NotReady { process, generation, why });
        }
    }

    pub(super) fn never_ready(&mut self, i: usize) {
        let proc = &self.procs[i];
        let after_ms = u64::try_from(proc.spec.ready.timeout.as_millis()).unwrap_or(u64::MAX);
        let heard = if matches!(proc.spec.ready.probe, Some(Probe::Log { .. })) { "no line has matched" } else { "no answer" };
        let last = proc.last_trouble.clone().unwrap_or_else(|| heard.into());
        let awaited = awaited(&proc.spec);
        self.fail_alive(i, Failure::NeverReady { last, awaited, after_ms });
    }
}
