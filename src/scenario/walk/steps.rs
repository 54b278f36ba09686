//! `[[step]]`: the script of a demo or a chaos run.

use super::{
    super::{
        diagnostics::Diagnostic,
        keys,
        source::Span,
        suggest::{did_you_mean, list_of},
        tree::{Entry, Node, Table, Value},
    },
    state::{Awaited, Deed, Scope, Walk},
};
use crate::model::{
    FaultKind, FaultSpec, Health, HealthSpec, ProcessId, RestartMode, Role, RunSpec, StateOrHealth, StdinMode, StepAction, StepSpec,
    StepWhen,
};

const FAULTS: [FaultKind; 9] = [
    FaultKind::Delay,
    FaultKind::Jitter,
    FaultKind::Status,
    FaultKind::Drop,
    FaultKind::Reset,
    FaultKind::HalfClose,
    FaultKind::SlowBody,
    FaultKind::Truncate,
    FaultKind::None,
];

impl Walk<'_> {
    /// Reads the steps; `spec` holds the processes they speak of.
    pub(super) fn steps(&mut self, node: &Node, spec: &RunSpec) -> Vec<StepSpec> {
        let Value::List(nodes) = &node.value else {
            self.out
                .push(Diagnostic::error(format!("`step` must be a list of tables, not {}", node.what())).at(node.span, "write [[step]]"));
            return Vec::new();
        };
        nodes.iter().filter_map(|node| self.step(node, spec)).collect()
    }

    fn step(&mut self, node: &Node, spec: &RunSpec) -> Option<StepSpec> {
        let table = self.table("step", node, "a table")?;
        self.check_keys(table, keys::STEP, "a step");
        let when = table.node("when").map_or(Some(StepWhen::AtOnce), |n| self.when(n, spec));
        let [title, note] = ["title", "note"].map(|key| {
            let text = table.node(key).and_then(|n| self.name(key, n, "a text"));
            text.unwrap_or_default().to_owned()
        });
        let mut actions = Vec::new();
        if let Some(node) = table.node("do").filter(|node| one_or_list(node).is_empty()) {
            self.does_nothing(node);
        }
        for node in table.node("do").into_iter().flat_map(one_or_list) {
            self.action(node, spec, &mut actions);
        }
        if table.get("do").is_none() && note.is_empty() {
            self.out.push(Diagnostic::error("the step does nothing").at(node.span, "this one").help("add `do = { … }` or a `note`"));
        }
        if let Some(entry) = table.get("timeout").filter(|_| table.get("when").is_none()) {
            self.out.push(
                Diagnostic::warning("`timeout` has no effect on a step that waits for nothing")
                    .at(entry.key, "not used")
                    .help("add `when`, or leave it out"),
            );
        }
        Some(StepSpec { when: when?, actions, title, note, timeout: self.timeout(table, Scope::TOP, "leave it out for no limit") })
    }

    fn when(&mut self, node: &Node, spec: &RunSpec) -> Option<StepWhen> {
        let table = self.table("when", node, "a table like { after = \"5s\" }")?;
        self.check_keys(table, keys::WHEN, "`when`");
        let given: Vec<_> = ["after", "process", "log"].into_iter().filter_map(|k| Some((k, table.get(k)?))).collect();
        match given.as_slice() {
            [("after", entry)] => {
                self.alone(table, &["is", "matches"]);
                Some(StepWhen::After(self.duration("after", &entry.node, Scope::TOP)?))
            }
            [("process", entry)] => {
                self.alone(table, &["matches"]);
                let processes = self.named_process("process", entry);
                let Some(is) = table.node("is") else {
                    self.out.push(
                        Diagnostic::error("`when` has a process, but no state").at(node.span, "in this one").help("add `is = \"ready\"`"),
                    );
                    return None;
                };
                let state = self.state(is)?;
                if !matches!(state.word(), "pending" | "stopped" | "skipped") {
                    self.awaits(&processes, entry.node.span);
                }
                self.can_hold(&processes, &state, is.span, spec);
                Some(StepWhen::State { processes, is: state })
            }
            [(_, entry)] => {
                self.alone(table, &["is"]);
                let processes = self.named_process("log", entry);
                let Some(matches) = table.node("matches") else {
                    self.out.push(
                        Diagnostic::error("`when` has a log, but no pattern").at(node.span, "in this one").help("add `matches = '…'`"),
                    );
                    return None;
                };
                let pattern = self.pattern("matches", matches, Scope::TOP)?;
                self.awaits(&processes, entry.node.span);
                Some(StepWhen::Log { processes, pattern })
            }
            [] => {
                self.out.push(
                    Diagnostic::error("`when` waits for nothing")
                        .at(node.span, "in this one")
                        .help("{ after = \"5s\" }, { process = \"NAME\", is = \"ready\" } or { log = \"NAME\", matches = '…' }"),
                );
                None
            }
            [(first, one), (second, other), ..] => {
                self.out.push(
                    Diagnostic::error(format!("`when` waits for two things, `{first}` and `{second}`"))
                        .at(other.key, "this one")
                        .and(one.key, "and this one")
                        .help("make two steps of it"),
                );
                None
            }
        }
    }

    /// Keys that belong to another form of `when`.
    fn alone(&mut self, table: &Table, others: &[&str]) {
        for key in others {
            if let Some(entry) = table.get(key) {
                let with = if *key == "is" { "process" } else { "log" };
                self.out.push(Diagnostic::error(format!("`{key}` belongs to `{with}`")).at(entry.key, "has no meaning here"));
            }
        }
    }

    fn named_process(&mut self, key: &str, entry: &Entry) -> Vec<ProcessId> {
        match self.name(key, &entry.node, "the name of a process") {
            Some(name) => self.processes_named(name, entry.node.span).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    fn state(&mut self, node: &Node) -> Option<StateOrHealth> {
        let word = self.read("is", node, Scope::TOP)?;
        match word.trim() {
            "healthy" => return Some(StateOrHealth::Health(Health::Healthy)),
            "degraded" => return Some(StateOrHealth::Health(Health::Degraded)),
            state if keys::STATES.contains(&state) => return Some(StateOrHealth::State(state.to_owned())),
            _ => {}
        }
        let all = keys::STATES.iter().chain(keys::HEALTHS).copied();
        let help = did_you_mean(&word, all.clone()).unwrap_or_else(|| format!("use {}", list_of(all)));
        self.out
            .push(Diagnostic::error(format!("`{}` is no state", word.shown())).at(node.span, "a state or a health goes here").help(help));
        None
    }

    /// A state that a process can never be in would hold the script up for ever.
    fn can_hold(&mut self, processes: &[ProcessId], state: &StateOrHealth, at: Span, spec: &RunSpec) {
        for id in processes {
            let Some(process) = spec.processes.get(id) else { continue };
            let why = match state {
                StateOrHealth::Health(_) if process.health.is_none() => "it has no health check",
                StateOrHealth::State(s) if s == "unhealthy" && process.health.is_none() => "it has no health check",
                StateOrHealth::State(s) if matches!(s.as_str(), "backoff" | "gave-up") && process.restart.mode == RestartMode::Never => {
                    "it is never restarted"
                }
                StateOrHealth::State(s) if s == "completed" && process.restart.mode == RestartMode::Always => "it is always restarted",
                StateOrHealth::State(s) if s == "skipped" && process.depends_on.is_empty() => "it waits for nobody",
                StateOrHealth::State(s) if s == "ready" && process.role != Role::Service && process.ready.probe.is_none() => {
                    "it is no service, and has no `ready`"
                }
                StateOrHealth::Health(Health::Degraded) if !process.health.as_ref().is_some_and(can_be_degraded) => {
                    "its health check has neither `degraded_after` nor `degraded`"
                }
                _ => continue,
            };
            let word = match state {
                StateOrHealth::Health(health) => health.word(),
                StateOrHealth::State(state) => state,
            };
            let name = self.names.written(id);
            self.out.push(Diagnostic::error(format!("`{name}` can never be {word}: {why}")).at(at, "this step would wait for ever"));
        }
    }

    /// One table of `do`, which may name several actions; they happen in the order of the file.
    fn action(&mut self, node: &Node, spec: &RunSpec, all: &mut Vec<StepAction>) {
        let Some(table) = self.table("do", node, "a table like { kill = \"NAME\" }") else { return };
        self.check_keys(table, keys::DO, "`do`");
        if table.iter().next().is_none() {
            self.does_nothing(node);
        }
        for (key, entry) in table.iter() {
            let node = &entry.node;
            match key {
                "start" => all.extend(self.deeds(key, entry).into_iter().map(StepAction::Start)),
                "stop" => all.extend(self.deeds(key, entry).into_iter().map(StepAction::Stop)),
                "restart" => all.extend(self.deeds(key, entry).into_iter().map(StepAction::Restart)),
                "kill" => all.extend(self.named_process(key, entry).into_iter().map(StepAction::Kill)),
                "focus" => all.extend(self.named_process(key, entry).into_iter().map(StepAction::Focus)),
                "signal" => self.signal_action(node, all),
                "send" => self.send_action(node, spec, all),
                "fault" => self.fault_action(node, spec, all),
                "mark" => all.extend(self.plain(key, node, Scope::TOP).map(StepAction::Mark)),
                "wait" => all.extend(self.duration(key, node, Scope::TOP).map(StepAction::Wait)),
                "rerun" => all.extend(self.choice(key, node, Scope::TOP, &["tests"]).map(|_| StepAction::RerunTests)),
                "layout" => all.extend(self.layout(node).map(StepAction::Layout)),
                // What is typed at the dashboard and is no pattern is taken as it stands; in a file it is a slip.
                "filter" => all.extend(self.pattern(key, node, Scope::TOP).map(|p| StepAction::Filter(p.as_str().to_owned()))),
                "export" => all.extend(self.path(key, node, Scope::TOP).map(StepAction::Export)),
                // Reported with the unknown keys.
                _ => {}
            }
        }
    }

    fn does_nothing(&mut self, node: &Node) {
        self.out.push(
            Diagnostic::error("this `do` does nothing")
                .at(node.span, "nothing is in it")
                .help("name something to do, like { kill = \"NAME\" }; a step that only says something has a `note` and no `do`"),
        );
    }

    /// The processes that a step starts or stops, noted for what must hold between steps.
    fn deeds(&mut self, key: &str, entry: &Entry) -> Vec<ProcessId> {
        let processes = self.named_process(key, entry);
        let deed = |process: &ProcessId| Deed { process: process.clone(), stops: key == "stop", at: entry.node.span };
        self.places.deeds.extend(processes.iter().map(deed));
        processes
    }

    /// Keys of one fault beside another.
    fn fault_keys_fit(&mut self, table: &Table, kind: FaultKind, needs: &str) {
        for (key, of) in [("delay", "delay, jitter and slow-body"), ("status", "status"), ("method", ""), ("count", "")] {
            let fits = if of.is_empty() { kind != FaultKind::None } else { key == needs };
            if let Some(entry) = table.get(key).filter(|_| !fits) {
                let message = if of.is_empty() {
                    format!("`{key}` has no meaning where nothing is disturbed")
                } else {
                    format!("`{key}` belongs to the faults {of}").replace("faults status", "fault status")
                };
                self.out.push(Diagnostic::error(message).at(entry.key, format!("this fault is {}", kind.word())));
            }
        }
    }

    /// Notes that a step waits for what processes do, which they must be started for.
    fn awaits(&mut self, processes: &[ProcessId], at: Span) {
        let after = self.places.deeds.len();
        self.places.awaited.extend(processes.iter().map(|process| Awaited { process: process.clone(), after, at }));
    }

    fn layout(&mut self, node: &Node) -> Option<String> {
        let read = self.read("layout", node, Scope::TOP)?;
        let name = read.to_string();
        let known = self.names.layouts.as_deref().unwrap_or_default();
        if !known.is_empty() && !known.contains(&name) {
            let all = || known.iter().map(String::as_str);
            let help = did_you_mean(&name, all()).unwrap_or_else(|| format!("there are {}", list_of(all()).replace(" or ", " and ")));
            self.out.push(Diagnostic::error(format!("there is no layout `{}`", read.shown())).at(node.span, "to be shown here").help(help));
        }
        Some(name)
    }

    fn signal_action(&mut self, node: &Node, all: &mut Vec<StepAction>) {
        let Some(table) = self.table("signal", node, "a table like { process = \"NAME\", name = \"HUP\" }") else { return };
        self.check_keys(table, keys::DO_SIGNAL, "`signal`");
        let processes = self.process_key(table, node, "process", "`signal`");
        let Some(name) = table.node("name") else {
            self.out.push(Diagnostic::error("`signal` has no `name`").at(node.span, "in this one").help("add `name = \"HUP\"`"));
            return;
        };
        if let Some(signal) = self.signal("name", name, Scope::TOP) {
            all.extend(processes.into_iter().map(|process| StepAction::Signal { process, signal }));
        }
    }

    fn send_action(&mut self, node: &Node, spec: &RunSpec, all: &mut Vec<StepAction>) {
        let Some(table) = self.table("send", node, "a table like { process = \"NAME\", text = \"…\" }") else { return };
        self.check_keys(table, keys::DO_SEND, "`send`");
        let processes = self.process_key(table, node, "process", "`send`");
        let Some(text) = table.node("text") else {
            self.out.push(Diagnostic::error("`send` has no `text`").at(node.span, "in this one").help("add `text = \"…\"`"));
            return;
        };
        for id in &processes {
            if spec.processes.get(id).is_some_and(|p| p.stdin == StdinMode::Null && !p.tty) {
                self.out.push(
                    Diagnostic::error(format!("`{}` reads nothing: its stdin is /dev/null", self.names.written(id)))
                        .at(node.span, "sent to it here")
                        .help("add `stdin = \"pipe\"` to the process"),
                );
            }
        }
        if let Some(text) = self.plain("text", text, Scope::TOP) {
            all.extend(processes.into_iter().map(|process| StepAction::Send { process, text: text.clone() }));
        }
    }

    fn fault_action(&mut self, node: &Node, spec: &RunSpec, all: &mut Vec<StepAction>) {
        let Some(table) = self.table("fault", node, "a table like { at = \"NAME\", kind = \"delay\", delay = \"1s\" }") else { return };
        self.check_keys(table, keys::DO_FAULT, "`fault`");
        let processes = self.process_key(table, node, "at", "`fault`");
        for id in &processes {
            if spec.processes.get(id).is_some_and(|p| !p.tap) {
                self.out.push(
                    Diagnostic::error(format!("`{}` has no tap, and faults happen in taps", self.names.written(id)))
                        .at(table.node("at").map_or(node.span, |n| n.span), "disturbed here")
                        .help("add `tap = true` to the process"),
                );
            }
        }
        let Some(kind) = table.node("kind") else {
            self.out.push(
                Diagnostic::error("`fault` has no `kind`")
                    .at(node.span, "in this one")
                    .help(format!("one of {}", list_of(keys::FAULTS.iter().copied()))),
            );
            return;
        };
        let Some(kind) = self.choice("kind", kind, Scope::TOP, keys::FAULTS).map(|k| FAULTS[k]) else { return };
        let on_pipes = processes.iter().find(|id| spec.processes.get(*id).is_some_and(|p| p.taps_pipes()));
        if let Some(id) = on_pipes.filter(|_| !kind.is_for_pipes()) {
            self.out.push(
                Diagnostic::error(format!("`{}` is tapped on its pipes, where `{}` cannot be done", self.names.written(id), kind.word()))
                    .at(table.node("kind").map_or(node.span, |n| n.span), "needs a connection")
                    .help("on pipes there are delay, jitter and drop"),
            );
        }
        let delay = self.some_time(table, "delay", Scope::TOP, "it would disturb nothing");
        let status = table.node("status").and_then(|n| self.integer("status", n, Scope::TOP, 100, 599));
        let (needs, given) = match kind {
            FaultKind::Delay | FaultKind::Jitter | FaultKind::SlowBody => ("delay", table.get("delay").is_some()),
            FaultKind::Status => ("status", table.get("status").is_some()),
            _ => ("", true),
        };
        if !given {
            self.out.push(Diagnostic::error(format!("this fault needs `{needs}`")).at(node.span, "in this one"));
        }
        self.fault_keys_fit(table, kind, needs);
        let method = table.node("method").and_then(|n| self.plain("method", n, Scope::TOP));
        let count = table.node("count").and_then(|n| self.integer("count", n, Scope::TOP, 1, u64::MAX));
        let status = status.and_then(|s| u16::try_from(s).ok());
        all.extend(processes.into_iter().map(|at| StepAction::Fault(FaultSpec { at, kind, delay, status, method: method.clone(), count })));
    }
}

fn can_be_degraded(health: &HealthSpec) -> bool {
    health.degraded_after.is_some() || !health.degraded.is_empty()
}

fn one_or_list(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    }
}
