//! What must hold between the steps of a script: what they start can start by then.

use std::collections::HashSet;

use super::{
    super::diagnostics::Diagnostic,
    state::{Awaited, Deed, Walk},
};
use crate::model::{Condition, ProcessId, RunSpec};

/// Who is there when the script is this far, as far as starts and stops go.
#[derive(Debug)]
struct Cast<'s> {
    spec: &'s RunSpec,
    begun: HashSet<&'s ProcessId>,
    stopped: HashSet<&'s ProcessId>,
}

impl<'s> Cast<'s> {
    fn of(spec: &'s RunSpec) -> Self {
        let begun = spec.processes.values().filter(|process| process.autostart).map(|process| &process.id);
        Self { spec, begun: begun.collect(), stopped: HashSet::new() }
    }

    /// Somebody that keeps `process` from starting: it was stopped, or nobody has started it yet.
    fn missing(&self, process: &'s ProcessId) -> Option<&'s ProcessId> {
        let (mut seen, mut queue) = (HashSet::new(), vec![process]);
        while let Some(id) = queue.pop() {
            for dependency in self.spec.processes.get(id).into_iter().flat_map(|spec| &spec.depends_on) {
                let on = &dependency.on;
                let needs_life = matches!(dependency.condition, Condition::Ready | Condition::Healthy);
                // Whoever runs already does not mind that its own dependencies are stopped.
                let stopped = id == process && needs_life && self.stopped.contains(on);
                if stopped || !self.begun.contains(on) {
                    return Some(on);
                }
                if seen.insert(on) {
                    queue.push(on);
                }
            }
        }
        None
    }

    fn take(&mut self, deed: &'s Deed) {
        if deed.stops {
            self.stopped.insert(&deed.process);
        } else {
            self.begun.insert(&deed.process);
            self.stopped.remove(&deed.process);
        }
    }
}

impl Walk<'_> {
    /// A start is done when the process is alive, so one that waits for what only a later step starts would wait for ever.
    pub(super) fn starts_in_order(&mut self, spec: &RunSpec) {
        let deeds = std::mem::take(&mut self.places.deeds);
        let mut cast = Cast::of(spec);
        for (index, deed) in deeds.iter().enumerate() {
            let starts = |on: &ProcessId| deeds[index + 1..].iter().find(|later| !later.stops && later.process == *on);
            let missing = if deed.stops { None } else { cast.missing(&deed.process) };
            if let Some((on, later)) = missing.and_then(|on| Some((on, starts(on)?))) {
                self.out.push(
                    Diagnostic::error(format!("`{}` waits for `{on}`, which is started only later", deed.process))
                        .at(deed.at, "this step would wait for ever")
                        .and(later.at, format!("`{on}` is started here"))
                        .help(format!("start `{on}` first")),
                );
            }
            cast.take(deed);
        }
        self.nobody_starts(spec, &deeds);
    }

    /// Whom only a person at the dashboard could start, a step may wait for without end.
    fn nobody_starts(&mut self, spec: &RunSpec, deeds: &[Deed]) {
        for Awaited { process, after, at } in std::mem::take(&mut self.places.awaited) {
            let begins = spec.processes.get(&process).is_none_or(|process| process.autostart);
            if !begins && !deeds[..after].iter().any(|deed| !deed.stops && deed.process == process) {
                let name = self.names.written(&process);
                self.out.push(
                    Diagnostic::warning(format!("`{name}` does not start with the run, and no step before this one starts it"))
                        .at(at, "waits until somebody starts it")
                        .help(format!("add `do = {{ start = \"{name}\" }}` to a step before, or take `autostart = false` out")),
                );
            }
        }
    }
}
