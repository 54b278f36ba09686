//! From a name on the command line to a scenario that can be run.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use e2e_tui::{
    process::{runs_dir, sweep_dead_runs},
    record::Keep,
    scenario::{Leases, Located, Overrides, Parts, Resolved, Scenario, load, locate},
};

use super::{args::Common, say::tell};

/// Diagnostics as they are shown: they bring their own headings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Rendered(String);

/// Finds and reads a scenario; all its mistakes are in the error.
pub(super) fn read(name: &str, common: &Common) -> anyhow::Result<Scenario> {
    understand(&locate(name)?, common)
}

/// Reads a scenario that was found; all its mistakes are in the error.
pub(super) fn understand(located: &Located, common: &Common) -> anyhow::Result<Scenario> {
    let colour = colour_on_stderr(common);
    let scenario = load(located, &overrides(common)?).map_err(|diagnostics| Rendered(diagnostics.render(colour)))?;
    for note in &located.notes {
        tell!("not as in {}: {note}", located.name);
    }
    if !scenario.warnings().is_empty() {
        tell!("{}", scenario.warnings().render(colour));
    }
    Ok(scenario)
}

/// Leases its ports and resolves every name in it.
pub(super) fn resolve(scenario: &Scenario, common: &Common) -> anyhow::Result<Resolved> {
    let parts = Parts { exe: own_exe()? };
    let resolved = scenario.resolve(&mut Leases::new()?, &parts);
    let resolved = match resolved {
        // A port may be held by what a run has left that was killed together with its guardian.
        Err(_) if end_leftovers() => scenario.resolve(&mut Leases::new()?, &parts),
        resolved => resolved,
    };
    resolved.map_err(|diagnostics| Rendered(diagnostics.render(colour_on_stderr(common))).into())
}

/// Ends what dead runs have left alive, and says so; false if there was nothing.
fn end_leftovers() -> bool {
    let swept = sweep_dead_runs(&runs_dir());
    for run in &swept {
        tell!("{run}");
    }
    !swept.is_empty()
}

/// Where this run's recording goes.
pub(super) fn keep(common: &Common) -> Keep {
    common.recordings_dir.clone().map_or(Keep::Default, Keep::In)
}

/// Whether stderr takes colours.
pub(super) fn colour_on_stderr(common: &Common) -> bool {
    use std::io::IsTerminal;
    !common.no_color && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stderr().is_terminal()
}

/// Whether stdout takes colours.
pub(super) fn colour_on_stdout(common: &Common) -> bool {
    use std::io::IsTerminal;
    !common.no_color && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::io::stdout().is_terminal()
}

/// The path of this very program, which is also the built-in parts.
fn own_exe() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("the path of this program is not known, and the built-in parts are in it")
}

/// What the command line changes in the file.
pub(super) fn overrides(common: &Common) -> anyhow::Result<Overrides> {
    let mut overrides = Overrides::default();
    for pair in &common.set {
        let (name, value) = pair.split_once('=').ok_or_else(|| anyhow!("--set {pair}: write --set NAME=VALUE"))?;
        overrides.set.insert(name.to_owned(), value.to_owned());
    }
    overrides.only.clone_from(&common.only);
    overrides.layouts = match common.looks.options(true) {
        Ok(looks) => Some(looks.layouts.iter().map(|layout| layout.name().to_owned()).collect()),
        // A name on the command line is right or wrong, whether this command shows anything or not.
        Err(error) if common.looks.is_asked_for() => return Err(error),
        // Where the user's own files are wrong, that is told when they are used; steps are then not held against them.
        Err(_) => None,
    };
    Ok(overrides)
}
