//! Whose turn it is at the terminal, where a shell has several jobs: only the process group in front may set its modes and
//! read its keys. Another that does so is stopped by the kernel (TTOU, TTIN).

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::{
    process::getpgrp,
    termios::{Action, tcflow, tcgetpgrp},
};

/// Whether the terminal is this process group's. So it is where no shell has jobs.
pub(crate) fn is_in_front() -> bool {
    tcgetpgrp(io::stdin()).map_or(true, |front| front == getpgrp())
}

/// Stops this process and its group in the background, as every full-screen program does there, until a shell brings them to the
/// front.
///
/// # Errors
/// Where no shell could.
pub fn wait_for_front() -> io::Result<()> {
    if is_in_front() {
        return Ok(());
    }
    // Changes nothing: the kernel stops whoever asks for it in the background, and asks again afterwards.
    let asked = tcflow(io::stdin(), Action::OOn);
    asked.map_err(|_| io::Error::other("it was started in the background, and there is no shell to bring it to the front"))
}

/// While this is held, this thread is not stopped for what it does to the terminal from the background.
pub(super) fn never_stopped() -> NeverStopped {
    NeverStopped(SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
}

/// See [`never_stopped`].
pub(super) struct NeverStopped(Option<SigSet>);

impl Drop for NeverStopped {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            let _ = before.thread_set_mask();
        }
    }
}
