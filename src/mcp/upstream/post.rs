//! A message that was posted, and its answer.

use std::{sync::Arc, time::Instant};

use futures_util::{StreamExt, stream};
use hyper::{Request, Response, StatusCode, body::Incoming, header::HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    super::{
        event_body::{event_answer, last_event, messages},
        log::{clean, millis},
        protocol::{Id, Message, ParseError, Revision, RpcError, SESSION_HEADER, SseEvent, code},
        server::{Body, BodyError, empty_answer, json_answer, read_body, typed_answer},
        streams::Streams,
    },
    AnswerForm,
    checks::{Refusal, accepts_stream, check_types},
    dispatch::{self, Peer},
    faults::{BadFrame, Fate},
    http::{Server, priming},
    sessions::Session,
};

/// No MCP message of a test is larger.
const BODY_LIMIT: usize = 4 << 20;
/// Messages ahead of an answer that wait for a slow reader.
const QUEUE: usize = 64;

/// A request on its way to its answer.
pub(super) struct Exchange {
    pub(super) server: Arc<Server>,
    /// Whose request it is, as the log has it: `session=… id=3`.
    pub(super) tag: String,
    pub(super) request: (Id, String, Value),
    pub(super) streams: Arc<Streams>,
    /// The event that opens a streamed answer.
    pub(super) priming: Option<SseEvent>,
    pub(super) stateless: bool,
}

impl Server {
    pub(super) async fn post(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        check_types(&head.headers)?;
        let body = read_body(body, BODY_LIMIT).await.map_err(|error| match error {
            BodyError::TooLarge => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::INVALID_REQUEST, "the body is over 4 MiB"),
            BodyError::Gone => Refusal::bad(code::PARSE, "the body ended early"),
        })?;
        match Message::parse(&body) {
            Ok(message) if self.is_stateless(&head.headers, &message) => Ok(self.stateless(&head.headers, message).await),
            Ok(Message::Request { id, method, params }) if method == "initialize" => self.initialize(id, &params).await,
            Ok(message) => {
                let session = self.session(&head.headers, &head.uri)?;
                Ok(self.message(session, message, accepts_stream(&head.headers)).await)
            }
            Err(ParseError::Batch) => {
                let session = self.session(&head.headers, &head.uri)?;
                if !session.revision.has_batches() {
                    return Err(refuse_parse(&ParseError::Batch));
                }
                self.batch(&session, &body).await
            }
            Err(error) => Err(refuse_parse(&error)),
        }
    }

    async fn initialize(&self, id: Id, params: &Value) -> Result<Response<Body>, Refusal> {
        let started = Instant::now();
        let wanted = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let revision = Revision::negotiate(self.config.revision, wanted);
        let session = self.sessions.open(revision).map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, format!("cannot make a session id: {error}"))
        })?;
        let tag = tag(&session, &id);
        self.log.info(format_args!("{tag} initialize {revision}"));
        match self.faults.fate("initialize") {
            Fate::Hangs => return Ok(self.hang().await),
            Fate::Fails(why) => return Ok(self.fail(&tag, &id, &why)),
            Fate::Answered | Fate::Spoiled(_) => {}
        }
        self.faults.delay().await;
        let answer = Message::Response { id: Some(id), outcome: Ok(dispatch::initialize(revision)) };
        let mut response = match self.config.answers {
            AnswerForm::Json => json_answer(StatusCode::OK, &answer.to_json()),
            AnswerForm::Sse => {
                let events: Vec<SseEvent> = priming(&session, "initialize").into_iter().chain([SseEvent::message(&answer)]).collect();
                event_answer(stream::iter(events))
            }
        };
        if let Ok(value) = HeaderValue::from_str(&session.id) {
            response.headers_mut().insert(SESSION_HEADER, value);
        }
        self.log.info(format_args!("{tag} → 200 in {}", millis(started.elapsed())));
        Ok(response)
    }

    async fn message(self: Arc<Self>, session: Session, message: Message, takes_streams: bool) -> Response<Body> {
        let label = clean(&message.label());
        let Message::Request { id, method, params } = message else {
            self.log.info(format_args!("session={} {label} → 202", session.id));
            return empty_answer(StatusCode::ACCEPTED);
        };
        let tag = tag(&session, &id);
        self.log.info(format_args!("{tag} {label}"));
        let priming = priming(&session, &clean(&id.to_string()));
        let request = (id, method, params);
        Exchange { server: self, tag, request, streams: session.streams, priming, stateless: false }.run(takes_streams).await
    }

    /// An array of messages, which only revision 2025-03-26 has.
    async fn batch(self: Arc<Self>, session: &Session, body: &[u8]) -> Result<Response<Body>, Refusal> {
        let items: Vec<Value> = serde_json::from_slice(body).map_err(|error| Refusal::bad(code::PARSE, error.to_string()))?;
        if items.is_empty() {
            return Err(Refusal::bad(code::INVALID_REQUEST, "an empty batch"));
        }
        let mut answers = Vec::new();
        for item in items {
            let message = Message::from_json(item).map_err(|error| refuse_parse(&error))?;
            self.log.info(format_args!("session={} batched {}", session.id, clean(&message.label())));
            if let Message::Request { id, method, params } = message {
                let peer = Peer { streams: Arc::clone(&session.streams), answer: None };
                let outcome = dispatch::answer(&method, &params, &peer).await;
                answers.push(Message::Response { id: Some(id), outcome }.to_json());
            }
        }
        let none = answers.is_empty();
        Ok(if none { empty_answer(StatusCode::ACCEPTED) } else { json_answer(StatusCode::OK, &Value::Array(answers)) })
    }

    fn fail(&self, tag: &str, id: &Id, why: &str) -> Response<Body> {
        self.log.error(format_args!("{tag} → 500 {why}"));
        let error = Message::error(Some(id.clone()), RpcError::new(code::INTERNAL, why));
        json_answer(StatusCode::INTERNAL_SERVER_ERROR, &error.to_json())
    }
}

fn tag(session: &Session, id: &Id) -> String {
    format!("session={} id={}", session.id, clean(&id.to_string()))
}

impl Exchange {
    /// The answer, in the form that was asked for.
    pub(super) async fn run(self, takes_streams: bool) -> Response<Body> {
        let (id, method, params) = &self.request;
        let spoil = match self.server.faults.fate(method) {
            Fate::Hangs => return self.server.hang().await,
            Fate::Fails(why) => return self.server.fail(&self.tag, id, &why),
            Fate::Spoiled(frame) => Some(frame),
            Fate::Answered => None,
        };
        let streamed = self.server.config.answers == AnswerForm::Sse || dispatch::speaks_ahead(method, params);
        if streamed && takes_streams {
            return self.streamed(spoil);
        }
        typed_answer(StatusCode::OK, "application/json", self.answer(None, spoil).await)
    }

    /// The answer as the last event of a stream.
    fn streamed(mut self, spoil: Option<BadFrame>) -> Response<Body> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let priming = self.priming.take();
        let work = tokio::spawn(async move {
            let data = self.answer(Some(sender), spoil).await;
            SseEvent { id: None, event: Some("message".to_owned()), data }
        });
        event_answer(stream::iter(priming).chain(messages(receiver)).chain(last_event(work)))
    }

    async fn answer(self, ahead: Option<mpsc::Sender<Message>>, spoil: Option<BadFrame>) -> String {
        let Self { server, tag, request: (id, method, params), streams, stateless, .. } = self;
        let started = Instant::now();
        server.faults.delay().await;
        let peer = Peer { streams, answer: ahead };
        let outcome = if stateless {
            dispatch::answer_stateless(&method, &params, server.config.revision, &peer).await
        } else {
            dispatch::answer(&method, &params, &peer).await
        };
        let mut note = outcome.as_ref().err().map(|error| format!(" error {}", error.code)).unwrap_or_default();
        let message = Message::Response { id: Some(id), outcome };
        let text = match spoil {
            None => message.to_json().to_string(),
            Some(frame) => {
                note = format!(" bad frame: {}", frame.name());
                frame.spoil(&message)
            }
        };
        server.log.info(format_args!("{tag} → 200{note} in {}", millis(started.elapsed())));
        text
    }
}

fn refuse_parse(error: &ParseError) -> Refusal {
    Refusal::bad(error.code(), error.to_string())
}
