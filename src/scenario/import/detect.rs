//! Whose file it is, and who reads it.

use std::path::{Component, Path, PathBuf};

use super::{
    super::{
        diagnostics::Diagnostics,
        source::{self, ReadError},
    },
    draft::Draft,
    procfile,
};

/// A file of another tool, as a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The scenario file.
    pub text: String,
    /// What the other file says and a scenario cannot, or what was understood with a grain of salt.
    pub notes: Vec<String>,
}

/// Why a file did not become a scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// It is none of the known forms.
    #[error("{path} is no Procfile, process-compose.yaml or mprocs.yaml{hint}")]
    Unknown {
        /// The file.
        path: String,
        /// What it may be.
        hint: &'static str,
    },
    /// Its form is wrong, at places that are shown.
    #[error(transparent)]
    Mistakes(Diagnostics),
    /// It is one of them, and wrong.
    #[error("{path}: {why}")]
    Wrong {
        /// The file.
        path: String,
        /// What is wrong, with its line where that is known.
        why: String,
    },
}

impl ImportError {
    /// The mistakes with their places, where these are known.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        if let Self::Mistakes(diagnostics) = self { Some(diagnostics) } else { None }
    }
}

/// Whether a file's name is that of another tool's.
pub fn is_foreign(path: &Path) -> bool {
    is_procfile(path) || is_yaml(path)
}

fn is_procfile(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    name == "procfile" || name.starts_with("procfile.") || name.ends_with(".procfile")
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml"))
}

/// Reads a file of another tool, for a scenario that will lie beside it.
pub fn import(path: &Path) -> Result<Imported, ImportError> {
    read(path, path, "")
}

/// The same of a file that a user calls `shown`.
pub(in crate::scenario) fn import_shown(path: &Path, shown: &Path) -> Result<Imported, ImportError> {
    read(path, shown, "")
}

/// The same for a scenario that will lie in `folder`: paths in it start there.
pub fn import_for(path: &Path, folder: &Path) -> Result<Imported, ImportError> {
    let theirs = path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_path_buf()));
    let from_ours = theirs.zip(folder.canonicalize().ok()).map(|(theirs, ours)| relative(&ours, &theirs));
    read(path, path, &from_ours.unwrap_or_default())
}

/// The way from one absolute folder to another; empty if they are the same.
fn relative(from: &Path, to: &Path) -> String {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect::<PathBuf>().to_string_lossy().into_owned()
}

fn read(path: &Path, shown: &Path, folder: &str) -> Result<Imported, ImportError> {
    let shown = shown.display().to_string();
    let text = source::read_text(path).map_err(|why: ReadError| ImportError::Unreadable { path: shown.clone(), why: why.to_string() })?;
    let theirs = path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_path_buf()));
    let name = theirs.as_ref().and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()));
    let mut draft = Draft::named(name.as_deref().unwrap_or("imported"), &shown, folder);
    if is_procfile(path) {
        if theirs.is_some_and(|folder| folder.join(".env").exists()) {
            draft.note("the `.env` file beside it is not read: its variables go into `[defaults] env`, its secrets into `[secrets]`");
        }
        procfile::read(&text, &mut draft).map_err(|why| ImportError::Wrong { path: shown.clone(), why })?;
    } else if is_yaml(path) {
        read_yaml(&text, &shown, &mut draft)?;
    } else {
        return Err(ImportError::Unknown { path: shown, hint: "" });
    }
    if draft.is_empty() {
        return Err(ImportError::Wrong { path: shown, why: "it names no process".to_owned() });
    }
    Ok(draft.write())
}

#[cfg(feature = "yaml")]
fn read_yaml(text: &str, shown: &str, draft: &mut Draft) -> Result<(), ImportError> {
    let file = super::yaml::read(text).map_err(|mistake| mistaken(text, shown, mistake))?;
    if let Some(processes) = &file.processes {
        super::compose::read(&file.top, processes, draft).map_err(|why| ImportError::Wrong { path: shown.to_owned(), why })?;
    } else if let Some(procs) = &file.procs {
        super::mprocs::read(&file.top, procs, draft);
    } else {
        let hint = if file.top.contains_key("services") { ": docker compose runs containers, and scenarios processes" } else { "" };
        return Err(ImportError::Unknown { path: shown.to_owned(), hint });
    }
    Ok(())
}

/// A mistake with its excerpt.
#[cfg(feature = "yaml")]
fn mistaken(text: &str, shown: &str, mistake: super::yaml::Mistake) -> ImportError {
    use super::super::{
        diagnostics::{Collector, Diagnostic},
        source::{Sources, Span},
    };
    let Some((line, column)) = mistake.at else { return ImportError::Wrong { path: shown.to_owned(), why: mistake.what } };
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let (at, width) = match rest.char_indices().nth(column.saturating_sub(1)) {
        Some((at, c)) if c != '\n' => (at, c.len_utf8()),
        Some((at, _)) => (at, 0),
        None => (rest.len(), 0),
    };
    let mut sources = Sources::default();
    let source = sources.add(shown, "", text);
    let span = Span { source, start: before + at, end: before + at + width };
    let mut out = Collector::default();
    let message = format!("the file is not YAML as it should be: {}", mistake.what);
    out.push(Diagnostic::error(message).at(span, "here").maybe_help(mistake.help.map(str::to_owned)));
    ImportError::Mistakes(out.finish(std::sync::Arc::new(sources)))
}

#[cfg(not(feature = "yaml"))]
fn read_yaml(_: &str, shown: &str, _: &mut Draft) -> Result<(), ImportError> {
    Err(ImportError::Unknown { path: shown.to_owned(), hint: " that this build can read: it lacks the feature `yaml`" })
}
