//! The supervisor: starts, watches, restarts and ends the processes of a run.
//!
//! ```text
//!   front ──Command──▶ Runtime ──Input──▶ Machine (pure)
//!     ▲                   │  ◀──Effect──────┘
//!     │                   ├──Order──▶ Spawner (guardian) ──TreeEvent──┐
//!     │                   ├──add, drain──▶ Capture ──CaptureEvent─────┤
//!     │                   ├──tasks: readiness, health ──News──────────┤
//!     │                   ◀────────────────────────────────────────────┘
//!     └── Snapshot, Journal ◀──Event── (masked, numbered, folded, kept)
//! ```
//!
//! - [`machine`] decides, without clock or I/O.
//! - [`runtime`] is the one loop that knows the time and carries effects out; [`arrivals`], [`effects`], [`launch`], [`launcher`],
//!   [`stdin`], [`probes`], [`files`], [`errand`], [`suspend`], [`taps`] and [`census`] are what it does.
//! - [`RunHandle`] is what a front holds: it asks with commands and reads [`Snapshot`](crate::model::Snapshot)s and the [`Journal`];
//!   [`History`] is the fold of that journal stopped wherever somebody wants to look.

mod arrivals;
mod census;
mod effects;
mod errand;
mod expectations;
mod files;
mod handle;
mod history;
mod journal;
mod launch;
mod launcher;
pub(crate) mod machine;
mod parts;
mod probes;
mod runtime;
mod signals;
mod stdin;
mod suspend;
#[cfg(test)]
mod suspend_tests;
mod taps;
mod wanted;

pub use handle::{RunHandle, Ticket};
pub use history::History;
pub use journal::Journal;
pub use machine::{Driver, ScriptOptions, TestEnd};
pub use parts::{Export, RunParts};
pub use runtime::{UnstartedRun, prepare};
pub use signals::{IgnoredHangup, Signals, obey_signals};
pub use suspend::{Suspended, stop_when_asked};
pub use taps::RunTaps;

#[cfg(test)]
pub(crate) use journal::fit_for_record;
pub(crate) use machine::Machine;
