//! A scenario in the making, and its text.
#![cfg_attr(not(feature = "yaml"), allow(dead_code, reason = "a Procfile says little"))]

use std::fmt::Write;

use super::detect::Imported;

/// The longest name of a process.
const LONGEST_NAME: usize = 64;

/// A scenario in the making.
#[derive(Debug)]
pub(super) struct Draft {
    name: String,
    from: String,
    /// Environment of all processes, its values written as TOML.
    pub(super) env: Vec<(String, String)>,
    /// Names of ports to lease.
    pub(super) ports: Vec<String>,
    /// What each process is called there, and here.
    names: Vec<(String, String)>,
    processes: Vec<Process>,
    notes: Vec<String>,
}

/// A process in the making: its keys with their values, written as TOML.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    comment: Option<String>,
    keys: Vec<(&'static str, String)>,
}

/// A text as TOML has it, that stands for itself: nothing in it is filled in.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.replace("${", "$${")).to_string()
}

/// The same, with what is to be filled in.
pub(super) fn filled_in(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A list of texts.
pub(super) fn list(texts: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", texts.into_iter().map(|text| quoted(&text)).collect::<Vec<_>>().join(", "))
}

/// A key as TOML has it.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}

/// A table on one line, of values that are TOML already.
pub(super) fn table<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> = entries.into_iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    format!("{{ {} }}", entries.join(", "))
}

/// A name that a scenario takes.
pub(super) fn plain_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' }).take(LONGEST_NAME).collect();
    if plain.is_empty() { "unnamed".to_owned() } else { plain }
}

impl Process {
    pub(super) fn set(&mut self, key: &'static str, value: String) {
        self.keys.push((key, value));
    }

    pub(super) fn comment(&mut self, text: &str) {
        self.comment = Some(text.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

impl Draft {
    pub(super) fn named(name: &str, from: &str) -> Self {
        let (name, from) = (plain_name(name), from.to_owned());
        Self { name, from, env: Vec::new(), ports: Vec::new(), names: Vec::new(), processes: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Begins a process.
    pub(super) fn process(&mut self, name: &str) -> Process {
        Process { name: self.name_of(name), comment: None, keys: Vec::new() }
    }

    /// What the process that is called `name` there is called here. A name that is taken gets a number.
    pub(super) fn name_of(&mut self, name: &str) -> String {
        if let Some((_, here)) = self.names.iter().find(|(there, _)| there == name) {
            return here.clone();
        }
        let plain = plain_name(name);
        let taken = |name: &str| self.names.iter().any(|(_, here)| here.eq_ignore_ascii_case(name));
        let free = std::iter::once(plain.clone())
            .chain((2..=u32::MAX).map(|n| format!("{}-{n}", &plain[..plain.len().min(LONGEST_NAME - 8)])))
            .find(|name| !taken(name));
        let free = free.unwrap_or(plain);
        if free != name {
            self.note(format!("{name} is called {free} here: names are letters, digits, - and _, and differ in more than case"));
        }
        self.names.push((name.to_owned(), free.clone()));
        free
    }

    pub(super) fn add(&mut self, process: Process) {
        self.processes.push(process);
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into().split_whitespace().collect::<Vec<_>>().join(" ");
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The scenario's text.
    pub(super) fn write(self) -> Imported {
        let mut text = format!("# From {}. `e2e-tui check` on this file shows what it comes to.\n", self.from.replace('\n', " "));
        for note in &self.notes {
            let _ = writeln!(text, "# Not as there: {note}");
        }
        let _ = writeln!(text, "\nname = {}", quoted(&self.name));
        if !self.ports.is_empty() {
            text.push_str("\n[ports]\n");
            for port in &self.ports {
                let _ = writeln!(text, "{} = \"auto\"", key(port));
            }
        }
        if !self.env.is_empty() {
            let env = table(self.env.iter().map(|(name, value)| (name.as_str(), value.clone())));
            let _ = writeln!(text, "\n[defaults]\nenv = {env}");
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
