//! What forward and reverse share: a request goes to the upstream, its answer comes back as it comes, and the
//! log tells of both.

use std::{fmt, time::Instant};

use futures_util::{StreamExt, TryStreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::{HeaderMap, Method, Response, StatusCode, body::Frame, header::CONTENT_TYPE};
use reqwest::Url;

use super::{
    super::{
        PartLog, Stop,
        log::{clean, millis},
        protocol::{Id, Message, RpcError, SESSION_HEADER, code},
        server::{Body, BoxError, json_answer},
    },
    headers,
    hop::{self, Hop, HopError},
    peek::Peeked,
};

/// Sends requests on and answers back.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) hop: Hop,
    pub(super) log: PartLog,
    pub(super) stop: Stop,
}

/// The span that a request's lines stand in, as `tracing` writes it.
pub(super) struct Span<'a>(pub(super) Option<&'a str>);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, "handle{{session_id=\"{id}\"}}:"),
            None => f.write_str("handle:"),
        }
    }
}

/// A request on its way to the upstream.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) peeked: Peeked,
}

impl Relay {
    /// Says what is about to be sent on.
    pub(super) fn processing(&self, what: &str, session: Option<&str>) {
        let owner = session.map(|id| format!(" for {id}")).unwrap_or_default();
        self.log.info(format_args!("{} Processing {}{owner}", Span(session), clean(what)));
    }

    /// Sends a request on and waits for the head of its answer; the error is the answer to give in its place.
    pub(super) async fn send(&self, span: &Span<'_>, outgoing: Outgoing) -> Result<reqwest::Response, Box<Response<Body>>> {
        let Outgoing { method, url, headers, peeked } = outgoing;
        let id = peeked.id().cloned();
        self.hop.send(method, url, headers, peeked.into_body()).await.map_err(|error| Box::new(self.failed(span, &error, id)))
    }

    /// Says that the upstream answered.
    pub(super) fn answered(&self, span: &Span<'_>, status: StatusCode, started: Instant) {
        let elapsed = millis(started.elapsed()).replace(' ', "");
        if status.is_server_error() {
            self.log.error(format_args!("{span} HTTP upstream returned error status: {status} elapsed={elapsed}"));
        } else {
            self.log.info(format_args!("{span} upstream answered status={} elapsed={elapsed}", status.as_u16()));
        }
    }

    /// Says that there is no answer, and makes one.
    pub(super) fn failed(&self, span: &Span<'_>, error: &HopError, id: Option<Id>) -> Response<Body> {
        let HopError { status, reason } = error;
        self.log.warn(format_args!("{span} upstream failed error=\"{}\" status={}", clean(reason), status.as_u16()));
        let error = RpcError::new(code::SERVER, format!("upstream failed: {reason}"));
        json_answer(*status, &Message::error(id, error).to_json())
    }

    /// The upstream's answer, head first, then the body as it comes. An endless stream ends with the proxy.
    pub(super) fn pass_back(&self, answer: reqwest::Response, endless: bool) -> Response<Body> {
        let (status, headers) = (answer.status(), headers::to_pass_on(answer.headers()));
        let streams = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        let log = self.log.clone();
        let body = answer.bytes_stream().map_ok(Frame::data).map_err(move |error| {
            log.warn(format_args!("upstream's answer broke off error=\"{}\"", clean(&hop::root_cause(&error))));
            BoxError::from(error)
        });
        let body = if endless && streams {
            let mut stop = self.stop.clone();
            let end = async move { stop.requested().await };
            StreamBody::new(body.take_until(end)).boxed_unsync()
        } else {
            StreamBody::new(body).boxed_unsync()
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// The session that a message belongs to.
pub(super) fn session_of(headers: &HeaderMap) -> Option<String> {
    headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok()).map(clean)
}
