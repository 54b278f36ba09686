//! `[ports]`.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    super::{
        diagnostics::{Collector, Diagnostic},
        keys,
        names::{Names, PortDecl, PortWish},
        source::{Sources, Span},
        suggest::{did_you_mean, shown},
        tree::{Entry, Node, Table, Value},
        walk::{Scope, Stage, Walk},
    },
    section::{named, unique_ignoring_case},
};

pub(super) fn ports(table: Option<&Table>, sources: &Sources, names: &Names, out: &mut Collector) -> IndexMap<String, PortDecl> {
    unique_ignoring_case("port", table, out);
    let entries = named("port", table, out);
    let mut walk = Walk::new(sources, names, Stage::Draft);
    std::mem::swap(&mut walk.out, out);
    let mut all: IndexMap<String, PortDecl> = IndexMap::new();
    let mut fixed: HashMap<u16, (&str, Span)> = HashMap::new();
    for (name, entry) in entries {
        let Some((wish, each)) = walk.port_wish(&entry.node) else { continue };
        if let PortWish::Fixed(number) = wish
            && let Some((other, first)) = fixed.insert(number, (name, entry.key))
        {
            walk.out.push(
                Diagnostic::error(format!("`{other}` and `{name}` are the same port"))
                    .at(entry.node.span, "this one")
                    .and(first, "and this one")
                    .help("one port has one name; several texts may ask for it"),
            );
        }
        all.insert(name.to_owned(), PortDecl { wish, key: entry.key, each });
    }
    walk.report_unset(|_| true);
    std::mem::swap(&mut walk.out, out);
    all
}

impl Walk<'_> {
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
        if self.names.is_broken("process", name) {
            return None;
        }
        let help = did_you_mean(name, self.names.replicated.keys().map(String::as_str))
            .unwrap_or_else(|| format!("add `replicas` to the process `{}`", shown(name)));
        self.out.push(Diagnostic::error(format!("`{}` has no replicas", shown(name))).at(entry.node.span, "each of what?").help(help));
        None
    }
}
