//! The scenario: the file a user writes, and what becomes of it.
//!
//! A file is found ([`locate`]), read and checked ([`load`]) and, when a run begins, filled with leased ports
//! ([`Scenario::resolve`]). What comes out is plain data, a [`RunSpec`](crate::model::RunSpec); nothing above this room
//! knows about files, tables or `${…}`. All mistakes of a file are found in one go, each with its place, and `check`
//! accepts exactly what `run` starts, since both do the same walk.
//!
//! ```text
//!   name ──locate──▶ Located ──tree──▶ Table ──declare──▶ names ──walk──▶ draft RunSpec ──▶ check (render_plan)
//!                                        │                  │       ▲
//!                                        └──────────────────┴───────┴─ again, with leased ports ──▶ RunSpec ──▶ supervisor
//! ```
//!
//! The language itself is a table of keys (`keys`); places in texts are `source::Span`s, which say which text they are in,
//! and everything wrong goes to a collector (`diagnostics`) that shows it in the end (`render`).

mod bundled;
mod cost;
mod declare;
mod diagnostics;
mod files;
mod graph;
mod import;
mod interpolate;
mod keys;
mod layers;
mod load;
mod locate;
mod names;
mod outline;
mod plan;
mod plan_json;
mod ports;
mod quoted;
mod render;
mod schema;
#[cfg(test)]
mod schema_test;
mod source;
mod suggest;
mod support;
mod tree;
mod values;
mod walk;

pub use bundled::{BUNDLED, Bundled};
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use files::{RenderError, render_files};
pub use import::{ImportError, Imported, import, import_for, is_foreign};
pub use load::{Overrides, Parts, Resolved, Scenario, load};
pub use locate::{LocateError, Located, Origin, locate, locate_from};
pub use names::Environment;
pub use outline::{Outline, outline};
pub(crate) use plan::{awaited, settings};
pub use plan::{render_plan, render_plan_styled};
pub use plan_json::plan_json;
pub use ports::{Lease, LeaseError, Leases, PortRequest};
pub use schema::schema;
pub use suggest::nearest;
