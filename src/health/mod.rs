//! Questions asked of a process to learn how it is: one question, one answer, no state.
//!
//! Thresholds, intervals and what follows from an answer are policy and live in the supervisor's machine. Here is only
//! how to ask: with a limit on the *whole* time (not on silence), on the body that is read, and without ever following
//! a redirect or a proxy, so that the answer is the process's own.
//!
//! - [`Question`] is a [`Probe`](crate::model::Probe) with its texts resolved; [`ask`] asks it once.
//! - [`http`], [`tcp`], [`exec`] and [`stdio`] know how each is asked. A command runs through the spawner, in a tree of its own; an
//!   exchange by stdio goes through whoever holds the process's pipes. Readiness by log line is matched where lines are
//!   read, in [`logs`](crate::logs).

mod exec;
mod http;
mod names;
mod question;
mod stdio;
mod tcp;

pub use exec::ExecQuestion;
pub use question::{Answer, HttpQuestion, Question, ask};
pub use stdio::{Exchange, StdioQuestion};
