//! `e2e-tui --scenario FILE`: the dashboard on a live run.

use std::sync::Arc;

use anyhow::{Context, bail};
use e2e_tui::{
    explain::{Closing, closing_block, explain},
    model::{Actor, Command},
    record::{LiveRun, RunRequest},
    supervisor::{RunHandle, obey_signals},
    tui::{self, Ended, Front, Options, Refused},
};

use super::{args::Target, scenario};

/// Opens the dashboard and returns the verdict's code once it is closed.
pub(super) fn main(target: &Target) -> anyhow::Result<u8> {
    let Some(name) = &target.scenario else {
        bail!("no scenario given: e2e-tui --scenario forward.toml");
    };
    if !tui::is_possible() {
        bail!("the dashboard needs a terminal on stdin and stdout; without one use: e2e-tui run {name}");
    }
    let file = scenario::read(name, &target.common)?;
    let resolved = scenario::resolve(&file, &target.common)?;
    let mut options = Options::from_env();
    if target.common.no_color {
        options.look = options.look.without_colours();
    }
    tui::collect_own_log();
    super::panic::remember_terminal(tui::restore);
    let runtime = super::run_time()?;
    let timeout = resolved.spec.timeout;
    let code = runtime.block_on(async {
        let live = LiveRun::start(RunRequest {
            spec: Arc::new(resolved.spec),
            secrets: resolved.secrets,
            keep: scenario::keep(&target.common),
            end_when_done: false,
            timeout,
        })?;
        if let Some(dir) = live.dir() {
            super::panic::remember_recording(dir.path.clone());
        }
        show(live, options).await
    });
    // Held to the end: two runs never share a port.
    drop(resolved.leases);
    code
}

async fn show(live: LiveRun, options: Options) -> anyhow::Result<u8> {
    let handle = live.handle().clone();
    let recorded = live.dir().map(|dir| dir.path.display().to_string());
    let signals = tokio::spawn(obey_signals(handle.clone()));
    handle.observe(true);
    let dashboard = tui::spawn(front(&handle, recorded.is_some(), options)).context("the dashboard's thread could not be started")?;
    let ended = tokio::task::spawn_blocking(move || dashboard.join()).await;
    let ended = match ended {
        Ok(Ok(Ok(ended))) => ended,
        // Whatever happened to the screen, the run is taken down in order.
        Ok(Ok(Err(error))) => {
            super::report(&anyhow::Error::new(error).context("the terminal cannot be used any more"));
            Ended::TerminalGone
        }
        Ok(Err(_)) | Err(_) => Ended::TerminalGone,
    };
    match ended {
        Ended::Over => {}
        Ended::Forced => drop(handle.send(Command::Shutdown { now: true }, Actor::You)),
        Ended::TerminalGone => drop(handle.send(Command::Shutdown { now: false }, Actor::Supervisor)),
    }
    let verdict = handle.snapshot();
    let outcome = live.finish().await;
    signals.abort();
    let explanation = explain(&handle.journal().from(0), &handle.logs());
    let end = handle.snapshot();
    let block = closing_block(&Closing { end: &end, verdict: &verdict, explanation: explanation.as_ref(), recorded, last_lines: false });
    eprint!("{block}");
    Ok(outcome.exit_code)
}

fn front(handle: &RunHandle, recording: bool, options: Options) -> Front {
    let (asked, runtime) = (handle.clone(), tokio::runtime::Handle::current());
    let tickets = runtime.clone();
    Front {
        snapshot: handle.watch(),
        journal: handle.journal(),
        logs: handle.logs(),
        clock: handle.clock(),
        commands: Some(Box::new(move |command: Command, refused: Refused| {
            let ticket = asked.send(command, Actor::You);
            tickets.spawn(async move {
                if let Err(why) = ticket.done().await {
                    refused(why);
                }
            });
        })),
        export: None,
        recording,
        runtime,
        options,
    }
}
