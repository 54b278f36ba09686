//! The process manager of the design, as a face of the supervisor.
//!
//! ```text
//!   ProcessManager ── owns the run: dropping it ends everything
//!        │ clone: another face of the same run, which keeps nothing alive (hooks, handles and tasks hold those)
//!        ▼
//!      Inner ── Engine (the run on its own thread), names, configurations, clean-up hooks
//! ```
//!
//! - [`process_manager`] is the type, and what it knows of processes; [`starts`] begins them and waits until they are ready;
//!   [`asks`] speaks to those that live; [`stops`] ends them, one or all; [`saved`] writes down what they said.

mod asks;
mod process_manager;
mod saved;
mod starts;
mod stops;

pub(super) use process_manager::Inner;
pub use process_manager::ProcessManager;
