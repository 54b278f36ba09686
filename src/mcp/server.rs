//! What the HTTP parts share: a listener, a task per connection, an orderly end.

use std::{convert::Infallible, error::Error as StdError, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{PartLog, Stop};

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// How long answers under way may take once the end is wanted.
const DRAIN: Duration = Duration::from_secs(3);

/// Why a part cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen on {addr}: {}; {}", os_text(source), bind_hint(source))]
    Bind {
        /// The address that was asked for.
        addr: String,
        /// What the system said.
        source: io::Error,
    },
    /// A URL that no request can be sent to.
    #[error("{url:?} is no URL to send requests to: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A server on stdio does not run.
    #[error(transparent)]
    Child(#[from] super::ChildError),
    /// The HTTP client cannot be set up, or the system gives no more resources.
    #[error("{0}")]
    Setup(String),
}

fn bind_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process holds that port: end it or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges: choose a higher one",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        _ => "check host and port",
    }
}

/// What the system says, without the number: `Connection refused`.
pub(crate) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Takes the address `host:port`; port 0 takes a free one.
pub(crate) async fn bind(host: &str, port: u16) -> Result<TcpListener, ServeError> {
    TcpListener::bind((host, port)).await.map_err(|source| ServeError::Bind { addr: format!("{host}:{port}"), source })
}

/// Answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The answer to one request.
    fn handle(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves `listener` until the end is wanted, then lets answers under way finish for a short while.
///
/// A panic of a handler is a panic of the caller, so a part that panics dies of it as any program does.
pub(crate) async fn serve<H: Handler>(listener: TcpListener, handler: Arc<H>, mut stop: Stop, log: &PartLog) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&handler), stop.clone()));
                }
                Err(error) => {
                    // Out of descriptors, mostly: wait for some to come back instead of spinning.
                    log.error(format_args!("cannot accept a connection: {}", os_text(&error)));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(ended) = connections.join_next() => rethrow(ended),
            () = stop.requested() => break,
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN, async {
        while let Some(ended) = connections.join_next().await {
            rethrow(ended);
        }
    });
    if drained.await.is_err() {
        log.warn(format_args!("cut {} connections whose answers did not end within {} s", connections.len(), DRAIN.as_secs()));
    }
}

fn rethrow(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

async fn connection<H: Handler>(stream: TcpStream, handler: Arc<H>, mut stop: Stop) {
    // Small messages both ways: waiting to fill packets would only add latency.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(request).await) }
    });
    let mut serving = std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    // An error here is a client that went away or spoke no HTTP: nobody is left to tell.
    tokio::select! {
        _ = serving.as_mut() => {}
        () = stop.requested() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

/// Why the body of a request cannot be had.
pub(crate) enum BodyError {
    /// More than the limit.
    TooLarge,
    /// The client went away.
    Gone,
}

/// The whole body, up to `limit` bytes.
pub(crate) async fn read_body(body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    match http_body_util::Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Gone),
    }
}

fn boxed(body: Full<Bytes>) -> Body {
    body.map_err(|never| match never {}).boxed_unsync()
}

/// An answer with a JSON body.
pub(crate) fn json_answer(status: StatusCode, value: &Value) -> Response<Body> {
    typed_answer(status, "application/json", value.to_string())
}

/// An answer with a line of plain text.
pub(crate) fn text_answer(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    typed_answer(status, "text/plain; charset=utf-8", text.into())
}

/// An answer with a body of the given type.
pub(crate) fn typed_answer(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(boxed(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer without a body.
pub(crate) fn empty_answer(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// The address a listener really has.
pub(crate) fn local_addr(listener: &TcpListener) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|error| ServeError::Setup(format!("the listener has no address: {}", os_text(&error))))
}
