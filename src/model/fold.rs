//! The fold itself: how an event changes a snapshot. Live view, replay and time travel share it.

use std::{sync::Arc, time::Duration};

use super::{
    EndedLeak, Event, EventKind, ExitRecord, ExpectationInfo, ExpectationSnapshot, Failure, Health, Leak, Phase, ProcessId,
    ProcessSnapshot, ProcessState, RECENT_PROBES, RunInfo, Snapshot, Standing, StartCause, StepSnapshot, StepStage, StopRecord,
};

impl Snapshot {
    /// Folds `event` in. Events come in the order of their numbers; an older one is ignored.
    pub fn fold(&mut self, event: &Event) {
        if event.seq <= self.seq && self.run.is_some() {
            return;
        }
        self.seq = event.seq;
        self.at = event.at;
        match &event.kind {
            EventKind::RunStarted(info) => self.begin(info),
            // A recording may come from anybody: no name stands twice.
            EventKind::ProcessAdded { info } if self.row(info.name.as_str()).is_some() => {}
            EventKind::ProcessAdded { info } => self.rows.push(Arc::new(ProcessSnapshot::new(Arc::new(info.clone())))),
            EventKind::Sampled { samples } => {
                for sample in samples {
                    self.with(&sample.process, |row| row.sample = Some(sample.clone()));
                }
            }
            EventKind::Notice { level, text } => self.notice = Some((event.at, *level, text.clone())),
            EventKind::Expected { expectation, standing, seen, detail, line, .. } => {
                if let Some(one) = self.expectations.get_mut(*expectation as usize).map(Arc::make_mut) {
                    (one.standing, one.seen) = (*standing, *seen);
                    one.detail.clone_from(detail);
                    one.at = line.map(|_| event.at);
                }
            }
            EventKind::Step { step, stage, detail, took_us, .. } => {
                let place = (*step as usize).checked_sub(1);
                if let Some(one) = place.and_then(|place| self.steps.get_mut(place)).map(Arc::make_mut) {
                    (one.stage, one.at, one.took) = (*stage, Some(event.at), took_us.map(Duration::from_micros));
                    if *stage == StepStage::Started || stage.is_over() && one.began.is_none() {
                        one.began = Some(event.at);
                    }
                    one.detail.clone_from(detail);
                }
            }
            EventKind::StepsHeld { held, .. } => self.steps_held = *held,
            EventKind::Checks { met, of } => self.checks = (*met, *of),
            EventKind::Rerun { .. } => self.outcome = None,
            EventKind::VerdictReached { outcome } => self.outcome = Some(outcome.clone()),
            EventKind::StoppingRun { .. } => self.phase = Phase::Stopping,
            EventKind::RunEnded { outcome, stopped, killed, took, clean_up } => {
                self.phase = Phase::Ended;
                self.outcome = Some(outcome.clone());
                self.take_down = Some((*stopped, *killed, *took));
                self.clean_up = *clean_up;
            }
            EventKind::Marked { .. }
            | EventKind::Viewed { .. }
            | EventKind::RunTimedOut { .. }
            | EventKind::GuardianLost { .. }
            | EventKind::Unknown => {}
            about_a_process => {
                if let Some(process) = about_a_process.process() {
                    self.with(process, |row| row.fold(event));
                }
            }
        }
    }

    /// The snapshot after all of `events`.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut snapshot = Self::default();
        events.into_iter().for_each(|event| snapshot.fold(event));
        snapshot
    }

    fn begin(&mut self, info: &RunInfo) {
        self.rows = info.processes.iter().map(|p| Arc::new(ProcessSnapshot::new(Arc::new(p.clone())))).collect();
        let open = |info: &ExpectationInfo| ExpectationSnapshot {
            info: info.clone(),
            standing: Standing::Open,
            seen: 0,
            detail: String::new(),
            at: None,
        };
        self.expectations = info.expectations.iter().map(|info| Arc::new(open(info))).collect();
        self.steps = info.steps.iter().map(|info| Arc::new(StepSnapshot::new(info.clone()))).collect();
        self.run = Some(Arc::new(info.clone()));
    }

    fn with(&mut self, process: &ProcessId, change: impl FnOnce(&mut ProcessSnapshot)) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.id() == process) {
            change(Arc::make_mut(row));
        }
    }
}

impl ProcessSnapshot {
    fn fold(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Spawned { generation, pid, cause, .. } => {
                self.generation = *generation;
                self.pid = Some(*pid);
                self.started = Some(event.at);
                self.ended = None;
                self.ready_after = None;
                self.trouble = None;
                self.progress = None;
                self.failure = None;
                self.same_cause = false;
                self.already_done = None;
                self.leaks.clear();
                self.ended_leaks.clear();
                self.captured_port = None;
                if self.info.has_health {
                    self.health = Health::Unknown;
                }
                if matches!(cause, StartCause::Policy { .. }) {
                    self.restarts += 1;
                }
            }
            EventKind::Ready { after, waited_for, port, .. } => {
                self.ready_after = Some(*after);
                self.trouble = None;
                self.waited_for.clone_from(waited_for);
                self.captured_port = *port;
            }
            EventKind::NotReady { why, .. } => self.trouble = Some(why.clone()),
            EventKind::Progress { text, .. } => self.progress = Some(text.clone()),
            EventKind::Probed { probes, .. } => {
                self.probes.extend(probes.iter().cloned());
                let surplus = self.probes.len().saturating_sub(RECENT_PROBES);
                self.probes.drain(..surplus);
            }
            EventKind::HealthChanged { health, .. } => self.health = *health,
            EventKind::HoldChanged { held, .. } => self.held = *held,
            EventKind::Disturbed { fault, .. } => self.fault = Some(fault.clone()).filter(|fault| !fault.is_empty()),
            EventKind::Alerted { count, .. } => self.alerts += count,
            EventKind::Exited { generation, exit, asked, tail, same_cause, .. } => {
                self.pid = None;
                self.ended = Some(event.at);
                self.sample = None;
                let (generation, tail) = (*generation, tail.clone());
                self.exits.push(ExitRecord { generation, exit: *exit, at: event.at, asked: *asked, tail, same_cause: *same_cause });
            }
            EventKind::AlreadyDone { path, .. } => {
                self.already_done = Some(path.clone());
                self.failure = None;
            }
            EventKind::Failed { reason, .. } => self.failure = Some(reason.clone()),
            EventKind::GaveUp { reason, same_cause, .. } => {
                self.failure = Some(reason.clone());
                self.same_cause = *same_cause;
            }
            EventKind::TreeStopped { signal, escalated_to_kill, took, .. } => {
                self.stop = Some(StopRecord { signal: *signal, escalated_to_kill: *escalated_to_kill, took: *took });
            }
            EventKind::Leaked { leaks, .. } => self.leaks.extend(leaks.iter().cloned()),
            EventKind::LeaksEnded { pids, killed, .. } => {
                let has_gone = |leak: &Leak| leak.pid.is_some_and(|pid| pids.contains(&pid));
                let (gone, left) = std::mem::take(&mut self.leaks).into_iter().partition(has_gone);
                self.leaks = left;
                self.ended_leaks.extend(Vec::into_iter(gone).map(|leak| EndedLeak { leak, killed: *killed }));
            }
            EventKind::StateChanged { state, .. } => {
                if matches!(state, ProcessState::Stopped { .. } | ProcessState::Pending { .. }) && self.info.has_health {
                    self.health = Health::Unknown;
                }
                // A guardian that is lost takes its children along without an exit of theirs.
                if matches!(state, ProcessState::Failed { reason: Failure::GuardianLost }) && self.pid.take().is_some() {
                    self.ended = Some(event.at);
                    self.sample = None;
                }
                self.state = state.clone();
            }
            _ => {}
        }
    }
}
