//! From a method to its result, whatever the transport.

use serde_json::{Value, json};

use super::{
    super::protocol::{Revision, RpcError, code},
    tools,
};

/// The answer to `initialize`.
pub(super) fn initialize(revision: Revision) -> Value {
    json!({
        "protocolVersion": revision.as_str(),
        "capabilities": {"tools": {}, "logging": {}},
        "serverInfo": {"name": "e2e-tui mock-upstream", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// The answer to any other request.
pub(super) async fn answer(method: &str, params: &Value) -> Result<Value, RpcError> {
    match method {
        "ping" | "logging/setLevel" => Ok(json!({})),
        "tools/list" => Ok(tools::list()),
        "tools/call" => tools::call(params).await,
        _ => Err(RpcError::new(code::METHOD_NOT_FOUND, format!("unknown method: {method}"))),
    }
}
