//! What a hop saw, as it is written down: one note a line, in the order in which things happened.
//!
//! Notes hold what was said with secrets masked and long bodies cut; the bytes that were passed on are not touched.

use serde::{Deserialize, Serialize};

use crate::{
    mcp::protocol::Message,
    model::{At, FaultKind, ProcessId},
};

/// Which exchange of a run: they are counted, over all taps.
pub type ExchangeId = u64;

/// Something that happened at a tap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// A request has come, whole.
    Asked(Asked),
    /// The head of its answer has come.
    Answered(Answered),
    /// A message went by in a stream of server-sent events, or a part of the answer to a batch over a pipe.
    Said(Said),
    /// The exchange is over, with or without an answer.
    Ended(Ended),
    /// It has turned out who the client of a connection is.
    Client {
        /// The connection.
        connection: u64,
        /// The process at its other end.
        client: ProcessId,
    },
    /// The process behind a tap listens, or does not any more.
    Gate {
        /// Whose tap.
        tap: ProcessId,
        /// Since when.
        at: At,
        /// Whether connections come in.
        open: bool,
    },
}

impl Note {
    /// When it happened; none for what holds at any time.
    pub fn at(&self) -> Option<At> {
        match self {
            Self::Asked(asked) => Some(asked.at),
            Self::Answered(answered) => Some(answered.at),
            Self::Said(said) => Some(said.at),
            Self::Ended(ended) => Some(ended.at),
            Self::Client { .. } | Self::Gate { .. } => None,
        }
    }

    /// The exchange that it is about.
    pub fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Asked(asked) => Some(asked.exchange),
            Self::Answered(answered) => Some(answered.exchange),
            Self::Said(said) => Some(said.exchange),
            Self::Ended(ended) => Some(ended.exchange),
            Self::Client { .. } | Self::Gate { .. } => None,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Which exchange it begins.
    pub exchange: ExchangeId,
    /// In front of whom.
    pub tap: ProcessId,
    /// On which connection.
    pub connection: u64,
    /// When its first byte came.
    pub at: At,
    /// Its head; none for what is no HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<RequestHead>,
    /// What it carries.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
    /// The JSON-RPC messages in it: one, or those of a batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// What was done to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultKind>,
    /// Which way it goes, if it is a line on a pipe: there either side may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipe: Option<Toward>,
}

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// `POST`.
    pub method: String,
    /// `/mcp`.
    pub target: String,
    /// The session that it says it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Its fields, masked.
    pub fields: Vec<(String, String)>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// To what.
    pub exchange: ExchangeId,
    /// When its head was complete.
    pub at: At,
    /// `200`.
    pub status: u16,
    /// The session that it opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Its fields, masked.
    pub fields: Vec<(String, String)>,
}

/// A message in a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// In which exchange.
    pub exchange: ExchangeId,
    /// When it was complete.
    pub at: At,
    /// Which way it went.
    pub toward: Toward,
    /// What it is.
    pub call: Call,
    /// Its text.
    pub body: Body,
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Toward {
    /// To the process behind the tap.
    Server,
    /// To whoever talks to it.
    Client,
}

impl Toward {
    /// The way back.
    #[must_use]
    pub fn back(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// The end of an exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub exchange: ExchangeId,
    /// When.
    pub at: At,
    /// How.
    pub how: Ending,
    /// The answer's body, unless its messages were told one by one.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
    /// The JSON-RPC messages in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
}

/// How an exchange ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The answer is complete.
    Answered,
    /// The answer broke off.
    Broken,
    /// The server closed the connection without an answer.
    Unanswered,
    /// The client went away before the answer was complete.
    Abandoned,
    /// Nobody listened behind the tap.
    Refused,
    /// A connection that speaks no HTTP was closed.
    Closed,
    /// It went over a pipe, and wants no answer.
    Sent,
}

/// What a message carries, masked and cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// How many bytes went by.
    pub size: u64,
    /// The beginning of it, where it is text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Body {
    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// How many bytes are not shown.
    pub fn cut(&self) -> u64 {
        self.size.saturating_sub(self.text.len() as u64)
    }
}

/// A JSON-RPC message, as far as rows and pairs need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What it is.
    pub kind: CallKind,
    /// `tools/call`; empty for an answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// `tools/call echo`: the method, with the tool's name; for an error its message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What ties an answer to its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What a JSON-RPC message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// Wants an answer.
    Request,
    /// Wants none.
    Notification,
    /// An answer.
    Result,
    /// An answer that failed.
    Error,
}

impl Call {
    /// The messages in a body: one, those of a batch, or none where it is something else.
    pub(crate) fn all_in(body: &[u8]) -> Vec<Self> {
        // Cheaper than a parse that fails late: most other bodies are HTML or text.
        if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return Vec::new();
        }
        match serde_json::from_slice(body) {
            Ok(serde_json::Value::Array(all)) => {
                all.into_iter().filter_map(|one| Message::from_json(one).ok()).map(|m| Self::of(&m)).collect()
            }
            Ok(one) => Message::from_json(one).ok().map(|m| Self::of(&m)).into_iter().collect(),
            Err(_) => Vec::new(),
        }
    }

    fn of(message: &Message) -> Self {
        match message {
            Message::Request { id, method, .. } => {
                Self { kind: CallKind::Request, method: method.clone(), label: message.label(), id: Some(id.to_string()) }
            }
            Message::Notification { method, .. } => {
                Self { kind: CallKind::Notification, method: method.clone(), label: message.label(), id: None }
            }
            Message::Response { id, outcome } => {
                let id = id.as_ref().map(ToString::to_string);
                match outcome {
                    Ok(_) => Self { kind: CallKind::Result, method: String::new(), label: String::new(), id },
                    Err(error) => Self { kind: CallKind::Error, method: String::new(), label: error.to_string(), id },
                }
            }
        }
    }
}
