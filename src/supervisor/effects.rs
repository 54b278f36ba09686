//! Carrying effects out, and translating what trees say into the machine's inputs.

use std::{io::Write, time::Duration};

use super::{
    errand::Purpose,
    launch,
    machine::{Effect, Input},
    runtime::Runtime,
};
use crate::{
    logs::{CaptureStream, Stream, Watch},
    model::{Failure, Generation, Leak, Probe, ProcessId, ProcessSpec},
    process::{Order, TreeEvent, TreeId},
};

/// The longest command line that a leak is told with.
const LEAK_COMMAND: usize = 120;

impl Runtime {
    /// Carries one effect out. What is known at once is returned as the next input.
    pub(super) fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn { process, generation } => return self.spawn(process, generation),
            Effect::Signal { process, generation, signal } => self.to_tree(&process, generation, |tree| Order::Signal { tree, signal }),
            Effect::Kill { process, generation } => self.to_tree(&process, generation, |tree| Order::Kill { tree }),
            Effect::AwaitEmpty { process, generation } => self.to_tree(&process, generation, |tree| Order::AwaitEmpty { tree }),
            Effect::Census { process, generation } => self.to_tree(&process, generation, |tree| Order::Census { tree }),
            Effect::StopCommand { process, generation } => return self.run_stop_command(&process, generation),
            Effect::Drain { process, generation, linger } => {
                self.inputs.remove(&process);
                self.parts.capture.drain(&process, generation, linger);
            }
            Effect::WatchReadiness { process, generation } => self.watch_readiness(&process, generation),
            Effect::WatchHealth { process, generation } => self.watch_health(&process, generation),
            Effect::EndProbes { process } => self.end_probes(&process),
            Effect::SendLine { process, text, ticket, .. } => {
                let result = self.send_line(&process, &text);
                self.resolve(ticket, result);
            }
            Effect::Arm { timer, at } => self.arm(timer, at),
            Effect::Emit(kind) => self.emit(kind),
            Effect::Resolve { ticket, result } => self.resolve(ticket, result),
            Effect::FinalCensus => self.clean_up(),
            Effect::Finish { .. } => self.finish(),
        }
        None
    }

    fn spec(&self, process: &ProcessId) -> Option<std::sync::Arc<ProcessSpec>> {
        self.parts.spec.processes.get(process).cloned()
    }

    fn spawn(&mut self, process: ProcessId, generation: Generation) -> Option<Input> {
        let spec = self.spec(&process)?;
        let ports = |id: &ProcessId| self.snapshot().row(id.as_str()).and_then(|row| row.captured_port);
        let prepared = launch::prepare(&spec, &self.parts.info.run, ports);
        let launch::Prepared { launch, out, err, input } = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => return Some(Input::SpawnFailed { process, generation, reason }),
        };
        let ready = match &spec.ready.probe {
            Some(Probe::Log { pattern }) => Some(pattern.clone()),
            _ => None,
        };
        // Readers first: nothing that the child says finds nobody listening.
        for (stream, fd, ready) in [(Stream::Out, out, ready.clone()), (Stream::Err, err, ready)] {
            let watch = Watch { ready, alerts: spec.log.alert.clone() };
            self.parts.capture.add(CaptureStream { process: process.clone(), generation, stream, fd, watch });
        }
        self.inputs.remove(&process);
        if let Some(input) = input {
            self.inputs.insert(process.clone(), input);
        }
        let tree = self.new_tree(process, generation);
        self.order(Order::Spawn { tree, launch: Box::new(launch) });
        None
    }

    fn to_tree(&self, process: &ProcessId, generation: Generation, order: impl FnOnce(TreeId) -> Order) {
        if let Some(tree) = self.tree_of.get(&(process.clone(), generation)) {
            self.order(order(*tree));
        }
    }

    fn run_stop_command(&mut self, process: &ProcessId, generation: Generation) -> Option<Input> {
        let spec = self.spec(process)?;
        let ports = |id: &ProcessId| self.snapshot().row(id.as_str()).and_then(|row| row.captured_port);
        let argv: Result<Vec<_>, _> = spec.stop.command.iter().flatten().map(|text| text.resolve(ports)).collect();
        match argv {
            Ok(argv) => self.run_errand(&argv, &spec, spec.stop.grace, Purpose::Stop { process: process.clone(), generation }),
            Err(e) => self.warn(format!("the stop command of {process} cannot run: {e}")),
        }
        None
    }

    fn send_line(&mut self, process: &ProcessId, text: &str) -> Result<(), String> {
        let Some(input) = self.inputs.get_mut(process) else { return Err(format!("{process} has closed its stdin")) };
        input.write_all(format!("{text}\n").as_bytes()).map_err(|e| format!("{process} does not read its stdin: {e}"))
    }

    pub(super) fn warn(&mut self, text: String) {
        self.emit(crate::model::EventKind::Notice { level: crate::model::NoticeLevel::Warning, text });
    }

    /// What a tree says, for the machine; none if it is about an errand or nothing that policy reacts to.
    pub(super) fn translate(&mut self, event: TreeEvent) -> Option<Input> {
        let tree = match &event {
            TreeEvent::Spawned { tree, .. }
            | TreeEvent::SpawnFailed { tree, .. }
            | TreeEvent::Exited { tree, .. }
            | TreeEvent::Empty { tree }
            | TreeEvent::Members { tree, .. }
            | TreeEvent::Stuck { tree, .. } => *tree,
            _ => return None,
        };
        let Some((process, generation)) = self.trees.get(&tree).cloned() else {
            self.on_errand(tree, event);
            return None;
        };
        Some(match event {
            TreeEvent::Spawned { pid, .. } => Input::Spawned { process, generation, pid },
            TreeEvent::SpawnFailed { error, .. } => {
                let reason = Failure::NotStarted { short: error.short().to_owned(), error: error.to_string() };
                Input::SpawnFailed { process, generation, reason }
            }
            TreeEvent::Exited { exit, .. } => Input::LeaderExited { process, generation, exit },
            TreeEvent::Empty { .. } => Input::TreeEmpty { process, generation },
            TreeEvent::Members { members, .. } => {
                let leaks = members.into_iter().map(|m| Leak {
                    pid: Some(m.pid),
                    command: m.command.chars().take(LEAK_COMMAND).collect(),
                    port: None,
                });
                Input::Members { process, generation, leaks: leaks.collect() }
            }
            TreeEvent::Stuck { pids, .. } => Input::Stuck { process, generation, pids },
            _ => return None,
        })
    }
}

/// How long one clean-up command may take.
pub(super) const CLEANUP_BUDGET: Duration = Duration::from_secs(10);
