//! The tools that the mock upstream offers.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::protocol::{RpcError, code};

/// The longest that the tool `sleep` sleeps.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);

/// The answer to `tools/list`.
pub(super) fn list() -> Value {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {"type": "object", "properties": properties, "required": required},
        })
    };
    json!({"tools": [
        tool("echo", "Answers with the message it was given", json!({"message": {"type": "string"}}), &["message"]),
        tool("add", "Adds two numbers", json!({"a": {"type": "number"}, "b": {"type": "number"}}), &["a", "b"]),
        tool("sleep", "Answers after some milliseconds", json!({"ms": {"type": "integer", "minimum": 0}}), &["ms"]),
        tool("fail", "Fails, as a tool does: with a result that says so", json!({}), &[]),
    ]})
}

/// The answer to `tools/call`. A tool that fails is a result with `isError`, not a JSON-RPC error.
pub(super) async fn call(params: &Value) -> Result<Value, RpcError> {
    let name = params.get("name").and_then(Value::as_str).ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`name` is missing"))?;
    let arguments = params.get("arguments").unwrap_or(&Value::Null);
    let number = |key: &str| arguments.get(key).and_then(Value::as_f64);
    Ok(match name {
        "echo" => match arguments.get("message").and_then(Value::as_str) {
            Some(message) => text(message, false),
            None => text("echo wants `message`, a string", true),
        },
        "add" => match (number("a"), number("b")) {
            (Some(a), Some(b)) => text(&format!("{}", a + b), false),
            _ => text("add wants `a` and `b`, two numbers", true),
        },
        "sleep" => match arguments.get("ms").and_then(Value::as_u64) {
            Some(ms) => {
                tokio::time::sleep(Duration::from_millis(ms).min(LONGEST_SLEEP)).await;
                text(&format!("slept {ms} ms"), false)
            }
            None => text("sleep wants `ms`, a whole number", true),
        },
        "fail" => text("failed as asked", true),
        _ => return Err(RpcError::new(code::INVALID_PARAMS, format!("unknown tool: {name}"))),
    })
}

fn text(text: &str, is_error: bool) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": is_error})
}
