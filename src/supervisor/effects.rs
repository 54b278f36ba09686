//! Carrying effects out, and translating what trees say into the machine's inputs.

use std::{io, os::fd::OwnedFd, path::PathBuf, sync::Arc};

use super::{
    expectations::wanted,
    launch::{Ends, Ports, Preparation, Prepared},
    launcher::{Job, LONGEST},
    machine::{Effect, Input},
    runtime::{News, Runtime},
    stdin::{Stdin, Talk},
};
use crate::{
    aside::aside,
    logs::{CaptureStream, LineTap, Overhear, Stream, Watch},
    model::{EventKind, Failure, Generation, Leak, NoticeLevel, Probe, ProcessId, ProcessSpec, human_duration},
    process::{Member, Order, TreeEvent, TreeId},
    redact::Redactor,
};

/// The longest command line that an event carries, in characters.
const COMMAND: usize = 120;

impl Runtime {
    /// Carries one effect out.
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { process, generation, unless_done } => self.spawn(process, generation, unless_done),
            Effect::Disturb { fault } => {
                if let Some(taps) = &self.parts.taps {
                    taps.disturb(fault);
                }
            }
            Effect::Signal { process, generation, signal } => self.to_tree(&process, generation, |tree| Order::Signal { tree, signal }),
            Effect::Kill { process, generation } => self.to_tree(&process, generation, |tree| Order::Kill { tree }),
            Effect::AwaitEmpty { process, generation } => self.to_tree(&process, generation, |tree| Order::AwaitEmpty { tree }),
            Effect::Census { process, generation } => self.to_tree(&process, generation, |tree| Order::Census { tree }),
            Effect::StopCommand { process, generation } => self.run_stop_command(&process, generation),
            Effect::Drain { process, generation, linger } => {
                self.inputs.remove(&process);
                self.parts.capture.drain(&process, generation, linger);
            }
            Effect::WatchReadiness { process, generation } => self.watch_readiness(&process, generation),
            Effect::WatchHealth { process, generation } => self.watch_health(&process, generation),
            Effect::EndProbes { process } => self.end_probes(&process),
            Effect::SendLine { process, text, ticket, .. } => {
                let result = self.write_to(&process, |stdin| stdin.send_line(&text));
                self.resolve(ticket, result);
            }
            Effect::Type { process, bytes, ticket, .. } => {
                let result = self.write_to(&process, |stdin| stdin.send(bytes));
                self.resolve(ticket, result);
            }
            Effect::Arm { timer, at } => self.arm(timer, at),
            Effect::Emit(kind) => self.emit(kind),
            Effect::Resolve { ticket, result } => self.resolve(ticket, result),
            Effect::Export { path, ticket } => self.export(path, ticket),
            Effect::FlushOutput => self.parts.capture.flush(),
            Effect::FinalCensus => self.clean_up(),
            Effect::Finish { .. } => self.finish(),
        }
    }

    pub(super) fn spec(&self, process: &ProcessId) -> Option<Arc<ProcessSpec>> {
        self.parts.spec.processes.get(process).cloned()
    }

    /// The ports that processes have told so far.
    pub(super) fn ports(&self) -> Ports {
        self.snapshot().rows.iter().filter_map(|row| Some((row.id().clone(), row.captured_port?))).collect()
    }

    /// Has the start prepared; [`Self::prepared`] goes on.
    fn spawn(&mut self, process: ProcessId, generation: Generation, unless_done: bool) {
        let Some(spec) = self.spec(&process) else { return };
        self.inputs.remove(&process);
        self.in_preparation.insert((process.clone(), generation));
        self.launcher.prepare(Job {
            process,
            generation,
            spec,
            unless_done,
            run: self.parts.info.run.clone(),
            ports: self.ports(),
            screen: self.screen,
        });
    }

    /// A start that waits for a disk holds up no other, and not for ever its own stop.
    pub(super) fn look_after_starts(&mut self) {
        self.launcher.relieve();
        for (process, generation) in self.launcher.hopeless(LONGEST) {
            let within = human_duration(LONGEST);
            let cwd = self.spec(&process).map(|spec| spec.cwd.display().to_string()).unwrap_or_default();
            let error = format!(
                "its program, files and working directory ({cwd}) could not be looked up within {within}: a disk does not answer; \
                 is a network share gone?"
            );
            self.prepared(process, generation, Err(Failure::NotStarted { error, short: "disk hangs".into() }));
        }
    }

    /// All is there that a start takes; or it has taken too long, and what comes of it later is nobody's business.
    pub(super) fn prepared(&mut self, process: ProcessId, generation: Generation, prepared: Result<Preparation, Failure>) {
        if !self.in_preparation.remove(&(process.clone(), generation)) {
            return;
        }
        match prepared {
            Err(reason) => self.feed(Input::SpawnFailed { process, generation, reason }),
            Ok(Preparation::Done(path)) => {
                let path = self.in_short(&path);
                self.feed(Input::AlreadyDone { process, generation, path });
            }
            Ok(Preparation::Start(prepared)) => {
                let Prepared { launch, ends } = *prepared;
                let tree = self.new_tree(process, generation);
                self.unheard.insert(tree, ends);
                self.order(Order::Spawn { tree, launch: Box::new(launch) });
            }
        }
    }

    /// Its start is on record: now what it says is read. Until here it waits in the pipes, so that nothing a process says is
    /// numbered before its start.
    fn listen(&mut self, tree: TreeId, output: Vec<(Stream, OwnedFd)>) {
        let Some((process, generation)) = self.trees.get(&tree).cloned() else { return };
        let Some(spec) = self.spec(&process) else { return };
        let ready = match &spec.ready.probe {
            Some(Probe::Log { pattern }) => Some(pattern.clone()),
            _ => None,
        };
        let wanted = wanted(&self.parts.spec, &process);
        for (stream, fd) in output {
            let talk = self.inputs.get(&process).filter(|_| stream == Stream::Out);
            let copy = talk.and_then(|talk| talk.stdin.pipes()).map(|pipes| pipes.clone() as Arc<dyn Overhear>);
            let tap = talk.map(|talk| talk.tap.clone());
            let watch = Watch { ready: ready.clone(), alerts: spec.log.alert.clone(), wanted: wanted.clone(), tap, copy };
            self.parts.capture.add(CaptureStream { process: process.clone(), generation, stream, fd, watch });
        }
    }

    fn to_tree(&self, process: &ProcessId, generation: Generation, order: impl FnOnce(TreeId) -> Order) {
        if let Some(tree) = self.tree_of.get(&(process.clone(), generation)) {
            self.order(order(*tree));
        }
    }

    fn write_to(&self, process: &ProcessId, write: impl FnOnce(&Stdin) -> io::Result<()>) -> Result<(), String> {
        let Some(talk) = self.inputs.get(process) else { return Err(format!("{process} has closed its stdin")) };
        write(&talk.stdin).map_err(|e| format!("{process} does not read its stdin: {e}"))
    }

    /// Has the run packed, as far as it is; [`Self::exported`] goes on.
    fn export(&mut self, path: PathBuf, ticket: u64) {
        let Some(export) = self.parts.export.clone() else {
            return self.exported(ticket, Err("nothing is exported: the run is not recorded".into()));
        };
        let news = self.news.clone();
        tokio::spawn(async move {
            let result = aside(move || export(&path)).await;
            let result = result.unwrap_or_else(|e| Err(format!("nothing is exported: {e}")));
            let _ = news.send(News::Exported { ticket, result });
        });
    }

    /// An archive is there, or cannot be written.
    pub(super) fn exported(&mut self, ticket: u64, result: Result<String, String>) {
        if let Ok(text) = &result {
            self.emit(EventKind::Notice { level: NoticeLevel::Info, text: text.clone() });
        }
        self.resolve(ticket, result.map(drop));
    }

    pub(super) fn warn(&mut self, text: String) {
        self.emit(crate::model::EventKind::Notice { level: crate::model::NoticeLevel::Warning, text });
    }

    /// What a tree says: to the machine, and to those who wait for its start.
    pub(super) fn tree_says(&mut self, event: TreeEvent) {
        let begun = match &event {
            TreeEvent::Spawned { tree, .. } => self.unheard.remove(tree).map(|ends| (*tree, ends)),
            TreeEvent::SpawnFailed { tree, .. } => {
                self.unheard.remove(tree);
                None
            }
            _ => None,
        };
        let begun = begun.map(|(tree, Ends { output, input })| {
            if let (Some((input, end)), Some((process, _))) = (input, self.trees.get(&tree)) {
                let pipes = self.parts.taps.as_ref().and_then(|taps| taps.pipes_of(process));
                let stdin = Stdin::new(input, end, pipes);
                // It may have changed since the start was prepared.
                stdin.resize(self.screen);
                self.inputs.insert(process.clone(), Talk { stdin: Arc::new(stdin), tap: LineTap::default() });
            }
            (tree, output)
        });
        self.tell_tap(&event);
        if let Some(input) = self.translate(event) {
            self.feed(input);
        }
        if let Some((tree, output)) = begun {
            self.listen(tree, output);
        }
    }

    /// A tap is open while the leader behind it lives and listens.
    fn tell_tap(&self, event: &TreeEvent) {
        let (tree, lives) = match event {
            TreeEvent::Spawned { tree, .. } => (tree, true),
            TreeEvent::Exited { tree, .. } | TreeEvent::Empty { tree } => (tree, false),
            _ => return,
        };
        if let (Some(taps), Some((process, generation))) = (&self.parts.taps, self.trees.get(tree)) {
            taps.lives(process, *generation, lives);
        }
    }

    /// What a tree says, for the machine; none if that is nothing that policy reacts to.
    fn translate(&mut self, event: TreeEvent) -> Option<Input> {
        let tree = match &event {
            TreeEvent::Spawned { tree, .. }
            | TreeEvent::SpawnFailed { tree, .. }
            | TreeEvent::Exited { tree, .. }
            | TreeEvent::OutOfMemory { tree, .. }
            | TreeEvent::Empty { tree }
            | TreeEvent::Members { tree, .. }
            | TreeEvent::Unproven { tree, .. }
            | TreeEvent::Stuck { tree, .. } => *tree,
            _ => return None,
        };
        let (process, generation) = self.trees.get(&tree).cloned()?;
        Some(match event {
            TreeEvent::Spawned { pid, .. } => Input::Spawned { process, generation, pid },
            TreeEvent::SpawnFailed { error, .. } => {
                let reason = Failure::NotStarted { short: error.short().to_owned(), error: error.to_string() };
                Input::SpawnFailed { process, generation, reason }
            }
            TreeEvent::Exited { exit, .. } => Input::LeaderExited { process, generation, exit },
            TreeEvent::OutOfMemory { own_limit, .. } => {
                let what = out_of_memory(self.spec(&process).and_then(|spec| spec.limits.memory).filter(|_| own_limit));
                Input::LimitHit { process, generation, what }
            }
            TreeEvent::Empty { .. } => Input::TreeEmpty { process, generation },
            TreeEvent::Members { members, .. } => {
                let redactor = &self.parts.redactor;
                let leak = |m: Member| Leak { pid: Some(m.pid), command: command_for_event(redactor, &m.command), port: None };
                Input::Members { process, generation, leaks: members.into_iter().map(leak).collect() }
            }
            TreeEvent::Stuck { pids, why, .. } => Input::Stuck { process, generation, pids, why },
            TreeEvent::Unproven { pid, name, .. } => {
                let command = format!("{name}: looks like a daemon that has cleared its environment, and is left alone");
                Input::LeftAlone { process, generation, leak: Leak { pid: Some(pid), command, port: None } }
            }
            _ => return None,
        })
    }
}

/// Why the kernel killed somebody for want of memory: because of the limit of the tree, in bytes, or of something larger.
fn out_of_memory(limit: Option<u64>) -> String {
    match limit {
        Some(bytes) => format!("memory limit {} MiB, killed by the kernel", bytes.div_ceil(1 << 20)),
        None => "killed by the kernel: out of memory".to_owned(),
    }
}

/// A command line as an event carries it. It may have been cut before it came here, maybe within a secret; so it is masked,
/// its end included, before it is cut any further.
pub(super) fn command_for_event(redactor: &Redactor, command: &str) -> String {
    let masked = match command.strip_suffix('…') {
        Some(cut) => format!("{}…", redactor.mask_cut(cut)),
        None => redactor.mask(command).into_owned(),
    };
    match masked.char_indices().nth(COMMAND) {
        Some((end, _)) => format!("{}…", &masked[..end]),
        None => masked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c15_no_part_of_a_secret_is_left_where_a_command_line_is_cut() {
        let redactor = Redactor::new(["tok-0123456789-abcdef".to_owned()]);
        let straddling = format!("{} --token tok-0123456789-abcdef --port 80", "x".repeat(COMMAND - 20));
        let told = command_for_event(&redactor, &straddling);
        assert!(told.ends_with("--token ***********…") && told.chars().count() == COMMAND + 1, "{told}");
        assert_eq!(command_for_event(&redactor, "serve tok-01234567…"), "serve ************…", "cut by the guardian");
        assert_eq!(command_for_event(&redactor, "serve --port 80"), "serve --port 80");
    }
}
