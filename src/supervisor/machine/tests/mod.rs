//! The machine's decisions: what comes in, what goes out.

mod bench;
mod changes;
mod expectations;
mod health;
mod leftovers;
mod policy;
mod scripts;
mod standstill;
mod starts;
mod stops;
mod transitions;
mod verdicts;

pub(super) use bench::{id, run_of, spec};
