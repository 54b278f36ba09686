//! A run on record: everything it did and said, as it happens, in a folder that outlives the program.
//!
//! ```text
//!   recordings/2026-11-23-0625-forward-k3/     0700, files 0600
//!   ├── manifest.json     what was run, by which version, and how it ended
//!   ├── scenario.toml     the file, masked
//!   ├── events.jsonl      every event, one a line, appended as it happens
//!   ├── traffic.jsonl     what went through taps, masked, where a process has one
//!   └── logs/             <process>.out, <process>.err and their indexes
//! ```
//!
//! [`LiveRun`] is what all fronts start: it creates the folder, the log store, the capture thread, the spawner and the
//! supervisor, in this order, so that nothing is started before it can be recorded. [`Recording`] reads one back;
//! [`recordings`] lists what is kept, and [`prune`] removes what is old.

pub mod archive;
pub(crate) mod beside;
mod holder;
mod live;
mod manifest;
mod open;
mod place;
mod recorder;
mod shelf;
mod step_archives;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod round_trip_tests;

pub use holder::Holder;
pub use live::{Keep, LiveRun, PreparedRun, RunRequest, StartError};
pub use manifest::{Lease, Manifest, Part};
pub use open::{OpenError, Recording, find};
pub use place::{PlaceError, RunDir, default_dir, write_private};
pub use shelf::{Bounds, Kept, prune, recordings};
