//! JSON-RPC 2.0 messages, as MCP uses them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

/// The error codes of JSON-RPC, and the range it leaves to servers.
pub mod code {
    /// The text is no JSON.
    pub const PARSE: i64 = -32700;
    /// The JSON is no JSON-RPC message, or not one that may come now.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Nobody knows this method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The method does not take these parameters.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The server failed.
    pub const INTERNAL: i64 = -32603;
    /// The first code left to servers; the parts use it for sessions, tokens and dead upstreams.
    pub const SERVER: i64 = -32000;
    /// From 2026-07-28 on: headers and body differ.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// From 2026-07-28 on: the request's revision is not spoken here.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

/// What ties an answer to its request. MCP allows no null here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// The usual form.
    Number(Number),
    /// Just as good.
    Text(String),
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The `error` member of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("JSON-RPC error {code}: {message}")]
pub struct RpcError {
    /// One of [`code`], or the server's own.
    pub code: i64,
    /// One sentence.
    #[serde(default)]
    pub message: String,
    /// Whatever the server adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    /// An error without `data`.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }
}

/// One message, either way.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request {
        /// What the answer will carry.
        id: Id,
        /// `tools/call` and the like.
        method: String,
        /// An object; null if there is none.
        params: Value,
    },
    /// Wants none.
    Notification {
        /// `notifications/initialized` and the like.
        method: String,
        /// An object; null if there is none.
        params: Value,
    },
    /// Answers a request. The id is absent where the request could not be read.
    Response {
        /// The request's.
        id: Option<Id>,
        /// What came of it.
        outcome: Result<Value, RpcError>,
    },
}

/// Why some bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not even JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// An array: a batch, which only revision 2025-03-26 has.
    #[error("a batch of messages, which this revision does not have")]
    Batch,
    /// JSON, but no JSON-RPC 2.0.
    #[error("no JSON-RPC 2.0 message: {0}")]
    Invalid(&'static str),
}

impl ParseError {
    /// The code that a server answers with.
    pub fn code(&self) -> i64 {
        match self {
            Self::NotJson(_) => code::PARSE,
            Self::Batch | Self::Invalid(_) => code::INVALID_REQUEST,
        }
    }
}

impl Message {
    /// A request.
    pub fn request(id: impl Into<Id>, method: &str, params: Value) -> Self {
        Self::Request { id: id.into(), method: method.to_owned(), params }
    }

    /// A notification.
    pub fn notification(method: &str, params: Value) -> Self {
        Self::Notification { method: method.to_owned(), params }
    }

    /// An answer that failed.
    pub fn error(id: Option<Id>, error: RpcError) -> Self {
        Self::Response { id, outcome: Err(error) }
    }

    /// Reads one message.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::from_json(serde_json::from_slice(bytes).map_err(|error| ParseError::NotJson(error.to_string()))?)
    }

    /// Reads one message from JSON.
    pub fn from_json(value: Value) -> Result<Self, ParseError> {
        let mut object = match value {
            Value::Object(object) => object,
            Value::Array(_) => return Err(ParseError::Batch),
            _ => return Err(ParseError::Invalid("not an object")),
        };
        if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(ParseError::Invalid("`jsonrpc` is not \"2.0\""));
        }
        let id = take_id(&mut object)?;
        match object.remove("method") {
            Some(Value::String(method)) => {
                let params = object.remove("params").unwrap_or(Value::Null);
                if !matches!(params, Value::Object(_) | Value::Null) {
                    return Err(ParseError::Invalid("`params` is not an object"));
                }
                Ok(match id {
                    Some(id) => Self::Request { id, method, params },
                    None => Self::Notification { method, params },
                })
            }
            Some(_) => Err(ParseError::Invalid("`method` is not a string")),
            None => Ok(Self::Response { id, outcome: take_outcome(&mut object)? }),
        }
    }

    /// The message as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Request { id, method, params } if params.is_null() => json!({"jsonrpc": "2.0", "id": id, "method": method}),
            Self::Request { id, method, params } => json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}),
            Self::Notification { method, params } if params.is_null() => json!({"jsonrpc": "2.0", "method": method}),
            Self::Notification { method, params } => json!({"jsonrpc": "2.0", "method": method, "params": params}),
            Self::Response { id, outcome: Ok(result) } => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Self::Response { id, outcome: Err(error) } => json!({"jsonrpc": "2.0", "id": id, "error": error}),
        }
    }

    /// `tools/call echo`: the method, with the tool's name where there is one; `answer` for a response.
    pub fn label(&self) -> String {
        match self {
            Self::Request { method, params, .. } | Self::Notification { method, params } => {
                let name = if method == "tools/call" { params.get("name").and_then(Value::as_str) } else { None };
                name.map_or_else(|| method.clone(), |name| format!("{method} {name}"))
            }
            Self::Response { .. } => "answer".to_owned(),
        }
    }
}

fn take_id(object: &mut Map<String, Value>) -> Result<Option<Id>, ParseError> {
    match object.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(Some(Id::Number(number))),
        Some(Value::String(text)) => Ok(Some(Id::Text(text))),
        Some(_) => Err(ParseError::Invalid("`id` is neither a string nor a number")),
    }
}

fn take_outcome(object: &mut Map<String, Value>) -> Result<Result<Value, RpcError>, ParseError> {
    match (object.remove("result"), object.remove("error")) {
        (Some(result), None) => Ok(Ok(result)),
        (None, Some(error)) => serde_json::from_value(error).map(Err).map_err(|_| ParseError::Invalid("`error` has no numeric `code`")),
        (Some(_), Some(_)) => Err(ParseError::Invalid("both `result` and `error`")),
        (None, None) => Err(ParseError::Invalid("neither `method` nor `result` nor `error`")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_survive_writing_and_reading() {
        let all = [
            Message::request(7, "tools/call", json!({"name": "echo"})),
            Message::request(Id::Text("a-1".into()), "ping", Value::Null),
            Message::notification("notifications/initialized", Value::Null),
            Message::Response { id: Some(7.into()), outcome: Ok(json!({})) },
            Message::error(None, RpcError::new(code::PARSE, "not JSON")),
        ];
        for message in all {
            assert_eq!(Message::parse(message.to_json().to_string().as_bytes()), Ok(message));
        }
    }

    #[test]
    fn what_is_no_message_says_why() {
        let parse = |text: &str| Message::parse(text.as_bytes()).expect_err("no message").code();
        assert_eq!(parse("{"), code::PARSE);
        assert_eq!(parse("[]"), code::INVALID_REQUEST);
        assert_eq!(parse("3"), code::INVALID_REQUEST);
        assert_eq!(parse(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#), code::INVALID_REQUEST);
        assert_eq!(parse(r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#), code::INVALID_REQUEST);
        assert_eq!(parse(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#), code::INVALID_REQUEST);
        assert_eq!(parse(r#"{"jsonrpc":"2.0","id":1}"#), code::INVALID_REQUEST);
        assert_eq!(parse(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}"#), code::INVALID_REQUEST);
    }

    proptest! {
        #[test]
        fn nothing_a_peer_sends_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::parse(&bytes);
        }

        #[test]
        fn objects_that_are_nearly_messages_are_read_or_refused(
            version in "(2\\.0|1\\.0)?",
            id in prop_oneof![Just(json!(null)), Just(json!(1)), Just(json!("a")), Just(json!([])), Just(json!(1.5))],
            method in prop_oneof![Just(json!(null)), Just(json!("ping")), Just(json!(3))],
            result in prop_oneof![Just(json!(null)), Just(json!({}))],
        ) {
            let value = json!({"jsonrpc": version, "id": id, "method": method, "result": result});
            if let Ok(message) = Message::from_json(value) {
                prop_assert_eq!(Message::from_json(message.to_json()), Ok(message));
            }
        }
    }

    #[test]
    fn labels_name_the_tool() {
        assert_eq!(Message::request(1, "tools/call", json!({"name": "echo"})).label(), "tools/call echo");
        assert_eq!(Message::request(1, "ping", Value::Null).label(), "ping");
    }
}
