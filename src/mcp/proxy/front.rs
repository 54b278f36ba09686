//! What every MCP endpoint of a proxy says by itself: health, counts, and no.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::{
    HeaderMap, Method, Response, StatusCode,
    header::{ALLOW, HeaderValue},
};
use serde_json::json;

use super::{
    super::{
        PartLog,
        log::clean,
        protocol::{Id, Message, ParseError, Revision, RpcError, VERSION_HEADER, code},
        server::{Body, json_answer, text_answer},
    },
    peek::Peeked,
    sessions::{Denied, Entry, ProxySessions},
};

/// What `/metrics` tells.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: AtomicU64,
    pub(super) failures: AtomicU64,
}

/// Liveness only, as in Shadowcat: nobody asks the upstream. At debug level, since probes come for ever.
pub(super) fn health(log: &PartLog) -> Response<Body> {
    log.debug("health probe GET /health → 200");
    let version = env!("CARGO_PKG_VERSION");
    let body = json!({"status": "healthy", "version": version, "protocol_version": Revision::default().as_str()});
    json_answer(StatusCode::OK, &body)
}

impl Counts {
    /// The counts in Prometheus' text form.
    pub(super) fn answer(&self, sessions: usize) -> Response<Body> {
        let (requests, failures) = (self.requests.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed));
        let text = format!(
            "# TYPE shadowcat_requests_total counter\nshadowcat_requests_total {requests}\n\
             # TYPE shadowcat_upstream_failures_total counter\nshadowcat_upstream_failures_total {failures}\n\
             # TYPE shadowcat_sessions gauge\nshadowcat_sessions {sessions}\n"
        );
        text_answer(StatusCode::OK, text)
    }
}

/// No such route.
pub(super) fn not_found(log: &PartLog, method: &Method, path: &str) -> Response<Body> {
    log.warn(format_args!("{method} {} → 404", clean(path)));
    text_answer(StatusCode::NOT_FOUND, "there is only /mcp, /health and /metrics here\n")
}

/// A route that takes other methods.
pub(super) fn method_not_allowed() -> Response<Body> {
    let mut response = text_answer(StatusCode::METHOD_NOT_ALLOWED, "POST a message, GET a stream, or DELETE the session\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    response
}

/// A request that may not go on: its status, its code, and why.
pub(super) type Denial = (StatusCode, i64, String);

/// What is wrong with a message, whatever its session.
pub(super) fn check(peeked: &Peeked) -> Result<(), Denial> {
    match &peeked.message {
        Some(Err(error @ ParseError::Batch)) => Err((StatusCode::BAD_REQUEST, error.code(), "batches are not supported".to_owned())),
        Some(Err(error)) => Err((StatusCode::BAD_REQUEST, error.code(), error.to_string())),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// The session of that id, if its version is the one that the request names.
pub(super) fn enter(sessions: &ProxySessions, id: &str, headers: &HeaderMap) -> Result<Entry, Denial> {
    let version = headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok());
    sessions.enter(id, version).map_err(|denied| match denied {
        Denied::Unknown => (StatusCode::NOT_FOUND, code::SERVER, format!("unknown session {id}")),
        Denied::Version { fixed } => {
            let why = format!("Version downgrade prevented: this session speaks {fixed}, not {}", clean(version.unwrap_or_default()));
            (StatusCode::BAD_REQUEST, code::INVALID_REQUEST, why)
        }
    })
}

/// Says no, in the log and to the client.
pub(super) fn deny(log: &PartLog, (status, code, why): Denial, id: Option<&Id>) -> Response<Body> {
    log.warn(format_args!("{} → {}", clean(&why), status.as_u16()));
    json_answer(status, &Message::error(id.cloned(), RpcError::new(code, why)).to_json())
}
