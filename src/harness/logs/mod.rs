//! What processes said, for assertions: the run's log store as entries, patterns, waits and measures.
//!
//! ```text
//!   LogStore (merged, masked, as it came) ──▶ LogCapture ── one process, or some, or all
//!                                                 │
//!      wait_for ── assert_seen / not_seen / sequence / no_errors ── metrics ── alerts ── entries
//! ```
//!
//! Everything is asked of the recording's own store: nothing is kept twice, and what was asserted on is what `replay` shows.

mod asserts;
mod bell;
mod capture;
mod entry;
mod metrics;
mod pattern;
mod scan;

pub(super) use bell::Bell;
pub(super) use capture::listed;
pub use capture::{LogAggregator, LogCapture, LogError};
pub use entry::{LogAlert, LogEntry, LogSource};
pub use metrics::LogMetrics;
pub use pattern::LogPattern;
