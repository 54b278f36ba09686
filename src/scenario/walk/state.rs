//! What the walk carries along: the names, the stage, and what it has found so far.

use std::{collections::BTreeSet, path::Path};

use indexmap::{IndexMap, IndexSet};

use super::super::{
    diagnostics::{Collector, Diagnostic},
    keys::Key,
    names::{Instance, Names},
    source::{Sources, Span},
    suggest::{list_of, meant_key, shown},
    tree::{Node, Table, Value},
};
use crate::model::ProcessId;

/// Which of the two walks this is.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) enum Stage<'a> {
    /// No port has a number yet.
    Draft,
    /// All is known.
    Final {
        /// The leased numbers, by name.
        ports: &'a IndexMap<String, u16>,
        /// Where `${run.dir}` is.
        run_dir: &'a Path,
        /// The program whose `part` subcommand the built-in kinds run.
        exe: &'a Path,
    },
}

/// Where a text stands, as far as it matters for what it may ask.
#[derive(Debug, Clone, Copy)]
pub(in crate::scenario) struct Scope<'a> {
    /// Of which process.
    pub(in crate::scenario) instance: Option<&'a Instance>,
    /// Which captured ports are known by then.
    pub(in crate::scenario) captured: Captured,
}

/// Which ports that a `ready.log` captures are known when a text is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Captured {
    /// Everybody's: the process is ready by then.
    All,
    /// Those of other processes, for which this one waits.
    Others,
    /// None.
    None,
}

impl<'a> Scope<'a> {
    /// Of the top level.
    pub(in crate::scenario) const TOP: Scope<'static> = Scope { instance: None, captured: Captured::None };

    /// Of a process before it starts.
    pub(in crate::scenario) fn of(instance: &'a Instance) -> Self {
        Self { instance: Some(instance), captured: Captured::Others }
    }

    /// Whether it is within this process.
    pub(in crate::scenario) fn is_of(self, process: &ProcessId) -> bool {
        self.instance.is_some_and(|instance| instance.id == *process)
    }

    /// Of a process that is ready.
    pub(in crate::scenario) fn ready(self) -> Self {
        Self { captured: Captured::All, ..self }
    }

    /// For values that must be known at once.
    pub(in crate::scenario) fn now(self) -> Self {
        Self { captured: Captured::None, ..self }
    }
}

/// A name that was asked for and is not there.
#[derive(Debug)]
pub(super) struct Unset {
    pub(super) span: Span,
    /// As written between the braces.
    pub(super) name: String,
    pub(super) hint: Option<String>,
    /// In which process.
    pub(super) process: Option<ProcessId>,
}

/// Places that the checks between processes point at.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where a process names a dependency.
    pub(super) depends: IndexMap<(ProcessId, ProcessId), Span>,
    /// Where a process asks for another's captured port.
    pub(super) needs_port: IndexMap<(ProcessId, ProcessId), Span>,
    /// Where a process says that it listens on a port.
    pub(super) listens: Vec<(ProcessId, String, Span)>,
    /// `stop.grace`
    pub(super) grace: IndexMap<ProcessId, Span>,
    /// What the steps start and stop, in their order.
    pub(super) deeds: Vec<Deed>,
    /// Whose states and lines the steps wait for.
    pub(super) awaited: Vec<Awaited>,
}

/// A step that waits for a process.
#[derive(Debug, Clone)]
pub(super) struct Awaited {
    pub(super) process: ProcessId,
    /// So many of the deeds come before it.
    pub(super) after: usize,
    pub(super) at: Span,
}

/// A start or a stop by a step.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) process: ProcessId,
    pub(super) stops: bool,
    pub(super) at: Span,
}

/// The walk.
#[derive(Debug)]
pub(in crate::scenario) struct Walk<'a> {
    pub(in crate::scenario) sources: &'a Sources,
    pub(in crate::scenario) names: &'a Names,
    pub(in crate::scenario) stage: Stage<'a>,
    pub(in crate::scenario) out: Collector,
    pub(super) unset: Vec<Unset>,
    pub(super) places: Places,
    /// The ports that something asked for or listens on.
    pub(super) used_ports: IndexSet<String>,
    /// Something lies in the run's own folder.
    pub(super) uses_run_dir: bool,
    /// Bytes of all texts so far, with what was filled in.
    pub(super) filled: usize,
}

impl<'a> Walk<'a> {
    pub(in crate::scenario) fn new(sources: &'a Sources, names: &'a Names, stage: Stage<'a>) -> Self {
        Self {
            sources,
            names,
            stage,
            out: Collector::default(),
            unset: Vec::new(),
            places: Places::default(),
            used_ports: IndexSet::new(),
            uses_run_dir: false,
            filled: 0,
        }
    }

    /// The ports that something asked for or listens on.
    pub(in crate::scenario) fn used_ports(&self) -> &IndexSet<String> {
        &self.used_ports
    }

    /// Whether the run needs a folder of its own.
    pub(in crate::scenario) fn uses_run_dir(&self) -> bool {
        self.uses_run_dir
    }

    /// This very program, by its name where a draft shows it.
    pub(super) fn exe(&self) -> String {
        match self.stage {
            Stage::Final { exe, .. } => exe.to_string_lossy().into_owned(),
            Stage::Draft => "e2e-tui".to_owned(),
        }
    }

    /// The value has the wrong type.
    pub(super) fn mismatch(&mut self, key: &str, node: &Node, wanted: &str) {
        self.out.push(
            Diagnostic::error(format!("`{}` must be {wanted}, not {}", shown(key), node.what()))
                .at(node.span, format!("{wanted} goes here")),
        );
    }

    /// The table behind a key.
    pub(super) fn table<'n>(&mut self, key: &str, node: &'n Node, wanted: &str) -> Option<&'n Table> {
        if let Value::Table(table) = &node.value {
            return Some(table);
        }
        self.mismatch(key, node, wanted);
        None
    }

    /// Reports every key of `table` that is not one of `keys`, with the nearest that is.
    pub(in crate::scenario) fn check_keys(&mut self, table: &Table, keys: &[Key], of: &str) {
        for (name, entry) in table.iter() {
            if self.out.is_full() {
                return;
            }
            if !keys.iter().any(|k| k.name == name) {
                self.unknown_key(name, entry.key, keys.iter().map(|k| k.name), of);
            }
        }
    }

    pub(super) fn unknown_key<'k>(&mut self, name: &str, at: Span, known: impl IntoIterator<Item = &'k str>, of: &str) {
        let known: Vec<&str> = known.into_iter().collect();
        let all = || (known.len() <= 14).then(|| format!("there are {}", list_of(known.iter().copied()).replace(" or ", " and ")));
        let help = meant_key(name, &known).or_else(all);
        self.out.push(Diagnostic::error(format!("`{}` is no key of {of}", shown(name))).at(at, "unknown key").maybe_help(help));
    }

    /// Reports all names that were asked for and are not there, in one diagnostic, leaving out those of processes that do not run.
    pub(in crate::scenario) fn report_unset(&mut self, runs: impl Fn(&ProcessId) -> bool) {
        let mut unset = std::mem::take(&mut self.unset);
        unset.retain(|u| u.process.as_ref().is_none_or(&runs));
        let mut seen = BTreeSet::new();
        unset.retain(|u| seen.insert(u.span));
        if unset.is_empty() {
            return;
        }
        let names: IndexSet<&str> = unset.iter().map(|u| u.name.as_str()).collect();
        let listed: Vec<_> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
        let more = if names.len() > 12 { format!(" and {} more", names.len() - 12) } else { String::new() };
        let message = match names.len() {
            1 => format!("{} is not set", listed[0]),
            n => format!("{n} names are not set: {}{more}", listed.join(", ")),
        };
        let mut diagnostic = Diagnostic::error(message);
        // A column of words under one line is no help: only what says more than the title is written there.
        let plain = if unset.len() == 1 { "not set" } else { "" };
        for one in unset.iter().take(20) {
            diagnostic = diagnostic.at(one.span, one.hint.clone().unwrap_or_else(|| plain.into()));
        }
        let of = |source: &str| unset.iter().filter(|u| u.hint.is_none()).find_map(|u| u.name.strip_prefix(source)).map(str::to_owned);
        if let Some(name) = of("env.") {
            diagnostic = diagnostic.help(format!("set {name} in the environment, or give it a default: `${{env.{name}:-value}}`"));
        }
        if let Some(name) = of("secrets.") {
            let help = match self.names.secrets.get(&name).and_then(|s| s.env.as_deref()) {
                Some(env) => format!("set {env} in the environment, or give the secret a `default`"),
                None => format!("define it: `[secrets] {name} = {{ env = \"NAME\" }}`"),
            };
            diagnostic = diagnostic.help(help);
        }
        if let Some(name) = of("vars.").filter(|n| ProcessId::is_valid(n)) {
            diagnostic = diagnostic.help(format!("define it: `[vars] {name} = \"…\"`"));
        }
        if let Some(name) = of("ports.").filter(|n| ProcessId::is_valid(n)) {
            diagnostic = diagnostic.help(format!("define it: `[ports] {name} = \"auto\"`"));
        }
        self.out.push(diagnostic);
    }
}
