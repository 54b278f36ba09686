//! Why a run ended as it did, from its record alone: what is told is always a fact with a place in events and logs,
//! never a guess.
//!
//! ```text
//!   events ──ending──▶ where the story ends: a failure, a time-out, leaks
//!      └────gather──▶ what was abnormal on the way ──the log──▶ facts with quotations ──text──▶ lines to read
//! ```
//!
//! - [`explain()`] gathers "What happened": the facts from the first abnormal event to the failure, to the leaks of a run
//!   that passed but for them, or to the time-out; [`explain_broken_off`] does so for a recording without an end.
//! - [`first_failure`] finds the first thing that went wrong by itself, with the line that tells it best.
//! - [`closing_block`] is what stays in the terminal when a run is over; [`TestCounts`] counts its tests.

mod block;
mod ending;
mod facts;
mod first;
mod gather;
mod text;

#[cfg(test)]
mod story_tests;

pub use block::{Closing, TestCounts, at_verdict, closing_block, leaks, replay_command};
pub use facts::{Explanation, Fact, explain, explain_broken_off};
pub use first::{FailureLine, FirstFailure, first_failure};
pub use text::{distance, explanation_text, fact_text};
