//! The mock upstream over streamable HTTP.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    super::{
        PartLog, ServeError, Stop,
        log::{clean, millis},
        protocol::{Id, Message, Revision, RpcError, SESSION_HEADER, VERSION_HEADER, code},
        server::{self, Body, BodyError, Handler, empty_answer, json_answer, read_body, text_answer},
    },
    UpstreamConfig, dispatch,
    sessions::{Session, Sessions},
};

/// No MCP message of a test is larger.
const BODY_LIMIT: usize = 4 << 20;

/// A mock upstream that has its address.
pub struct Upstream {
    listener: TcpListener,
    addr: SocketAddr,
    server: Arc<Server>,
}

struct Server {
    config: UpstreamConfig,
    sessions: Sessions,
    log: PartLog,
}

impl Upstream {
    /// Takes the address. Nothing is said of listening before that has worked.
    pub async fn bind(config: UpstreamConfig, log: PartLog) -> Result<Self, ServeError> {
        let listener = server::bind(&config.host, config.port).await?;
        let addr = server::local_addr(&listener)?;
        Ok(Self { listener, addr, server: Arc::new(Server { config, sessions: Sessions::default(), log }) })
    }

    /// The address it has.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until the end is wanted.
    pub async fn serve(self, stop: Stop) {
        let Self { listener, addr, server } = self;
        let log = server.log.clone();
        log.info(format_args!("MCP server listening on {addr}, revision {}", server.config.revision));
        server::serve(listener, server, stop, &log).await;
        log.info("shutdown complete");
    }
}

impl Handler for Server {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        match (&method, path.as_str()) {
            (&Method::GET, "/health") => self.health(),
            (_, "/mcp") => self.mcp(request).await,
            _ => {
                self.log.warn(format_args!("{method} {} → 404", clean(&path)));
                text_answer(StatusCode::NOT_FOUND, "there is only /mcp and /health here\n")
            }
        }
    }
}

impl Server {
    fn health(&self) -> Response<Body> {
        self.log.info("health probe GET /health → 200");
        let body = json!({
            "status": "healthy",
            "version": env!("CARGO_PKG_VERSION"),
            "protocol_version": self.config.revision.as_str(),
        });
        json_answer(StatusCode::OK, &body)
    }

    async fn mcp(&self, request: Request<Incoming>) -> Response<Body> {
        let answer = match check_origin(request.headers()) {
            Err(refusal) => Err(refusal),
            Ok(()) => match *request.method() {
                Method::POST => self.post(request).await,
                Method::DELETE => self.delete(request.headers()),
                ref other => Ok(self.method_not_allowed(other)),
            },
        };
        answer.unwrap_or_else(|Refusal { status, code, line, why }| {
            self.log.warn(format_args!("{} → {}", clean(&line), status.as_u16()));
            json_answer(status, &Message::error(None, RpcError::new(code, why)).to_json())
        })
    }

    fn method_not_allowed(&self, method: &Method) -> Response<Body> {
        self.log.info(format_args!("{method} /mcp → 405"));
        let mut response = text_answer(StatusCode::METHOD_NOT_ALLOWED, "POST a message, or DELETE the session\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, DELETE"));
        response
    }

    fn delete(&self, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
        let session = self.session(headers)?;
        self.sessions.end(&session.id);
        self.log.info(format_args!("session={} ended by the client → 204", session.id));
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    async fn post(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        check_types(&head.headers)?;
        let body = read_body(body, BODY_LIMIT).await.map_err(|error| match error {
            BodyError::TooLarge => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::INVALID_REQUEST, "the body is over 4 MiB"),
            BodyError::Gone => Refusal::new(StatusCode::BAD_REQUEST, code::PARSE, "the body ended early"),
        })?;
        let message = Message::parse(&body).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))?;
        match message {
            Message::Request { id, method, params } if method == "initialize" => self.initialize(id, &params),
            message => Ok(self.message(&self.session(&head.headers)?, message).await),
        }
    }

    /// The session that a request belongs to.
    fn session(&self, headers: &HeaderMap) -> Result<Session, Refusal> {
        let id = header(headers, SESSION_HEADER)
            .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, code::SERVER, "Mcp-Session-Id is missing: initialize first"))?;
        let session = self.sessions.find(id).ok_or_else(|| Refusal {
            line: format!("unknown session {id}"),
            ..Refusal::new(StatusCode::NOT_FOUND, code::SERVER, "no such session: initialize anew")
        })?;
        // Without the header, a server is to assume 2025-03-26, which has none.
        match header(headers, VERSION_HEADER) {
            Some(version) if version != session.revision.as_str() => {
                let why = format!("MCP-Protocol-Version is {}, negotiated was {}", clean(version), session.revision);
                Err(Refusal::new(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, why))
            }
            _ => Ok(session),
        }
    }

    fn initialize(&self, id: Id, params: &Value) -> Result<Response<Body>, Refusal> {
        let started = Instant::now();
        let wanted = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let revision = Revision::negotiate(self.config.revision, wanted);
        let session = self.sessions.open(revision).map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, format!("cannot make a session id: {error}"))
        })?;
        let shown = clean(&id.to_string());
        self.log.info(format_args!("session={} id={shown} initialize {revision}", session.id));
        let answer = Message::Response { id: Some(id), outcome: Ok(dispatch::initialize(revision)) };
        let mut response = json_answer(StatusCode::OK, &answer.to_json());
        if let Ok(value) = HeaderValue::from_str(&session.id) {
            response.headers_mut().insert(SESSION_HEADER, value);
        }
        self.log.info(format_args!("session={} id={shown} → 200 in {}", session.id, millis(started.elapsed())));
        Ok(response)
    }

    async fn message(&self, session: &Session, message: Message) -> Response<Body> {
        let label = clean(&message.label());
        let Message::Request { id, method, params } = message else {
            self.log.info(format_args!("session={} {label} → 202", session.id));
            return empty_answer(StatusCode::ACCEPTED);
        };
        let started = Instant::now();
        let shown = clean(&id.to_string());
        self.log.info(format_args!("session={} id={shown} {label}", session.id));
        let outcome = dispatch::answer(&method, &params).await;
        let failed = outcome.as_ref().err().map(|error| format!(" error {}", error.code)).unwrap_or_default();
        let response = json_answer(StatusCode::OK, &Message::Response { id: Some(id), outcome }.to_json());
        self.log.info(format_args!("session={} id={shown} → 200{failed} in {}", session.id, millis(started.elapsed())));
        response
    }
}

/// Why a request gets no answer of its own.
struct Refusal {
    status: StatusCode,
    code: i64,
    /// What the log says.
    line: String,
    /// What the client is told.
    why: String,
}

impl Refusal {
    fn new(status: StatusCode, code: i64, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { status, code, line: why.clone(), why }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// A web page must not reach a server on the loopback interface by DNS rebinding, so only local origins pass.
fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
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

fn check_types(headers: &HeaderMap) -> Result<(), Refusal> {
    let lower = |name: &str| header(headers, name).unwrap_or_default().to_ascii_lowercase();
    if !lower(CONTENT_TYPE.as_str()).starts_with("application/json") {
        let why = "Content-Type must be application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::INVALID_REQUEST, why));
    }
    // A client that names no type at all is taken as curl in somebody's hand, and gets JSON.
    let accept = lower(ACCEPT.as_str());
    if accept.is_empty() || accept.contains("*/*") || accept.contains("application/json") {
        return Ok(());
    }
    let why = "Accept must hold application/json and text/event-stream";
    Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, code::INVALID_REQUEST, why))
}
