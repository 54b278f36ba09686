//! `e2e-tui replay RECORDING`.

use anyhow::{Context, bail};
use e2e_tui::{
    model::{RunClock, exit_code},
    record::{Recording, default_dir},
    tui::{self, Front},
};
use tokio::sync::watch;

use super::args::ReplayArgs;

/// Shows a recording in the dashboard until the user leaves.
pub(super) fn main(args: &ReplayArgs) -> anyhow::Result<u8> {
    if !tui::is_possible() {
        bail!("the dashboard needs a terminal on stdin and stdout; without one: e2e-tui explain {0}, e2e-tui logs {0}", args.recording);
    }
    let options = args.looks.options(args.no_color)?;
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    let recording = Recording::open_named(&args.recording, &base)?;
    super::warn_broken(&recording);
    let wall = recording.manifest.started.parse().unwrap_or_default();
    let clock = RunClock::standing(wall, recording.snapshot.at);
    let (_shown, snapshot) = watch::channel(recording.snapshot.clone());
    let runtime = super::run_time()?;
    super::panic::remember_terminal(tui::restore);
    let front = tui::spawn(Front {
        snapshot,
        journal: recording.journal.clone(),
        logs: recording.logs.clone(),
        clock,
        commands: None,
        export: None,
        recording: false,
        runtime: runtime.handle().clone(),
        options,
    })?;
    front.join().map_err(|_| anyhow::anyhow!("the dashboard's thread panicked"))?.context("the terminal cannot be used")?;
    Ok(exit_code::PASSED)
}
