//! Time travel: the dashboard as it stood at an earlier instant, in a run that goes on and in a recording alike.
//!
//! ```text
//!   [ ] { } =  ──App──▶ Outcome::Travel(event) ──▶ Stage::travel ──▶ Past { the fold behind that event }
//!                                                      │
//!                table, details, status ◀── snapshot ──┤
//!                events, alerts, facts ◀── up to there ─┤
//!                log ◀── its lines up to there ────────┘
//! ```
//!
//! The run goes on meanwhile, and is only not shown. What would act on it refuses: what is on the screen is not what it
//! would act on. Leaving, and stopping everything, go back to now first.

mod instant;
mod stops;
mod travel;

pub(crate) use instant::{Instant, Past};
pub(crate) use stops::{Stops, is_turn};
pub(crate) use travel::{facts_until, until};
