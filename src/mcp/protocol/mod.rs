//! The Model Context Protocol as the parts speak it: messages, revisions, sessions.
//!
//! One JSON-RPC 2.0 message a POST (streamable HTTP) or a line (stdio). The *handshake era*, revisions
//! 2025-03-26 to 2025-11-25, opens with `initialize`; the server may hand out a session, whose id every later
//! request carries in [`SESSION_HEADER`]. Revision 2026-07-28 has none of that: each request is on its own, and
//! says in its `_meta` ([`stateless`]) and in its headers what it is. Source: docs/specification of modelcontextprotocol/modelcontextprotocol.

mod jsonrpc;
mod revision;
mod session_id;
mod sse;
pub mod stateless;

pub use jsonrpc::{Id, Message, ParseError, RpcError, code};
pub use revision::{Revision, UnknownRevision};
pub(crate) use session_id::is_uuid;
pub use session_id::new_session_id;
pub use sse::{EventTooLarge, SseEvent, SseParser};

/// The header that carries the session's id. HTTP header names match in any case.
pub const SESSION_HEADER: &str = "mcp-session-id";
/// The header that carries the negotiated revision, from 2025-06-18 on.
pub const VERSION_HEADER: &str = "mcp-protocol-version";
