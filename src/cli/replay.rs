//! `e2e-tui replay RECORDING`.

use std::{io, path::Path};

use anyhow::{Context, bail};
use e2e_tui::{
    model::{RunClock, exit_code},
    record::{Kept, Recording, default_dir, recordings},
    tui::{self, Front},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::args::ReplayArgs;

/// Shows a recording in the dashboard until the user leaves.
pub(super) fn main(args: &ReplayArgs) -> anyhow::Result<u8> {
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    let name = match &args.recording {
        Some(name) => name.clone(),
        None => last_failed(&base)?,
    };
    if !tui::is_possible() {
        bail!("the dashboard needs a terminal on stdin and stdout; without one: e2e-tui explain {name}, e2e-tui logs {name}");
    }
    tui::wait_for_front()?;
    let options = args.looks.options(args.no_color)?;
    let recording = Recording::open_named(&name, &base)?;
    super::warn_broken(&recording);
    let wall = recording.manifest.started.parse().unwrap_or_default();
    let clock = RunClock::standing(wall, recording.snapshot.at);
    let (_shown, snapshot) = watch::channel(recording.snapshot.clone());
    let runtime = super::run_time()?;
    super::panic::remember_terminal(tui::restore_for_good);
    {
        let _inside = runtime.enter();
        leave_when_asked()?;
    }
    let front = Front {
        snapshot,
        journal: recording.journal.clone(),
        logs: recording.logs.clone(),
        traffic: recording.traffic.clone(),
        clock,
        commands: None,
        resize_terminals: None,
        suspend: None,
        export: None,
        recording: false,
        runtime: runtime.handle().clone(),
        options,
    };
    tui::run(front).context("the terminal cannot be used")?;
    Ok(exit_code::PASSED)
}

/// There is nothing to stop: who asks for this program's end gets the terminal back and that end.
fn leave_when_asked() -> io::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()] {
        let mut asked = signal(kind)?;
        tokio::spawn(async move {
            if asked.recv().await.is_some() {
                tui::restore_for_good();
                std::process::exit(128 + kind.as_raw_value());
            }
        });
    }
    Ok(())
}

/// The newest recording of a run that did not pass.
fn last_failed(base: &Path) -> anyhow::Result<String> {
    let failed = recordings(base)?.into_iter().find(Kept::has_failed);
    let dir = failed.with_context(|| format!("no recording in {} is of a run that did not pass", base.display()))?.dir;
    Ok(dir.file_name().unwrap_or_default().to_string_lossy().into_owned())
}
