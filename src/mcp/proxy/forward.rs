//! Forward over HTTP: what comes in goes to the target, what it answers comes back as it comes.

use std::{fmt, net::SocketAddr, sync::Arc, time::Instant};

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Uri,
    body::{Frame, Incoming},
};
use reqwest::Url;
use tokio::net::TcpListener;

use super::{
    super::{
        PartLog, ServeError, Stop,
        log::{clean, millis},
        protocol::{Message, RpcError, SESSION_HEADER, code},
        server::{self, Body, BoxError, Handler, json_answer, text_answer},
    },
    ProxyConfig, ProxyMode, headers,
    hop::{self, Hop, HopError},
    peek::Peeked,
};

/// A proxy that has its address.
pub struct Proxy {
    listener: TcpListener,
    addr: SocketAddr,
    forward: Arc<Forward>,
    log: PartLog,
}

struct Forward {
    target: Url,
    hop: Hop,
    log: PartLog,
}

impl Proxy {
    /// Takes the address. Nothing is said of listening before that has worked.
    pub async fn bind(config: ProxyConfig, log: PartLog) -> Result<Self, ServeError> {
        let ProxyMode::Forward { host, port, target } = config.mode;
        let forward = Forward { target: hop::parse_url(&target)?, hop: Hop::new(config.timeout)?, log: log.clone() };
        let listener = server::bind(&host, port).await?;
        let addr = server::local_addr(&listener)?;
        Ok(Self { listener, addr, forward: Arc::new(forward), log })
    }

    /// The address it has.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until the end is wanted.
    pub async fn serve(self, stop: Stop) {
        let Self { listener, addr, forward, log } = self;
        log.info(format_args!("Forward proxy listening on {addr}, target {}", forward.target));
        server::serve(listener, forward, stop, &log).await;
        log.info("Forward proxy shutdown complete");
    }
}

/// The span that a request's lines stand in, as `tracing` writes it.
struct Span<'a>(Option<&'a str>);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, "handle{{session_id=\"{id}\"}}:"),
            None => f.write_str("handle:"),
        }
    }
}

impl Handler for Forward {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let session = session_of(&head.headers);
        let span = Span(session.as_deref());
        let Ok(peeked) = Peeked::read(body).await else { return text_answer(StatusCode::BAD_REQUEST, "the body ended early\n") };
        let what = peeked.label().unwrap_or_else(|| format!("{} {}", head.method, head.uri.path()));
        let owner = session.as_deref().map(|id| format!(" for {id}")).unwrap_or_default();
        self.log.info(format_args!("{span} Processing {}{owner}", clean(&what)));
        let sent = self.hop.send(head.method, self.url(&head.uri), headers::to_pass_on(&head.headers), peeked.into_body()).await;
        match sent {
            Ok(answer) => {
                let opened = session_of(answer.headers()).filter(|_| session.is_none());
                if let Some(id) = &opened {
                    self.log.info(format_args!("Creating new session: {id}"));
                }
                let span = Span(session.as_deref().or(opened.as_deref()));
                self.answered(&span, answer.status(), started);
                pass_back(answer, &self.log)
            }
            Err(error) => self.failed(&span, &error),
        }
    }
}

impl Forward {
    /// Where a request goes; the module's story says why.
    fn url(&self, uri: &Uri) -> Url {
        let mut url = self.target.clone();
        let endpoint = !matches!(url.path(), "" | "/");
        let same = uri.path() == url.path() || matches!(uri.path(), "/mcp" | "/");
        if !(endpoint && same) {
            url.set_path(uri.path());
        }
        if let Some(query) = uri.query() {
            url.set_query(Some(query));
        }
        url
    }

    fn answered(&self, span: &Span<'_>, status: StatusCode, started: Instant) {
        let elapsed = millis(started.elapsed()).replace(' ', "");
        if status.is_server_error() {
            self.log.error(format_args!("{span} HTTP upstream returned error status: {status} elapsed={elapsed}"));
        } else {
            self.log.info(format_args!("{span} upstream answered status={} elapsed={elapsed}", status.as_u16()));
        }
    }

    fn failed(&self, span: &Span<'_>, error: &HopError) -> Response<Body> {
        let HopError { status, reason } = error;
        self.log.warn(format_args!("{span} upstream failed error=\"{}\" status={}", clean(reason), status.as_u16()));
        let error = RpcError::new(code::SERVER, format!("upstream failed: {reason}"));
        json_answer(*status, &Message::error(None, error).to_json())
    }
}

fn session_of(headers: &HeaderMap) -> Option<String> {
    headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok()).map(clean)
}

/// The upstream's answer, head first, then the body as it comes.
fn pass_back(answer: reqwest::Response, log: &PartLog) -> Response<Body> {
    let (status, headers) = (answer.status(), headers::to_pass_on(answer.headers()));
    let log = log.clone();
    let body = answer.bytes_stream().map_ok(Frame::data).map_err(move |error| {
        log.warn(format_args!("upstream's answer broke off error=\"{}\"", clean(&hop::root_cause(&error))));
        BoxError::from(error)
    });
    let mut response = Response::new(StreamBody::new(body).boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
