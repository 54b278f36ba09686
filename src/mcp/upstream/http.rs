//! The mock upstream over streamable HTTP: its listener and its routes.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{StreamExt, stream};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{ALLOW, HeaderValue, WWW_AUTHENTICATE},
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    super::{
        PartLog, ServeError, Stop,
        event_body::{event_answer, messages},
        log::clean,
        protocol::{Message, Revision, RpcError, SESSION_HEADER, SseEvent, VERSION_HEADER, code},
        server::{self, Body, Handler, empty_answer, json_answer, text_answer},
    },
    Routes, UpstreamConfig, UpstreamTransport,
    checks::{Refusal, accepts_stream, check_origin, check_token, header},
    faults::FaultState,
    sessions::{Session, Sessions},
};

/// A mock upstream over HTTP that has its address.
pub struct Upstream {
    listener: TcpListener,
    addr: SocketAddr,
    config: UpstreamConfig,
    log: PartLog,
}

/// The state that all requests share.
pub(super) struct Server {
    pub(super) config: UpstreamConfig,
    pub(super) sessions: Sessions,
    pub(super) faults: FaultState,
    pub(super) log: PartLog,
    stop: Stop,
}

impl Upstream {
    /// Waits for its start delay and takes the address. Nothing is said of listening before that has worked.
    pub async fn bind(config: UpstreamConfig, log: PartLog) -> Result<Self, ServeError> {
        let UpstreamTransport::Http { host, port } = &config.transport else {
            return Err(ServeError::Setup("an upstream on stdio has no address".to_owned()));
        };
        if !config.faults.start_delay.is_zero() {
            log.info(format_args!("starting, {:?} to go", config.faults.start_delay));
            tokio::time::sleep(config.faults.start_delay).await;
        }
        let listener = server::bind(host, *port).await?;
        let addr = server::local_addr(&listener)?;
        Ok(Self { listener, addr, config, log })
    }

    /// The address it has.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until the end is wanted. Panics if it was told to crash.
    pub async fn serve(self, stop: Stop) {
        let Self { listener, addr, config, log } = self;
        log.info(format_args!("MCP server listening on {addr}, revision {}", config.revision));
        let faults = FaultState::start(config.faults.clone());
        let server = Arc::new(Server { config, sessions: Sessions::default(), faults, log: log.clone(), stop: stop.clone() });
        let ends_streams = async {
            stop.clone().requested().await;
            server.sessions.end_all();
        };
        let serving = async { tokio::join!(server::serve(listener, Arc::clone(&server), stop.clone(), &log), ends_streams) };
        tokio::select! {
            _ = serving => {}
            () = server.faults.crash_in_time() => {}
        }
        log.info("shutdown complete");
    }
}

impl Handler for Server {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        match (&method, path.as_str()) {
            (_, "/mcp") => self.mcp(request).await,
            (&Method::GET, path) if path == self.health_path() => self.health(path).await,
            _ => {
                self.log.warn(format_args!("{method} {} → 404", clean(&path)));
                text_answer(StatusCode::NOT_FOUND, format!("there is only /mcp and {} here\n", self.health_path()))
            }
        }
    }
}

impl Server {
    fn health_path(&self) -> &'static str {
        match self.config.routes {
            Routes::Own => "/health",
            Routes::Validator => "/",
        }
    }

    async fn health(&self, path: &str) -> Response<Body> {
        if self.faults.hangs() {
            return self.hang().await;
        }
        let (status, word) =
            if self.faults.healthy() { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "unhealthy") };
        self.log.info(format_args!("health probe GET {path} → {}", status.as_u16()));
        let body = json!({
            "status": word,
            "version": env!("CARGO_PKG_VERSION"),
            "protocol_version": self.config.revision.as_str(),
        });
        json_answer(status, &body)
    }

    /// No answer, for as long as the program lives. Not a word in the log either: so it is in real life.
    pub(super) async fn hang(&self) -> Response<Body> {
        self.stop.clone().requested().await;
        empty_answer(StatusCode::SERVICE_UNAVAILABLE)
    }

    async fn mcp(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let checked = check_origin(request.headers()).and_then(|()| match self.config.routes {
            Routes::Own => self.check_token(request.headers()),
            // There, what is posted decides; see `post`.
            Routes::Validator => Ok(()),
        });
        let answer = match checked {
            Err(refusal) => Err(refusal),
            Ok(()) => match *request.method() {
                Method::POST => Arc::clone(&self).post(request).await,
                Method::GET => self.stream(request.headers(), request.uri()),
                Method::DELETE => self.delete(request.headers(), request.uri()),
                ref other => Ok(self.method_not_allowed(other)),
            },
        };
        answer.unwrap_or_else(|refusal| self.refuse(refusal))
    }

    fn refuse(&self, refusal: Refusal) -> Response<Body> {
        let Refusal { status, code, line, why } = refusal;
        self.log.warn(format_args!("{} → {}", clean(&line), status.as_u16()));
        let mut response = json_answer(status, &Message::error(None, RpcError::new(code, why)).to_json());
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn method_not_allowed(&self, method: &Method) -> Response<Body> {
        self.log.info(format_args!("{method} /mcp → 405"));
        let mut response = text_answer(StatusCode::METHOD_NOT_ALLOWED, "POST a message, GET a stream, or DELETE the session\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
        response
    }

    /// Opens a stream on which the server may speak first.
    fn stream(&self, headers: &HeaderMap, uri: &Uri) -> Result<Response<Body>, Refusal> {
        if !accepts_stream(headers) {
            return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, "Accept must hold text/event-stream"));
        }
        let session = self.session(headers, uri)?;
        self.log.info(format_args!("session={} stream opened → 200", session.id));
        let closed = Closed { log: self.log.clone(), session: session.id.clone() };
        let events = messages(session.streams.open()).inspect(move |_| {
            // Only there to be dropped with the stream.
            let _ = &closed;
        });
        Ok(event_answer(stream::iter(priming(&session, "stream")).chain(events)))
    }

    fn delete(&self, headers: &HeaderMap, uri: &Uri) -> Result<Response<Body>, Refusal> {
        let session = self.session(headers, uri)?;
        self.sessions.end(&session.id);
        self.log.info(format_args!("session={} ended by the client → 204", session.id));
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        check_token(headers, self.config.token.as_ref())
    }

    /// The session that a request belongs to.
    pub(super) fn session(&self, headers: &HeaderMap, uri: &Uri) -> Result<Session, Refusal> {
        if self.config.routes == Routes::Validator {
            self.check_token(headers)?;
        }
        let named = uri.query().filter(|_| self.config.routes == Routes::Validator).and_then(session_in);
        let id = header(headers, SESSION_HEADER)
            .or(named)
            .ok_or_else(|| Refusal::bad(code::SERVER, "Mcp-Session-Id is missing: initialize first"))?;
        let session = self.sessions.find(id).ok_or_else(|| Refusal {
            line: format!("unknown session {id}"),
            ..Refusal::new(StatusCode::NOT_FOUND, code::SERVER, "no such session: initialize anew")
        })?;
        // Any revision spoken here will do: real clients name another than the negotiated one. Without the header,
        // a server is to assume 2025-03-26.
        match header(headers, VERSION_HEADER) {
            Some(version) if !version.parse::<Revision>().is_ok_and(|revision| revision <= self.config.revision) => {
                Err(Refusal::bad(code::INVALID_REQUEST, format!("MCP-Protocol-Version {} is not spoken here", clean(version))))
            }
            _ => Ok(session),
        }
    }
}

fn session_in(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("session_id="))
}

/// The event that opens a stream, in revisions that have one.
pub(super) fn priming(session: &Session, stream: &str) -> Option<SseEvent> {
    session.revision.has_priming_events().then(|| SseEvent::priming(format!("{stream}/0")))
}

/// Says that a stream has ended, whoever ended it.
struct Closed {
    log: PartLog,
    session: String,
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.log.info(format_args!("session={} stream closed", self.session));
    }
}
