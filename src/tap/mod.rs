//! A recording hop in front of what a process listens on: what clients and servers really say to each other.
//!
//! ```text
//!   client ──▶ gate ──▶ hop ──▶ process          every byte goes on as it came
//!                        │
//!                        ├─ conversation          reads HTTP/1.1, server-sent events and JSON-RPC on the way
//!                        ├─ fault                 delays, answers, drops, cuts: only what it is told to, only when it is told to
//!                        ▼
//!                      notes ──▶ store ──▶ writer masked; in memory a row an exchange, and all of them on disk, by a thread of its own
//! ```
//!
//! Where a process listens on nothing, its pipes are tapped, without anything in between: who writes to its stdin and who
//! reads its stdout hand over copies ([`pipe`]), and each message that wants an answer begins an exchange.
//!
//! A process with `tap = true` is told another port than everybody else: its own. The [`gate`] holds the port that the
//! others are told, and lets them in only while somebody listens behind it, so that a client of a dead process is refused
//! as it would be without a tap. The [`hop`] passes bytes on and never changes them, and the [`conversation`] makes
//! exchanges of what it sees. [`Traffic`] is the fold of the [`Note`]s: rows, and which exchange a proxy began because of
//! which. Where no process has a tap none of this exists.

mod answer;
mod body;
mod conversation;
mod fault;
mod gate;
mod hop;
mod message;
mod note;
mod pipe;
mod pipes;
mod store;
mod taps;
mod traffic;
mod writer;

pub use hop::Observer;
pub use note::{Answered, Asked, Body, Call, CallKind, Ended, Ending, ExchangeId, Note, RequestHead, Said, Toward};
pub use pipe::{PipeEnds, PipeFault};
pub use store::{SETTLED, TrafficStore};
pub use taps::{TapError, TapSpec, Taps};
pub use traffic::{Exchange, Traffic};
