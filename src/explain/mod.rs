//! Why a run ended as it did, from its record alone: what is told is always a fact with a place in events and logs,
//! never a guess.
//!
//! - [`explain()`] gathers "What happened": the facts from the first abnormal event to the failure.
//! - [`first_failure`] finds the first thing that went wrong by itself, with the line that tells it best.
//! - [`closing_block`] is what stays in the terminal when a run is over; [`TestCounts`] counts its tests.

mod block;
mod facts;
mod first;
mod text;

#[cfg(test)]
mod story_tests;

pub use block::{Closing, TestCounts, at_verdict, closing_block, leaks, replay_command};
pub use facts::{Explanation, Fact, explain};
pub use first::{FailureLine, FirstFailure, first_failure};
pub use text::{distance, explanation_text, fact_text};
