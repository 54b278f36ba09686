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
struct Exchange {
    server: Arc<Server>,
    session: Session,
    id: Id,
    method: String,
    params: Value,
    started: Instant,
    spoil: Option<BadFrame>,
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
            Ok(Message::Request { id, method, params }) if method == "initialize" => self.initialize(id, &params).await,
            Ok(message) => {
                let session = self.session(&head.headers)?;
                Ok(self.message(session, message, accepts_stream(&head.headers)).await)
            }
            Err(ParseError::Batch) => {
                let session = self.session(&head.headers)?;
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
        let shown = clean(&id.to_string());
        self.log.info(format_args!("session={} id={shown} initialize {revision}", session.id));
        match self.faults.fate("initialize") {
            Fate::Hangs => return Ok(self.hang().await),
            Fate::Fails(why) => return Ok(self.fail(&session, &id, &why)),
            Fate::Answered | Fate::Spoiled(_) => {}
        }
        self.faults.delay().await;
        let answer = Message::Response { id: Some(id), outcome: Ok(dispatch::initialize(revision)) };
        let mut response = match self.config.answers {
            AnswerForm::Json => json_answer(StatusCode::OK, &answer.to_json()),
            AnswerForm::Sse => {
                let events: Vec<SseEvent> = priming(&session, &shown).into_iter().chain([SseEvent::message(&answer)]).collect();
                event_answer(stream::iter(events))
            }
        };
        if let Ok(value) = HeaderValue::from_str(&session.id) {
            response.headers_mut().insert(SESSION_HEADER, value);
        }
        self.log.info(format_args!("session={} id={shown} → 200 in {}", session.id, millis(started.elapsed())));
        Ok(response)
    }

    async fn message(self: Arc<Self>, session: Session, message: Message, takes_streams: bool) -> Response<Body> {
        let label = clean(&message.label());
        let Message::Request { id, method, params } = message else {
            self.log.info(format_args!("session={} {label} → 202", session.id));
            return empty_answer(StatusCode::ACCEPTED);
        };
        self.log.info(format_args!("session={} id={} {label}", session.id, clean(&id.to_string())));
        let spoil = match self.faults.fate(&method) {
            Fate::Hangs => return self.hang().await,
            Fate::Fails(why) => return self.fail(&session, &id, &why),
            Fate::Spoiled(frame) => Some(frame),
            Fate::Answered => None,
        };
        let streamed = self.config.answers == AnswerForm::Sse || dispatch::makes_progress(&method, &params);
        let exchange = Exchange { server: self, session, id, method, params, started: Instant::now(), spoil };
        if streamed && takes_streams { exchange.streamed() } else { exchange.whole().await }
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

    fn fail(&self, session: &Session, id: &Id, why: &str) -> Response<Body> {
        self.log.error(format_args!("session={} id={} → 500 {why}", session.id, clean(&id.to_string())));
        let error = Message::error(Some(id.clone()), RpcError::new(code::INTERNAL, why));
        json_answer(StatusCode::INTERNAL_SERVER_ERROR, &error.to_json())
    }
}

impl Exchange {
    /// The answer as one JSON body.
    async fn whole(self) -> Response<Body> {
        let text = self.answer(None).await;
        typed_answer(StatusCode::OK, "application/json", text)
    }

    /// The answer as the last event of a stream.
    fn streamed(self) -> Response<Body> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let priming = priming(&self.session, &clean(&self.id.to_string()));
        let work = tokio::spawn(async move {
            let data = self.answer(Some(sender)).await;
            SseEvent { id: None, event: Some("message".to_owned()), data }
        });
        event_answer(stream::iter(priming).chain(messages(receiver)).chain(last_event(work)))
    }

    async fn answer(self, ahead: Option<mpsc::Sender<Message>>) -> String {
        let Self { server, session, id, method, params, started, spoil } = self;
        server.faults.delay().await;
        let shown = clean(&id.to_string());
        let peer = Peer { streams: session.streams, answer: ahead };
        let outcome = dispatch::answer(&method, &params, &peer).await;
        let mut note = outcome.as_ref().err().map(|error| format!(" error {}", error.code)).unwrap_or_default();
        let message = Message::Response { id: Some(id), outcome };
        let text = match spoil {
            None => message.to_json().to_string(),
            Some(frame) => {
                note = format!(" bad frame: {}", frame.name());
                frame.spoil(&message)
            }
        };
        server.log.info(format_args!("session={} id={shown} → 200{note} in {}", session.id, millis(started.elapsed())));
        text
    }
}

fn refuse_parse(error: &ParseError) -> Refusal {
    Refusal::bad(error.code(), error.to_string())
}
