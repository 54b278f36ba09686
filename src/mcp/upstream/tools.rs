//! The tools that the mock upstream offers.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::protocol::{Message, RpcError, code},
    dispatch::Peer,
    fixtures,
};

/// The longest that a tool waits, at once or between two messages.
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// The most messages that one call makes.
const MOST_MESSAGES: u64 = 100_000;

/// The answer to `tools/list`.
pub(super) fn list() -> Value {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {"type": "object", "properties": properties, "required": required},
        })
    };
    let (number, whole) = (json!({"type": "number"}), json!({"type": "integer", "minimum": 0}));
    let paced = |count: &str| json!({count: whole, "interval_ms": whole});
    json!({"tools": [
        tool("echo", "Answers with the message it was given", json!({"message": {"type": "string"}}), &["message"]),
        tool("add", "Adds two numbers", json!({"a": number, "b": number}), &["a", "b"]),
        tool("sleep", "Answers after some milliseconds", json!({"ms": whole}), &["ms"]),
        tool("count", "Counts, with progress notifications in a streamed answer", paced("to"), &["to"]),
        tool("notify", "Sends log messages on the session's GET stream", paced("count"), &["count"]),
        tool("fail", "Fails, as a tool does: with a result that says so", json!({}), &[]),
    ]})
}

/// The answer to `tools/call`. A tool that fails is a result with `isError`, not a JSON-RPC error.
pub(super) async fn call(params: &Value, peer: &Peer) -> Result<Value, RpcError> {
    let name = params.get("name").and_then(Value::as_str).ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`name` is missing"))?;
    let arguments = params.get("arguments").unwrap_or(&Value::Null);
    let said = match name {
        "echo" => echo(arguments),
        "add" => add(arguments),
        "sleep" => sleep(arguments).await,
        "count" => count(arguments, params.pointer("/_meta/progressToken"), peer).await,
        "notify" => notify(arguments, peer).await,
        "fail" => Err("failed as asked".to_owned()),
        _ => match fixtures::call(name, params, peer).await {
            Some(result) => return Ok(result),
            None => return Err(RpcError::new(code::INVALID_PARAMS, format!("unknown tool: {name}"))),
        },
    };
    let (text, is_error) = match said {
        Ok(text) => (text, false),
        Err(text) => (text, true),
    };
    Ok(json!({"content": [{"type": "text", "text": text}], "isError": is_error}))
}

fn echo(arguments: &Value) -> Result<String, String> {
    let message = arguments.get("message").and_then(Value::as_str);
    message.map(str::to_owned).ok_or_else(|| "echo wants `message`, a string".to_owned())
}

fn add(arguments: &Value) -> Result<String, String> {
    let number = |key: &str| arguments.get(key).and_then(Value::as_f64);
    match (number("a"), number("b")) {
        (Some(a), Some(b)) => Ok((a + b).to_string()),
        _ => Err("add wants `a` and `b`, two numbers".to_owned()),
    }
}

fn whole(arguments: &Value, key: &str) -> Result<u64, String> {
    arguments.get(key).and_then(Value::as_u64).ok_or_else(|| format!("`{key}` must be a whole number"))
}

async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms).min(LONGEST_WAIT)).await;
}

async fn sleep(arguments: &Value) -> Result<String, String> {
    let ms = whole(arguments, "ms")?;
    wait(ms).await;
    Ok(format!("slept {ms} ms"))
}

/// How many messages, and the wait between two.
fn pace(arguments: &Value, key: &str) -> Result<(u64, u64), String> {
    let count = whole(arguments, key)?.min(MOST_MESSAGES);
    Ok((count, arguments.get("interval_ms").and_then(Value::as_u64).unwrap_or(0)))
}

async fn count(arguments: &Value, token: Option<&Value>, peer: &Peer) -> Result<String, String> {
    let (to, interval) = pace(arguments, "to")?;
    for n in 1..=to {
        if n > 1 {
            wait(interval).await;
        }
        if let Some(token) = token {
            let params = json!({"progressToken": token, "progress": n, "total": to});
            peer.tell_with_the_answer(Message::notification("notifications/progress", params)).await;
        }
    }
    Ok(format!("counted to {to}"))
}

async fn notify(arguments: &Value, peer: &Peer) -> Result<String, String> {
    let (count, interval) = pace(arguments, "count")?;
    for n in 1..=count {
        if n > 1 {
            wait(interval).await;
        }
        let params = json!({"level": "info", "logger": "notify", "data": {"number": n, "of": count}});
        if !peer.streams.send(Message::notification("notifications/message", params)).await {
            return Err(format!("no stream is open; {} of {count} messages were sent", n - 1));
        }
    }
    Ok(format!("sent {count} messages"))
}
