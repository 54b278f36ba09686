//! What stands between a log on disk and a log pane: which rows are shown, where the window on them is, and how to
//! get to another place.
//!
//! ```text
//!   LogStore ── LogView ──▶ Desk ──▶ Window ──▶ pane::logs
//!                            ▲ │ position
//!              Scanner ──────┘ └──▶ app::LogState
//! ```

pub(crate) mod desk;
pub(crate) mod query;
pub(crate) mod scan;
mod seek;
