//! The mock upstream: an MCP server with a few tools, at the end of a chain under test.
//!
//! ```text
//!   POST /mcp ──▶ http ──▶ checks (origin, token, types) ──▶ post ──▶ faults ──▶ dispatch ──▶ tools
//!   GET /mcp ───▶  a stream of the session ◀────────────────────────────────── what tools say first
//!   GET /health ─▶ 200 {"status":"healthy",…}
//!   stdin ──────▶ stdio ──▶ faults ──▶ dispatch ──▶ tools ──▶ stdout
//! ```
//!
//! Told to speak 2026-07-28, it serves both eras: requests that say so in their `_meta` need no session.
//!
//! It is strict where the specification is: a missing session is 400, an unknown one 404, a notification 202
//! without a body. A client that passes here has done its handshake right. And it can be wrong in the ways real
//! servers are ([`Faults`]), at a moment that a test can count on.
//!
//! With the routes of mcp-validator's reference server ([`Routes::Validator`]) it stands in for that.
//!
//! Not here: streams that a client can resume with `Last-Event-ID`. The priming event of 2025-11-25 is sent,
//! but what was missed is not kept.

mod checks;
mod config;
mod dispatch;
mod faults;
mod fixtures;
mod http;
mod post;
mod sessions;
mod stateless;
mod stdio;
mod tools;

pub use config::{After, AnswerForm, Faults, InvalidAfter, Routes, UpstreamConfig, UpstreamTransport};
pub use http::Upstream;
pub use stdio::serve_stdio;
