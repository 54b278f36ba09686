//! The top level of a file, around its processes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use indexmap::IndexMap;

use super::{
    super::{
        diagnostics::Diagnostic,
        keys,
        names::Instance,
        suggest::shown,
        tree::{Node, Table},
    },
    process::ReadProcess,
    state::{Scope, Stage, Walk},
};
use crate::model::{Condition, Containment, Dependency, ProcessId, ProcessSpec, Role, RunSpec};

/// Bytes kept of a run where the file says nothing.
pub(in crate::scenario) const RECORDING_MAX_DISK: u64 = 10_000_000_000;

/// Where a scenario comes from.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct Top {
    /// What a user calls the file.
    pub(in crate::scenario) origin: String,
    /// The file as it was read.
    pub(in crate::scenario) source: String,
    /// Its folder.
    pub(in crate::scenario) dir: PathBuf,
}

impl Walk<'_> {
    /// Reads everything; `instances` are the processes that run.
    pub(in crate::scenario) fn run(&mut self, tree: &Table, top: &Top, instances: &[Instance]) -> RunSpec {
        self.check_keys(tree, keys::TOP, "a scenario");
        let read: Vec<ReadProcess> = instances.iter().map(|instance| self.process(instance)).collect();
        let roles: IndexMap<ProcessId, Role> = read.iter().map(|r| (r.spec.id.clone(), r.spec.role)).collect();
        let processes = read.into_iter().map(|r| {
            let mut spec = r.spec;
            let role_of = |id: &ProcessId| roles.get(id).copied().unwrap_or_default();
            spec.depends_on = r
                .depends
                .into_iter()
                .map(|d| {
                    let role = role_of(&d.on);
                    d.meant(role)
                })
                .collect();
            wait_for_ports(&mut spec);
            (spec.id.clone(), Arc::new(spec))
        });
        let processes: IndexMap<_, _> = processes.collect();
        let expectations = tree.node("expect").map(|n| self.expectations(n)).unwrap_or_default();
        let recording_max_disk = tree.node("recording").and_then(|n| self.recording(n));
        let ports = match self.stage {
            Stage::Final { ports, .. } => ports.clone(),
            Stage::Draft => IndexMap::new(),
        };
        let mut spec = RunSpec {
            name: self.run_name(tree),
            description: self.description(tree),
            timeout: self.run_timeout(tree),
            dir: top.dir.clone(),
            origin: top.origin.clone(),
            source: top.source.clone(),
            processes,
            ports,
            containment: self.containment(tree),
            cleanup: tree.node("cleanup").map(|n| self.cleanup(n, Scope::TOP)).unwrap_or_default(),
            expectations,
            steps: Vec::new(),
            recording_max_disk: recording_max_disk.unwrap_or(RECORDING_MAX_DISK),
        };
        spec.steps = tree.node("step").map(|n| self.steps(n, &spec)).unwrap_or_default();
        spec
    }

    fn run_name(&mut self, tree: &Table) -> String {
        let Some(node) = tree.node("name") else {
            let mut diagnostic = Diagnostic::error("the scenario has no `name`").help("add `name = \"…\"` as the first line");
            if let Some(start) = self.sources.first_span() {
                diagnostic = diagnostic.at(start, "at the top of the file");
            }
            self.out.push(diagnostic);
            return String::new();
        };
        match self.name("name", node, "a text") {
            Some(name) if ProcessId::is_valid(name) => name.to_owned(),
            Some(name) => {
                self.out.push(
                    Diagnostic::error(format!("`{}` cannot name a scenario", shown(name)))
                        .at(node.span, "names have 1 to 64 of A-Z a-z 0-9 _ -")
                        .help("`description` takes any text"),
                );
                String::new()
            }
            None => String::new(),
        }
    }

    fn description(&mut self, tree: &Table) -> String {
        let node = tree.node("description");
        node.and_then(|node| self.name("description", node, "a text")).unwrap_or_default().to_owned()
    }

    fn run_timeout(&mut self, tree: &Table) -> Option<Duration> {
        self.timeout(tree, Scope::TOP, "leave it out for no limit")
    }

    /// `recording = { max_disk = "10GB" }`
    fn recording(&mut self, node: &Node) -> Option<u64> {
        let table = self.table("recording", node, "a table like { max_disk = \"10GB\" }")?;
        self.check_keys(table, keys::RECORDING, "`recording`");
        self.some_size(table, "max_disk", Scope::TOP, "nothing would be kept")
    }

    fn containment(&mut self, tree: &Table) -> Containment {
        let choice = tree.node("containment").and_then(|n| self.choice("containment", n, Scope::TOP, keys::CONTAINMENTS));
        choice.map_or(Containment::Auto, |c| Containment::ALL[c])
    }
}

/// A port that a log line names is known when that process is ready, so whoever needs it waits for that.
fn wait_for_ports(spec: &mut ProcessSpec) {
    for on in spec.needs_ports_of() {
        match spec.depends_on.iter_mut().find(|d| d.on == on) {
            Some(known) if known.condition == Condition::Started => known.condition = Condition::Ready,
            Some(_) => {}
            None => spec.depends_on.push(Dependency { on, condition: Condition::Ready }),
        }
    }
}
