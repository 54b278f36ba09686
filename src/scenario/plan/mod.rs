//! The plan of a scenario: what `check` prints. Made for 80 columns, and for reading from top to bottom.
//!
//! ```text
//!   run       the whole: ports, order, processes, expectations, steps
//!   process   one process, field by field; the dashboard's details show the same fields
//!   words     a probe, a policy, a limit, a command line in words
//!   page      lines of 80 columns
//! ```

mod page;
mod process;
mod run;
mod words;

pub(crate) use process::settings;
pub use run::{render_plan, render_plan_styled};
pub(crate) use words::awaited;
