//! Tables whose keys are names, and the order in which they are read.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        diagnostics::{Collector, Diagnostic},
        names::{Environment, Instance, Names},
        source::{Sources, Span},
        suggest::shown,
        tree::{Entry, Table, Value},
    },
    ports::ports,
    processes::{defaults, facts, instances, replicas, tapped},
    values::{SetVar, secrets, vars},
};
use crate::model::ProcessId;

/// Reads the declarations of `tree`.
pub(in crate::scenario) fn declare(
    tree: &Table,
    sources: &Sources,
    env: &Environment,
    set: &[SetVar],
    out: &mut Collector,
) -> (Names, Vec<Instance>) {
    let mut names = Names { env: env.clone(), ..Names::default() };
    if let Some(first) = sources.first() {
        names.scenario_dir.clone_from(&first.dir);
    }
    names.vars = vars(section(tree, "vars", out), sources, set, out);
    names.secrets = secrets(section(tree, "secrets", out), env, out);
    let processes = section(tree, "process", out);
    unique_ignoring_case("process", processes, out);
    let defaults = defaults(tree, out);
    let counts = replicas(processes, defaults, sources, &names, out);
    let instances = instances(processes, defaults, &counts, out);
    if processes.map_or(tree.get("process").is_none(), |p| p.0.is_empty())
        && let Some(top) = sources.first_span()
    {
        let help = "add one: `[process.NAME]` with `command = [\"…\"]`";
        out.push(Diagnostic::error("the scenario has no process").at(top, "in this file").help(help));
    }
    names.replicated = counts.into_iter().filter_map(|(name, n)| Some((name, n?))).collect();
    names.broken = broken(tree, &names, &instances);
    names.ports = ports(section(tree, "ports", out), sources, &names, out);
    names.broken = broken(tree, &names, &instances);
    names.processes = instances.iter().map(|i| (i.id.as_str().to_owned(), facts(i, &names))).collect();
    names.tapped = tapped(&instances, sources, &names);
    (names, instances)
}

/// What is declared, but wrongly: whoever asks for it makes no mistake of his own.
fn broken(tree: &Table, names: &Names, instances: &[Instance]) -> HashSet<String> {
    let is_known = |section: &str, name: &str| match section {
        "vars" => names.vars.contains_key(name),
        "secrets" => names.secrets.contains_key(name),
        "ports" => names.ports.contains_key(name),
        _ => instances.iter().any(|instance| instance.base == name),
    };
    let mut all = HashSet::new();
    for section in ["vars", "secrets", "ports", "process"] {
        match tree.node(section).map(|node| &node.value) {
            Some(Value::Table(table)) => {
                let wrong = table.iter().map(|(name, _)| name).filter(|name| !is_known(section, name));
                all.extend(wrong.map(|name| format!("{section}.{name}")));
            }
            Some(_) => {
                all.insert(section.to_owned());
            }
            None => {}
        }
    }
    all
}

/// A table of the top level; none if it is missing or something else, which is reported.
pub(super) fn section<'t>(tree: &'t Table, key: &str, out: &mut Collector) -> Option<&'t Table> {
    let node = tree.node(key)?;
    if let Value::Table(table) = &node.value {
        return Some(table);
    }
    out.push(Diagnostic::error(format!("`{key}` must be a table, not {}", node.what())).at(node.span, format!("write [{key}]")));
    None
}

/// The entries of a section whose keys are names.
pub(super) fn named<'t>(what: &str, table: Option<&'t Table>, out: &mut Collector) -> Vec<(&'t str, &'t Entry)> {
    let mut all = Vec::new();
    for (name, entry) in table.into_iter().flat_map(Table::iter) {
        if ProcessId::is_valid(name) {
            all.push((name, entry));
        } else {
            out.push(
                Diagnostic::error(format!("`{}` cannot name a {what}", shown(name))).at(entry.key, "names have 1 to 64 of A-Z a-z 0-9 _ -"),
            );
        }
    }
    all
}

/// Two names that differ in case only would share files on some disks, and confuse people everywhere.
pub(super) fn unique_ignoring_case(what: &str, table: Option<&Table>, out: &mut Collector) {
    let mut seen: HashMap<String, (&str, Span)> = HashMap::new();
    for (name, entry) in table.into_iter().flat_map(Table::iter) {
        if let Some((first, place)) = seen.get(&name.to_lowercase()) {
            out.push(
                Diagnostic::error(format!("`{}` and `{}` are the same name but for case", shown(first), shown(name)))
                    .at(entry.key, format!("this {what}"))
                    .and(*place, "and this one")
                    .help("rename one of them"),
            );
        } else {
            seen.insert(name.to_lowercase(), (name, entry.key));
        }
    }
}
