//! What trees use while they live, and what is left when they should not.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    effects::command_for_event,
    machine::Input,
    runtime::{News, Runtime},
};
use crate::{
    aside::{aside_or_here, begin, begin_or_here},
    model::{At, EventKind, Leak, Limits, ProcessId, ProcessSnapshot, RunSpec, Sample},
    process::{self, Order, TreeId, TreeSample, sockets},
    redact::Redactor,
};

/// The pause between two samples where somebody looks or something is limited…
const TICK: Duration = Duration::from_secs(1);
/// …and else.
const EVERY: Duration = Duration::from_secs(5);

/// CPU time of a tree, when that was known last.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuTime {
    used: Duration,
    at: At,
    /// When it was asked for last.
    asked: At,
}

impl CpuTime {
    /// It is asked for again. Where the question before was not answered, it was still the same then.
    fn ask(&mut self, now: At) {
        self.at = self.at.max(self.asked);
        self.asked = now;
    }

    /// The share of the time since that was used, in percent of a core, with `used` in all by `now`.
    fn share(self, used: Duration, now: At) -> f32 {
        share(used.saturating_sub(self.used), now.since(self.at))
    }
}

impl Runtime {
    /// Asks what the live trees use: all of them while somebody looks and every [`EVERY`], those whose use is limited at each
    /// tick. Says when the next tick is.
    pub(super) fn sample(&mut self, looking: bool) -> Duration {
        let now = self.parts.clock.now();
        let all = looking || self.sampled_all.is_none_or(|at| now.since(at) + Duration::from_millis(500) >= EVERY);
        if all {
            self.sampled_all = Some(now);
        }
        let live = |row: &&Arc<ProcessSnapshot>| row.pid.is_some();
        let tree = |row: &Arc<ProcessSnapshot>| self.tree_of.get(&(row.id().clone(), row.generation)).copied();
        let is_limited = |row: &Arc<ProcessSnapshot>| self.spec(row.id()).is_some_and(|spec| is_watched(&spec.limits));
        let (limited, free): (Vec<_>, Vec<_>) = self.snapshot().rows.iter().filter(live).partition(|row| is_limited(row));
        let limited: Vec<TreeId> = limited.into_iter().filter_map(tree).collect();
        let free: Vec<TreeId> = free.into_iter().filter_map(tree).filter(|_| all).collect();
        for (trees, whole) in [(limited, true), (free, false)] {
            if !trees.is_empty() {
                for tree in &trees {
                    self.cpu_before.entry(*tree).and_modify(|before| before.ask(now));
                }
                self.order(Order::Sample { trees, whole });
            }
        }
        let watched = self.parts.spec.processes.values().any(|spec| is_watched(&spec.limits));
        if looking || watched { TICK } else { EVERY }
    }

    /// What they use: CPU as a share of the time since the sample before.
    pub(super) fn sampled(&mut self, trees: Vec<TreeSample>) {
        let now = self.parts.clock.now();
        let (mut samples, mut hits) = (Vec::new(), Vec::new());
        for TreeSample { tree, cpu, memory, pids } in trees {
            let Some((process, generation)) = self.trees.get(&tree).cloned() else { continue };
            let before = self.cpu_before.insert(tree, CpuTime { used: cpu, at: now, asked: now });
            let cpu_percent = before.map_or(0.0, |before| before.share(cpu, now));
            let processes = u32::try_from(pids.len()).unwrap_or(u32::MAX);
            if let Some(what) = self.spec(&process).and_then(|spec| over(&spec.limits, memory, processes)) {
                hits.push(Input::LimitHit { process: process.clone(), generation, what });
            }
            samples.push(Sample { process, cpu_percent, memory, processes });
        }
        if !samples.is_empty() {
            self.emit(EventKind::Sampled { samples });
        }
        for hit in hits {
            self.feed(hit);
        }
    }

    /// Says once what limits this machine does not grant.
    pub(super) fn tell_what_is_not_granted(&mut self) {
        let (spec, held) = (self.parts.spec.clone(), self.parts.spawner.controllers());
        for process in spec.processes.values() {
            for sentence in process::clamped(&process.limits, held) {
                self.warn(format!("{}: {sentence}", process.id));
            }
        }
    }

    /// Ends what earlier runs have left whose supervisor and guardian were killed at once. Nothing but the run's end
    /// waits for that, by what this returns. None: there is no thread to do it on.
    pub(super) fn sweep_dead_runs(&mut self) -> Option<oneshot::Receiver<()>> {
        let (runs, news) = (self.parts.runs.clone(), self.news.clone());
        let (done, is_done) = oneshot::channel();
        let sweep = move || {
            for swept in process::sweep_dead_runs(&runs) {
                let _ = news.send(News::Notice(swept.to_string()));
            }
            drop(done);
        };
        let begun = begin(sweep).map_err(|(error, _)| error);
        if let Err(error) = &begun {
            self.warn(format!("what killed runs may have left is looked for at the end of this one only: {error}"));
        }
        begun.ok().map(|()| is_done)
    }

    /// The same for a run that was over before that was `begun`, or done. Its own end is on record already, so what comes of it
    /// is left with the handles.
    pub(super) async fn sweep_dead_runs_at_the_end(&self, begun: Option<oneshot::Receiver<()>>, heard: &mut mpsc::UnboundedReceiver<News>) {
        let mut told = Vec::new();
        if let Some(begun) = begun {
            let _ = begun.await;
            while let Ok(news) = heard.try_recv() {
                told.extend(if let News::Notice(text) = news { Some(text) } else { None });
            }
        } else {
            let runs = self.parts.runs.clone();
            let swept = aside_or_here(move || process::sweep_dead_runs(&runs)).await.into_iter().flatten();
            told.extend(swept.map(|swept| swept.to_string()));
        }
        // No event carries it, so nothing else masks it.
        told = told.iter().map(|text| self.parts.redactor.mask(text).into_owned()).collect();
        for text in &told {
            tracing::warn!("{text}");
        }
        self.late.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
    }

    /// Everything is down: is a port of the run still bound? The answer comes as [`Input::FinalCensus`].
    pub(super) fn take_final_census(&mut self) {
        let spec = self.parts.spec.clone();
        let (redactor, news) = (self.parts.redactor.clone(), self.news.clone());
        begin_or_here(move || {
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
                let command = match holder.pid {
                    Some(_) => command_for_event(redactor, &holder.command),
                    None => "a process of another user".into(),
                };
                leaks.push((process.id.clone(), Leak { pid: holder.pid, command, port: Some(listen.port) }));
            }
        }
    }
    leaks
}

/// Whether the supervisor itself sees to these limits.
fn is_watched(limits: &Limits) -> bool {
    limits.memory.is_some() || limits.processes.is_some()
}

/// The limit that a tree has gone over, with what it uses.
fn over(limits: &Limits, memory: u64, processes: u32) -> Option<String> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let memory = limits.memory.filter(|limit| memory > *limit).map(|limit| format!("memory {:.0} of {:.0} MiB", mib(memory), mib(limit)));
    let processes = limits.processes.filter(|limit| u64::from(processes) > *limit).map(|limit| format!("{processes} of {limit} processes"));
    memory.or(processes)
}

/// `used` of `span`, in percent of one core.
fn share(used: Duration, span: Duration) -> f32 {
    if span.is_zero() { 0.0 } else { (used.as_secs_f64() / span.as_secs_f64() * 100.0) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_shared_among_the_time_since_it_last_stood_still() {
        let at = |seconds: u64| At(seconds * 1_000_000);
        let mut time = CpuTime { used: Duration::from_secs(7), at: at(10), asked: at(10) };
        time.ask(at(11));
        let used = Duration::from_millis(7500);
        assert!((time.share(used, at(11)) - 50.0).abs() < 0.01, "a second has gone by");
        // Nothing is told while nothing is used: at 11, 12 and 13 it was the same.
        (12..=14).for_each(|second| time.ask(at(second)));
        assert!((time.share(used, at(14)) - 50.0).abs() < 0.01, "it was used in the last of them");
    }
}
