//! Real MCP programs, small enough to live in the binary: an upstream server, a proxy and a test client.
//!
//! A bundled scenario must run on a machine with nothing else installed and still send real traffic through
//! real processes. So the binary can *be* each part of a proxy chain, behind its hidden subcommand `part`:
//!
//! ```text
//!   part test-client ──HTTP──▶ part proxy ──HTTP──▶ part mock-upstream
//!         │                        │                        │
//!         └── exit 0 or 1          └── log lines in the style of the `tracing` crate, one write(2) each
//! ```
//!
//! `part mcp-validator` is the same server with the routes and the token of mcp-validator's reference server.
//!
//! They speak the Model Context Protocol over streamable HTTP and stdio ([`protocol`]). The proxy takes
//! Shadowcat's command line, so that a scenario can swap the stand-in for the real program. None of them knows
//! that it is supervised: the supervisor treats them like any other child.
//!
//! Neighbours: `cli::part` parses the arguments into the config structs here and calls [`run`]; scenario kinds
//! (`mock-upstream`, `shadowcat`, `test-client`) turn a user's keys into those arguments. Nothing here imports
//! the supervisor's rooms.

pub mod client;
pub mod protocol;
pub mod proxy;
pub mod upstream;

mod child;
mod duration;
mod event_body;
mod lines;
mod log;
mod part;
mod pipe_peer;
mod random;
mod server;
mod stop;
mod streams;
mod token;

pub use child::ChildError;
pub use duration::{InvalidDuration, parse_duration};
pub use log::{Level, PartLog};
pub use part::{Part, run};
pub use server::ServeError;
pub use stop::{Stop, StopHandle, stop_pair};
pub use token::Token;
