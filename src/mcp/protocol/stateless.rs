//! What a request carries from revision 2026-07-28 on, when there is no session to carry it.

use serde_json::{Value, json};

use super::{Message, Revision};

/// The header that repeats the method.
pub const METHOD_HEADER: &str = "mcp-method";
/// The header that repeats the name of what is called or read.
pub const NAME_HEADER: &str = "mcp-name";

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
/// Where a server may say who it is.
pub const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// The revision that a request says it speaks.
pub fn version_of(params: &Value) -> Option<&str> {
    params.get("_meta")?.get(VERSION_KEY)?.as_str()
}

/// Adds to `params` what every request says.
pub fn describe(params: &mut Value, revision: Revision, client: &Value) {
    if params.is_null() {
        *params = json!({});
    }
    params["_meta"][VERSION_KEY] = json!(revision.as_str());
    params["_meta"][CLIENT_KEY] = client.clone();
    params["_meta"][CAPABILITIES_KEY] = json!({});
}

/// What the headers of a message must repeat: its method, and the name of what it is about.
pub fn mirrored(message: &Message) -> Option<(&str, Option<&str>)> {
    let (Message::Request { method, params, .. } | Message::Notification { method, params }) = message else { return None };
    let key = match method.as_str() {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    };
    Some((method, key.and_then(|key| params.get(key)?.as_str())))
}

/// A header's value as its sender meant it: text that no header may hold stands as `=?base64?…?=`.
pub fn decode_header(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(value.to_owned()),
        Some(text) => String::from_utf8(decode_base64(text)?).ok(),
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_decoded_as_the_specification_shows() {
        let decode = |value: &str| decode_header(value).expect("text");
        assert_eq!(decode("us-west1"), "us-west1");
        assert_eq!(decode("=?base64?SGVsbG8sIOS4lueVjA==?="), "Hello, 世界");
        assert_eq!(decode("=?base64?IHBhZGRlZCA=?="), " padded ");
        assert_eq!(decode("=?base64?bGluZTEKbGluZTI=?="), "line1\nline2");
        assert_eq!(decode("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="), "=?base64?literal?=");
        assert_eq!(decode_header("=?base64?\u{e4}?="), None);
    }

    #[test]
    fn a_request_says_what_it_speaks_and_keeps_its_own_meta() {
        let mut params = json!({"_meta": {"progressToken": 1}});
        describe(&mut params, Revision::V2026_07_28, &json!({"name": "t", "version": "1"}));
        assert_eq!(version_of(&params), Some("2026-07-28"));
        assert_eq!(params["_meta"]["progressToken"], 1);
        let message = Message::request(1, "tools/call", json!({"name": "echo"}));
        assert_eq!(mirrored(&message), Some(("tools/call", Some("echo"))));
    }
}
