//! A look at a request's body on its way through.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::super::{protocol::Message, server::BoxError};

/// Up to here a body is read before it is passed on: its method names the log line, and a message is of no use
/// to the upstream before it is whole. Larger bodies stream through.
const LIMIT: usize = 64 << 10;

/// A body that was looked at.
pub(super) enum Peeked {
    /// All of it.
    Whole(Bytes),
    /// Its start, and what follows.
    Large(Bytes, Incoming),
}

impl Peeked {
    /// Reads the start of `body`.
    pub(super) async fn read(mut body: Incoming) -> Result<Self, hyper::Error> {
        let mut head = BytesMut::new();
        while head.len() <= LIMIT {
            match body.frame().await {
                None => return Ok(Self::Whole(head.freeze())),
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        head.extend_from_slice(&data);
                    }
                }
            }
        }
        Ok(Self::Large(head.freeze(), body))
    }

    /// What the log calls it: the method of the message, where it can be told.
    pub(super) fn label(&self) -> Option<String> {
        match self {
            Self::Whole(body) if body.is_empty() => None,
            Self::Whole(body) => Some(match Message::parse(body) {
                Ok(Message::Request { method, .. } | Message::Notification { method, .. }) => method,
                Ok(Message::Response { .. }) => "answer".to_owned(),
                Err(_) => "unreadable message".to_owned(),
            }),
            Self::Large(..) => Some("large message".to_owned()),
        }
    }

    /// The body to send on.
    pub(super) fn into_body(self) -> reqwest::Body {
        match self {
            Self::Whole(body) => body.into(),
            Self::Large(head, rest) => {
                let rest = rest.into_data_stream();
                let all = futures_util::StreamExt::chain(futures_util::stream::iter([Ok(head)]), rest);
                reqwest::Body::wrap_stream(futures_util::TryStreamExt::map_err(all, BoxError::from))
            }
        }
    }
}
