//! Reverse: an MCP endpoint of its own in front of another one, with sessions of its own.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use reqwest::Url;

use super::{
    super::{
        Token,
        protocol::{Revision, SESSION_HEADER, VERSION_HEADER, code, is_uuid, new_session_id},
        server::{Body, Handler, text_answer},
    },
    front::{Counts, Denial, check, deny, enter, health, method_not_allowed, not_found},
    headers,
    peek::Peeked,
    relay::{Outgoing, Relay, Span, session_of},
    sessions::{Entry, ProxySessions},
};

/// A reverse proxy.
pub(super) struct Reverse {
    pub(super) upstream: Url,
    pub(super) upstream_token: Option<Token>,
    pub(super) sessions: ProxySessions,
    pub(super) relay: Relay,
    pub(super) counts: Counts,
}

impl Handler for Reverse {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/health") => health(&self.relay.log),
            (&Method::GET, "/metrics") => self.counts.answer(self.sessions.count()),
            (&(Method::POST | Method::GET | Method::DELETE), "/mcp") => self.mcp(request).await,
            (_, "/mcp") => method_not_allowed(),
            (method, path) => not_found(&self.relay.log, method, path),
        }
    }
}

impl Reverse {
    async fn mcp(&self, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        let (head, body) = request.into_parts();
        let session = session_of(&head.headers);
        let Ok(peeked) = Peeked::read(body).await else { return text_answer(StatusCode::BAD_REQUEST, "the body ended early\n") };
        let what = peeked.label().map_or_else(|| format!("{} {}", head.method, head.uri.path()), str::to_owned);
        let opens = peeked.is_initialize();
        let free = opens || is_stateless(&head.headers);
        let entry = match check(&peeked).and_then(|()| self.enter(&head.headers, session.as_deref(), free)) {
            Ok(entry) => entry,
            Err(denial) => return deny(&self.relay.log, denial, peeked.id()),
        };
        let session = session.filter(|_| entry.is_some());
        self.relay.processing(&what, session.as_deref());
        let headers = self.headers(&head.headers, entry.as_ref());
        let (method, url) = (head.method.clone(), self.upstream.clone());
        let answer = match self.relay.send(&Span(session.as_deref()), Outgoing { method, url, headers, peeked }).await {
            Ok(answer) => answer,
            Err(response) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                return *response;
            }
        };
        let status = answer.status();
        let session = match session {
            Some(id) => {
                if status == StatusCode::NOT_FOUND || (head.method == Method::DELETE && status.is_success()) {
                    self.sessions.end(&id);
                }
                Some(id)
            }
            None if opens && status.is_success() => self.open(session_of(answer.headers())),
            None => None,
        };
        self.relay.answered(&Span(session.as_deref()), status, started);
        let mut response = self.relay.pass_back(answer, head.method == Method::GET);
        response.headers_mut().remove(SESSION_HEADER);
        if let Some(value) = session.and_then(|id| HeaderValue::from_str(&id).ok()) {
            response.headers_mut().insert(SESSION_HEADER, value);
        }
        response
    }

    /// The session that a request goes on in; none for one that is free of any.
    fn enter(&self, headers: &HeaderMap, session: Option<&str>, free: bool) -> Result<Option<Entry>, Denial> {
        match session {
            _ if free => Ok(None),
            None => Err((StatusCode::BAD_REQUEST, code::SERVER, "Mcp-Session-Id is missing: initialize first".to_owned())),
            Some(id) => enter(&self.sessions, id, headers).map(Some),
        }
    }

    /// Opens a session for an upstream that calls it `upstream`; gives what the client calls it.
    fn open(&self, upstream: Option<String>) -> Option<String> {
        let log = &self.relay.log;
        let id = match upstream.as_deref() {
            Some(id) if is_uuid(id) => id.to_owned(),
            other => {
                let fresh = new_session_id().ok()?;
                if let Some(other) = other {
                    log.warn(format_args!("upstream's session id {other:?} is no UUID, the client gets {fresh}"));
                }
                fresh
            }
        };
        log.info(format_args!("Creating new session: {id}"));
        if let Some(gone) = self.sessions.open(id.clone(), upstream) {
            log.warn(format_args!("too many sessions, ended the one idle longest: {gone}"));
        }
        Some(id)
    }

    /// What the upstream sees: its own session id, and its own token in place of the client's.
    fn headers(&self, from: &HeaderMap, entry: Option<&Entry>) -> HeaderMap {
        let mut headers = headers::to_pass_on(from);
        headers.remove(SESSION_HEADER);
        if let Some(id) = entry.and_then(|entry| entry.upstream.as_deref()).and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(HeaderName::from_static(SESSION_HEADER), id);
        }
        if let Some(mut value) = self.upstream_token.as_ref().and_then(|token| HeaderValue::from_str(&token.header()).ok()) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        headers
    }
}

/// Whether a request is of a revision that has no sessions.
fn is_stateless(headers: &HeaderMap) -> bool {
    let version = headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok());
    version.and_then(|version| version.parse::<Revision>().ok()).is_some_and(Revision::is_stateless)
}
