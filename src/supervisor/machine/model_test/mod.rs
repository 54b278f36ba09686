//! A world of simulated children around the machine, driven at random.
//!
//! Children die by themselves, ignore signals, leave others behind, cannot be killed; spawns fail; news arrive in any order
//! that a spawner and a capture may deliver them in; the guardian is lost; people ask for anything at any time. Whatever
//! happens: one generation of a process lives at a time and generations only grow; nothing starts once the run stops;
//! restarts are bounded; each ticket is resolved exactly once, a stop's only when its tree is empty; what the events say of a
//! process is so; every run that is taken down ends, within the graces that it must wait for; and each step of its script is
//! then over.
//!
//! Chance is a list of bytes, so that a failure shrinks to a short one. `E2E_SEQUENCES=1000000 cargo test --lib model_test`
//! runs more sequences than the default; a seed of the bulk that fails is printed and can be put into `a_seed_that_failed`.
//!
//! - [`plan`] is what is run: five processes, and a script as chance will have it.
//! - [`world`] stands around the machine: it carries effects out and holds what must be so; [`happenings`] are what chance
//!   does to it.
//! - [`sequences`] runs as many lives as are wanted.

mod happenings;
mod plan;
mod sequences;
mod world;
