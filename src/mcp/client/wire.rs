//! How a session reaches its server.

use std::time::Instant;

use tokio::sync::mpsc;

use super::{
    super::{
        PartLog, ServeError, Token,
        protocol::{Id, Message},
    },
    CallError, ClientConfig, ClientTarget,
    http::Http,
    pipe::Pipe,
};

/// The way to a server.
#[derive(Debug)]
pub(super) enum Wire {
    /// Streamable HTTP.
    Http(Box<Http>),
    /// A child of ours.
    Pipe(Pipe),
}

/// What a request brought.
#[derive(Debug)]
pub(super) struct Answer {
    /// The answer.
    pub(super) message: Message,
    /// The session that the server opened.
    pub(super) session: Option<String>,
    /// What came in the same stream ahead of the answer, and when.
    pub(super) ahead: Vec<(Message, Instant)>,
}

/// What tells a server whose request it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    /// The session's id, once there is one.
    pub(super) session: Option<String>,
    /// The negotiated revision, where it has a header.
    pub(super) version: Option<&'static str>,
    /// Whether headers must repeat what the message says.
    pub(super) mirrored: bool,
}

impl Wire {
    /// A way to the server of that test, with a token that may differ from the test's.
    pub(super) fn new(config: &ClientConfig, token: Option<&Token>, log: &PartLog) -> Result<Self, ServeError> {
        Ok(match &config.target {
            ClientTarget::Url(url) => Self::Http(Box::new(Http::new(url, config.timeout, token, &config.headers)?)),
            ClientTarget::Stdio(argv) => Self::Pipe(Pipe::new(argv, config.timeout, log.clone())?),
        })
    }

    pub(super) async fn request(&self, id: &Id, message: &Message, credentials: &Credentials) -> Result<Answer, CallError> {
        match self {
            Self::Http(http) => http.request(id, message, credentials).await,
            Self::Pipe(pipe) => pipe.request(id, message).await,
        }
    }

    pub(super) async fn notify(&self, message: &Message, credentials: &Credentials) -> Result<Option<u16>, CallError> {
        match self {
            Self::Http(http) => http.notify(message, credentials).await,
            Self::Pipe(pipe) => pipe.notify(message).await.map(|()| None),
        }
    }

    /// Opens a stream on which the server may speak first.
    pub(super) async fn stream(&self, credentials: &Credentials) -> Result<mpsc::Receiver<Message>, CallError> {
        match self {
            Self::Http(http) => http.stream(credentials).await,
            Self::Pipe(pipe) => pipe.stream(),
        }
    }
}
