//! A client that judges nothing: it sends, and gives back whatever came, with its status and how long it took.
//!
//! The test client proper fails at the first thing that is not as the protocol has it. Whoever tests a proxy from a test
//! suite also wants to see a 401, a 502 or half an answer as what it is.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    super::{
        ServeError,
        protocol::{Id, Message, Revision, SESSION_HEADER, SseParser, stateless},
    },
    CallError, ClientConfig, ClientTarget,
    http::{Http, is_stream},
    session::client_info,
    wire::Credentials,
};

/// Whatever came back.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case; what is no text is left out.
    pub headers: Vec<(String, String)>,
    /// The answer to the request, if the body holds one.
    pub answer: Option<Message>,
    /// Messages that came in the same stream ahead of the answer, each with its time since the request.
    pub ahead: Vec<(Message, Duration)>,
    /// The body as it came; of a stream, what was read up to the answer.
    pub body: Vec<u8>,
    /// From the request to the last byte that was read.
    pub took: Duration,
}

/// What a server agreed to: goes with each further request.
#[derive(Debug, Clone)]
pub struct PeerSession {
    credentials: Credentials,
    revision: Revision,
}

impl PeerSession {
    /// Its id, if the server gave one.
    pub fn id(&self) -> Option<&str> {
        self.credentials.session.as_deref()
    }

    /// The revision that is spoken in it.
    pub fn revision(&self) -> Revision {
        self.revision
    }
}

/// Sends messages to one MCP endpoint over streamable HTTP.
#[derive(Debug, Clone)]
pub struct Peer {
    http: Http,
    revision: Revision,
}

impl Peer {
    /// A client for the URL, headers, token, timeout and revision of `config`. Nothing is sent yet.
    pub fn new(config: &ClientConfig) -> Result<Self, ServeError> {
        let ClientTarget::Url(url) = &config.target else {
            return Err(ServeError::Setup("a server on stdio has no URL to send requests to".to_owned()));
        };
        Ok(Self { http: Http::new(url, config.timeout, config.token.as_ref(), &config.headers)?, revision: config.revision })
    }

    /// A session of somebody who has not spoken: no id and no revision go with requests.
    pub fn stranger(&self) -> PeerSession {
        PeerSession { credentials: Credentials::default(), revision: self.revision }
    }

    /// Opens a session. Where the server refuses, its reply is the error's other half.
    pub async fn open(&self) -> Result<PeerSession, (CallError, Option<Reply>)> {
        if self.revision.is_stateless() {
            let credentials = Credentials { session: None, version: Some(self.revision.as_str()), mirrored: true };
            return Ok(PeerSession { credentials, revision: self.revision });
        }
        let params = json!({"protocolVersion": self.revision.as_str(), "capabilities": {}, "clientInfo": client_info()});
        let reply = self.request(0, "initialize", params, &self.stranger()).await.map_err(|error| (error, None))?;
        let session = match agreed(&reply) {
            Ok(session) => session,
            Err(error) => return Err((error, Some(reply))),
        };
        let initialized = Message::notification("notifications/initialized", Value::Null);
        match self.notify(&initialized, &session).await {
            Ok(Reply { status: 200..=299, .. }) => Ok(session),
            Ok(reply) => Err((CallError::Status { got: reply.status, wanted: 202 }, Some(reply))),
            Err(error) => Err((error, None)),
        }
    }

    /// Sends a request; its answer, if it comes, is the reply's.
    pub async fn request(&self, id: u64, method: &str, mut params: Value, session: &PeerSession) -> Result<Reply, CallError> {
        if session.revision.is_stateless() {
            stateless::describe(&mut params, session.revision, &client_info());
        }
        let id = Id::from(id);
        let message = Message::request(id.clone(), method, params);
        self.http.in_time(self.exchange(Method::POST, Some(&message), &session.credentials, Some(&id))).await
    }

    /// Sends a message that wants no answer.
    pub async fn notify(&self, message: &Message, session: &PeerSession) -> Result<Reply, CallError> {
        self.http.in_time(self.exchange(Method::POST, Some(message), &session.credentials, None)).await
    }

    /// Asks the server to forget the session.
    pub async fn delete(&self, session: &PeerSession) -> Result<Reply, CallError> {
        self.http.in_time(self.exchange(Method::DELETE, None, &session.credentials, None)).await
    }

    /// Opens a stream on which the server may speak first. It closes with the receiver.
    pub async fn listen(&self, session: &PeerSession) -> Result<mpsc::Receiver<Message>, CallError> {
        self.http.stream(&session.credentials).await
    }

    /// Sends any bytes with any method; `headers` come on top of the client's own.
    pub async fn raw(&self, method: &str, headers: &[(String, String)], body: Vec<u8>) -> Result<Reply, CallError> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| CallError::Wrong(format!("{method:?} is no method")))?;
        let asked = Instant::now();
        self.http
            .in_time(async {
                let response = self.http.send_raw(method, headers, body).await?;
                self.read(response, asked, None).await
            })
            .await
    }

    async fn exchange(
        &self,
        method: Method,
        message: Option<&Message>,
        credentials: &Credentials,
        id: Option<&Id>,
    ) -> Result<Reply, CallError> {
        let asked = Instant::now();
        let response = self.http.send(method, credentials, message).await?;
        self.read(response, asked, id).await
    }

    async fn read(&self, mut response: Response, asked: Instant, id: Option<&Id>) -> Result<Reply, CallError> {
        let status = response.status().as_u16();
        let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = response.headers().iter().filter_map(text).collect();
        let mut reply = Reply { status, headers, answer: None, ahead: Vec::new(), body: Vec::new(), took: Duration::ZERO };
        if is_stream(&response) && id.is_some() {
            self.read_stream(&mut response, asked, id, &mut reply).await?;
        } else {
            let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
            reply.body = self.http.body(response).await?;
            reply.answer = Message::parse(&reply.body).ok().filter(|_| is_json);
        }
        reply.took = asked.elapsed();
        Ok(reply)
    }

    async fn read_stream(&self, response: &mut Response, asked: Instant, id: Option<&Id>, reply: &mut Reply) -> Result<(), CallError> {
        let mut parser = SseParser::default();
        while let Some(chunk) = self.http.chunk(response, reply.body.len()).await? {
            reply.body.extend_from_slice(&chunk);
            let Ok(events) = parser.push(&chunk) else { return Ok(()) };
            for event in events {
                let Ok(message) = Message::parse(event.data.as_bytes()) else { continue };
                match &message {
                    Message::Response { id: got, .. } if got.as_ref() == id => {
                        reply.answer = Some(message);
                        return Ok(());
                    }
                    _ => reply.ahead.push((message, asked.elapsed())),
                }
            }
        }
        Ok(())
    }
}

/// The session that an answer to `initialize` opens.
fn agreed(reply: &Reply) -> Result<PeerSession, CallError> {
    if reply.status != 200 {
        return Err(CallError::Status { got: reply.status, wanted: 200 });
    }
    let Some(Message::Response { outcome, .. }) = &reply.answer else {
        return Err(CallError::Malformed("the handshake has no answer".to_owned()));
    };
    let result = outcome.as_ref().map_err(|error| CallError::Rpc(error.clone()))?;
    let version = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    let revision: Revision = version
        .parse()
        .map_err(|_| CallError::Wrong(format!("the server chose revision {version:?}, which this client does not speak")))?;
    let session = reply.headers.iter().find(|(name, _)| name == SESSION_HEADER).map(|(_, id)| id.clone());
    let version = revision.has_version_header().then_some(revision.as_str());
    Ok(PeerSession { credentials: Credentials { session, version, mirrored: false }, revision })
}
