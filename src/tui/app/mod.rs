//! The dashboard's own state, and what keys do to it. No input or output happens here: whatever has to be done
//! outside leaves as an [`Outcome`].
//!
//! ```text
//!   Key ──Keymap──▶ Action ──▶ App::act ──▶ [Outcome]      sent, sought, copied, …: by the loop
//!    └── overlays take keys of their own ──┘
//! ```

mod act;
mod deeds;
pub(crate) mod disturb;
pub(crate) mod log;
pub(crate) mod overlay;
mod overlay_keys;
pub(crate) mod panes;
mod script;
mod state;
pub(crate) mod table;
mod traffic;
pub(crate) mod walk;

pub(crate) use state::{Abilities, App, Leaving, Outcome, World};
pub(crate) use walk::NOTHING_TO_COPY;
