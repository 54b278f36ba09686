//! HTTP in, stdio out: a server of its own for each session, started when the session opens.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{HeaderName, HeaderValue},
};
use indexmap::IndexMap;
use tokio::task::JoinHandle;

use super::{
    super::{
        child::Ending,
        event_body::{event_answer, messages},
        log::clean,
        pipe_peer::{PipeError, PipePeer},
        protocol::{Id, Message, SESSION_HEADER, code, new_session_id},
        server::{Body, Handler, empty_answer, json_answer, text_answer},
        streams::Streams,
    },
    front::{Counts, Denial, check, deny, enter, health, method_not_allowed, not_found},
    hop::HopError,
    peek::Peeked,
    relay::{Relay, Span, session_of},
    sessions::ProxySessions,
};

/// A proxy in front of servers on stdio.
pub(super) struct Bridge {
    pub(super) argv: Vec<String>,
    pub(super) timeout: Duration,
    /// Whether it has the routes of a reverse proxy.
    pub(super) reverse: bool,
    pub(super) sessions: ProxySessions,
    pub(super) relay: Relay,
    pub(super) counts: Counts,
    pub(super) servers: Servers,
}

/// A session's server.
#[derive(Debug)]
struct Server {
    peer: PipePeer,
    streams: Arc<Streams>,
}

/// The servers that run.
#[derive(Debug, Default)]
pub(super) struct Servers {
    by_session: Mutex<IndexMap<String, Arc<Server>>>,
    ends: Mutex<Vec<JoinHandle<Ending>>>,
}

impl Servers {
    fn of(&self, session: &str) -> Option<Arc<Server>> {
        self.lock().get(session).cloned()
    }

    fn add(&self, session: &str, server: Server) {
        self.lock().insert(session.to_owned(), Arc::new(server));
    }

    /// Once nobody uses it any more, its pipe closes and it is ended.
    fn remove(&self, session: &str) {
        self.lock().shift_remove(session);
    }

    fn remember(&self, end: JoinHandle<Ending>) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.retain(|end| !end.is_finished());
        ends.push(end);
    }

    /// Ends all and waits for that.
    pub(super) async fn end_all(&self) {
        self.lock().clear();
        let ends = std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner));
        for end in ends {
            let _ = end.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<String, Arc<Server>>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Bridge {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::GET, "/health") if self.reverse => health(&self.relay.log),
            (&Method::GET, "/metrics") if self.reverse => self.counts.answer(self.sessions.count()),
            (&Method::POST, "/mcp") => self.post(request).await,
            (&Method::GET, "/mcp") => self.answer_or_deny(self.stream(request.headers())),
            (&Method::DELETE, "/mcp") => self.answer_or_deny(self.delete(request.headers())),
            (_, "/mcp") => method_not_allowed(),
            (method, path) => not_found(&self.relay.log, method, path),
        }
    }
}

impl Bridge {
    async fn post(&self, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        let (head, body) = request.into_parts();
        let Ok(peeked) = Peeked::read(body).await else { return text_answer(StatusCode::BAD_REQUEST, "the body ended early\n") };
        if let Err(denial) = check(&peeked) {
            return deny(&self.relay.log, denial, None);
        }
        let opens = peeked.is_initialize();
        let Some(Ok(message)) = peeked.message else {
            return text_answer(StatusCode::PAYLOAD_TOO_LARGE, "a message for a server on stdio may have 64 KiB here\n");
        };
        if opens { self.initialize(&message, started).await } else { self.message(&head.headers, &message, started).await }
    }

    /// Starts a server for a new session.
    async fn initialize(&self, message: &Message, started: Instant) -> Response<Body> {
        self.relay.processing("initialize", None);
        let (span, id) = (Span(None), id_of(message));
        let (Ok(session), Some(id)) = (new_session_id(), id) else { return empty_answer(StatusCode::INTERNAL_SERVER_ERROR) };
        let (peer, mut unasked, end) = match PipePeer::spawn(&self.argv, self.relay.log.clone()) {
            Ok(spawned) => spawned,
            Err(error) => return self.failed(&span, StatusCode::BAD_GATEWAY, &error.to_string(), Some(id)),
        };
        self.servers.remember(end);
        let server = Server { peer, streams: Arc::default() };
        let answer = match server.peer.request(&id, message, self.timeout).await {
            Ok(answer) => answer,
            Err(error) => return self.pipe_failed(&span, error, Some(id)),
        };
        let streams = Arc::clone(&server.streams);
        // Ends with the server, which holds the other end.
        tokio::spawn(async move {
            while let Some(message) = unasked.recv().await {
                streams.send(message).await;
            }
        });
        self.relay.log.info(format_args!("Creating new session: {session}"));
        self.servers.add(&session, server);
        if let Some(gone) = self.sessions.open(session.clone(), None) {
            self.relay.log.warn(format_args!("too many sessions, ended the one idle longest: {gone}"));
            self.servers.remove(&gone);
        }
        self.relay.answered(&Span(Some(&session)), StatusCode::OK, started);
        let mut response = json_answer(StatusCode::OK, &answer.to_json());
        if let Ok(value) = HeaderValue::from_str(&session) {
            response.headers_mut().insert(HeaderName::from_static(SESSION_HEADER), value);
        }
        response
    }

    async fn message(&self, headers: &HeaderMap, message: &Message, started: Instant) -> Response<Body> {
        let (session, server) = match self.server(headers) {
            Ok(found) => found,
            Err(denial) => return deny(&self.relay.log, denial, id_of(message).as_ref()),
        };
        let span = Span(Some(&session));
        let method = match message {
            Message::Request { method, .. } | Message::Notification { method, .. } => method,
            Message::Response { .. } => "answer",
        };
        self.relay.processing(method, Some(&session));
        let outcome = match id_of(message) {
            Some(id) => server.peer.request(&id, message, self.timeout).await.map(Some),
            None => server.peer.send(message).await.map(|()| None),
        };
        match outcome {
            Ok(answer) => {
                let status = if answer.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
                self.relay.answered(&span, status, started);
                answer.map_or_else(|| empty_answer(status), |answer| json_answer(status, &answer.to_json()))
            }
            Err(error) => {
                if error == PipeError::Gone {
                    self.sessions.end(&session);
                    self.servers.remove(&session);
                }
                self.pipe_failed(&span, error, id_of(message))
            }
        }
    }

    fn stream(&self, headers: &HeaderMap) -> Result<Response<Body>, Denial> {
        let (session, server) = self.server(headers)?;
        self.relay.processing("GET /mcp", Some(&session));
        Ok(event_answer(messages(server.streams.open())))
    }

    fn delete(&self, headers: &HeaderMap) -> Result<Response<Body>, Denial> {
        let (session, _) = self.server(headers)?;
        self.relay.processing("DELETE /mcp", Some(&session));
        self.sessions.end(&session);
        self.servers.remove(&session);
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    /// The server of the session that a request belongs to.
    fn server(&self, headers: &HeaderMap) -> Result<(String, Arc<Server>), Denial> {
        let missing = || (StatusCode::BAD_REQUEST, code::SERVER, "Mcp-Session-Id is missing: initialize first".to_owned());
        let session = session_of(headers).ok_or_else(missing)?;
        let known = enter(&self.sessions, &session, headers);
        if known.as_ref().is_err_and(|(status, ..)| *status == StatusCode::NOT_FOUND) {
            // It may have been idle for too long: then its server goes too.
            self.servers.remove(&session);
        }
        known?;
        let server = self.servers.of(&session);
        server.map(|server| (session.clone(), server)).ok_or((StatusCode::NOT_FOUND, code::SERVER, format!("unknown session {session}")))
    }

    fn answer_or_deny(&self, answer: Result<Response<Body>, Denial>) -> Response<Body> {
        answer.unwrap_or_else(|denial| deny(&self.relay.log, denial, None))
    }

    fn pipe_failed(&self, span: &Span<'_>, error: PipeError, id: Option<Id>) -> Response<Body> {
        let (status, reason) = match error {
            PipeError::Gone => (StatusCode::BAD_GATEWAY, "the stdio server has ended".to_owned()),
            PipeError::Timeout => (StatusCode::GATEWAY_TIMEOUT, format!("no answer within {:?}", self.timeout)),
            PipeError::IdInUse => {
                let why = "another request with this id is under way".to_owned();
                return deny(&self.relay.log, (StatusCode::BAD_REQUEST, code::INVALID_REQUEST, why), id.as_ref());
            }
        };
        self.failed(span, status, &reason, id)
    }

    fn failed(&self, span: &Span<'_>, status: StatusCode, reason: &str, id: Option<Id>) -> Response<Body> {
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        self.relay.failed(span, &HopError { status, reason: clean(reason) }, id)
    }
}

fn id_of(message: &Message) -> Option<Id> {
    match message {
        Message::Request { id, .. } => Some(id.clone()),
        _ => None,
    }
}
