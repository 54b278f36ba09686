//! `e2e-tui` alone: what can be run or replayed here, to choose from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use e2e_tui::{
    model::{Role, Verdict, exit_code, human_duration},
    record::{Manifest, default_dir},
    scenario::{BUNDLED, Located, Overrides, Scenario, load, locate},
    tui::{self, Choice, Picked, Place},
};
use jiff::Timestamp;

use super::{
    args::{ReplayArgs, Target},
    check, dashboard, init, replay,
};

/// So many files of a folder are looked at; more scenarios than this nobody looks through.
const MAX_FILES: usize = 200;
/// So many of the last recordings are offered.
const RECORDINGS: usize = 20;
/// So many are searched for a scenario's last run.
const REMEMBERED: usize = 200;

/// Lets the user choose, and does what they chose.
pub(super) fn main(target: &Target) -> anyhow::Result<u8> {
    if !tui::is_possible() {
        bail!(
            "no scenario given, and the picker needs a terminal on stdin and stdout; without one: e2e-tui run FILE (e2e-tui list names the bundled ones)"
        );
    }
    tui::wait_for_front()?;
    let options = target.common.looks.options(target.common.no_color)?;
    let base = target.common.recordings_dir.clone().unwrap_or_else(default_dir);
    let choices = choices(Path::new(""), &base, Timestamp::now());
    super::panic::remember_terminal(tui::restore_for_good);
    let picked = tui::pick(&choices, &options).context("the terminal cannot be used")?;
    let name = |number: usize| choices[number].name.clone();
    match picked {
        Picked::Open(number) if choices[number].place == Place::Recording => replay::main(&ReplayArgs {
            recording: Some(name(number)),
            last_failed: false,
            recordings_dir: target.common.recordings_dir.clone(),
            no_color: target.common.no_color,
            looks: target.common.looks.clone(),
        }),
        Picked::Open(number) => dashboard::open(&located(&choices[number])?, &target.common, options),
        Picked::Check(number) => check::plan(&located(&choices[number])?, &target.common),
        Picked::Init => init::here(),
        Picked::Nothing => Ok(exit_code::PASSED),
        Picked::Asked(signal) => Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
    }
}

/// The scenario behind a choice. A file here never stands in for a bundled one of its name.
fn located(choice: &Choice) -> anyhow::Result<Located> {
    let bundled = BUNDLED.iter().find(|bundled| choice.place == Place::Bundled && bundled.name == choice.name);
    Ok(match bundled {
        Some(bundled) => Located::bundled(bundled, &std::env::current_dir().context("the current folder is gone")?),
        None => locate(&choice.name)?,
    })
}

/// Everything to choose from: scenarios of the folder `here`, bundled ones, the last recordings in `base`.
fn choices(here: &Path, base: &Path, now: Timestamp) -> Vec<Choice> {
    let recordings = recordings(base);
    let mut choices = scenarios_here(here, &recordings, now);
    choices.extend(BUNDLED.iter().map(|bundled| {
        let origin = format!("bundled {}.toml", bundled.name);
        let (last, failed) = last_run(&recordings, &origin, bundled.name, now);
        Choice { name: bundled.name.to_owned(), place: Place::Bundled, what: bundled.description(), last, failed }
    }));
    choices.extend(recordings.iter().take(RECORDINGS).map(recording));
    choices
}

/// Scenario files in the folder itself and in its `scenarios/`.
fn scenarios_here(here: &Path, recordings: &[Manifest], now: Timestamp) -> Vec<Choice> {
    let mut found = Vec::new();
    for (folder, surely) in [("scenarios", true), ("", false)] {
        for file in toml_files(&here.join(folder)) {
            let name = Path::new(folder).join(&file).display().to_string();
            let Ok(located) = locate(&here.join(&name).display().to_string()) else { continue };
            let read = load(&located, &Overrides::default());
            // Other tools keep TOML files beside ours.
            if read.is_err() && !surely && !holds_processes(&here.join(&name)) {
                continue;
            }
            let (what, scenario) = match &read {
                Ok(scenario) => (counts(scenario), scenario.name().to_owned()),
                Err(mistakes) => (format!("{}: c shows them", counted(mistakes.errors(), "mistake")), String::new()),
            };
            let (last, failed) = last_run(recordings, &name, &scenario, now);
            found.push(Choice { name, place: Place::Here, what, last, failed: failed || read.is_err() });
        }
    }
    found
}

/// The names of a folder's TOML files, sorted.
fn toml_files(folder: &Path) -> Vec<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().is_file()).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| name.strip_suffix(".toml").is_some() && !name.starts_with('.')).take(MAX_FILES).collect();
    names.sort();
    names
}

/// Whether a file that has mistakes is meant to be a scenario at all.
fn holds_processes(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.trim_start().starts_with("[process.")))
}

/// `4 processes, 2 tests`.
fn counts(scenario: &Scenario) -> String {
    let processes = &scenario.draft().processes;
    let tests = processes.values().filter(|process| process.role == Role::Test).count();
    let all = if processes.len() == 1 { "1 process".to_owned() } else { format!("{} processes", processes.len()) };
    if tests == 0 { all } else { format!("{all}, {}", counted(tests, "test")) }
}

fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The manifests of the last recordings, newest first. What cannot be read is no recording to choose.
fn recordings(base: &Path) -> Vec<Manifest> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // Their names begin with the minute they were made in.
    folders.sort();
    let mut manifests: Vec<Manifest> = folders.iter().rev().take(REMEMBERED).filter_map(|folder| Manifest::read(folder).ok()).collect();
    manifests.sort_by(|a, b| b.started.cmp(&a.started));
    manifests
}

/// A recording to choose: `FAILED  41.2 s   client-a exit 1`.
fn recording(manifest: &Manifest) -> Choice {
    let (verdict, failed) = verdict(manifest);
    let took = manifest.duration_ms.map(|ms| format!("  {}", human_duration(std::time::Duration::from_millis(ms))));
    let reason = manifest.outcome.as_ref().filter(|_| failed).map(|outcome| format!("   {}", outcome.reason));
    let what = format!("{verdict}{}{}", took.unwrap_or_default(), reason.unwrap_or_default());
    Choice { name: manifest.id.clone(), place: Place::Recording, what, last: None, failed }
}

/// The word of a run, loud only if it says that something is wrong.
fn verdict(manifest: &Manifest) -> (String, bool) {
    match &manifest.outcome {
        Some(outcome) => match outcome.verdict {
            Verdict::Passed | Verdict::Stopped => (outcome.verdict.word().to_owned(), false),
            // Whatever else there may be is not well.
            _ => (outcome.verdict.badge().to_owned(), true),
        },
        None if manifest.lease.is_held() => ("runs now".into(), false),
        None => ("broken off".into(), true),
    }
}

/// How the last run of a scenario ended: `FAILED 3 min ago`; and whether that was a failure.
fn last_run(recordings: &[Manifest], origin: &str, scenario: &str, now: Timestamp) -> (Option<String>, bool) {
    let Some(last) = recordings.iter().find(|manifest| manifest.origin == origin && manifest.scenario == scenario) else {
        return (None, false);
    };
    let (verdict, failed) = verdict(last);
    let when = last.started.parse::<Timestamp>().map(|started| ago(now.duration_since(started).as_secs())).unwrap_or_default();
    (Some(format!("{verdict} {when}").trim_end().to_owned()), failed)
}

/// `3 min ago`.
fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => "just now".into(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}
