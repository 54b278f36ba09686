//! One process: its keys over those of its kind.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::{
    super::{
        diagnostics::Diagnostic,
        keys,
        names::{Instance, behind},
        source::Span,
        suggest::{list_of, meant_key, shown},
        tree::{Node, Table, Value},
    },
    depends::WrittenDependency,
    probe::ready_when_running,
    state::{Scope, Stage, Walk},
};
use crate::model::{Limits, ListenPort, LogSpec, Probe, ProcessSpec, ReadySpec, RestartPolicy, Role, StdinMode, StopSpec, Text};

const ROLES: [Role; 3] = [Role::Service, Role::Task, Role::Test];

/// A process, and whom it waits for as written.
#[derive(Debug)]
pub(in crate::scenario) struct ReadProcess {
    pub(in crate::scenario) spec: ProcessSpec,
    pub(in crate::scenario) depends: Vec<WrittenDependency>,
}

impl Walk<'_> {
    /// Reads a process. What is wrong in it was reported; the rest is read as well as it can be.
    pub(super) fn process(&mut self, instance: &Instance) -> ReadProcess {
        let table = &instance.table;
        let scope = Scope::of(instance);
        let kind = self.kind_of(table, scope);
        self.process_keys(instance, kind);
        let listens = table.node("listens").map(|n| self.listens(n, scope)).unwrap_or_default();
        let recipe = kind.map(|kind| self.recipe(kind, instance, &listens)).unwrap_or_default();
        let own_command = self.command(instance, kind);
        let mut env: IndexMap<String, Text> = recipe.env.into_iter().collect();
        if let Some(node) = table.node("env") {
            env.extend(self.env_table(node, scope));
        }
        let stdin = table.node("stdin").map_or(recipe.stdin, |n| self.stdin(n, scope));
        let ready = self.ready_of(table, scope, recipe.ready, &listens, stdin);
        let role = table.node("role").and_then(|n| self.choice("role", n, scope, keys::ROLES));
        let spec = ProcessSpec {
            id: instance.id.clone(),
            role: role.map_or(recipe.role, |r| ROLES[r]),
            kind: kind.map(str::to_owned),
            stand_in: recipe.stand_in && own_command.is_none(),
            argv: own_command.unwrap_or(recipe.argv),
            cwd: self.cwd(instance, scope),
            env,
            env_clear: self.bool_or(table, "env_clear", scope, false),
            listens: listens.iter().map(|name| self.listen_port(name)).collect(),
            autostart: self.bool_or(table, "autostart", scope, true),
            depends_on: Vec::new(),
            ready,
            health: table.node("health").and_then(|n| self.health(n, scope, stdin)),
            restart: table.node("restart").map_or_else(RestartPolicy::default, |n| self.restart(n, scope)),
            stop: table.node("stop").map_or_else(StopSpec::default, |n| self.stop(n, scope)),
            timeout: self.timeout(table, scope, "leave it out for no limit"),
            stdin,
            tty: self.bool_or(table, "tty", scope, false),
            limits: table.node("limits").map_or_else(Limits::default, |n| self.limits(n, scope)),
            log: table.node("log").map_or_else(LogSpec::default, |n| self.log(n, scope)),
            cleanup: table.node("cleanup").map(|n| self.cleanup(n, scope)).unwrap_or_default(),
            files: table.node("files").map(|n| self.files(n, scope)).unwrap_or_default(),
            tap: self.bool_or(table, "tap", scope, false),
            watch: table.node("watch").map(|n| self.watch_globs(n, scope)).unwrap_or_default(),
            skip_if_exists: table.node("skip_if_exists").and_then(|n| self.path("skip_if_exists", n, scope)),
        };
        self.keys_fit(&spec, table);
        let depends = table.node("depends_on").map(|n| self.depends_on(n, scope)).unwrap_or_default();
        ReadProcess { spec, depends }
    }

    fn kind_of(&mut self, table: &Table, scope: Scope<'_>) -> Option<&'static str> {
        let node = table.node("kind")?;
        self.choice("kind", node, scope, keys::KINDS).map(|k| keys::KINDS[k])
    }

    /// Every key belongs to all processes or to this kind.
    fn process_keys(&mut self, instance: &Instance, kind: Option<&str>) {
        let own = kind.map_or(&[] as &[_], keys::of_kind);
        for (name, entry) in instance.table.iter() {
            if self.out.is_full() {
                return;
            }
            if keys::PROCESS.iter().chain(own).any(|k| k.name == name) {
                continue;
            }
            let owners = keys::owners(name);
            if owners.is_empty() {
                let known = keys::PROCESS.iter().chain(own).map(|k| k.name);
                self.unknown_key(name, entry.key, known, "a process");
                continue;
            }
            let whose = list_of(owners.iter().copied()).replace(" or ", " and ");
            let plural = if owners.len() == 1 { "kind" } else { "kinds" };
            let mut diagnostic =
                Diagnostic::error(format!("`{name}` belongs to the {plural} {whose}")).at(entry.key, "has no meaning here");
            diagnostic = match (kind, instance.table.get("kind")) {
                (Some(kind), Some(place)) => diagnostic.and(place.node.span, format!("this process is a {kind}")),
                (None, None) => diagnostic.help(format!("add `kind = \"{}\"`, or leave `{name}` out", owners[0])),
                _ => diagnostic,
            };
            self.out.push(diagnostic);
        }
    }

    /// `command` or `shell`, of which a process without a kind has exactly one.
    fn command(&mut self, instance: &Instance, kind: Option<&str>) -> Option<Vec<Text>> {
        let table = &instance.table;
        let scope = Scope::of(instance);
        let (command, shell) = (table.get("command"), table.get("shell"));
        if let (Some(command), Some(shell)) = (command, shell) {
            self.out.push(
                Diagnostic::error(format!("`{}` has a `command` and a `shell`", instance.base))
                    .at(shell.key, "this one")
                    .and(command.key, "and this one")
                    .help("keep one of them"),
            );
        } else if let (Some(shell), Some(kind)) = (shell, table.get("kind")) {
            self.out.push(
                Diagnostic::error(format!("`{}` has a `shell` and a `kind`", instance.base))
                    .at(shell.key, "this one")
                    .and(kind.key, "and this one")
                    .help("a `command` may stand in place of what a kind runs; for a shell write command = [\"/bin/sh\", \"-c\", …]"),
            );
        }
        // One that is misspelled was reported, and there is no second mistake.
        let is_meant = || table.iter().any(|(name, _)| meant_key(name, &["command", "shell", "kind"]).is_some());
        if command.is_none() && shell.is_none() && kind.is_none() && table.get("kind").is_none() && !is_meant() {
            self.out.push(
                Diagnostic::error(format!("`{}` runs nothing", instance.base))
                    .at(instance.key, "this process")
                    .help(format!("add `command = [\"…\"]`, `shell = \"…\"` or a `kind` ({})", list_of(keys::KINDS.iter().copied()))),
            );
        }
        // Both are read even where only one can be meant: each may have mistakes of its own.
        let shell = shell.and_then(|entry| self.shell(&entry.node, scope));
        command.map_or(shell, |entry| self.argv("command", &entry.node, scope))
    }

    /// A line for the shell, as its command line.
    fn shell(&mut self, node: &Node, scope: Scope<'_>) -> Option<Vec<Text>> {
        let filled = self.filled("shell", node, scope)?;
        if filled.sample.contains('\0') {
            self.out.push(Diagnostic::error("a shell command cannot hold a NUL byte").at(node.span, "here"));
            return None;
        }
        if filled.secret {
            self.secret_in_argv(node.span);
        }
        Some(vec![Text::from("/bin/sh"), Text::from("-c"), filled.text])
    }

    fn ready_of(&mut self, table: &Table, scope: Scope<'_>, of_kind: Option<ReadySpec>, listens: &[String], stdin: StdinMode) -> ReadySpec {
        let otherwise = of_kind.unwrap_or_else(|| {
            let probe = listens.first().map(|lease| Probe::Tcp { addr: self.leased_text(lease, scope).prefixed("127.0.0.1:") });
            ReadySpec { probe, ..ready_when_running() }
        });
        match table.node("ready") {
            Some(node) => self.ready(node, scope, otherwise, stdin),
            None => otherwise,
        }
    }

    fn cwd(&mut self, instance: &Instance, scope: Scope<'_>) -> PathBuf {
        // Of files that lie on each other, the one that says what runs.
        let program = ["command", "shell", "kind"].iter().find_map(|key| instance.table.get(key));
        let here = self.sources.get(program.map_or(instance.key, |entry| entry.key).source).dir.clone();
        match instance.table.node("cwd") {
            Some(node) => self.path("cwd", node, scope).unwrap_or(here),
            None => here,
        }
    }

    /// `env = { … }`
    pub(super) fn env_table(&mut self, node: &Node, scope: Scope<'_>) -> IndexMap<String, Text> {
        let mut all = IndexMap::new();
        let Some(table) = self.table("env", node, "a table of texts") else { return all };
        for (name, entry) in table.iter() {
            if name.is_empty() || name.contains(['=', '\0']) {
                self.out.push(Diagnostic::error(format!("`{}` cannot name a variable", shown(name))).at(entry.key, "here"));
                continue;
            }
            if let Some(filled) = self.filled(name, &entry.node, scope) {
                if filled.sample.contains('\0') {
                    self.out.push(Diagnostic::error("a variable cannot hold a NUL byte").at(entry.node.span, "here"));
                    continue;
                }
                all.insert(name.to_owned(), filled.text);
            }
        }
        all
    }

    /// What cannot be meant together.
    fn keys_fit(&mut self, spec: &ProcessSpec, table: &Table) {
        if let Some(entry) = table.get("skip_if_exists").filter(|_| spec.role != Role::Task) {
            self.out.push(
                Diagnostic::error(format!(
                    "`skip_if_exists` belongs to a task, and `{}` is a {}",
                    self.names.written(&spec.id),
                    spec.role.word()
                ))
                .at(entry.key, "a task is done where the path exists")
                .help("add `role = \"task\"`"),
            );
        }
        if let Some(entry) = table.get("tap").filter(|_| spec.tap && !spec.is_tapped() && table.get("listens").is_none()) {
            let name = self.names.written(&spec.id);
            let (what, at, help) = if spec.tty {
                (
                    format!("`{name}` has a terminal, which cannot be tapped"),
                    "on what?",
                    "add `listens`, or `stdin = \"pipe\"` without `tty`",
                )
            } else {
                (format!("`{name}` listens on nothing that could be tapped"), "in front of what?", "add `listens`, or `stdin = \"pipe\"`")
            };
            self.out.push(Diagnostic::error(what).at(entry.key, at).help(help));
        }
    }

    /// `[[cleanup]]`: commands, each `{ command = […] }` or `{ shell = "…" }`; a bare list of texts is a command, too.
    pub(super) fn cleanup(&mut self, node: &Node, scope: Scope<'_>) -> Vec<Vec<String>> {
        let Value::List(nodes) = &node.value else {
            self.mismatch("cleanup", node, "a list of commands");
            return Vec::new();
        };
        // One command written where a list of them belongs.
        if nodes.iter().all(|n| matches!(n.value, Value::Text(_))) && !nodes.is_empty() {
            return self.argv("cleanup", node, scope.now()).map(|argv| known(&argv)).into_iter().collect();
        }
        let mut all = Vec::new();
        for node in nodes {
            let argv = match &node.value {
                Value::List(_) => self.argv("cleanup", node, scope.now()),
                Value::Table(table) => self.cleanup_table(table, node, scope.now()),
                _ => {
                    self.mismatch("cleanup", node, "a list of texts or a table");
                    None
                }
            };
            all.extend(argv.map(|argv| known(&argv)));
        }
        all
    }

    fn cleanup_table(&mut self, table: &Table, node: &Node, scope: Scope<'_>) -> Option<Vec<Text>> {
        self.check_keys(table, keys::CLEANUP, "`cleanup`");
        match (table.node("command"), table.node("shell")) {
            (Some(command), None) => self.argv("command", command, scope),
            (None, Some(shell)) => self.shell(shell, scope),
            _ => {
                self.out.push(Diagnostic::error("a cleanup is one `command` or one `shell`").at(node.span, "in this one"));
                None
            }
        }
    }

    /// A port that a process owns: its own, and the tap's before it.
    fn listen_port(&mut self, lease: &str) -> ListenPort {
        let tapped = self.names.tapped.contains_key(lease);
        let own = if tapped { behind(lease) } else { lease.to_owned() };
        self.used_ports.insert(own.clone());
        ListenPort { name: lease.to_owned(), port: self.number_of(&own), front: tapped.then(|| self.number_of(lease)) }
    }

    /// The number of a leased port; 0 in a draft, where it has none yet.
    fn number_of(&self, lease: &str) -> u16 {
        match self.stage {
            Stage::Final { ports, .. } => ports.get(lease).copied().unwrap_or_default(),
            Stage::Draft => self.names.fixed_port(lease).unwrap_or_default(),
        }
    }

    /// The keys of `table` that this version reads and checks, but cannot do anything with.
    pub(super) fn not_yet(&mut self, table: &Table, keys: &[&str]) {
        for key in keys {
            if let Some(entry) = table.get(key) {
                self.unsupported(key, entry.key);
            }
        }
    }

    pub(super) fn unsupported(&mut self, what: &str, at: Span) {
        self.out.push(Diagnostic::error(format!("`{what}` is not supported yet")).at(at, "cannot be honoured by this version"));
    }
}

/// Texts that were read without any captured port are known.
fn known(argv: &[Text]) -> Vec<String> {
    argv.iter().map(ToString::to_string).collect()
}
