//! The keeper: one single-threaded loop that starts programs, reaps them, and knows, signals and ends whole trees.
//!
//! It is the same loop in the guardian process, where it is alone and adopts what its children leave behind, and on a
//! thread of a test program, where it must not touch what is not its own ([`Household`]). Orders arrive and events leave
//! through a [`Post`]; nothing in here knows which.
//!
//! ```text
//!            Post::take                                     ┌─ birth    fork and exec, their verdict, retries
//!   orders ─────────────▶ Keeper: one epoll, one wake-up ───┼─ death    reaping; when a tree is empty
//!            Post::send      at a time                      ├─ sweep    one /proc pass for all trees that want one:
//!   events ◀─────────────                                   │           signals, kill rounds, census, samples
//!                                                           ├─ glance   who has not run since the last pass
//!                                                           ├─ orphans  whose a process without a parent is
//!                                                           └─ standstill  all trees stopped, and going on
//! ```
//!
//! Orders that need the process table are noted and carried out together after a batch of orders was taken: a thousand
//! stops cost one pass, not a thousand.

mod birth;
mod death;
mod glance;
mod orphans;
mod post;
mod run_loop;
mod standstill;
mod sweep;
mod tree;

pub(crate) use post::{Household, Mail, Post};
pub(crate) use run_loop::{Keeper, Setup};
