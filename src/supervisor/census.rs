//! What trees use while they live, and what is left when they should not.

use std::time::Duration;

use super::{
    effects::command_for_event,
    machine::Input,
    runtime::{News, Runtime},
};
use crate::{
    model::{EventKind, Leak, ProcessId, RunSpec, Sample},
    process::{self, Order, TreeSample, sockets},
    redact::Redactor,
};

impl Runtime {
    /// Asks what the live trees use.
    pub(super) fn sample(&mut self) {
        let live = self.snapshot().rows.iter().filter(|row| row.pid.is_some());
        let trees: Vec<_> = live.filter_map(|row| self.tree_of.get(&(row.id().clone(), row.generation)).copied()).collect();
        if !trees.is_empty() {
            self.order(Order::Sample { trees });
        }
    }

    /// What they use: CPU as a share of the time since the sample before.
    pub(super) fn sampled(&mut self, trees: Vec<TreeSample>) {
        let now = self.parts.clock.now();
        let mut samples = Vec::new();
        for TreeSample { tree, cpu, memory, pids } in trees {
            let Some((process, _)) = self.trees.get(&tree) else { continue };
            let before = self.cpu_before.insert(tree, (now, cpu));
            let cpu_percent = before.map_or(0.0, |(at, used)| share(cpu.saturating_sub(used), now.since(at)));
            let processes = u32::try_from(pids.len()).unwrap_or(u32::MAX);
            samples.push(Sample { process: process.clone(), cpu_percent, memory, processes });
        }
        if !samples.is_empty() {
            self.emit(EventKind::Sampled { samples });
        }
    }

    /// Ends what earlier runs have left whose supervisor and guardian were killed at once. Nothing waits for that.
    pub(super) fn sweep_dead_runs(&self) {
        let (runs, news) = (self.parts.runs.clone(), self.news.clone());
        tokio::task::spawn_blocking(move || {
            for swept in process::sweep_dead_runs(&runs) {
                let _ = news.send(News::Notice(swept.to_string()));
            }
        });
    }

    /// Everything is down: is a port of the run still bound? The answer comes as [`Input::FinalCensus`].
    pub(super) fn take_final_census(&mut self) {
        let spec = self.parts.spec.clone();
        let (redactor, news) = (self.parts.redactor.clone(), self.news.clone());
        tokio::task::spawn_blocking(move || {
            let _ = news.send(News::Input(Input::FinalCensus { leaks: bound_ports(&spec, &redactor) }));
        });
    }
}

/// Who still listens on ports of the run.
fn bound_ports(spec: &RunSpec, redactor: &Redactor) -> Vec<(ProcessId, Leak)> {
    let mut leaks = Vec::new();
    for process in spec.processes.values() {
        for listen in &process.listens {
            for holder in sockets::listeners(listen.port) {
                // A fixed port may belong to somebody else by now; it is told all the same, with its name.
                let holder = sockets::Listener { command: command_for_event(redactor, &holder.command), ..holder };
                leaks.push((process.id.clone(), Leak { pid: None, command: holder.to_string(), port: Some(listen.port) }));
            }
        }
    }
    leaks
}

/// `used` of `span`, in percent of one core.
fn share(used: Duration, span: Duration) -> f32 {
    if span.is_zero() { 0.0 } else { (used.as_secs_f64() / span.as_secs_f64() * 100.0) as f32 }
}
