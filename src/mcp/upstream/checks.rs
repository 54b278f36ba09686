//! What a request must carry before anybody looks at its message.

use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ORIGIN},
};

use super::super::{Token, protocol::code};

/// Why a request gets no answer of its own.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What the client gets.
    pub(super) status: StatusCode,
    /// The code in the body.
    pub(super) code: i64,
    /// What the log says.
    pub(super) line: String,
    /// What the client is told.
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: i64, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { status, code, line: why.clone(), why }
    }

    /// A malformed request.
    pub(super) fn bad(code: i64, why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, why)
    }
}

/// A header's text; `?` for one that is no text, so that it matches nothing.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// A web page must not reach a server on the loopback interface by DNS rebinding, so only local origins pass.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = header(headers, ORIGIN.as_str()) else { return Ok(()) };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let name = if host.starts_with("[::1]") { "::1" } else { host.split(':').next().unwrap_or(host) };
    if matches!(name, "localhost" | "127.0.0.1" | "::1") {
        return Ok(());
    }
    Err(Refusal {
        line: format!("origin {origin}"),
        ..Refusal::new(StatusCode::FORBIDDEN, code::INVALID_REQUEST, "this origin may not talk to a local server")
    })
}

/// The token, where one is wanted.
pub(super) fn check_token(headers: &HeaderMap, token: Option<&Token>) -> Result<(), Refusal> {
    let Some(token) = token else { return Ok(()) };
    let why = match header(headers, AUTHORIZATION.as_str()) {
        Some(given) if token.matches(given) => return Ok(()),
        Some(_) => "wrong bearer token",
        None => "no bearer token",
    };
    Err(Refusal::new(StatusCode::UNAUTHORIZED, code::SERVER, why))
}

/// The types of a POST.
pub(super) fn check_types(headers: &HeaderMap) -> Result<(), Refusal> {
    if !lower(headers, CONTENT_TYPE.as_str()).starts_with("application/json") {
        let why = "Content-Type must be application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::INVALID_REQUEST, why));
    }
    // A client that names no type at all is taken as curl in somebody's hand, and gets JSON.
    if header(headers, ACCEPT.as_str()).is_none() || accepts(headers, "application/json") {
        return Ok(());
    }
    let why = "Accept must hold application/json and text/event-stream";
    Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, why))
}

/// Whether the client takes that type.
pub(super) fn accepts(headers: &HeaderMap, content_type: &str) -> bool {
    let accept = lower(headers, ACCEPT.as_str());
    accept.contains(content_type) || accept.contains("*/*")
}

/// Whether the client takes an answer in a stream. `*/*` does not say so: curl would sit and wait.
pub(super) fn accepts_stream(headers: &HeaderMap) -> bool {
    lower(headers, ACCEPT.as_str()).contains("text/event-stream")
}

fn lower(headers: &HeaderMap, name: &str) -> String {
    header(headers, name).unwrap_or_default().to_ascii_lowercase()
}
