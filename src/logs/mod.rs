//! Everything that children say: kept as it was said, shown at once, at almost no cost.
//!
//! ```text
//!   pipes ──▶ capture ──mask──▶ append ──▶ upstream.out      the bytes, one file a stream
//!             (one OS thread)              upstream.out.idx  where, when, in which order
//!               │                             │
//!               ▼                             ▼
//!            CaptureEvent                  LogView ── window of lines ──▶ present ──▶ a front
//!            (readiness, alerts, drained)  filter  ── rows that match
//! ```
//!
//! - [`capture`] reads the pipes; [`crate::redact`] masks secrets before a byte goes anywhere.
//! - [`LogStore`] keeps bytes on disk and a small index in memory; a disk that refuses is replaced by a ring in memory.
//!   Chunks of output and lifecycle lines share one sequence of numbers, which is the order of everything.
//! - [`LogView`] turns any selection of processes into rows; its cost is that of the window and of what is new.
//! - [`present()`] makes a line safe and structured for a terminal, [`plain`] for everything else that shows text.
//!
//! The folder of a recording's logs is a public format: see [`record`](self) for the index.

mod alert;
mod append;
mod cap;
mod capture;
#[cfg(test)]
mod capture_tests;
mod fields;
mod filter;
#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod floor_tests;
mod format;
mod growing;
mod head;
mod heard;
mod level;
mod line;
mod long;
mod manner;
mod matcher;
mod open;
mod order;
mod orders;
mod pattern;
mod pipe;
mod place;
mod present;
mod query;
mod reader;
mod record;
mod ring;
mod rows;
mod scan;
mod segment;
mod source;
mod stamp;
mod store;
#[cfg(test)]
mod store_tests;
mod structure;
mod tail;
mod text;
mod view;
mod wanted;

pub use alert::costly_alerts;
pub use capture::Capture;
pub use filter::{Answers, Filter, words};
pub use heard::{CaptureEvent, CaptureStream, Watch};
pub use level::Level;
pub use line::{LogLine, MAX_LINE, Source};
pub use pattern::InvalidPattern;
pub use pipe::pipe;
pub use present::{Color, Presented, Span, TextStyle, present, present_as, styled};
pub use query::{Lifecycle, Pattern, Query, is_probe};
pub use rows::RowSet;
pub use segment::Dropped;
pub use store::{LogStore, Stream};
pub use text::{plain, verbatim};
pub use view::{LogView, Selection};
pub use wanted::{Counted, Wanted};
