//! The declarations of a file, read before any process: variables, secrets, ports, and which processes there are.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    diagnostics::{Collector, Diagnostic},
    keys,
    names::{Environment, Facts, Instance, Names, PortDecl, PortWish, Secret, Var},
    source::{Sources, Span},
    suggest::{did_you_mean, list_of, shown},
    tree::{Entry, Node, Table, Value},
    walk::{Scope, Stage, Walk},
};
use crate::model::ProcessId;

/// Secrets shorter than this are refused: masking them would mask half of the log.
const SHORTEST_SECRET: usize = 4;
/// As many replicas as anybody can look at.
const MOST_REPLICAS: u64 = 1000;

/// `--set NAME=VALUE`, with its place.
#[derive(Debug)]
pub(super) struct SetVar {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) at: Span,
}

/// Reads the declarations of `tree`.
pub(super) fn declare(tree: &Table, sources: &Sources, env: &Environment, set: &[SetVar], out: &mut Collector) -> (Names, Vec<Instance>) {
    let mut names = Names { env: env.clone(), ..Names::default() };
    if let Some(first) = sources.first() {
        names.scenario_dir.clone_from(&first.dir);
    }
    names.vars = vars(section(tree, "vars", out), set, out);
    names.secrets = secrets(section(tree, "secrets", out), env, out);
    let processes = section(tree, "process", out);
    unique_ignoring_case("process", processes, out);
    let defaults = defaults(tree, out);
    let counts = replicas(processes, defaults, sources, &names, out);
    let instances = instances(processes, defaults, &counts, out);
    names.replicated = counts.into_iter().filter_map(|(name, n)| Some((name, n?))).collect();
    names.ports = ports(section(tree, "ports", out), sources, &names, out);
    names.processes = instances.iter().map(|i| (i.id.as_str().to_owned(), facts(i, &names))).collect();
    (names, instances)
}

/// A table of the top level; none if it is missing or something else, which is reported.
fn section<'t>(tree: &'t Table, key: &str, out: &mut Collector) -> Option<&'t Table> {
    let node = tree.node(key)?;
    if let Value::Table(table) = &node.value {
        return Some(table);
    }
    out.push(Diagnostic::error(format!("`{key}` must be a table, not {}", node.what())).at(node.span, format!("write [{key}]")));
    None
}

/// The entries of a section whose keys are names.
fn named<'t>(what: &str, table: Option<&'t Table>, out: &mut Collector) -> Vec<(&'t str, &'t Entry)> {
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
fn unique_ignoring_case(what: &str, table: Option<&Table>, out: &mut Collector) {
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

fn vars(table: Option<&Table>, set: &[SetVar], out: &mut Collector) -> IndexMap<String, Var> {
    unique_ignoring_case("variable", table, out);
    let mut all = IndexMap::new();
    for (name, entry) in named("variable", table, out) {
        let value = match &entry.node.value {
            Value::Text(text) => text.clone(),
            Value::Integer(Some(n)) => n.to_string(),
            Value::Bool(yes) => yes.to_string(),
            Value::Float(x) => x.to_string(),
            _ => {
                out.push(
                    Diagnostic::error(format!("a variable is plain text, not {}", entry.node.what()))
                        .at(entry.node.span, "a text goes here"),
                );
                String::new()
            }
        };
        if !super::interpolate::is_plain(&value) {
            out.push(
                Diagnostic::warning("variables are plain text: what stands in `${…}` here is not filled in")
                    .at(entry.node.span, "taken as it stands")
                    .help("ask for it where the variable is used"),
            );
        }
        all.insert(name.to_owned(), Var { value, key: entry.key });
    }
    for SetVar { name, value, at } in set {
        match all.get_mut(name) {
            Some(var) => var.value.clone_from(value),
            None => {
                let known = all.keys().map(String::as_str);
                let help = did_you_mean(name, known.clone()).unwrap_or_else(|| match all.len() {
                    0 => "the scenario has no `[vars]`".into(),
                    _ => format!("there are {}", list_of(known).replace(" or ", " and ")),
                });
                out.push(
                    Diagnostic::error(format!("`--set` names `{}`, which is no variable of this scenario", shown(name)))
                        .at(*at, "not in `[vars]`")
                        .help(help),
                );
            }
        }
    }
    all
}

fn secrets(table: Option<&Table>, env: &Environment, out: &mut Collector) -> IndexMap<String, Secret> {
    unique_ignoring_case("secret", table, out);
    let mut all = IndexMap::new();
    for (name, entry) in named("secret", table, out) {
        let fields = match &entry.node.value {
            Value::Table(fields) => fields,
            _ => {
                out.push(
                    Diagnostic::error(format!("a secret is a table, not {}", entry.node.what()))
                        .at(entry.node.span, "a value written here is no secret")
                        .help(format!("{name} = {{ env = \"{}\" }}", name.to_uppercase().replace('-', "_"))),
                );
                continue;
            }
        };
        for (key, entry) in fields.iter() {
            if !keys::SECRET.iter().any(|k| k.name == key) {
                let help = did_you_mean(key, keys::SECRET.iter().map(|k| k.name)).unwrap_or_else(|| "there are env and default".into());
                out.push(Diagnostic::error(format!("`{}` is no key of a secret", shown(key))).at(entry.key, "unknown key").help(help));
            }
        }
        let variable = fields.node("env").and_then(|node| plain_text("env", node, out));
        let default = fields.node("default").and_then(|node| plain_text("default", node, out));
        if variable.is_none() && fields.get("env").is_none() {
            out.push(
                Diagnostic::error(format!("the secret `{name}` has no `env`"))
                    .at(entry.node.span, "where does it come from?")
                    .help(format!("{name} = {{ env = \"NAME\" }}; for a value that everybody may see use `[vars]`")),
            );
        }
        let set = variable.as_deref().and_then(|v| env.get(v));
        if let Some(variable) = &variable
            && set.is_some_and(|v| v.to_str().is_none())
        {
            out.push(
                Diagnostic::error(format!("the variable {} is not UTF-8", shown(variable))).at(entry.node.span, "cannot stand in a text"),
            );
        }
        let set = set.and_then(|v| v.to_str()).filter(|v| !v.is_empty()).map(str::to_owned);
        let public = set.is_none() || set == default;
        let value = set.or_else(|| default.clone());
        if value.as_ref().is_some_and(|v| v.len() < SHORTEST_SECRET) {
            let from =
                if public { "its `default`".into() } else { format!("the variable {}", shown(variable.as_deref().unwrap_or_default())) };
            out.push(
                Diagnostic::error(format!("the secret `{name}` is shorter than {SHORTEST_SECRET} bytes"))
                    .at(entry.node.span, format!("its value comes from {from}"))
                    .help("so short a text stands everywhere, and masking it would mask half of the log"),
            );
        }
        all.insert(name.to_owned(), Secret { env: variable, value, public, key: entry.key });
    }
    all
}

fn plain_text(key: &str, node: &Node, out: &mut Collector) -> Option<String> {
    if let Value::Text(text) = &node.value {
        return Some(text.clone());
    }
    out.push(Diagnostic::error(format!("`{key}` must be a text, not {}", node.what())).at(node.span, "a text goes here"));
    None
}

fn defaults<'t>(tree: &'t Table, out: &mut Collector) -> Option<&'t Table> {
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
fn replicas(
    processes: Option<&Table>,
    defaults: Option<&Table>,
    sources: &Sources,
    names: &Names,
    out: &mut Collector,
) -> IndexMap<String, Option<u32>> {
    let mut walk = Walk::new(sources, names, Stage::Draft);
    std::mem::swap(&mut walk.out, out);
    let mut all = IndexMap::new();
    for (name, entry) in processes.into_iter().flat_map(Table::iter) {
        let Value::Table(table) = &entry.node.value else { continue };
        let node = table.node("replicas").or_else(|| defaults.and_then(|d| d.node("replicas")));
        let count = node.map(|node| walk.replica_count(node, MOST_REPLICAS).and_then(|n| u32::try_from(n).ok()).unwrap_or(1));
        all.insert(name.to_owned(), count);
    }
    walk.report_unset(|_| true);
    std::mem::swap(&mut walk.out, out);
    all
}

/// Each process with its keys over the defaults, replicas counted out.
fn instances(
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
        let table = over_defaults(own, defaults);
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
            all.push(Instance { id, base: name.to_owned(), replica: count.map(|_| number), table: table.clone(), key: entry.key });
        }
    }
    if all.is_empty() && out.errors() == 0 {
        out.push(Diagnostic::error("the scenario has no process").help("add one: `[process.NAME]` with `command = [\"…\"]`"));
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

fn ports(table: Option<&Table>, sources: &Sources, names: &Names, out: &mut Collector) -> IndexMap<String, PortDecl> {
    unique_ignoring_case("port", table, out);
    let entries = named("port", table, out);
    let mut walk = Walk::new(sources, names, Stage::Draft);
    std::mem::swap(&mut walk.out, out);
    let mut all: IndexMap<String, PortDecl> = IndexMap::new();
    for (name, entry) in entries {
        let Some((wish, each)) = walk.port_wish(&entry.node) else { continue };
        if let PortWish::Fixed(number) = wish
            && let Some((other, first)) = all.iter().find(|(_, p)| p.wish == PortWish::Fixed(number))
        {
            walk.out.push(
                Diagnostic::error(format!("`{other}` and `{name}` are the same port"))
                    .at(entry.node.span, "this one")
                    .and(first.key, "and this one")
                    .help("one port has one name; several texts may ask for it"),
            );
        }
        all.insert(name.to_owned(), PortDecl { wish, key: entry.key, each });
    }
    walk.report_unset(|_| true);
    std::mem::swap(&mut walk.out, out);
    all
}

/// What others need to know of a process before it is read.
fn facts(instance: &Instance, names: &Names) -> Facts {
    let first = match instance.table.node("listens").map(|n| &n.value) {
        Some(Value::Text(name)) => Some(name.as_str()),
        Some(Value::List(nodes)) => nodes.iter().find_map(|n| if let Value::Text(name) = &n.value { Some(name.as_str()) } else { None }),
        _ => None,
    };
    let listens = first.filter(|name| names.ports.contains_key(*name)).map(|name| match names.ports[name].each {
        Some(_) => format!("{name}.{}", instance.replica.unwrap_or(1)),
        None => name.to_owned(),
    });
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
    Facts {
        key: instance.key,
        base: instance.base.clone(),
        listens,
        captures: captures_line || shadowcat,
        health: instance.table.get("health").is_some(),
    }
}

impl Walk<'_> {
    fn replica_count(&mut self, node: &Node, most: u64) -> Option<u64> {
        self.integer("replicas", node, Scope::TOP, 1, most)
    }

    /// `"auto"`, a number, or `{ from, to, each }`.
    fn port_wish(&mut self, node: &Node) -> Option<(PortWish, Option<(String, u32)>)> {
        let Value::Table(table) = &node.value else {
            let read = match &node.value {
                Value::Text(_) | Value::Integer(_) => self.plain("port", node, Scope::TOP)?,
                _ => String::new(),
            };
            return match (read.trim(), read.trim().parse::<u16>()) {
                ("auto", _) => Some((PortWish::Auto, None)),
                (_, Ok(number @ 1..)) => Some((PortWish::Fixed(number), None)),
                _ => {
                    self.out.push(
                        Diagnostic::error("a port is \"auto\", a number from 1 to 65535, or a range")
                            .at(node.span, "not this")
                            .help("a range is { from = 20000, to = 29999 }"),
                    );
                    None
                }
            };
        };
        self.check_keys(table, keys::PORT, "a port");
        let each = match table.get("each") {
            Some(entry) => Some(self.each(entry)?),
            None => None,
        };
        let number = |w: &mut Self, key| table.node(key).map(|n| w.integer(key, n, Scope::TOP, 1, 65_535));
        let (from, to) = (number(self, "from"), number(self, "to"));
        let wish = match (from, to) {
            (None, None) if each.is_some() => PortWish::Auto,
            (Some(from), Some(to)) => {
                let (from, to) = (u16::try_from(from?).ok()?, u16::try_from(to?).ok()?);
                if from > to {
                    self.out.push(Diagnostic::error("the range ends before it begins").at(node.span, format!("{from} is above {to}")));
                    return None;
                }
                PortWish::Within(from..=to)
            }
            _ => {
                self.out
                    .push(Diagnostic::error("a range has both ends").at(node.span, "one is missing").help("{ from = 20000, to = 29999 }"));
                return None;
            }
        };
        Some((wish, each))
    }

    /// `each = "client"`: the replicated process whose instances have a port each.
    fn each(&mut self, entry: &Entry) -> Option<(String, u32)> {
        let Value::Text(name) = &entry.node.value else {
            self.out.push(Diagnostic::error("`each` names a process").at(entry.node.span, "a name goes here"));
            return None;
        };
        if let Some(count) = self.names.replicated.get(name) {
            return Some((name.clone(), *count));
        }
        let help = did_you_mean(name, self.names.replicated.keys().map(String::as_str))
            .unwrap_or_else(|| format!("add `replicas` to the process `{}`", shown(name)));
        self.out.push(Diagnostic::error(format!("`{}` has no replicas", shown(name))).at(entry.node.span, "each of what?").help(help));
        None
    }
}
