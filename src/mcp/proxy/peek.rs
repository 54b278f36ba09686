//! A look at a request's body on its way through.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::super::{
    protocol::{Id, Message, ParseError},
    server::BoxError,
};

/// Up to here a body is read before it is passed on: its method names the log line, and a message is of no use
/// to the upstream before it is whole. Larger bodies stream through.
const LIMIT: usize = 64 << 10;

/// A body that was looked at.
pub(super) struct Peeked {
    head: Bytes,
    rest: Option<Incoming>,
    /// What it holds; none for a body that is empty or too large to look at.
    pub(super) message: Option<Result<Message, ParseError>>,
}

impl Peeked {
    /// Reads the start of `body`.
    pub(super) async fn read(mut body: Incoming) -> Result<Self, hyper::Error> {
        let mut head = BytesMut::new();
        while head.len() <= LIMIT {
            match body.frame().await {
                None => {
                    let message = (!head.is_empty()).then(|| Message::parse(&head));
                    return Ok(Self { head: head.freeze(), rest: None, message });
                }
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        head.extend_from_slice(&data);
                    }
                }
            }
        }
        Ok(Self { head: head.freeze(), rest: Some(body), message: None })
    }

    /// What the log calls it: the method of the message, where it can be told.
    pub(super) fn label(&self) -> Option<&str> {
        match &self.message {
            Some(Ok(Message::Request { method, .. } | Message::Notification { method, .. })) => Some(method),
            Some(Ok(Message::Response { .. })) => Some("answer"),
            Some(Err(ParseError::Batch)) => Some("batch"),
            Some(Err(_)) => Some("unreadable message"),
            None if self.rest.is_some() => Some("large message"),
            None => None,
        }
    }

    /// The id that an answer must carry.
    pub(super) fn id(&self) -> Option<&Id> {
        match &self.message {
            Some(Ok(Message::Request { id, .. })) => Some(id),
            _ => None,
        }
    }

    /// Whether it opens a session.
    pub(super) fn is_initialize(&self) -> bool {
        self.id().is_some() && self.label() == Some("initialize")
    }

    /// The body to send on.
    pub(super) fn into_body(self) -> reqwest::Body {
        match self.rest {
            None => self.head.into(),
            Some(rest) => {
                let rest = rest.into_data_stream();
                let all = futures_util::StreamExt::chain(futures_util::stream::iter([Ok(self.head)]), rest);
                reqwest::Body::wrap_stream(futures_util::TryStreamExt::map_err(all, BoxError::from))
            }
        }
    }
}
