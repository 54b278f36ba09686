//! `e2e-tui run FILE`.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{anyhow, bail};
use e2e_tui::{
    headless::{self, Colour, Ended, HeadlessOptions, Output, Reports, Tally, Target},
    model::exit_code,
    record::{LiveRun, RunRequest},
    scenario::{Resolved, Scenario, nearest},
    supervisor::ScriptOptions,
};
use tokio::runtime::Runtime;

use super::{
    args::{Common, RunArgs},
    say::tell,
    scenario,
};

/// Runs the scenario headless and returns the verdict's code.
pub(super) fn main(args: &RunArgs) -> anyhow::Result<u8> {
    let options = options(args)?;
    let code = scenario::read(&args.scenario, &args.common).and_then(|file| {
        let runtime = super::run_time()?;
        let most = if args.until_fail { args.repeat.unwrap_or(u32::MAX) } else { args.repeat.unwrap_or(1) };
        let code = if args.until_fail || args.repeat.is_some() {
            repeat(&runtime, &file, args, &options, most)
        } else {
            once(&runtime, &file, args, &options).map(|(ended, _)| {
                ended.write_reports(&mut io::stderr());
                ended.exit_code
            })
        };
        // A reader of stdout that stalls, or an export that was given up, is not waited for.
        runtime.shutdown_background();
        code
    });
    if let Err(error) = &code {
        headless::write_error(&options, &args.scenario, &format!("{error:#}"), &mut io::stderr());
    }
    code
}

/// Whether `path` is the file of a scenario that is named so.
fn is_same(path: &str, scenario: &str) -> bool {
    let names = [scenario.to_owned(), format!("{scenario}.toml"), format!("scenarios/{scenario}"), format!("scenarios/{scenario}.toml")];
    let Ok(path) = std::fs::canonicalize(path) else { return false };
    names.iter().filter_map(|name| std::fs::canonicalize(name).ok()).any(|file| file == path)
}

/// What is written at the end is checked before the start.
fn options(args: &RunArgs) -> anyhow::Result<HeadlessOptions> {
    let mut reports = Reports::default();
    for report in &args.report {
        let Some((kind, path)) = report.split_once('=').filter(|(_, path)| !path.is_empty()) else {
            bail!("--report {report}: write --report json=FILE or --report junit=FILE");
        };
        let place = match kind {
            "json" => &mut reports.json,
            "junit" => &mut reports.junit,
            _ => {
                let meant = nearest(kind, ["json", "junit"]).map_or_else(String::new, |kind| format!("; did you mean `{kind}`?"));
                bail!("--report {report}: there are the kinds json and junit{meant}");
            }
        };
        if is_same(path, &args.scenario) {
            bail!("--report {report}: that is the scenario itself: choose another name");
        }
        // A report tells of the newest run, as everywhere in CI; only archives are kept from being written over.
        if place.replace(Target::check(path, true)?).is_some() {
            bail!("--report {report}: there is a {kind} report already");
        }
    }
    let archive = args.archive.clone().map(|path| Target::check(path, args.force)).transpose()?;
    let mut paths: Vec<&Path> = [&reports.json, &reports.junit, &archive].into_iter().flatten().map(Target::path).collect();
    paths.sort_unstable();
    if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("{} is named twice: each report and archive needs a file of its own", pair[0].display());
    }
    let taken = [&reports.json, &reports.junit, &archive].into_iter().flatten().any(Target::is_stdout);
    if taken && args.events {
        bail!("stdout carries the events: give the report or the archive a file");
    }
    args.archive_on_failure.as_deref().map_or(Ok(()), Target::check_folder)?;
    Ok(HeadlessOptions {
        colour: if scenario::colour_on_stdout(&args.common) { Colour::Yes } else { Colour::No },
        // What goes to stdout goes there alone.
        output: match (args.quiet || taken, args.events) {
            (_, true) => Output::Events,
            (true, _) => Output::Nothing,
            _ => Output::Log,
        },
        // A terminal that cannot clear a row would show each state of the line for good.
        progress: std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb"),
        rehearse: args.rehearse.then(|| args.from_step.unwrap_or(1)),
        annotations: std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
        reports,
        archive,
        archive_on_failure: args.archive_on_failure.clone(),
        force: args.force,
        recordings_dir: args.common.recordings_dir.clone(),
    })
}

/// One run, with ports of its own. Also returns the folder of its recording.
fn once(runtime: &Runtime, file: &Scenario, args: &RunArgs, options: &HeadlessOptions) -> anyhow::Result<(Ended, Option<PathBuf>)> {
    let resolved = scenario::resolve(file, &args.common)?;
    let script = ScriptOptions { from_step: args.from_step.unwrap_or(1), rehearse: args.rehearse };
    match (resolved.spec.steps.len(), args.from_step) {
        (0, Some(_)) => bail!("--from-step: {} has no steps: add a [[step]] to it", args.scenario),
        (0, None) if args.rehearse => bail!("--rehearse: {} has no steps: add a [[step]] to it", args.scenario),
        (of, Some(step)) if step as usize > of => {
            bail!("--from-step {step}: {} has {of} step{}", args.scenario, if of == 1 { "" } else { "s" })
        }
        _ => {}
    }
    runtime.block_on(run(resolved, script, args.timeout, &args.common, options))
}

async fn run(
    resolved: Resolved,
    script: ScriptOptions,
    timeout: Option<Duration>,
    common: &Common,
    options: &HeadlessOptions,
) -> anyhow::Result<(Ended, Option<PathBuf>)> {
    let Resolved { spec, secrets, leases, run_dir } = resolved;
    let timeout = timeout.or(spec.timeout);
    let keep = scenario::keep(common);
    let screen = headless::child_screen(spec.processes.keys());
    let request =
        RunRequest { spec: Arc::new(spec), secrets, keep, end_when_done: true, timeout, screen, script, replace_archives: options.force };
    let live = LiveRun::start(request)?;
    let dir = live.dir().map(|dir| dir.path.clone());
    if let Some(dir) = &dir {
        super::panic::remember_recording(dir.clone());
    }
    let ended = headless::run(live, options, &mut io::stderr()).await;
    // Held to the end: two runs never share a port, and `${run.dir}` outlives every process.
    drop((leases, run_dir));
    Ok((ended.map_err(|error| anyhow!("the output cannot be printed: {error}"))?, dir))
}

/// Many runs, one after the other. The code is that of the first that did not pass; its reports are written, else the last
/// run's. Of the recordings those of failures and of the last pass are kept.
fn repeat(runtime: &Runtime, file: &Scenario, args: &RunArgs, options: &HeadlessOptions, most: u32) -> anyhow::Result<u8> {
    let (mut tally, mut failed, mut last): (Tally, Option<Ended>, Option<Ended>) = (Tally::default(), None, None);
    let mut last_pass: Option<PathBuf> = None;
    for n in 1..=most {
        let (ended, dir) = once(runtime, file, args, options)?;
        let interrupted = ended.is_interrupted();
        let passed = ended.exit_code == exit_code::PASSED && !interrupted;
        tally.add(passed, ended.took);
        let of = if args.repeat.is_some() { format!(" of {most}") } else { String::new() };
        tell!("run {n}{of}: {tally}\n");
        if passed && let Some(before) = last_pass.replace(dir.unwrap_or_default()).filter(|before| !before.as_os_str().is_empty()) {
            // Only a run that passed again takes the place of one that passed.
            if let Err(error) = std::fs::remove_dir_all(&before) {
                tell!("warning: {} stays: {error}", before.display());
            }
        }
        if passed {
            last = Some(ended);
        } else {
            failed.get_or_insert(ended);
        }
        if interrupted || !passed && args.until_fail {
            break;
        }
    }
    let Some(told) = failed.or(last) else { return Ok(exit_code::PASSED) };
    told.write_reports(&mut io::stderr());
    Ok(told.exit_code)
}
