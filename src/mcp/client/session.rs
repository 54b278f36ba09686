//! One MCP session: its handshake, its ids, its requests.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    super::{
        ServeError,
        log::clean,
        protocol::{Id, Message, Revision},
    },
    CallError,
    http::{Answer, Credentials, Http},
};

/// One session with a server, from `initialize` on.
#[derive(Debug)]
pub(super) struct Session {
    http: Http,
    credentials: Credentials,
    wanted: Revision,
    last_id: u64,
}

impl Session {
    /// A client that has not spoken yet.
    pub(super) fn new(target: &str, timeout: Duration, wanted: Revision) -> Result<Self, ServeError> {
        Ok(Self { http: Http::new(target, timeout)?, credentials: Credentials::default(), wanted, last_id: 0 })
    }

    /// The session's id, if the server gave one.
    pub(super) fn id(&self) -> Option<&str> {
        self.credentials.session.as_deref()
    }

    /// Sends `initialize`; returns the revision that the server chose.
    pub(super) async fn initialize(&mut self) -> Result<Revision, CallError> {
        self.credentials = Credentials::default();
        let params = json!({
            "protocolVersion": self.wanted.as_str(),
            "capabilities": {},
            "clientInfo": {"name": "e2e-tui test-client", "version": env!("CARGO_PKG_VERSION")},
        });
        let (result, session) = self.exchange("initialize", params).await?;
        let version = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let revision: Revision = version
            .parse()
            .map_err(|_| CallError::Wrong(format!("the server chose revision {:?}, which this client does not speak", clean(version))))?;
        self.credentials = Credentials { session, version: revision.has_version_header().then_some(revision.as_str()) };
        Ok(revision)
    }

    /// Says that the handshake is done.
    pub(super) async fn initialized(&mut self) -> Result<(), CallError> {
        let message = Message::notification("notifications/initialized", Value::Null);
        let answer = self.http.post(&message, &self.credentials).await?;
        if answer.status == 202 { Ok(()) } else { Err(CallError::Status { got: answer.status, wanted: 202 }) }
    }

    /// Sends a request and returns its result.
    pub(super) async fn request(&mut self, method: &str, params: Value) -> Result<Value, CallError> {
        self.exchange(method, params).await.map(|(result, _)| result)
    }

    /// Ends the session. Servers need not allow that, so whatever they say is fine.
    pub(super) async fn end(&mut self) {
        if self.credentials.session.is_some() {
            let _ = self.http.delete(&self.credentials).await;
            self.credentials.session = None;
        }
    }

    async fn exchange(&mut self, method: &str, params: Value) -> Result<(Value, Option<String>), CallError> {
        self.last_id += 1;
        let id = Id::from(self.last_id);
        let answer = self.http.post(&Message::request(id.clone(), method, params), &self.credentials).await?;
        let result = result_of(&answer, &id)?;
        Ok((result, answer.session))
    }
}

fn result_of(answer: &Answer, wanted: &Id) -> Result<Value, CallError> {
    if answer.status != 200 {
        return Err(CallError::Status { got: answer.status, wanted: 200 });
    }
    match Message::parse(&answer.body) {
        Ok(Message::Response { id: Some(id), outcome }) if id == *wanted => Ok(outcome?),
        Ok(Message::Response { id, .. }) => {
            let got = id.map_or_else(|| "no id".to_owned(), |id| format!("id {}", clean(&id.to_string())));
            Err(CallError::Malformed(format!("it carries {got}, wanted id {wanted}")))
        }
        Ok(other) => Err(CallError::Malformed(format!("{} in place of an answer", clean(&other.label())))),
        Err(error) => Err(CallError::Malformed(error.to_string())),
    }
}
