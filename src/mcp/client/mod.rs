//! The test client: an MCP client that sends calls through a chain and judges what comes back.
//!
//! ```text
//!   run ──▶ scenario ──▶ caller ──▶ session ──▶ wire ─┬▶ http ──▶ the chain
//!             │            │        (handshake, ids)  └▶ pipe ──▶ a server on stdio
//!             └─ pace ─────┴──▶ tally ──▶ `5 of 5 calls passed, p50 4 ms, p99 6 ms`, or why it failed
//! ```
//!
//! It does not guess: an answer counts only with the status, the id and the content that were wanted, and a
//! session that is gone (404) fails the test unless the scenario is about exactly that. [`Peer`] is its opposite, for test
//! suites: it gives back whatever came.

mod caller;
mod config;
mod error;
mod http;
mod pace;
mod peer;
mod pipe;
mod run;
mod scenario;
mod session;
mod stats;
mod tally;
mod wire;

pub use config::{ClientConfig, ClientTarget, Scenario, ToolCall, UnknownScenario};
pub use error::{CallError, Failure};
pub use peer::{Peer, PeerSession, Reply};
pub use run::run;
