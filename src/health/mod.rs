//! Questions asked of a process to learn how it is: one question, one answer, no state.
//!
//! Thresholds, intervals and what follows from an answer are policy and live in the supervisor's machine. Here is only
//! how to ask: with a limit on the *whole* time (not on silence), on the body that is read, and without ever following
//! a redirect or a proxy, so that the answer is the process's own.
//!
//! - [`Question`] is a [`Probe`](crate::model::Probe) with its texts resolved; [`ask`] asks it once.
//! - [`http`] and [`tcp`] know their protocols. Readiness by log line is matched where lines are read, in
//!   [`logs`](crate::logs); commands and stdio exchanges need a spawner and a stdin, so the supervisor asks those.

mod http;
mod question;
mod tcp;

pub use question::{Answer, HttpQuestion, Question, ask};
