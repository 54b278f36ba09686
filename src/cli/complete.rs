//! Completion of command lines in a shell, with the names of scenarios, processes and recordings.
//!
//! `e2e-tui completions SHELL` prints a function that asks this very program, each time, what can stand at the cursor
//! ([`answer`]): names are those of the moment, and options those of this version. Nothing is started for it and nothing
//! written, and a file with mistakes still tells its names.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap::{CommandFactory, builder::StyledStr};
use clap_complete::{
    CompleteEnv, Shell,
    engine::{CompletionCandidate, PathCompleter, ValueCompleter},
    env::Shells,
};
use e2e_tui::{
    record::{Manifest, default_dir, recordings as kept},
    scenario::{BUNDLED, Outline, is_foreign, locate, outline},
    tui::{Layout, Theme, config_dir},
};

use super::Cli;

/// The variable in which the function of a shell says which shell it is.
const ASKED: &str = "E2E_TUI_COMPLETE";
/// So many recordings are offered, the newest.
const RECORDINGS: usize = 20;

/// Answers the function that [`script`] has given to a shell, and ends; returns if no shell has asked.
pub(super) fn answer() {
    CompleteEnv::with_factory(Cli::command).var(ASKED).complete();
}

/// What a shell is to run at its start.
pub(super) fn script(shell: Shell) -> anyhow::Result<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(&shell.to_string()).ok_or_else(|| anyhow::anyhow!("{shell} cannot be asked to complete"))?;
    shell.write_registration(ASKED, "e2e-tui", "e2e-tui", "e2e-tui", &mut script)?;
    Ok(script)
}

/// What can be run: files of the folder and of `scenarios/`, then the bundled ones.
pub(super) fn scenarios(current: &OsStr) -> Vec<CompletionCandidate> {
    let files = PathCompleter::any().filter(|path| path.is_file() && is_scenario(path)).complete(current);
    let folder = std::fs::read_dir("scenarios").into_iter().flatten().flatten();
    let mut there: Vec<_> = folder.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned())).collect();
    there.sort();
    let there = there.into_iter().map(|name| said(&name, "in scenarios/"));
    let bundled = BUNDLED.iter().map(|bundled| said(bundled.name, &bundled.description()));
    files.into_iter().chain(starting(current, there.chain(bundled))).collect()
}

/// Files of other tools.
pub(super) fn foreign(current: &OsStr) -> Vec<CompletionCandidate> {
    PathCompleter::any().filter(|path| path.is_file() && is_foreign(path)).complete(current)
}

/// The processes of the scenario, or of the recording, that the line names.
pub(super) fn processes(current: &OsStr) -> Vec<CompletionCandidate> {
    let of_recording = || named_recording().map(|manifest| manifest.processes.iter().map(ToString::to_string).collect());
    let names = named_scenario().map(|outline| outline.processes).filter(|names| !names.is_empty()).or_else(of_recording);
    starting(current, names.unwrap_or_default().into_iter().map(CompletionCandidate::new)).collect()
}

/// The variables of the scenario that the line names, with the values they have.
pub(super) fn settings(current: &OsStr) -> Vec<CompletionCandidate> {
    let vars = named_scenario().map(|outline| outline.vars).unwrap_or_default();
    let settings = vars.into_iter().map(|(name, value)| said(&format!("{name}="), &format!("now {value}")));
    starting(current, settings).collect()
}

/// The last recordings, by their ids, and archives.
pub(super) fn recordings(current: &OsStr) -> Vec<CompletionCandidate> {
    let last = kept(&default_dir()).unwrap_or_default().into_iter().take(RECORDINGS);
    let ids = last.map(|kept| said(&kept.dir.file_name().unwrap_or_default().to_string_lossy(), kept.verdict()));
    let archives = PathCompleter::any().filter(|path| path.to_string_lossy().ends_with(".tar.zst")).complete(current);
    starting(current, ids).chain(archives).collect()
}

/// Layouts by name, and files.
pub(super) fn layouts(current: &OsStr) -> Vec<CompletionCandidate> {
    by_name(current, Layout::built_in_names(), "layouts")
}

/// Themes by name, and files.
pub(super) fn themes(current: &OsStr) -> Vec<CompletionCandidate> {
    by_name(current, Theme::built_in_names(), "themes")
}

fn by_name(current: &OsStr, built_in: impl Iterator<Item = &'static str>, own: &str) -> Vec<CompletionCandidate> {
    let folder = config_dir().map(|dir| dir.join(own)).unwrap_or_default();
    let own = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let own = own.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()));
    let names = built_in.map(str::to_owned).chain(own).map(CompletionCandidate::new);
    let files = PathCompleter::any().filter(|path| path.is_file() && has_ending(path, "toml")).complete(current);
    starting(current, names).chain(files).collect()
}

/// Where a report goes begins with its kind.
pub(super) fn reports(current: &OsStr) -> Vec<CompletionCandidate> {
    let kinds = ["json=", "junit="];
    let Some((kind, path)) = current.to_str().and_then(|text| text.split_once('=')) else {
        return starting(current, kinds.into_iter().map(CompletionCandidate::new)).collect();
    };
    PathCompleter::any().complete(OsStr::new(path)).into_iter().map(|path| path.add_prefix(format!("{kind}="))).collect()
}

fn said(value: &str, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(StyledStr::from(help.to_owned())))
}

fn starting(current: &OsStr, all: impl Iterator<Item = CompletionCandidate>) -> impl Iterator<Item = CompletionCandidate> {
    let begun = current.to_string_lossy().into_owned();
    all.filter(move |candidate| candidate.get_value().to_string_lossy().starts_with(&begun))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
}

/// Whether a file may be a scenario: other tools keep TOML and YAML beside ours.
fn is_scenario(path: &Path) -> bool {
    let other = ["Cargo.toml", "pyproject.toml", "rustfmt.toml", "clippy.toml"];
    let known = path.file_name().is_some_and(|name| other.iter().any(|other| name == *other));
    has_ending(path, "toml") && !known || is_foreign(path)
}

/// The words of the line, as the shell has handed them over behind `--`.
fn words() -> impl Iterator<Item = String> {
    let all = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    all.skip_while(|word| word != "--").skip(2)
}

/// What the scenario on the line names.
fn named_scenario() -> Option<Outline> {
    let own = ["run", "check", "logs", "replay", "explain", "export", "list", "init", "import"];
    let named = words().map(|word| word.strip_prefix("--scenario=").map_or(word.clone(), str::to_owned));
    let mut named = named.filter(|word| !word.is_empty() && !word.starts_with('-') && !own.contains(&word.as_str()));
    named.find_map(|word| locate(&word).ok()).map(|located| outline(&located))
}

/// What the recording on the line says of itself.
fn named_recording() -> Option<Manifest> {
    let base = default_dir();
    let folders = words().filter(|word| !word.is_empty()).flat_map(move |word| [base.join(&word), PathBuf::from(word)]);
    folders.into_iter().find_map(|folder| Manifest::read(&folder).ok())
}
