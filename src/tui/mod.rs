//! The dashboard: a terminal front that draws what a run's snapshot, journal and logs say, and turns keys into commands.
//!
//! ```text
//!            bytes                 keys            actions            outcomes
//!   term ────────────▶ Decoder ─────────▶ Keymap ─────────▶ App ───────────────▶ event_loop ──▶ commands, log, clipboard
//!    ▲                                                       │ state                  ▲
//!    └── frames ── Screen ◀── view, pane, row, overlay ◀─ Scene ◀── snapshot, log window, events, facts
//! ```
//!
//! - [`run`] does everything on the thread that calls it: input, drawing, terminal. It blocks in one `poll` and is woken
//!   by whoever has something new, so that nothing here can hold up the supervisor, and no child can hold up a key.
//! - `app` is what keys change, and does no I/O; `logview` is what stands between a log on disk and the rows on the
//!   screen; `pane`, `row` and `overlay` draw from a `Scene` and change nothing.
//! - `past` shows the run as it stood at any earlier event.
//! - Everything foreign reaches a cell through `text`, and nothing foreign reaches the terminal in any other way.
//! - Keys, colours and rectangles come from files in `assets/` and `layouts/`, which users may lay their own over.

mod action;
mod app;
mod asset;
mod demo;
mod event_loop;
mod events;
mod fold;
mod front;
mod glyph;
mod ids;
mod key;
mod keyboard;
mod keymap;
mod layout;
mod lives;
mod logview;
mod look;
mod meter;
mod mouse;
mod names;
mod options;
mod outcomes;
mod overlay;
mod pane;
mod past;
mod picker;
mod row;
mod scene;
mod selection;
mod stage;
mod term;
mod text;
mod theme;
mod traffic;
mod units;
mod view;

pub use asset::{AssetError, AssetErrors};
pub use front::{Ended, Export, Front, Refused, child_screen, is_possible, run};
pub use glyph::GlyphSet;
pub use keymap::Keymap;
pub use layout::Layout;
pub use look::Look;
pub use options::{OptionError, OptionErrors, Options, Wishes, config_dir};
pub use picker::{Choice, Picked, Place, pick};
pub use term::{Witness, install_panic_hook, last_words, restore, restore_for_good, wait_for_front, watch_terminal};
pub use theme::{Colours, Theme};

/// Begins to collect the tool's own log for the pane that shows it; `E2E_TUI_LOG` says what (`debug`,
/// `e2e_tui::process=trace`). Call it before the run starts.
pub fn collect_own_log() {
    overlay::install_own_log();
}

#[cfg(test)]
mod tests;
