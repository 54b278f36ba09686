//! One MCP session: its handshake, its ids, its requests.

use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    super::{
        PartLog, ServeError, Token,
        log::clean,
        protocol::{Id, Message, Revision, stateless},
    },
    CallError, ClientConfig,
    wire::{Answer, Credentials, Wire},
};

/// One session with a server, from its opening on. Where the revision has no sessions, a client of its own.
#[derive(Debug)]
pub(super) struct Session {
    wire: Wire,
    credentials: Credentials,
    wanted: Revision,
    last_id: u64,
}

/// A result, and what came ahead of it.
pub(super) struct Outcome {
    pub(super) result: Value,
    pub(super) ahead: Vec<(Message, Instant)>,
}

impl Session {
    /// A client that has not spoken yet, with a token that may differ from the test's.
    pub(super) fn new(config: &ClientConfig, token: Option<&Token>, log: &PartLog) -> Result<Self, ServeError> {
        Ok(Self { wire: Wire::new(config, token, log)?, credentials: Credentials::default(), wanted: config.revision, last_id: 0 })
    }

    /// The session's id, if the server gave one.
    pub(super) fn id(&self) -> Option<&str> {
        self.credentials.session.as_deref()
    }

    /// Whether it speaks HTTP.
    pub(super) fn is_http(&self) -> bool {
        matches!(self.wire, Wire::Http(_))
    }

    /// How it opens: `initialize`, or `server/discover` where there is no handshake.
    pub(super) fn opening(&self) -> &'static str {
        if self.wanted.is_stateless() { "server/discover" } else { "initialize" }
    }

    /// Opens it; returns the revision that is spoken from now on.
    pub(super) async fn open(&mut self) -> Result<Revision, CallError> {
        if self.wanted.is_stateless() { self.discover().await } else { self.initialize().await }
    }

    async fn initialize(&mut self) -> Result<Revision, CallError> {
        self.credentials = Credentials::default();
        let params = json!({"protocolVersion": self.wanted.as_str(), "capabilities": {}, "clientInfo": client_info()});
        let (outcome, session) = self.exchange("initialize", params).await?;
        let version = outcome.result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let unknown = |_| CallError::Wrong(format!("the server chose revision {:?}, which this client does not speak", clean(version)));
        let revision: Revision = version.parse().map_err(unknown)?;
        self.credentials = Credentials { session, version: revision.has_version_header().then_some(revision.as_str()), mirrored: false };
        Ok(revision)
    }

    /// There is nothing to agree on, but a server that does not speak the revision says so here.
    async fn discover(&mut self) -> Result<Revision, CallError> {
        self.credentials = Credentials { session: None, version: Some(self.wanted.as_str()), mirrored: true };
        let outcome = self.request("server/discover", Value::Null).await?;
        let supported = outcome.result.get("supportedVersions").and_then(Value::as_array);
        let supported = supported.ok_or_else(|| CallError::Malformed("`supportedVersions` is no array".to_owned()))?;
        if supported.iter().any(|version| version.as_str() == Some(self.wanted.as_str())) {
            return Ok(self.wanted);
        }
        Err(CallError::Wrong(format!("the server does not speak {}", self.wanted)))
    }

    /// Says that the handshake is done. Gives the status where it is a success, but not the protocol's.
    pub(super) async fn initialized(&mut self) -> Result<Option<u16>, CallError> {
        if self.wanted.is_stateless() {
            return Ok(None);
        }
        self.wire.notify(&Message::notification("notifications/initialized", Value::Null), &self.credentials).await
    }

    /// Sends a request and returns its result.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> Result<Outcome, CallError> {
        self.exchange(method, params).await.map(|(outcome, _)| outcome)
    }

    /// Opens a stream on which the server may speak first.
    pub(super) async fn stream(&self) -> Result<mpsc::Receiver<Message>, CallError> {
        self.wire.stream(&self.credentials).await
    }

    /// Asks the server to forget the session, and goes on using its id. Gives the HTTP status; over stdio there
    /// is nothing to forget.
    pub(super) async fn delete(&self) -> Result<Option<u16>, CallError> {
        match &self.wire {
            Wire::Http(http) if self.credentials.session.is_some() => http.delete(&self.credentials).await.map(Some),
            Wire::Http(_) | Wire::Pipe(_) => Ok(None),
        }
    }

    /// Ends the session. HTTP servers need not allow that, so whatever they say is fine; a server on stdio has to
    /// end well when its stdin closes.
    pub(super) async fn end(self) -> Result<(), CallError> {
        let _ = self.delete().await;
        match self.wire {
            Wire::Http(_) => Ok(()),
            Wire::Pipe(pipe) => pipe.end().await,
        }
    }

    async fn exchange(&mut self, method: &str, mut params: Value) -> Result<(Outcome, Option<String>), CallError> {
        if self.wanted.is_stateless() {
            stateless::describe(&mut params, self.wanted, &client_info());
        }
        self.last_id += 1;
        let id = Id::from(self.last_id);
        let Answer { message, session, ahead } =
            self.wire.request(&id, &Message::request(id.clone(), method, params), &self.credentials).await?;
        match message {
            Message::Response { id: Some(got), outcome } if got == id => Ok((Outcome { result: outcome?, ahead }, session)),
            Message::Response { id: got, .. } => {
                let got = got.map_or_else(|| "no id".to_owned(), |got| format!("id {}", clean(&got.to_string())));
                Err(CallError::Malformed(format!("it carries {got}, wanted id {id}")))
            }
            other => Err(CallError::Malformed(format!("{} in place of an answer", clean(&other.label())))),
        }
    }
}

pub(super) fn client_info() -> Value {
    json!({"name": "e2e-tui test-client", "version": env!("CARGO_PKG_VERSION")})
}
