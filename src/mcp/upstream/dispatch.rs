//! From a method to its result, whatever the transport.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    super::{
        protocol::{Message, Revision, RpcError, code, stateless},
        streams::Streams,
    },
    fixtures, tools,
};

const SERVER_NAME: &str = "e2e-tui mock-upstream";

/// The client of a request, as far as a tool can speak to it before it answers.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Streams of the session.
    pub(super) streams: Arc<Streams>,
    /// The stream that the answer itself will come in, where it comes in one.
    pub(super) answer: Option<mpsc::Sender<Message>>,
}

impl Peer {
    /// Sends a message ahead of the answer. Without a stream there is no place for it, and it is dropped: the
    /// specification lets progress be lost.
    pub(super) async fn tell_with_the_answer(&self, message: Message) {
        if let Some(answer) = &self.answer {
            let _ = answer.send(message).await;
        }
    }
}

/// Whether a request will be told things ahead of its answer: those have no place in a JSON body. Clients name a
/// progress token by habit, so it takes a tool that makes some.
pub(super) fn speaks_ahead(method: &str, params: &Value) -> bool {
    let tool = params.get("name").and_then(Value::as_str).filter(|_| method == "tools/call");
    let progress = params.pointer("/_meta/progressToken").is_some();
    tool.is_some_and(|tool| (tool == "count" && progress) || fixtures::speaks_ahead(tool))
}

/// The answer to `initialize`.
pub(super) fn initialize(revision: Revision) -> Value {
    json!({
        "protocolVersion": revision.as_str(),
        "capabilities": {"tools": {}, "logging": {}},
        "serverInfo": {"name": SERVER_NAME, "version": env!("CARGO_PKG_VERSION")},
    })
}

/// The answer to `server/discover`, which takes the place of the handshake.
fn discover(newest: Revision) -> Value {
    let supported: Vec<&str> =
        Revision::ALL.iter().rev().filter(|revision| **revision <= newest).map(|revision| revision.as_str()).collect();
    let server = json!({"name": SERVER_NAME, "version": env!("CARGO_PKG_VERSION")});
    json!({"supportedVersions": supported, "capabilities": {"tools": {}}, "_meta": {stateless::SERVER_KEY: server}})
}

/// Whether revision 2026-07-28 has this method. The others went with the sessions.
pub(super) fn is_stateless(method: &str) -> bool {
    matches!(method, "server/discover" | "tools/list" | "tools/call")
}

/// The answer to a request of the stateless era.
pub(super) async fn answer_stateless(method: &str, params: &Value, newest: Revision, peer: &Peer) -> Result<Value, RpcError> {
    let mut result = match method {
        "server/discover" => discover(newest),
        _ => answer(method, params, peer).await?,
    };
    result["resultType"] = json!("complete");
    if method != "tools/call" {
        result["ttlMs"] = json!(0);
        result["cacheScope"] = json!("private");
    }
    Ok(result)
}

/// The answer to any other request.
pub(super) async fn answer(method: &str, params: &Value, peer: &Peer) -> Result<Value, RpcError> {
    match method {
        "ping" | "logging/setLevel" => Ok(json!({})),
        "tools/list" => Ok(tools::list()),
        "tools/call" => tools::call(params, peer).await,
        _ => Err(RpcError::new(code::METHOD_NOT_FOUND, format!("unknown method: {method}"))),
    }
}
