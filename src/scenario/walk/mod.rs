//! The walk over a scenario's tree: from what is written to a [`RunSpec`](crate::model::RunSpec).
//!
//! The same walk is done twice. The first time, when the file is loaded, ports have no numbers yet and stand as
//! `${ports.NAME}`, secrets as `****`: its result is what `check` shows, and it finds every mistake. The second time,
//! when the run begins, the leased numbers are put in. So what `check` accepts is what `run` starts.
//!
//! ```text
//!   tree + names ──▶ Walk ──▶ RunSpec
//!                     ├─ text     ${…} filled in
//!                     ├─ scalar   numbers, durations, words, patterns
//!                     ├─ process  a process, with probe, policy and kind
//!                     ├─ defaults those that no process takes
//!                     ├─ cross    what holds between processes: cycles, conditions, ports
//!                     └─ script   what holds between steps
//! ```

mod cross;
mod defaults;
mod depends;
mod expect;
mod files;
mod kind;
mod policy;
mod probe;
mod process;
mod read;
mod scalar;
mod script;
mod state;
mod steps;
mod text;
mod top;
mod watch;

pub(super) use probe::READY_INTERVAL;
pub(super) use state::{Scope, Stage, Walk};
pub(super) use top::{RECORDING_MAX_DISK, Top};
