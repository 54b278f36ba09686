//! A scenario in the making, and its text.
#![cfg_attr(not(feature = "yaml"), allow(dead_code, reason = "a Procfile says little"))]

use std::{collections::HashSet, fmt::Write};

use indexmap::IndexMap;

use super::{
    super::suggest::visible,
    detect::Imported,
    phrase::{DOLLAR, Phrase, key, quoted, table},
};

/// The longest name of a process.
const LONGEST_NAME: usize = 64;

/// A scenario in the making.
#[derive(Debug)]
pub(super) struct Draft {
    name: String,
    from: String,
    /// From where the scenario will lie to where the other file does; empty: the same folder.
    folder: String,
    /// Environment of all processes, its values written as TOML.
    pub(super) env: IndexMap<String, String>,
    /// Names of ports to lease.
    pub(super) ports: Vec<String>,
    /// What each process is called there, and here.
    names: IndexMap<String, String>,
    /// Names that are given, in lower case, those of replicas included.
    taken: HashSet<String>,
    processes: Vec<Process>,
    notes: Vec<String>,
}

/// A process in the making: its keys with their values, written as TOML.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    comment: Option<String>,
    keys: IndexMap<&'static str, String>,
}

/// A name that a scenario takes, of at most so many letters.
fn plain_name(name: &str, longest: usize) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' }).take(longest).collect();
    if plain.is_empty() { "unnamed".to_owned() } else { plain }
}

/// A text on one line, with nothing in it that TOML forbids in a comment.
fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

impl Process {
    pub(super) fn set(&mut self, key: &'static str, value: String) {
        self.keys.insert(key, value);
    }

    pub(super) fn comment(&mut self, text: &str) {
        self.comment = Some(one_line(text));
    }
}

impl Draft {
    pub(super) fn named(name: &str, from: &str, folder: &str) -> Self {
        Self {
            name: plain_name(name, LONGEST_NAME),
            from: from.to_owned(),
            folder: folder.to_owned(),
            env: IndexMap::new(),
            ports: Vec::new(),
            names: IndexMap::new(),
            taken: HashSet::new(),
            processes: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Gives the process that is called `name` there a name here, and as many more as it has replicas.
    pub(super) fn claim(&mut self, name: &str, replicas: u64) {
        let all = |name: &str| -> Vec<String> {
            let one = name.to_lowercase();
            let each = (1..=replicas).filter(|_| replicas > 1).map(|n| format!("{one}-{n}"));
            each.chain([one.clone()]).collect()
        };
        let room = LONGEST_NAME - if replicas > 1 { replicas.to_string().len() + 1 } else { 0 };
        let plain = plain_name(name, room);
        let numbered = (2..=u32::MAX).map(|n| format!("{}-{n}", &plain[..plain.len().min(room - 11)]));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|name| all(name).iter().all(|one| !self.taken.contains(one)));
        let free = free.unwrap_or_else(|| plain.clone());
        if free != name {
            self.note(format!("{name} is called {free} here: names are letters, digits, - and _, and differ in more than case"));
        }
        self.taken.extend(all(&free));
        self.names.insert(name.to_owned(), free);
    }

    /// Begins a process.
    pub(super) fn process(&mut self, name: &str) -> Process {
        Process { name: self.name_of(name), comment: None, keys: IndexMap::new() }
    }

    /// What the process that is called `name` there is called here.
    pub(super) fn name_of(&mut self, name: &str) -> String {
        if !self.names.contains_key(name) {
            self.claim(name, 1);
        }
        self.names[name].clone()
    }

    /// A path that starts in the other file's folder.
    pub(super) fn path(&self, path: Phrase) -> Phrase {
        let sample = path.sample();
        if self.folder.is_empty() || sample.starts_with('/') {
            return path;
        }
        if sample == "." { Phrase::literal(&self.folder) } else { Phrase::literal(&self.folder).and("/").then(path) }
    }

    /// The other file's folder.
    pub(super) fn folder(&self) -> Phrase {
        let here = Phrase::name("scenario.dir");
        match self.folder.as_str() {
            "" => here,
            folder if folder.starts_with('/') => Phrase::literal(folder),
            folder => here.and("/").and(folder),
        }
    }

    pub(super) fn add(&mut self, process: Process) {
        self.processes.push(process);
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = one_line(&note.into());
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Variables, each once and with a name that one can have; the last of a name is meant.
    pub(super) fn variables(&mut self, whose: &str, all: impl IntoIterator<Item = (String, String)>) -> IndexMap<String, String> {
        let mut env = IndexMap::new();
        for (name, value) in all {
            if name.is_empty() || name.contains('=') {
                self.note(format!("{whose}: `{name}` cannot name a variable"));
            } else {
                env.insert(name, value);
            }
        }
        env
    }

    /// The scenario's text.
    pub(super) fn write(self) -> Imported {
        let mut text = format!("# From {}. `e2e-tui check` on this file shows what it comes to.\n", one_line(&self.from));
        for note in &self.notes {
            let _ = writeln!(text, "# Not as there: {note}");
        }
        let _ = writeln!(text, "\nname = {}", quoted(&self.name));
        let dollar = format!("${{vars.{DOLLAR}}}");
        if self.env.values().chain(self.processes.iter().flat_map(|process| process.keys.values())).any(|value| value.contains(&dollar)) {
            let _ = writeln!(text, "\n[vars]\n{DOLLAR} = \"$\"");
        }
        if !self.ports.is_empty() {
            text.push_str("\n[ports]\n");
            for port in &self.ports {
                let _ = writeln!(text, "{} = \"auto\"", key(port));
            }
        }
        if !self.env.is_empty() || !self.folder.is_empty() {
            text.push_str("\n[defaults]\n");
            if !self.folder.is_empty() {
                let _ = writeln!(text, "cwd = {}", quoted(&self.folder));
            }
            if !self.env.is_empty() {
                let _ = writeln!(text, "env = {}", table(self.env.iter().map(|(name, value)| (name.as_str(), value.clone()))));
            }
        }
        for process in self.processes {
            text.push('\n');
            if let Some(comment) = process.comment {
                let _ = writeln!(text, "# {comment}");
            }
            let _ = writeln!(text, "[process.{}]", key(&process.name));
            for (key, value) in process.keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        Imported { text, notes: self.notes }
    }
}
