//! The mock upstream: an MCP server with a few tools, at the end of a chain under test.
//!
//! ```text
//!   POST /mcp ──▶ http ──▶ sessions (who is it?) ──▶ dispatch (which method?) ──▶ tools
//!   GET /health ─▶ 200 {"status":"healthy",…}
//! ```
//!
//! It is strict where the specification is: a missing session is 400, an unknown one 404, a notification 202
//! without a body. A client that passes here has done its handshake right.

mod config;
mod dispatch;
mod http;
mod sessions;
mod tools;

pub use config::UpstreamConfig;
pub use http::Upstream;
