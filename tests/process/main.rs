//! Real children in every shape, under every spawner: each fault of the board by its id, and nobody left after any of them.

#![expect(clippy::print_stdout, reason = "the supervisor that these tests kill speaks to them on its stdout")]

mod costs;
mod deaths;
mod extremes;
mod probes;
mod soak;
mod starts;
mod support;
mod terminals;
mod tiers;
mod trees;
