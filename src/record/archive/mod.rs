//! An archive: a recording packed into one file that ordinary tools open and that replays anywhere.
//!
//! ```text
//!   forward.tar.zst                   0600, written beside its target, fsynced, renamed
//!   ├── summary.md                    reads well alone
//!   ├── manifest.json, scenario.toml, events.jsonl, traffic.jsonl
//!   ├── merged.log                    time process out|err|sup text
//!   └── logs/<process>.out .err       the bytes as they came, masked; .idx: when and in which order
//! ```
//!
//! [`export`] writes one, [`unpack`] reads one. Archives come from strangers: nothing in one is executed or used as a
//! path. Only entries that a recording has are read, into files that this side names, within caps on size and number.

mod caps;
mod clock;
mod gauge;
mod pack;
mod slices;
mod summary;
mod unpack;
#[cfg(test)]
mod unpack_tests;

pub use pack::{ExportError, Exported, export, export_part, export_watched, sweep_unfinished};
#[cfg(test)]
pub(super) use summary::summary;
pub(super) use unpack::packed_scenario;
pub use unpack::{UnpackError, Unpacked, unpack};
