//! Policy: what follows from what, decided without clock, I/O or lock.
//!
//! ```text
//!   Input (request, exit, probe, timer …) ──▶ Machine::step(now, input) ──▶ [Effect: spawn, signal, arm, emit …]
//! ```
//!
//! The runtime feeds [`Input`]s and carries [`Effect`]s out; what comes of them returns as further inputs. Every
//! input names the generation it is about, and one about a generation that is not the newest is ignored, as is a
//! timer that was cancelled. Debug builds check the invariants after each step.
//!
//! Files: [`types`] has inputs, effects and the inside of a process; [`requests`] what somebody asks for; [`start`]
//! dependencies, starting, readiness; [`starters`] who can start what does not start by itself; [`exit`] what an exit nobody
//! asked for leads to; [`leftovers`] what a leader leaves; [`changes`] what a changed file leads to; [`stop`] stops; [`takedown`] the take-down of the run; [`health`]
//! thresholds and holds; [`expect`] what is expected of logs, with the [`samples`] of metrics; [`open`] runs that a test
//! drives; [`script`] the steps of the file; [`standstill`] what a suspension moves; [`verdict`] when the run is over and how it
//! ended; [`backoff`] the restart policy's arithmetic.

mod backoff;
mod changes;
mod core;
mod exit;
mod expect;
mod health;
mod leftovers;
mod open;
mod requests;
mod samples;
mod script;
mod standstill;
mod start;
mod starters;
mod stop;
mod takedown;
mod types;
mod verdict;

#[cfg(test)]
mod model_test;
#[cfg(test)]
mod tests;

pub(crate) use core::Machine;
pub(crate) use expect::Seen;
pub use open::{Driver, TestEnd};
pub(crate) use script::SCRIPT_TICKETS;
pub use script::ScriptOptions;
pub(crate) use types::{Effect, Input, MachineOptions, ReadyReport, TimerToken};
