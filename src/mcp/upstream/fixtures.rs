//! The tools that the conformance suite of the protocol's authors calls by name.
//!
//! They are answered and not listed: a person who looks at the list of tools wants those that are of use.

use std::time::Duration;

use serde_json::{Value, json};

use super::{super::protocol::Message, dispatch::Peer};

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A recording without a sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";
/// The wait between two messages of a tool, as the suite describes it.
const STEP: Duration = Duration::from_millis(50);

/// Whether a tool sends messages ahead of its answer.
pub(super) fn speaks_ahead(tool: &str) -> bool {
    matches!(tool, "test_tool_with_progress" | "test_tool_with_logging")
}

/// The result of one of those tools; none for any other.
pub(super) async fn call(tool: &str, params: &Value, peer: &Peer) -> Option<Value> {
    let content = match tool {
        "test_simple_text" => json!([text("This is a simple text response for testing.")]),
        "test_image_content" => json!([image()]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => {
            json!([resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")])
        }
        "test_multiple_content_types" => json!([
            text("Multiple content types test:"),
            image(),
            resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ]),
        "test_tool_with_logging" => logging(peer).await,
        "test_tool_with_progress" => progress(params.pointer("/_meta/progressToken"), peer).await,
        "test_error_handling" => {
            return Some(json!({"content": [text("This tool intentionally returns an error for testing")], "isError": true}));
        }
        _ => return None,
    };
    Some(json!({"content": content, "isError": false}))
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn image() -> Value {
    json!({"type": "image", "data": PNG, "mimeType": "image/png"})
}

fn resource(uri: &str, mime: &str, text: &str) -> Value {
    json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": text}})
}

async fn logging(peer: &Peer) -> Value {
    for (n, what) in ["Tool execution started", "Tool processing data", "Tool execution completed"].into_iter().enumerate() {
        if n > 0 {
            tokio::time::sleep(STEP).await;
        }
        let params = json!({"level": "info", "data": what});
        peer.tell_with_the_answer(Message::notification("notifications/message", params)).await;
    }
    json!([text("logged 3 messages")])
}

async fn progress(token: Option<&Value>, peer: &Peer) -> Value {
    for percent in [0, 50, 100] {
        if percent > 0 {
            tokio::time::sleep(STEP).await;
        }
        if let Some(token) = token {
            let params = json!({"progressToken": token, "progress": percent, "total": 100});
            peer.tell_with_the_answer(Message::notification("notifications/progress", params)).await;
        }
    }
    json!([text("made progress in 3 steps")])
}
