//! The terminal: bytes in, frames out, and every mode undone on every way out.
//!
//! Input is decoded here and not by crossterm's reader, which waits inside a half-received escape sequence and spins
//! when the terminal is gone; both would take the answer to a key hostage.

pub(crate) mod decode;
mod guard;
mod job;
mod output;
mod raw_mode;
mod screen;
mod wait;

pub(crate) use guard::{Guard, enhance_keyboard, is_terminal, size};
pub use guard::{Witness, install_panic_hook, last_words, restore, restore_for_good, watch_terminal};
pub(crate) use job::is_in_front;
pub use job::wait_for_front;
pub(crate) use screen::Screen;
pub(crate) use wait::{Waker, wait, wait_away};
