//! What must hold between processes: no circles, conditions that can come true, one owner for each port.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    super::{diagnostics::Diagnostic, graph},
    state::Walk,
};
use crate::model::{Condition, ProcessId, ProcessSpec, RestartMode, RunSpec, StepAction};

/// A circle with more processes than this is not spelled out.
const MOST_NAMED: usize = 12;

impl Walk<'_> {
    /// Checks what a file of processes that are each right can still have wrong.
    pub(in crate::scenario) fn check_between(&mut self, spec: &RunSpec) {
        self.circles(spec);
        for process in spec.processes.values() {
            self.conditions(spec, process);
        }
        self.owners();
        self.unused_ports();
        self.graces(spec);
        self.starts_in_order(spec);
    }

    fn circles(&mut self, spec: &RunSpec) {
        for circle in graph::circles(&spec.processes) {
            let mut path: Vec<_> = circle.iter().chain(circle.first()).map(|id| format!("`{id}`")).collect();
            if path.len() > MOST_NAMED {
                let last = path.pop().unwrap_or_default();
                path.truncate(MOST_NAMED - 2);
                path.extend([format!("… {} more", circle.len() + 2 - MOST_NAMED), last]);
            }
            let mut diagnostic = match circle.as_slice() {
                [one] => Diagnostic::error(format!("`{}` waits for itself", self.names.written(one))),
                _ => Diagnostic::error(format!("these processes wait for each other: {}", path.join(" -> "))),
            };
            for (i, from) in circle.iter().enumerate().take(MOST_NAMED) {
                let to = &circle[(i + 1) % circle.len()];
                let place = (from.clone(), to.clone());
                if let Some(at) = self.places.depends.get(&place).or_else(|| self.places.needs_port.get(&place)) {
                    let name = |id| if circle.len() == 1 { self.names.written(id) } else { id.as_str() };
                    let text = format!("`{}` waits for `{}`", name(from), name(to));
                    diagnostic = if i == 0 { diagnostic.at(*at, text) } else { diagnostic.and(*at, text) };
                }
            }
            self.out.push(diagnostic.help("none of them could ever start; take one of these dependencies out"));
        }
    }

    fn conditions(&mut self, spec: &RunSpec, process: &Arc<ProcessSpec>) {
        for dependency in &process.depends_on {
            let Some(on) = spec.processes.get(&dependency.on) else { continue };
            let Some(at) = self.places.depends.get(&(process.id.clone(), on.id.clone())).copied() else { continue };
            let key = self.names.processes.get(on.id.as_str()).map(|f| f.key);
            let name = self.names.written(&on.id);
            if dependency.condition == Condition::Healthy && on.health.is_none() {
                let diagnostic =
                    Diagnostic::error(format!("`{name}` can never become healthy: it has no health check")).at(at, "waits for that");
                let diagnostic = match key {
                    Some(key) => diagnostic.and(key, "this process"),
                    None => diagnostic,
                };
                self.out.push(
                    diagnostic.help(format!("wait for `ready`, or add `health = {{ http = \"${{process.{}.url}}/health\" }}`", on.id)),
                );
            }
            if dependency.condition == Condition::Succeeded && on.restart.mode == RestartMode::Always {
                let diagnostic = Diagnostic::error(format!("`{name}` can never have succeeded: it is always restarted"));
                let diagnostic = diagnostic.at(at, "waits for that").help("wait for `ready`, or restart it only `on-failure`");
                self.out.push(diagnostic);
            }
            // A step that stops it keeps it down, and then it has ended.
            let is_stopped =
                || spec.steps.iter().flat_map(|step| &step.actions).any(|action| matches!(action, StepAction::Stop(id) if *id == on.id));
            if dependency.condition == Condition::Completed && on.restart.mode == RestartMode::Always && !is_stopped() {
                let diagnostic = Diagnostic::error(format!("`{name}` never comes to its end: it is always restarted"));
                let diagnostic = diagnostic.at(at, "waits for that").help("wait for `ready`, or restart it only `on-failure`");
                self.out.push(diagnostic);
            }
            let is_started = || spec.steps.iter().flat_map(|step| &step.actions).any(|action| starts(action, &on.id));
            if !on.autostart && process.autostart && !is_started() {
                let waiting = self.names.written(&process.id);
                self.out.push(
                    Diagnostic::warning(format!("`{name}` does not start with the run, and `{waiting}` waits for it"))
                        .at(at, "waits until somebody starts it")
                        .help("take `autostart = false` out, or give it to both"),
                );
            }
        }
    }

    /// A port has one owner.
    fn owners(&mut self) {
        let mut seen: HashMap<&str, (&ProcessId, _)> = HashMap::new();
        let mut found = Vec::new();
        for (id, lease, at) in &self.places.listens {
            match seen.get(lease.as_str()) {
                Some((first, place)) => {
                    let (first, second) = (self.names.written(first), self.names.written(id));
                    let help = format!("give each a port of its own; replicas get one each by `[ports] {lease} = {{ each = \"NAME\" }}`");
                    let diagnostic = if place == at {
                        Diagnostic::error(format!("the replicas of `{first}` all listen on `{lease}`")).at(*at, "one port for all")
                    } else {
                        let both = format!("`{first}` and `{second}` both listen on `{lease}`");
                        Diagnostic::error(both).at(*at, "this one").and(*place, "and this one")
                    };
                    found.push(diagnostic.help(help));
                }
                None => {
                    seen.insert(lease, (id, *at));
                }
            }
        }
        for diagnostic in found {
            self.out.push(diagnostic);
        }
    }

    fn unused_ports(&mut self) {
        // One of `each` is leased as `name.1`.
        fn base(lease: &str) -> &str {
            lease.split_once('.').map_or(lease, |(name, _)| name)
        }
        let listened: HashSet<&str> = self.places.listens.iter().map(|(_, lease, _)| base(lease)).collect();
        let used: HashSet<&str> = self.used_ports.iter().map(|lease| base(lease)).collect();
        for (name, port) in &self.names.ports {
            if listened.contains(name.as_str()) {
                continue;
            }
            let used = used.contains(name.as_str());
            let diagnostic = if used {
                Diagnostic::warning(format!("nobody listens on the port `{name}`"))
                    .at(port.key, "asked for, but in no process's `listens`")
                    .help(format!("add `listens = \"{name}\"` to the process that does: readiness and leak checks need it"))
            } else {
                Diagnostic::warning(format!("the port `{name}` is never used")).at(port.key, "not leased")
            };
            self.out.push(diagnostic);
        }
    }

    /// C11: a grace longer than the run.
    fn graces(&mut self, spec: &RunSpec) {
        let Some(timeout) = spec.timeout else { return };
        for process in spec.processes.values().filter(|p| p.stop.grace > timeout) {
            if let Some(at) = self.places.grace.get(&process.id) {
                self.out.push(
                    Diagnostic::warning(format!("the grace of `{}` is longer than the whole run may take", process.id))
                        .at(*at, format!("the run's timeout is {}", super::super::values::duration_text(timeout)))
                        .help("what ignores its stop signal would hold the run up for longer than the run itself"),
                );
            }
        }
    }
}

/// Whether a step's action brings a process up.
fn starts(action: &StepAction, process: &ProcessId) -> bool {
    matches!(action, StepAction::Start(id) | StepAction::Restart(id) if id == process)
}
