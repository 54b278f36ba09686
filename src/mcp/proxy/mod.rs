//! The proxy: a stand-in for Shadowcat with its command line and the words of its log.
//!
//! ```text
//!   client ──▶ forward ──peek──▶ hop ──▶ target          502 it cannot be reached, 504 it does not answer
//!          ◀── body as it comes ────◀──
//! ```
//!
//! *Forward*: every path is passed on. Where the target's URL has a path (`http://127.0.0.1:3001/mcp`), that is
//! where the MCP endpoint is, so requests to `/mcp` and `/` go to exactly that URL and all others to the same
//! path at the target's host.

mod config;
mod forward;
mod headers;
mod hop;
mod peek;

pub use config::{ProxyConfig, ProxyMode};
pub use forward::Proxy;
pub(crate) use hop::{parse_url, root_cause};
