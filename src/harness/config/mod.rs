//! What to start, and how it is watched, restarted and stopped.
//!
//! [`ProcessConfig`](process_config) is filled in by the test: a [`program`], its surroundings, checks and limits, and which
//! exits lead to a [`restart`]. [`spec`] makes of it what the supervisor knows.

mod process_config;
mod program;
mod restart;
mod spec;

pub use process_config::ProcessConfig;
pub use program::Program;
pub use restart::RestartPolicy;
