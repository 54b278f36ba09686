//! `files`: what is rendered into a process's own folder.

use std::path::{Component, Path, PathBuf};

use super::{
    super::{
        diagnostics::Diagnostic,
        keys,
        source::Span,
        suggest::shown,
        tree::{Entry, Node, Table, Value},
    },
    state::{Scope, Stage, Walk},
};
use crate::model::{FileSpec, Text};

/// No file system here takes a longer one.
const LONGEST_NAME: usize = 255;

impl Walk<'_> {
    /// `files = { "nginx.conf" = { template = "nginx.conf.in" } }`
    pub(super) fn files(&mut self, node: &Node, scope: Scope<'_>) -> Vec<FileSpec> {
        let mut all: Vec<FileSpec> = Vec::new();
        let mut places = Vec::new();
        let Some(table) = self.table("files", node, "a table like { \"name\" = { text = \"…\" } }") else { return all };
        for (name, entry) in table.iter() {
            let content = self.file(name, entry, scope);
            if !is_inside(name) {
                self.out.push(
                    Diagnostic::error(format!("`{}` does not stay in the process's own folder", shown(name)))
                        .at(entry.key, "a file's name goes here")
                        .help("a name may have folders in it, but no `..`, and no `/` at its start or end"),
                );
                continue;
            }
            if Path::new(name).components().any(|part| part.as_os_str().len() > LONGEST_NAME) {
                self.out.push(
                    Diagnostic::error(format!("`{}` is too long to name a file", shown(name)))
                        .at(entry.key, format!("at most {LONGEST_NAME} bytes between two `/`")),
                );
                continue;
            }
            let Some(instance) = scope.instance else { continue };
            self.uses_run_dir = true;
            let folder = match self.stage {
                Stage::Final { run_dir, .. } => run_dir.to_path_buf(),
                Stage::Draft => PathBuf::from("${run.dir}"),
            };
            let path = folder.join(instance.id.as_str()).join(name);
            if let Some(other) = all.iter().position(|other| other.path.starts_with(&path) || path.starts_with(&other.path)) {
                self.out.push(
                    Diagnostic::error(format!("`{}` cannot be a file and a folder", shown(name)))
                        .at(entry.key, "this one")
                        .and(places[other], "and this one")
                        .help("rename one of them"),
                );
                continue;
            }
            if let Some(content) = content {
                all.push(FileSpec { path, content });
                places.push(entry.key);
            }
        }
        all
    }

    /// `{ template = path }` or `{ text = "…" }`
    fn file(&mut self, name: &str, entry: &Entry, scope: Scope<'_>) -> Option<Text> {
        let Value::Table(table) = &entry.node.value else {
            self.mismatch(name, &entry.node, "a table like { text = \"…\" }");
            return None;
        };
        self.check_keys(table, keys::FILE, "a file");
        match (table.node("template"), table.node("text")) {
            (Some(path), None) => self.template(path, scope),
            (None, Some(text)) => self.text("text", text, scope),
            _ => {
                self.out.push(
                    Diagnostic::error("a file is one `template` or one `text`")
                        .at(entry.node.span, "in this one")
                        .help("{ template = \"path\" } is filled in from that file, { text = \"…\" } holds the content"),
                );
                None
            }
        }
    }

    /// A template's text was read before the walk; what is wrong in it is shown there.
    fn template(&mut self, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let path = self.template_path(node, scope)?;
        // One that could not be read was reported then.
        let source = *self.names.templates.get(&path)?;
        let sources = self.sources;
        let text = &sources.get(source).text;
        self.fill(text, Span::whole(source, text), scope).map(|f| f.text)
    }

    /// The paths of all templates of a process.
    pub(in crate::scenario) fn template_paths<'n>(&mut self, table: &'n Table, scope: Scope<'_>) -> Vec<(PathBuf, &'n Node)> {
        let Some(Value::Table(files)) = table.node("files").map(|n| &n.value) else { return Vec::new() };
        let templates = files.iter().filter_map(|(_, entry)| match &entry.node.value {
            Value::Table(file) => file.node("template"),
            _ => None,
        });
        templates.filter_map(|node| Some((self.template_path(node, scope)?, node))).collect()
    }

    /// The path of a template, which is read with the scenario: before anything has a port or a folder.
    fn template_path(&mut self, node: &Node, scope: Scope<'_>) -> Option<PathBuf> {
        let path = self.path("template", node, scope)?;
        if let Value::Text(text) = &node.value
            && let Some(filled) = self.fill(text, node.span, scope.now())
            && (filled.later || filled.secret)
        {
            self.out.push(
                Diagnostic::error("the path of a template must be known before the run")
                    .at(node.span, if filled.secret { "a secret stands in it" } else { "asks for what is known only then" })
                    .help("`${scenario.dir}`, `${vars.NAME}` and `${env.NAME}` are known; the content may ask for anything"),
            );
            return None;
        }
        Some(path)
    }
}

/// A relative path that names something below where it starts, spelled in the one way.
fn is_inside(name: &str) -> bool {
    let parts = || Path::new(name).components();
    !name.is_empty()
        && !name.contains('\0')
        && parts().all(|part| matches!(part, Component::Normal(_)))
        && parts().collect::<PathBuf>().as_os_str() == name
}
