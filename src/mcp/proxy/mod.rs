//! The proxy: a stand-in for Shadowcat with its command line and the words of its log.
//!
//! ```text
//!   client ──▶ listen ─┬▶ forward ─┬──peek──▶ hop ──▶ target      502 it cannot be reached, 504 it does not answer
//!                      ├▶ reverse ─┘   its own sessions, /health, upstream token
//!                      └▶ bridge ──────▶ a server on stdio for each session
//!          ◀── body as it comes ◀─────── relay
//!   stdin ───▶ stdio ──▶ a server that we start ──▶ stdout
//! ```
//!
//! *Forward*: every path is passed on. Where the target's URL has a path (`http://127.0.0.1:3001/mcp`), that is
//! where the MCP endpoint is, so requests to `/mcp` and `/` go to exactly that URL and all others to the same
//! path at the target's host.
//!
//! *Reverse*: an endpoint `/mcp` of its own. Nothing is appended to the upstream's URL. Session ids are the
//! upstream's where they are UUIDs, else its own, so they can differ on the two sides.

mod bridge;
mod config;
mod forward;
mod front;
mod headers;
mod hop;
mod listen;
mod peek;
mod relay;
mod reverse;
mod sessions;
mod stdio;

pub use config::{Listen, ProxyConfig, ProxyMode, SessionLimits, Target};
pub(crate) use hop::{parse_url, root_cause};
pub use listen::Proxy;
pub use stdio::forward_stdio;
