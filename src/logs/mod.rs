//! Everything that children say: kept as it was said, shown at once, at almost no cost.
//!
//! ```text
//!   pipes ──▶ capture ──mask──▶ append ──▶ upstream.out      the bytes, one file a stream
//!             (one OS thread)              upstream.out.idx  where, when, in which order
//!               │                             │
//!               ▼                             ▼
//!            CaptureEvent                  LogView ── window of lines ──▶ present, fold ──▶ a front
//!            (readiness, alerts,           Filter  ── rows that match ──▶ share
//!             drained, disk trouble)
//! ```
//!
//! - [`Capture`] reads the pipes (`orders` to the thread, `reader` its loop, `source` one stream, `scan` whole lines of it,
//!   `alert` what matters in them, found by `anchors`); [`crate::redact`] masks secrets before a byte goes anywhere.
//! - [`LogStore`] keeps bytes on disk and a small index in memory (`segment`, `record`, `order`); a disk that refuses is
//!   replaced by a `ring` in memory, and `cap` gives the oldest bytes back to the disk. Chunks of output and lifecycle
//!   lines share one sequence of numbers, which is the order of everything.
//! - [`LogView`] turns any selection of processes into rows (`walk`), and reads them back (`window`; `long` lines in parts);
//!   its cost is that of the window and of what is new.
//! - [`Filter`] asks a [`Query`] ([`Typed`] by people) of every row, chunk by chunk (`matcher`), the newest first.
//! - [`present()`] makes a line safe and structured for a terminal (`text` what may be seen, `format` what a line says about
//!   itself, from its `head` or its `fields`), [`plain`] for everything else that shows text. [`Folds`] joins lines to blocks.
//! - [`tokens`] are what lines of several processes share; [`Shared`] says who does, or what else was said around then.
//!
//! Imports within the room go one way: text, level and record below, then structure, scan and store, then views, filters
//! and capture.
//!
//! The folder of a recording's logs is a public format: see [`record`](self) for the index.

mod alert;
#[cfg(test)]
mod alert_tests;
mod anchors;
mod append;
mod between;
mod cap;
mod capture;
#[cfg(test)]
mod capture_tests;
mod fields;
mod filter;
#[cfg(test)]
mod filter_tests;
mod fold;
mod format;
mod growing;
mod head;
mod heard;
mod level;
mod line;
mod long;
#[cfg(test)]
mod long_tests;
mod manner;
mod matcher;
mod open;
mod order;
mod orders;
mod overtype;
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
mod share;
mod slice;
mod source;
mod stamp;
mod store;
#[cfg(test)]
mod store_tests;
mod stretch;
mod structure;
mod tail;
mod tap;
mod text;
mod token;
mod typed;
mod view;
mod walk;
mod wanted;
mod window;

pub use alert::costly_alerts;
pub use capture::Capture;
pub use filter::{Answers, Filter, words};
pub use fold::{Folds, is_panic_place};
pub use heard::{CaptureEvent, CaptureStream, Overhear, Watch};
pub use level::Level;
pub use line::{LogLine, MAX_LINE, Source};
pub use long::MAX_WHOLE;
pub use pattern::InvalidPattern;
pub use pipe::pipe;
pub use present::{Color, Presented, Span, TextStyle, present, present_as, styled};
pub use query::{Lifecycle, Pattern, Query, is_probe};
pub use rows::RowSet;
pub use segment::Dropped;
pub use share::{AROUND, Shared};
pub(crate) use slice::{Slice, slice};
pub use store::{LogStore, Stream};
pub use stretch::Stretch;
pub use tap::LineTap;
pub use text::{plain, verbatim};
pub use token::{Token, TokenKind, ids, token_at, tokens};
pub use typed::{Mistyped, Typed};
pub use view::{LogView, Selection};
pub use wanted::{Counted, Wanted};
