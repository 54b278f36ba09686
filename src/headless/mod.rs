//! A run without a dashboard, as CI and scripts want it.
//!
//! ```text
//!   log store ──▶ printer (a thread) ──▶ stdout   NAME | what it said,  NAME * what happened to it
//!   journal   ──▶ closing block      ──▶ stderr   verdict, first failure, last lines, leaks
//!             ──▶ report             ──▶ --report json=FILE
//! ```
//!
//! The printer has a thread of its own: a reader of stdout that stalls stalls nothing but the printing. Nothing here looks
//! twice at a run in which nothing happens.

mod ci;
mod printer;
mod recorded;
mod report;
mod runner;
mod stdout;
mod target;

pub use printer::{Colour, Printer};
pub use recorded::{Wanted, print_recorded};
pub use report::Report;
pub use runner::{HeadlessOptions, run};
pub use target::{Target, TargetError};
