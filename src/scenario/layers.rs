//! `extends`: one file laid over another.
//!
//! What the file itself says wins. Tables of names (`vars`, `secrets`, `ports`, `process`) are joined name by name, and a
//! process key by key as with `[defaults]`: `env` merges, the rest is replaced. Lists of `[[expect]]` and `[[cleanup]]` add up;
//! `[[step]]`, being one script, is replaced.

use std::path::{Path, PathBuf};

use super::{
    diagnostics::{Collector, Diagnostic},
    source::{self, SourceId, Sources, Span},
    suggest::shown,
    tree::{self, Entry, Node, Table, Value},
};

/// A chain longer than this is a mistake.
const MOST_FILES: usize = 8;

/// Parses the file and everything it extends, and says which files those are, the lowest last. None: a file's syntax is wrong, or
/// one is missing; that was reported.
pub(super) fn read(sources: &mut Sources, file: SourceId, out: &mut Collector) -> Option<(Table, Vec<SourceId>)> {
    let mut below = Vec::new();
    let mut layers = vec![tree::parse(sources, file, out)?];
    let top = sources.get(file);
    let mut seen: Vec<PathBuf> = Path::new(&top.name).file_name().map(|name| top.dir.join(name)).into_iter().collect();
    while let Some((base, at)) = layers.last().and_then(|top| extends(top, out)) {
        let dir = sources.get(at.source).dir.clone();
        let path = source::absolute(&dir, &base);
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if seen.contains(&real) {
            out.push(Diagnostic::error("a file cannot extend itself, not even through others").at(at, "already read"));
            return None;
        }
        if layers.len() >= MOST_FILES {
            let help = format!("at most {MOST_FILES} files lie on each other");
            out.push(Diagnostic::error("too many files extend each other").at(at, "one too many").help(help));
            return None;
        }
        seen.push(real.clone());
        let text = match source::read_text(&path) {
            Ok(text) => text,
            Err(error) => {
                let help = format!("looked for {}", shown(&path.to_string_lossy()));
                out.push(Diagnostic::error(format!("`{}` cannot be extended: {error}", shown(&base))).at(at, "this file").help(help));
                return None;
            }
        };
        let folder = real.parent().map_or_else(|| dir.clone(), Path::to_path_buf);
        let name = Path::new(&sources.get(at.source).name).parent().unwrap_or(Path::new("")).join(&base);
        let id = sources.add(name.to_string_lossy(), folder, text);
        layers.push(tree::parse(sources, id, out)?);
        below.push(id);
    }
    Some((layers.into_iter().rev().reduce(over)?, below))
}

/// The file that a tree extends.
fn extends(tree: &Table, out: &mut Collector) -> Option<(String, Span)> {
    let node = tree.node("extends")?;
    match &node.value {
        Value::Text(path) if !path.is_empty() => Some((path.clone(), node.span)),
        _ => {
            out.push(Diagnostic::error(format!("`extends` must be a path, not {}", node.what())).at(node.span, "a path goes here"));
            None
        }
    }
}

/// `top` over `base`.
fn over(mut base: Table, top: Table) -> Table {
    for (key, entry) in top.0 {
        match (key.as_str(), base.0.get_mut(&key)) {
            ("vars" | "secrets" | "ports", Some(below)) => merge(below, entry, |_, below, entry| *below = entry),
            ("defaults", Some(below)) => merge(below, entry, put),
            ("process", Some(below)) => merge(below, entry, |_, below, entry| {
                replace_program(below, &entry);
                merge(below, entry, put);
            }),
            ("expect" | "cleanup", Some(below)) => append(below, entry),
            _ => {
                base.0.insert(key, entry);
            }
        }
    }
    base
}

/// Joins two tables key by key; where both have a key, `join` decides. Anything else is replaced.
pub(super) fn merge(below: &mut Entry, entry: Entry, join: impl Fn(&str, &mut Entry, Entry)) {
    match (&mut below.node.value, entry.node.value) {
        (Value::Table(below), Value::Table(own)) => {
            for (key, entry) in own.0 {
                match below.0.get_mut(&key) {
                    Some(found) => join(&key, found, entry),
                    None => {
                        below.0.insert(key, entry);
                    }
                }
            }
        }
        (_, value) => *below = Entry { key: entry.key, node: Node { span: entry.node.span, value } },
    }
}

/// One key of a process over the same key below it: `env` merges, the rest is replaced.
pub(super) fn put(key: &str, below: &mut Entry, entry: Entry) {
    if key == "env" { merge(below, entry, |_, below, entry| *below = entry) } else { *below = entry }
}

/// A process that is given another way to run loses the one it had.
fn replace_program(below: &mut Entry, entry: &Entry) {
    let (Value::Table(below), Value::Table(own)) = (&mut below.node.value, &entry.node.value) else { return };
    let (command, shell, kind) = (own.get("command").is_some(), own.get("shell").is_some(), own.get("kind").is_some());
    if shell || kind {
        below.0.shift_remove("command");
    }
    if command || kind {
        below.0.shift_remove("shell");
    }
    if shell {
        below.0.shift_remove("kind");
    }
}

fn append(below: &mut Entry, entry: Entry) {
    match (&mut below.node.value, entry.node.value) {
        (Value::List(all), Value::List(more)) => all.extend(more),
        (_, value) => *below = Entry { key: entry.key, node: Node { span: entry.node.span, value } },
    }
}
