//! Our own panic: the terminal is given back, the message stays readable, exit code 101. The guardian kills everything
//! as soon as this process is gone, whatever state it is in.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic,
    path::PathBuf,
    sync::OnceLock,
};

use e2e_tui::model::exit_code;

use super::say::tell;

/// The recording of the run under way.
static RECORDING: OnceLock<PathBuf> = OnceLock::new();
/// Gives the terminal back.
static RESTORE: OnceLock<fn()> = OnceLock::new();

/// Says where the recording is, should this program panic.
pub(super) fn remember_recording(path: PathBuf) {
    let _ = RECORDING.set(path);
}

/// Says how the terminal is given back, should this program panic.
pub(super) fn remember_terminal(restore: fn()) {
    let _ = RESTORE.set(restore);
}

/// Any thread's panic ends the program: a supervisor that lost a part cannot keep its promises.
pub(super) fn install() {
    panic::set_hook(Box::new(|info| {
        if let Some(restore) = RESTORE.get() {
            restore();
        }
        tell!("e2e-tui has a bug and ends: {info}");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tell!("{backtrace}");
        }
        tell!("Everything it started is being killed.");
        if let Some(recording) = RECORDING.get() {
            tell!("The recording is in {}", recording.display());
        }
        std::process::exit(i32::from(exit_code::PANIC));
    }));
}
