//! Numbers, durations, words, patterns and lists, each with its own way of being wrong.

use std::{path::PathBuf, time::Duration};

use super::{
    super::{
        cost,
        diagnostics::Diagnostic,
        source::{self, Span},
        suggest::{did_you_mean, list_of, shown},
        tree::{Node, Table, Value},
        values,
    },
    read::Read,
    state::{Scope, Walk},
};
use crate::model::{ProcessId, Text};

/// A compiled pattern may take this much memory; nothing a person writes comes near.
const PATTERN_LIMIT: usize = 4 << 20;

impl Walk<'_> {
    /// The value as a string that a number, a word or a duration can be read from.
    fn word(&mut self, key: &str, node: &Node, scope: Scope<'_>, wanted: &str) -> Option<Read> {
        if let Value::List(_) | Value::Table(_) | Value::Date = node.value {
            self.mismatch(key, node, wanted);
            return None;
        }
        self.read(key, node, scope)
    }

    fn wrong(&mut self, key: &str, node: &Node, read: &Read, wanted: &str) {
        // An interpolated text is shown with what it came to.
        let came_to = match &node.value {
            Value::Text(text) if shown(text) != read.shown() => format!("comes to `{}`", read.shown()),
            _ => format!("{wanted} goes here"),
        };
        self.out.push(Diagnostic::error(format!("`{}` must be {wanted}, not `{}`", shown(key), read.shown())).at(node.span, came_to));
    }

    /// A whole number from `least` to `most`.
    pub(in crate::scenario) fn integer(&mut self, key: &str, node: &Node, scope: Scope<'_>, least: u64, most: u64) -> Option<u64> {
        let wanted = "a whole number";
        let read = self.word(key, node, scope, wanted)?;
        let number = match &node.value {
            Value::Integer(Some(n)) => Ok(i128::from(*n)),
            _ => read.trim().replace('_', "").parse::<i128>(),
        };
        match number {
            Ok(n) if n >= i128::from(least) && n <= i128::from(most) => u64::try_from(n).ok(),
            Ok(n) => {
                let bound = match n < i128::from(least) {
                    _ if most < 100_000 => format!("from {least} to {most}"),
                    true => format!("at least {least}"),
                    false => format!("at most {most}"),
                };
                self.wrong(key, node, &read, &bound);
                None
            }
            Err(_) => {
                self.wrong(key, node, &read, wanted);
                None
            }
        }
    }

    /// A number from 0 to `most`.
    pub(super) fn number(&mut self, key: &str, node: &Node, scope: Scope<'_>, most: f64) -> Option<f64> {
        let read = self.word(key, node, scope, "a number")?;
        let written = read.trim().replace('_', "");
        let number = match &node.value {
            // Also one that is written as 0x1f.
            Value::Integer(Some(n)) => n.to_string(),
            _ => written,
        };
        match number.parse::<f64>() {
            Ok(x) if (0.0..=most).contains(&x) => Some(x),
            Ok(x) if x.is_finite() => {
                let wanted = if most >= f64::MAX { "at least 0".to_owned() } else { format!("from 0 to {most}") };
                self.wrong(key, node, &read, &wanted);
                None
            }
            _ => {
                self.wrong(key, node, &read, "a number");
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<bool> {
        let read = self.word(key, node, scope, "true or false")?;
        match read.trim() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.wrong(key, node, &read, "true or false");
                None
            }
        }
    }

    pub(in crate::scenario) fn duration(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Duration> {
        let read = self.word(key, node, scope, "a duration")?;
        self.measured(key, node, &read, "a duration", values::duration(&read), values::DURATION_FORMS, "s")
    }

    pub(super) fn size(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<u64> {
        let read = self.word(key, node, scope, "a size")?;
        self.measured(key, node, &read, "a size", values::size(&read), values::SIZE_FORMS, "MiB")
    }

    /// Reports why a duration or size is none.
    #[expect(clippy::too_many_arguments, reason = "one call for each of two kinds of quantity")]
    fn measured<T>(
        &mut self,
        key: &str,
        node: &Node,
        read: &Read,
        what: &str,
        result: Result<T, values::ValueError>,
        forms: &str,
        unit: &str,
    ) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let bare = error == values::ValueError::NoUnit && read.trim().parse::<f64>().is_ok();
        let message = if bare {
            format!("`{}` is {what}, and `{}` has no unit", shown(key), read.shown())
        } else {
            format!("`{}` must be {what}, not `{}`", shown(key), read.shown())
        };
        let help = if bare { format!("did you mean \"{}{unit}\"? {forms}", read.shown().trim()) } else { forms.to_owned() };
        let why = if read.is_secret() { format!("comes to what is no {}", what.trim_start_matches("a ")) } else { error.to_string() };
        self.out.push(Diagnostic::error(message).at(node.span, why).help(help));
        None
    }

    /// One of `words`, as its place in them.
    pub(super) fn choice(&mut self, key: &str, node: &Node, scope: Scope<'_>, words: &[&'static str]) -> Option<usize> {
        let wanted = if let [only] = words { format!("\"{only}\"") } else { format!("one of {}", list_of(words.iter().copied())) };
        let read = self.word(key, node, scope, &wanted)?;
        let found = words.iter().position(|w| *w == read.trim());
        if found.is_none() {
            let help = did_you_mean(&read, words.iter().copied()).or_else(|| Some(format!("use {}", list_of(words.iter().copied()))));
            self.out.push(
                Diagnostic::error(format!("`{}` cannot be `{}`", shown(key), read.shown()))
                    .at(node.span, format!("use {}", list_of(words.iter().copied())))
                    .maybe_help(help.filter(|h| h.starts_with("did"))),
            );
        }
        found
    }

    /// A Rust regex.
    pub(super) fn pattern(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<regex::Regex> {
        let Value::Text(_) = node.value else {
            self.mismatch(key, node, "a pattern");
            return None;
        };
        let read = self.plain(key, node, scope)?;
        match regex::RegexBuilder::new(&read).size_limit(PATTERN_LIMIT).build() {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.out.push(
                    Diagnostic::error(format!("`{}` is no pattern: {}", shown(key), pattern_reason(&error)))
                        .at(node.span, "cannot be used")
                        .help("patterns are Rust regexes; in single quotes `\\` needs no doubling"),
                );
                None
            }
        }
    }

    /// A pattern that every line of a process is held against.
    pub(super) fn line_pattern(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<regex::Regex> {
        let pattern = self.pattern(key, node, scope)?;
        if cost::is_costly(pattern.as_str()) {
            self.out.push(
                Diagnostic::warning("no fixed text stands in every match of this pattern, so it is tried on every line")
                    .at(node.span, "costs several times as much as one with a word in it")
                    .help("add a word that such lines have; `(?i)` leaves none, so spell the cases out: 'Error|ERROR'"),
            );
        }
        Some(pattern)
    }

    /// One value or a list of them, each read by `read`.
    pub(super) fn one_or_more<T>(&mut self, node: &Node, mut read: impl FnMut(&mut Self, &Node) -> Option<T>) -> Option<Vec<T>> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        // All are looked at before one that is wrong spoils the list, so that each mistake is reported.
        let all: Vec<_> = nodes.iter().map(|n| read(self, n)).collect();
        all.into_iter().collect()
    }

    /// Program and arguments.
    pub(super) fn argv(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Vec<Text>> {
        let Value::List(nodes) = &node.value else {
            self.not_argv(key, node);
            return None;
        };
        if nodes.is_empty() {
            self.out.push(Diagnostic::error(format!("`{}` is empty", shown(key))).at(node.span, "a program goes here"));
            return None;
        }
        let mut all = Vec::new();
        let mut fine = true;
        for (i, node) in nodes.iter().enumerate() {
            match self.filled(key, node, scope) {
                Some(filled) => {
                    fine &= if i == 0 { self.is_program(&filled.sample, node.span) } else { self.fits_argv(&filled.sample, node.span) };
                    if filled.secret {
                        self.secret_in_argv(node.span);
                    }
                    all.push(if i == 0 { self.program(filled.text, node.span) } else { filled.text });
                }
                None => fine = false,
            }
        }
        fine.then_some(all)
    }

    /// Reports what cannot be the name of a program.
    pub(super) fn is_program(&mut self, name: &str, at: Span) -> bool {
        if name.is_empty() {
            self.out.push(Diagnostic::error("the program has no name").at(at, "this is empty"));
        }
        !name.is_empty() && self.fits_argv(name, at)
    }

    /// Reports what no command line can hold.
    pub(super) fn fits_argv(&mut self, word: &str, at: Span) -> bool {
        let fine = !word.contains('\0');
        if !fine {
            self.out.push(Diagnostic::error("an argument cannot hold a NUL byte").at(at, "here"));
        }
        fine
    }

    pub(super) fn secret_in_argv(&mut self, at: Span) {
        self.out.push(
            Diagnostic::warning("a secret stands in a command line, where every user of this machine can read it")
                .at(at, "filled in here")
                .help("pass it in `env`"),
        );
    }

    fn not_argv(&mut self, key: &str, node: &Node) {
        let mut diagnostic =
            Diagnostic::error(format!("`{}` must be a list of texts, not {}", shown(key), node.what())).at(node.span, "a list goes here");
        if let Value::Text(text) = &node.value {
            let words: Vec<_> = text.split_whitespace().take(8).map(|w| format!("{:?}", shown(w))).collect();
            let shell = if key == "command" { ", or `shell` in place of `command` for /bin/sh" } else { "" };
            diagnostic = diagnostic.help(format!("write [{}]{shell}", words.join(", ")));
        }
        self.out.push(diagnostic);
    }

    /// A program with a slash is meant from the folder of the file that names it.
    fn program(&mut self, text: Text, at: Span) -> Text {
        match text.resolve(|_| None) {
            Ok(name) if name.contains('/') => Text::from(self.in_its_folder(&name, at).to_string_lossy().into_owned()),
            _ => text,
        }
    }

    /// `path` from the folder of the file it stands in.
    pub(super) fn in_its_folder(&self, path: &str, at: Span) -> PathBuf {
        if path.starts_with("${run.dir}") { PathBuf::from(path) } else { source::absolute(&self.sources.get(at.source).dir, path) }
    }

    /// A path from the folder of the file that names it.
    pub(super) fn path(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<PathBuf> {
        self.written_path(key, node, scope).map(|written| self.in_its_folder(&written, node.span))
    }

    /// A path as it is written, its names filled in.
    pub(super) fn written_path(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<String> {
        let read = self.word(key, node, scope, "a path")?;
        if read.is_empty() || read.contains('\0') {
            self.out.push(Diagnostic::error(format!("`{}` is no path", shown(key))).at(node.span, "a path goes here"));
            return None;
        }
        // Folders of the run are only known later; a draft shows them as they are written.
        Some(self.text(key, node, scope.now())?.to_string())
    }

    /// A name as it stands: names are never filled in.
    pub(super) fn name<'n>(&mut self, key: &str, node: &'n Node, wanted: &str) -> Option<&'n str> {
        if let Value::Text(name) = &node.value {
            return Some(name);
        }
        self.mismatch(key, node, wanted);
        None
    }

    /// The process that a name stands for; all of them, if it is replicated.
    pub(in crate::scenario) fn processes_named(&mut self, name: &str, at: Span) -> Option<Vec<ProcessId>> {
        if self.names.processes.contains_key(name) {
            return Some(vec![ProcessId::new(name).ok()?]);
        }
        if let Some(count) = self.names.replicated.get(name) {
            return (1..=*count).map(|n| ProcessId::new(&format!("{name}-{n}")).ok()).collect();
        }
        if self.names.is_broken("process", name) {
            return None;
        }
        let known = self.names.processes.keys().chain(self.names.replicated.keys()).map(String::as_str);
        let help = did_you_mean(name, known).or_else(|| {
            let all: Vec<_> = self.names.processes.keys().map(String::as_str).collect();
            (!all.is_empty() && all.len() <= 14).then(|| format!("there are {}", list_of(all).replace(" or ", " and ")))
        });
        let what =
            if name.is_empty() { "a process's name is missing".to_owned() } else { format!("there is no process `{}`", shown(name)) };
        self.out.push(Diagnostic::error(what).at(at, "not in this scenario").maybe_help(help));
        None
    }

    // What a table holds under a key, or what holds without it.

    pub(in crate::scenario) fn opt_duration(&mut self, table: &Table, key: &str, scope: Scope<'_>) -> Option<Duration> {
        table.node(key).and_then(|node| self.duration(key, node, scope))
    }

    /// A value of a key where nothing at all is senseless; `why` says what it would mean.
    pub(super) fn above_zero<T: Default + PartialEq>(
        &mut self,
        table: &Table,
        key: &str,
        why: &str,
        read: impl FnOnce(&mut Self, &Node) -> Option<T>,
    ) -> Option<T> {
        let node = table.node(key)?;
        let read = read(self, node)?;
        if read == T::default() {
            self.out.push(Diagnostic::error(format!("`{key}` must be more than nothing")).at(node.span, why.to_owned()));
            return None;
        }
        Some(read)
    }

    /// A duration that is longer than nothing.
    pub(super) fn some_time(&mut self, table: &Table, key: &str, scope: Scope<'_>, why: &str) -> Option<Duration> {
        self.above_zero(table, key, why, |w, node| w.duration(key, node, scope))
    }

    /// A size of at least a byte.
    pub(super) fn some_size(&mut self, table: &Table, key: &str, scope: Scope<'_>, why: &str) -> Option<u64> {
        self.above_zero(table, key, why, |w, node| w.size(key, node, scope))
    }

    pub(super) fn duration_or(&mut self, table: &Table, key: &str, scope: Scope<'_>, default: Duration) -> Duration {
        self.opt_duration(table, key, scope).unwrap_or(default)
    }

    pub(super) fn count_or(&mut self, table: &Table, key: &str, scope: Scope<'_>, least: u64, default: u32) -> u32 {
        let read = table.node(key).and_then(|node| self.integer(key, node, scope, least, u64::from(u32::MAX)));
        read.and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
    }

    pub(in crate::scenario) fn bool_or(&mut self, table: &Table, key: &str, scope: Scope<'_>, default: bool) -> bool {
        table.node(key).and_then(|node| self.boolean(key, node, scope)).unwrap_or(default)
    }
}

/// The last line of a regex error, which is the reason; the rest repeats the pattern.
fn pattern_reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".into(),
        other => {
            let text = other.to_string();
            let reason = text.lines().next_back().unwrap_or_default().trim_start_matches("error: ").trim();
            shown(reason)
        }
    }
}
