//! `e2e-tui run FILE`.

use std::{io, path::PathBuf, sync::Arc};

use anyhow::{anyhow, bail};
use e2e_tui::{
    headless::{self, Colour, HeadlessOptions, Report, Target},
    record::{LiveRun, RunRequest},
    scenario::Resolved,
};

use super::{
    args::{Common, RunArgs},
    scenario,
};

/// Runs the scenario headless and returns the verdict's code.
pub(super) fn main(args: RunArgs) -> anyhow::Result<u8> {
    // What is written at the end is checked before the start.
    let report_json = report_path(&args.report)?.map(|path| Target::check(path, args.force)).transpose()?;
    let archive = args.archive.map(|path| Target::check(path, args.force)).transpose()?;
    if let (Some(report), Some(archive)) = (&report_json, &archive)
        && report.path() == archive.path()
    {
        bail!("--report and --archive both name {}", report.path().display());
    }
    args.archive_on_failure.as_deref().map_or(Ok(()), Target::check_folder)?;
    let options = HeadlessOptions {
        colour: if scenario::colour_on_stdout(&args.common) { Colour::Yes } else { Colour::No },
        quiet: args.quiet,
        report_json: report_json.clone(),
        archive,
        archive_on_failure: args.archive_on_failure,
        force: args.force,
        recordings_dir: args.common.recordings_dir.clone(),
    };
    let prepared = scenario::read(&args.scenario, &args.common).and_then(|file| scenario::resolve(&file, &args.common));
    let code = prepared.and_then(|resolved| run(resolved, args.timeout, &args.common, options));
    if let (Err(error), Some(target)) = (&code, &report_json)
        && let Err(trouble) = target.write(Report::error(&args.scenario, &format!("{error:#}")).to_json().as_bytes())
    {
        eprintln!("warning: no report: {trouble}");
    }
    code
}

fn run(resolved: Resolved, timeout: Option<std::time::Duration>, common: &Common, options: HeadlessOptions) -> anyhow::Result<u8> {
    let Resolved { spec, secrets, leases, run_dir } = resolved;
    let timeout = timeout.or(spec.timeout);
    let runtime = super::run_time()?;
    let code = runtime.block_on(async move {
        let keep = scenario::keep(common);
        let live = LiveRun::start(RunRequest { spec: Arc::new(spec), secrets, keep, end_when_done: true, timeout })?;
        if let Some(dir) = live.dir() {
            super::panic::remember_recording(dir.path.clone());
        }
        let ended = headless::run(live, options, &mut io::stderr()).await;
        // Held to the end: two runs never share a port, and `${run.dir}` outlives every process.
        drop((leases, run_dir));
        ended.map(|(_, code)| code).map_err(|error| anyhow!("the output cannot be printed: {error}"))
    });
    // A reader of stdout that stalls, or an export that was given up, is not waited for.
    runtime.shutdown_background();
    code
}

fn report_path(reports: &[String]) -> anyhow::Result<Option<PathBuf>> {
    let mut json = None;
    for report in reports {
        match report.split_once('=') {
            Some(("json", path)) if !path.is_empty() => json = Some(PathBuf::from(path)),
            _ => bail!("--report {report}: write --report json=FILE"),
        }
    }
    Ok(json)
}
