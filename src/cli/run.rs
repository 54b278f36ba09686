//! `e2e-tui run FILE`.

use std::{io, path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use e2e_tui::{
    headless::{self, Colour, HeadlessOptions, Report},
    model::exit_code,
    record::{LiveRun, RunRequest, write_private},
};

use super::{args::RunArgs, scenario};

/// Runs the scenario headless and returns the verdict's code.
pub(super) fn main(args: RunArgs) -> anyhow::Result<u8> {
    let report_json = report_path(&args.report)?;
    let prepared = scenario::read(&args.scenario, &args.common).and_then(|file| scenario::resolve(&file, &args.common));
    let resolved = match prepared {
        Ok(resolved) => resolved,
        Err(error) => {
            if let Some(path) = &report_json {
                let report = Report::error(&args.scenario, &error.to_string());
                write_private(path, report.to_json().as_bytes())
                    .with_context(|| format!("the report could not be written to {}", path.display()))?;
            }
            return Err(error);
        }
    };
    let colour = if scenario::colour_on_stdout(&args.common) { Colour::Yes } else { Colour::No };
    let timeout = args.timeout.or(resolved.spec.timeout);
    let runtime = super::run_time()?;
    runtime.block_on(async move {
        let live = LiveRun::start(RunRequest {
            spec: Arc::new(resolved.spec),
            secrets: resolved.secrets,
            keep: scenario::keep(&args.common),
            end_when_done: true,
            timeout,
        });
        let live = match live {
            Ok(live) => live,
            Err(error) => bail!(error),
        };
        if let Some(dir) = live.dir() {
            super::panic::remember_recording(dir.path.clone());
        }
        let options = HeadlessOptions {
            colour,
            quiet: args.quiet,
            report_json,
            archive: args.archive,
            archive_on_failure: args.archive_on_failure,
            force: args.force,
        };
        let outcome = headless::run(live, options, &mut io::stderr()).await;
        // Held to the end: two runs never share a port, and `${run.dir}` outlives every process.
        drop((resolved.leases, resolved.run_dir));
        match outcome {
            Ok(outcome) => Ok(outcome.exit_code),
            Err(error) => {
                super::report(&error.into());
                Ok(exit_code::USAGE)
            }
        }
    })
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
