//! A run without a dashboard, as CI and scripts want it.
//!
//! ```text
//!   log store ──▶ printer (a thread) ──▶ stdout   NAME | what it said,  NAME * what happened to it
//!   journal   ──▶ closing block      ──▶ stderr   verdict, first failure, last lines, leaks
//!             ──▶ report             ──▶ --report json=FILE, junit=FILE; annotations on GitHub
//!             ──▶ events             ──▶ --events: JSON lines in place of the log
//! ```
//!
//! The printer has a thread of its own: a reader of stdout that stalls stalls nothing but the printing. Nothing here looks
//! twice at a run in which nothing happens.

mod annotations;
mod ci;
mod events;
mod junit;
mod printer;
mod progress;
mod recorded;
mod rehearsal;
mod repeat;
mod report;
mod runner;
mod screen;
mod stdout;
mod target;

pub use printer::{Colour, Printer};
pub use recorded::{Wanted, print_recorded};
pub use repeat::Tally;
pub use report::Report;
pub use runner::{Ended, HeadlessOptions, Output, Reports, run, write_error};
pub use screen::child_screen;
pub use target::{Target, TargetError};
