//! The texts of events that others wrote: children, users, the system. What has to be done to such a text, whichever
//! event it stands in (masking, making it fit for a terminal), is done through here.
//!
//! Names are none of them: a process called like a secret is still found under its name. The matches name every field
//! and have no `_` arm, so that a new one cannot be forgotten.

use super::{EventKind, Failure, Outcome, ProbeOutcome, ProcessInfo, ProcessState, RunInfo, View};

type Visit<'a> = &'a mut dyn FnMut(&mut String);

impl EventKind {
    /// Hands every free text of the event to `visit`.
    pub(crate) fn each_text(&mut self, visit: Visit<'_>) {
        match self {
            Self::RunStarted(info) => info.each_text(visit),
            Self::ProcessAdded { info } => info.each_text(visit),
            Self::Ready { evidence, process: _, generation: _, pid: _, after: _, waited_for: _, port: _ } => visit(evidence),
            Self::Progress { text, process: _ }
            | Self::Alerted { text, process: _, generation: _, count: _, line: _, stream: _ }
            | Self::Marked { text, process: _, by: _ }
            | Self::Notice { text, level: _ }
            | Self::Disturbed { fault: text, process: _, by: _ }
            | Self::StopCommand { command: text, process: _, generation: _, by: _ }
            | Self::GuardianLost { why: text }
            | Self::NotReady { why: text, process: _, generation: _ }
            | Self::FileChanged { file: text, process: _, more: _ }
            | Self::AlreadyDone { path: text, process: _, generation: _ }
            | Self::Viewed { view: View::Layout(text) | View::Filter(text), by: _ }
            | Self::HealthChanged { detail: text, process: _, generation: _, health: _ } => visit(text),
            Self::Probed { probes, process: _, generation: _ } => {
                for probe in probes {
                    match &mut probe.outcome {
                        ProbeOutcome::Ok => {}
                        ProbeOutcome::Degraded { why } => visit(why),
                        ProbeOutcome::Failed { short, why } => {
                            visit(short);
                            visit(why);
                        }
                    }
                }
            }
            Self::Exited {
                tail,
                progress,
                process: _,
                generation: _,
                exit: _,
                asked: _,
                by: _,
                up: _,
                then: _,
                same_cause: _,
                role: _,
            } => {
                tail.iter_mut().chain(progress).for_each(visit);
            }
            Self::Failed { reason, process: _, generation: _, fatal: _ }
            | Self::GaveUp { reason, process: _, generation: _, times: _, same_cause: _, fatal: _ } => reason.each_text(visit),
            Self::Expected { what, detail, process: _, expectation: _, standing: _, seen: _, line: _, stream: _ }
            | Self::Step { what, detail, step: _, stage: _, took_us: _ } => {
                visit(what);
                visit(detail);
            }
            Self::Leaked { leaks, process: _, generation: _ } => leaks.iter_mut().for_each(|leak| visit(&mut leak.command)),
            Self::StateChanged { state, process: _, generation: _ } => state.each_text(visit),
            Self::VerdictReached { outcome } | Self::RunEnded { outcome, stopped: _, killed: _, took: _, clean_up: _ } => {
                outcome.each_text(visit);
            }
            Self::Spawned { process: _, generation: _, pid: _, cause: _, awaits_ready: _ }
            | Self::Signalled { process: _, generation: _, signal: _, by: _, stop: _ }
            | Self::LeaksEnded { process: _, generation: _, pids: _, killed: _ }
            | Self::TreeStopped { process: _, generation: _, signal: _, escalated_to_kill: _, took: _ }
            | Self::StepsHeld { held: _, by: _ }
            | Self::HoldChanged { process: _, held: _, by: _ }
            | Self::Sampled { samples: _ }
            | Self::Checks { met: _, of: _ }
            | Self::Rerun { by: _, process: _ }
            | Self::RunTimedOut { limit_ms: _, waited_for: _ }
            | Self::StoppingRun { by: _, now: _ }
            | Self::Viewed { view: View::Focus(_), by: _ }
            | Self::Unknown => {}
        }
    }
}

impl EventKind {
    /// Hands the names that are kept as mere strings to `visit`: in a recording from a stranger they may be anything.
    pub(crate) fn each_name(&mut self, visit: Visit<'_>) {
        match self {
            Self::RunStarted(info) => info.each_name(visit),
            Self::ProcessAdded { info } => info.each_name(visit),
            Self::Ready { waited_for: names, .. } | Self::StateChanged { state: ProcessState::Pending { waits_for: names }, .. } => {
                names.iter_mut().for_each(visit);
            }
            Self::Alerted { stream, .. } | Self::Expected { stream: Some(stream), .. } => visit(stream),
            _ => {}
        }
    }
}

impl RunInfo {
    fn each_name(&mut self, visit: Visit<'_>) {
        [&mut self.run, &mut self.scenario, &mut self.started].into_iter().for_each(&mut *visit);
        for process in &mut self.processes {
            process.each_name(visit);
        }
    }

    /// Hands every free text of it to `visit`.
    pub(crate) fn each_text(&mut self, visit: Visit<'_>) {
        let Self { description, origin, processes, expectations, steps, run: _, scenario: _, started: _, containment: _, timeout_ms: _ } =
            self;
        visit(description);
        visit(origin);
        for process in processes {
            process.each_text(visit);
        }
        for expectation in expectations {
            expectation.each_text(visit);
        }
        for step in steps {
            step.each_text(visit);
        }
    }
}

impl ProcessInfo {
    fn each_name(&mut self, visit: Visit<'_>) {
        self.kind.iter_mut().chain(&mut self.waits_for).for_each(&mut *visit);
        self.listens.iter_mut().for_each(|port| visit(&mut port.name));
        self.settings.iter_mut().for_each(|(label, _)| visit(label));
    }

    fn each_text(&mut self, visit: Visit<'_>) {
        let Self {
            argv,
            cwd,
            awaits,
            settings,
            name: _,
            role: _,
            kind: _,
            stand_in: _,
            listens: _,
            has_health: _,
            waits_for: _,
            max_restarts: _,
            reads: _,
            taps_pipes: _,
        } = self;
        argv.iter_mut().chain([cwd, awaits]).chain(settings.iter_mut().map(|(_, text)| text)).for_each(visit);
    }
}

impl Outcome {
    fn each_text(&mut self, visit: Visit<'_>) {
        let Self { reason, verdict: _, exit_code: _ } = self;
        visit(reason);
    }
}

impl ProcessState {
    fn each_text(&mut self, visit: Visit<'_>) {
        match self {
            Self::Backoff { reason, until: _ } | Self::Failed { reason } | Self::GaveUp { reason, times: _ } => reason.each_text(visit),
            Self::Skipped { because } => visit(because),
            Self::Pending { waits_for: _ }
            | Self::Starting { since: _, deadline: _ }
            | Self::Running
            | Self::Ready
            | Self::Unhealthy { failed: _, of: _ }
            | Self::Stopping { kill_at: _, by: _ }
            | Self::Stopped { by: _, signal: _ }
            | Self::Completed => {}
        }
    }
}

impl Failure {
    fn each_text(&mut self, visit: Visit<'_>) {
        match self {
            Self::NotStarted { error, short } => {
                visit(error);
                visit(short);
            }
            Self::NeverReady { last, awaited, after_ms: _ } => {
                visit(last);
                visit(awaited);
            }
            Self::Unhealthy { last } => visit(last),
            Self::LimitHit { what } => visit(what),
            Self::Dependency { state, process: _ } => visit(state),
            Self::Exited { exit: _, by: _ }
            | Self::ForeignListener { pid: _, port: _ }
            | Self::GuardianLost
            | Self::TimedOut { after_ms: _ }
            | Self::CannotBeKilled { pids: _ }
            | Self::StoppedBy { by: _ } => {}
        }
    }
}
