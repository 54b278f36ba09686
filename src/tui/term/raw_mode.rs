//! The raw mode of the terminal: every key comes as it is, and nothing is written but what is asked for.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The modes before, while the terminal is raw.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Makes the terminal raw.
pub(super) fn enter() -> io::Result<()> {
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    let modes = tcgetattr(io::stdin())?;
    let mut raw = modes.clone();
    raw.make_raw();
    tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
    *before = Some(modes);
    Ok(())
}

/// The modes of before come back, if they are `ours` to set.
pub(super) fn leave(ours: bool) {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before.filter(|_| ours) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}
