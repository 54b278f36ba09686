//! Which processes there are: `[defaults]` under each, replicas counted out.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;

use super::{
    super::{
        diagnostics::{Collector, Diagnostic},
        keys,
        names::{Facts, Instance, Names},
        source::{Sources, Span},
        suggest::{did_you_mean, list_of, shown},
        tree::{Node, Table, Value},
        walk::{Scope, Stage, Walk},
    },
    section::{named, section},
};
use crate::model::ProcessId;

/// As many replicas as anybody can look at.
const MOST_REPLICAS: u64 = 1000;

pub(super) fn defaults<'t>(tree: &'t Table, out: &mut Collector) -> Option<&'t Table> {
    let table = section(tree, "defaults", out)?;
    for (name, entry) in table.iter() {
        if keys::NOT_IN_DEFAULTS.contains(&name) {
            out.push(
                Diagnostic::error(format!("`{name}` is each process's own"))
                    .at(entry.key, "cannot be a default")
                    .help("write it in the processes that need it"),
            );
        } else if !keys::PROCESS.iter().any(|k| k.name == name) {
            let owners = keys::owners(name);
            let mut diagnostic =
                Diagnostic::error(format!("`{}` is no key of every process", shown(name))).at(entry.key, "cannot be a default");
            diagnostic = if owners.is_empty() {
                diagnostic.maybe_help(did_you_mean(name, keys::PROCESS.iter().map(|k| k.name)))
            } else {
                diagnostic.help(format!("it belongs to the kind {}", list_of(owners)))
            };
            out.push(diagnostic);
        }
    }
    Some(table)
}

/// How many of each process there are; none where `replicas` is not given.
pub(super) fn replicas(
    processes: Option<&Table>,
    defaults: Option<&Table>,
    sources: &Sources,
    names: &Names,
    out: &mut Collector,
) -> IndexMap<String, Option<u32>> {
    let mut walk = Walk::new(sources, names, Stage::Draft);
    std::mem::swap(&mut walk.out, out);
    let mut all = IndexMap::new();
    // Also where every process says otherwise.
    if let Some(node) = defaults.and_then(|defaults| defaults.node("replicas")) {
        walk.integer("replicas", node, Scope::TOP, 1, MOST_REPLICAS);
    }
    for (name, entry) in processes.into_iter().flat_map(Table::iter) {
        let Value::Table(table) = &entry.node.value else { continue };
        let node = table.node("replicas").or_else(|| defaults.and_then(|d| d.node("replicas")));
        let count =
            node.map(|node| walk.integer("replicas", node, Scope::TOP, 1, MOST_REPLICAS).and_then(|n| u32::try_from(n).ok()).unwrap_or(1));
        all.insert(name.to_owned(), count);
    }
    walk.report_unset(|_| true);
    std::mem::swap(&mut walk.out, out);
    all
}

/// Each process with its keys over the defaults, replicas counted out.
pub(super) fn instances(
    processes: Option<&Table>,
    defaults: Option<&Table>,
    counts: &IndexMap<String, Option<u32>>,
    out: &mut Collector,
) -> Vec<Instance> {
    let mut all: Vec<Instance> = Vec::new();
    let mut taken: HashMap<String, Span> = HashMap::new();
    for (name, entry) in named("process", processes, out) {
        let Value::Table(own) = &entry.node.value else {
            out.push(
                Diagnostic::error(format!("a process is a table, not {}", entry.node.what()))
                    .at(entry.node.span, format!("write [process.{name}]")),
            );
            continue;
        };
        let table = Arc::new(over_defaults(own, defaults));
        let count = counts.get(name).copied().flatten();
        for number in 1..=count.unwrap_or(1) {
            let full = if count.is_some() { format!("{name}-{number}") } else { name.to_owned() };
            let Ok(id) = ProcessId::new(&full) else {
                out.push(Diagnostic::error(format!("`{full}` is longer than 64 characters")).at(entry.key, "too long with its number"));
                break;
            };
            if let Some(first) = taken.insert(full.to_lowercase(), entry.key)
                && first != entry.key
                && count.is_some()
            {
                out.push(
                    Diagnostic::error(format!("there are two processes `{full}`"))
                        .at(entry.key, "one is a replica of this")
                        .and(first, "and one is this")
                        .help("rename one of them"),
                );
                break;
            }
            all.push(Instance { id, base: name.to_owned(), replica: count.map(|_| number), table: Arc::clone(&table), key: entry.key });
        }
    }
    all
}

/// `[defaults]` under the process's own keys: `env` merges by key, the rest is replaced.
fn over_defaults(own: &Table, defaults: Option<&Table>) -> Table {
    let mut merged = own.clone();
    for (key, entry) in defaults.into_iter().flat_map(Table::iter) {
        if keys::NOT_IN_DEFAULTS.contains(&key) || !keys::PROCESS.iter().any(|k| k.name == key) {
            continue;
        }
        match merged.0.get_mut(key) {
            None => {
                merged.0.insert(key.to_owned(), entry.clone());
            }
            Some(own) if key == "env" => {
                if let (Value::Table(own), Value::Table(below)) = (&mut own.node.value, &entry.node.value) {
                    let mut env = below.clone();
                    env.0.extend(std::mem::take(&mut own.0));
                    *own = env;
                }
            }
            Some(_) => {}
        }
    }
    merged
}

/// The ports that have a tap in front of them, by the name of their lease.
pub(super) fn tapped(instances: &[Instance], sources: &Sources, names: &Names) -> HashMap<String, ProcessId> {
    // Mistakes are reported by the walk that reads the processes.
    let mut walk = Walk::new(sources, names, Stage::Draft);
    let tapped = instances.iter().filter(|i| walk.bool_or(&i.table, "tap", Scope::of(i), false));
    tapped.flat_map(|i| listened(i, names).map(|lease| (lease, i.id.clone()))).collect()
}

/// The names under which the ports are leased that a process listens on.
fn listened(instance: &Instance, names: &Names) -> impl Iterator<Item = String> {
    let nodes = match instance.table.node("listens") {
        Some(Node { value: Value::List(nodes), .. }) => nodes.as_slice(),
        Some(node) => std::slice::from_ref(node),
        None => &[],
    };
    let texts = nodes.iter().filter_map(|node| if let Value::Text(name) = &node.value { Some(name.as_str()) } else { None });
    let known = texts.filter_map(|name| Some((name, names.ports.get(name)?)));
    known.map(|(name, port)| match port.each {
        Some(_) => format!("{name}.{}", instance.replica.unwrap_or(1)),
        None => name.to_owned(),
    })
}

/// What others need to know of a process before it is read.
pub(super) fn facts(instance: &Instance, names: &Names) -> Facts {
    let first = match instance.table.node("listens").map(|n| &n.value) {
        Some(Value::Text(name)) => Some(name.as_str()),
        Some(Value::List(nodes)) => nodes.iter().find_map(|n| if let Value::Text(name) = &n.value { Some(name.as_str()) } else { None }),
        _ => None,
    };
    let listens = listened(instance, names).next();
    let text = |table: &Table, key: &str| match table.node(key).map(|n| &n.value) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let ready = match instance.table.node("ready").map(|n| &n.value) {
        Some(Value::Table(ready)) => Some(ready),
        _ => None,
    };
    let log = ready.and_then(|r| text(r, "log"));
    let captures_line = log.is_some_and(|p| p.contains("(?<port>") || p.contains("(?P<port>"));
    // A proxy that is given no port takes a free one and says which.
    let shadowcat = text(&instance.table, "kind").as_deref() == Some("shadowcat")
        && first.is_none()
        && ready.is_none_or(|r| !keys::PROBES.iter().any(|p| r.get(p).is_some()))
        && text(&instance.table, "mode").as_deref() != Some("stdio");
    Facts { key: instance.key, listens_wrongly: first.is_some() && listens.is_none(), listens, captures: captures_line || shadowcat }
}
