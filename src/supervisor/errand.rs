//! Commands that belong to no generation: stop commands while a process is stopped, clean-up at the end of the run.
//!
//! They run through the spawner like everything else, so that they leave nothing behind either.

use std::{
    collections::{HashMap, VecDeque},
    io::Read,
    sync::Arc,
    time::Duration,
};

use super::{
    effects::CLEANUP_BUDGET,
    launch,
    runtime::{News, Runtime},
};
use crate::{
    model::{Exit, Generation, ProcessId, ProcessSpec, Text},
    process::{Order, TreeEvent, TreeId},
};

/// How much of an errand's output is kept for its failure.
const KEPT: u64 = 4096;

/// What a command is run for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// To stop a process.
    Stop { process: ProcessId, generation: Generation },
    /// To clean up after the run.
    CleanUp,
}

/// Errands under way and to come.
#[derive(Debug, Default)]
pub(super) struct Errands {
    running: HashMap<TreeId, Errand>,
    cleanup: VecDeque<(Vec<String>, Arc<ProcessSpec>)>,
    cleaning: bool,
}

#[derive(Debug)]
struct Errand {
    purpose: Purpose,
    command: String,
    output: std::fs::File,
}

impl Runtime {
    /// Runs `argv` in the environment and folder of `like`, and kills it after `budget`.
    pub(super) fn run_errand(&mut self, argv: &[String], like: &ProcessSpec, budget: Duration, purpose: Purpose) {
        let spec = ProcessSpec {
            argv: argv.iter().cloned().map(Text::from).collect(),
            stdin: crate::model::StdinMode::Null,
            tty: false,
            ..like.clone()
        };
        let ports = |id: &ProcessId| self.snapshot().row(id.as_str()).and_then(|row| row.captured_port);
        let command = argv.join(" ");
        match launch::prepare(&spec, &self.parts.info.run, ports) {
            Err(reason) => {
                self.warn(format!("`{command}` could not be run: {reason}"));
                self.errand_over(&purpose);
            }
            Ok(mut prepared) => {
                // One pipe for both streams: only the last words of a failure are wanted.
                if let Ok(both) = prepared.launch.stdout.try_clone() {
                    prepared.launch.stderr = both;
                }
                let tree = self.reserve_tree();
                self.errands.running.insert(tree, Errand { purpose, command, output: prepared.out.into() });
                self.order(Order::Spawn { tree, launch: Box::new(prepared.launch) });
                let news = self.news.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(budget).await;
                    let _ = news.send(News::ErrandOverdue(tree));
                });
            }
        }
    }

    /// What the tree of an errand says.
    pub(super) fn on_errand(&mut self, tree: TreeId, event: TreeEvent) {
        let ended = match event {
            TreeEvent::Exited { exit, .. } => Ok(exit),
            TreeEvent::SpawnFailed { error, .. } => Err(error.to_string()),
            _ => return,
        };
        let Some(mut errand) = self.errands.running.remove(&tree) else { return };
        // What it left is not wanted.
        self.order(Order::Kill { tree });
        let mut words = Vec::new();
        let _ = Read::by_ref(&mut errand.output).take(KEPT).read_to_end(&mut words);
        let said = String::from_utf8_lossy(&words);
        let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("").trim().to_owned();
        match ended {
            Ok(Exit::Code(0)) => {}
            Ok(exit) => self.warn(format!("`{}` ended with {exit}: {said}", errand.command)),
            Err(error) => self.warn(format!("`{}` could not be run: {error}", errand.command)),
        }
        self.errand_over(&errand.purpose);
    }

    pub(super) fn errand_overdue(&mut self, tree: TreeId) {
        if let Some(errand) = self.errands.running.get(&tree) {
            let text = format!("`{}` took too long and was killed", errand.command);
            self.warn(text);
            self.order(Order::Kill { tree });
        }
    }

    fn errand_over(&mut self, purpose: &Purpose) {
        match purpose {
            // The stop goes on by itself: its grace runs, and the tree's end is seen.
            Purpose::Stop { process, generation } => tracing::debug!(%process, generation, "stop command has ended"),
            Purpose::CleanUp => self.next_cleanup(),
        }
    }

    /// Everything is down: runs the clean-up commands one after the other, then the last census.
    pub(super) fn clean_up(&mut self) {
        if std::mem::replace(&mut self.errands.cleaning, true) {
            return;
        }
        let spec = self.parts.spec.clone();
        for process in spec.processes.values() {
            self.errands.cleanup.extend(process.cleanup.iter().map(|argv| (argv.clone(), process.clone())));
        }
        if let Some(any) = spec.processes.values().next() {
            let plain = Arc::new(ProcessSpec {
                env: indexmap::IndexMap::new(),
                env_clear: false,
                cwd: spec.dir.clone(),
                ..ProcessSpec::clone(any)
            });
            self.errands.cleanup.extend(spec.cleanup.iter().map(|argv| (argv.clone(), plain.clone())));
        }
        self.next_cleanup();
    }

    fn next_cleanup(&mut self) {
        match self.errands.cleanup.pop_front() {
            Some((argv, like)) => self.run_errand(&argv, &like, CLEANUP_BUDGET, Purpose::CleanUp),
            None => _ = self.news.send(News::CleanedUp),
        }
    }
}
