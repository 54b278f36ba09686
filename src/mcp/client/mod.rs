//! The test client: an MCP client that sends calls through a chain and judges what comes back.
//!
//! ```text
//!   run ──▶ scenario ──▶ session (initialize, ids, retries) ──▶ http ──▶ the chain
//!     └── last line: `5 of 5 calls passed, p50 4 ms, p99 6 ms` or why it failed ◀── stats
//! ```
//!
//! It does not guess: an answer counts only with the status, the id and the content that were wanted, and a
//! session that is gone (404) fails the test unless the scenario is about exactly that.

mod config;
mod error;
mod http;
mod run;
mod session;
mod stats;

pub use config::{ClientConfig, Scenario};
pub use error::{CallError, Failure};
pub use run::run;
