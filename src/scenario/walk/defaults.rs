//! `[defaults]` that no process takes: nobody reads them, and yet what is wrong in them is a mistake of the file.

use std::sync::Arc;

use super::{
    super::{
        keys,
        names::Instance,
        tree::{Table, Value},
    },
    state::{Scope, Stage, Walk},
};
use crate::model::{ProcessId, StdinMode};

impl Walk<'_> {
    /// Reports the mistakes of form in defaults that every process overrides. The others were read with the processes.
    pub(in crate::scenario) fn unread_defaults(&mut self, tree: &Table) {
        let Some(Value::Table(defaults)) = tree.node("defaults").map(|node| &node.value) else { return };
        let processes: Vec<&Table> = match tree.node("process").map(|node| &node.value) {
            Some(Value::Table(all)) => all.iter().filter_map(|(_, entry)| table_of(&entry.node.value)).collect(),
            _ => Vec::new(),
        };
        let unread = unread(defaults, &processes);
        let (Some((_, first)), Ok(id)) = (unread.iter().next(), ProcessId::new("defaults")) else { return };
        let instance = Instance { id, base: "defaults".to_owned(), replica: None, key: first.key, table: Arc::new(unread.clone()) };
        // A walk of its own: what these texts ask for is not needed, and that a name is not set does no harm.
        let mut apart = Walk::new(self.sources, self.names, Stage::Draft);
        apart.forms(&unread, Scope::of(&instance));
        for diagnostic in apart.out.into_errors() {
            self.out.push(diagnostic);
        }
    }

    /// Reads each key for itself: whether they fit each other is a question of a process.
    fn forms(&mut self, table: &Table, scope: Scope<'_>) {
        for (key, entry) in table.iter() {
            let node = &entry.node;
            match key {
                "env" => drop(self.env_table(node, scope)),
                "env_clear" | "autostart" | "tty" | "tap" => drop(self.boolean(key, node, scope)),
                "role" => drop(self.choice(key, node, scope, keys::ROLES)),
                "stdin" => drop(self.choice(key, node, scope, keys::STDINS)),
                "cwd" | "skip_if_exists" => drop(self.path(key, node, scope)),
                "files" => drop(self.files(node, scope)),
                "ready" => drop(self.ready(node, scope, super::probe::ready_when_running(), StdinMode::Pipe)),
                "health" => drop(self.health(node, scope, StdinMode::Pipe)),
                "restart" => drop(self.restart(node, scope)),
                "stop" => drop(self.stop(node, scope)),
                "timeout" => drop(self.timeout(table, scope, "leave it out for no limit")),
                "limits" => drop(self.limits(node, scope)),
                "log" => drop(self.log(node, scope)),
                "cleanup" => drop(self.cleanup(node, scope)),
                "watch" => drop(self.watch_globs(node, scope)),
                // `replicas` are counted with the declarations; whatever else stands here was reported there.
                _ => {}
            }
        }
    }
}

/// What no process takes over: keys that all of them have, and variables that all of them set.
fn unread(defaults: &Table, processes: &[&Table]) -> Table {
    let mut left = defaults.clone();
    left.0.retain(|key, entry| {
        if let ("env", Value::Table(variables)) = (key.as_str(), &mut entry.node.value) {
            let sets = |process: &&Table, name: &str| {
                process.node("env").is_some_and(|env| table_of(&env.value).is_none_or(|env| env.get(name).is_some()))
            };
            variables.0.retain(|name, _| processes.iter().all(|process| sets(process, name)));
            return !variables.0.is_empty();
        }
        processes.iter().all(|process| process.get(key).is_some())
    });
    left
}

fn table_of(value: &Value) -> Option<&Table> {
    match value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}
