//! `depends_on` and `listens`: what joins processes to each other and to ports.

use super::{
    super::{
        diagnostics::Diagnostic,
        keys,
        source::Span,
        suggest::shown,
        tree::{Node, Value},
    },
    state::{Scope, Walk},
};
use crate::model::{Condition, Dependency, ProcessId, Role};

const CONDITIONS: [Condition; 5] = [Condition::Started, Condition::Ready, Condition::Healthy, Condition::Completed, Condition::Succeeded];

/// A dependency as it is written: a list leaves the condition to the other's role, which is known after the walk.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct WrittenDependency {
    pub(in crate::scenario) on: ProcessId,
    pub(in crate::scenario) condition: Option<Condition>,
}

impl WrittenDependency {
    /// With the condition that its form and the other's role mean.
    pub(in crate::scenario) fn meant(self, role: Role) -> Dependency {
        let by_role = match role {
            Role::Service => Condition::Ready,
            Role::Task => Condition::Succeeded,
            Role::Test => Condition::Completed,
        };
        Dependency { on: self.on, condition: self.condition.unwrap_or(by_role) }
    }
}

impl Walk<'_> {
    /// `depends_on = ["a"]` or `{ a = "ready" }`
    pub(super) fn depends_on(&mut self, node: &Node, scope: Scope<'_>) -> Vec<WrittenDependency> {
        let mut all: Vec<WrittenDependency> = Vec::new();
        match &node.value {
            Value::Table(table) => {
                for (name, entry) in table.iter() {
                    let condition = self.choice(name, &entry.node, scope, keys::CONDITIONS).map(|c| CONDITIONS[c]);
                    self.depend(&mut all, name, entry.key, condition, scope);
                }
            }
            Value::Text(name) => self.depend(&mut all, name, node.span, None, scope),
            Value::List(nodes) => {
                for node in nodes {
                    if let Some(name) = self.name("depends_on", node, "the name of a process") {
                        self.depend(&mut all, name, node.span, None, scope);
                    }
                }
            }
            _ => self.mismatch("depends_on", node, "a list of names or a table like { name = \"ready\" }"),
        }
        all
    }

    fn depend(&mut self, all: &mut Vec<WrittenDependency>, name: &str, at: Span, condition: Option<Condition>, scope: Scope<'_>) {
        for on in self.processes_named(name, at).unwrap_or_default() {
            let Some(instance) = scope.instance else { continue };
            let place = (instance.id.clone(), on.clone());
            if let Some(first) = self.places.depends.get(&place).copied() {
                self.out.push(Diagnostic::error(format!("`{on}` is named twice")).at(at, "again here").and(first, "first here"));
                continue;
            }
            self.places.depends.insert(place, at);
            all.push(WrittenDependency { on, condition });
        }
    }

    /// `listens = "upstream"` or a list: the names under which the ports are leased.
    pub(super) fn listens(&mut self, node: &Node, scope: Scope<'_>) -> Vec<String> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut all: Vec<String> = Vec::new();
        for node in nodes {
            if let Value::Integer(Some(number)) = node.value {
                self.out.push(
                    Diagnostic::error("`listens` names ports, it does not number them")
                        .at(node.span, "a port's name goes here")
                        .help(format!("give it one: `[ports] NAME = {number}` and `listens = \"NAME\"`")),
                );
                continue;
            }
            let Some(name) = self.name("listens", node, "a port's name") else { continue };
            let lease = match self.lease_name(name, None, scope) {
                Ok(lease) => lease,
                Err(_) if self.names.is_broken("ports", name) => continue,
                Err(hint) => {
                    let help = hint.map(|h| if h.contains(' ') { h } else { format!("did you mean `{h}`?") });
                    self.out.push(
                        Diagnostic::error(format!("there is no port `{}`", shown(name)))
                            .at(node.span, "not in `[ports]`")
                            .help(help.unwrap_or_else(|| format!("define it: `[ports] {} = \"auto\"`", shown(name)))),
                    );
                    continue;
                }
            };
            if all.contains(&lease) {
                self.out.push(Diagnostic::error(format!("`{}` is named twice", shown(name))).at(node.span, "again here"));
                continue;
            }
            if let Some(instance) = scope.instance {
                self.places.listens.push((instance.id.clone(), lease.clone(), node.span));
            }
            self.used_ports.insert(lease.clone());
            all.push(lease);
        }
        all
    }
}
