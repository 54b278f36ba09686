//! The client's side of streamable HTTP.

use std::{
    error::Error as StdError,
    io,
    time::{Duration, Instant},
};

use reqwest::{
    Method, Response, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use tokio::sync::mpsc;

use super::{
    super::{
        ServeError, Token,
        log::clean,
        protocol::{
            Id, Message, SESSION_HEADER, SseParser, VERSION_HEADER,
            stateless::{METHOD_HEADER, NAME_HEADER, mirrored},
        },
        proxy::{parse_url, root_cause},
    },
    CallError,
    wire::{Answer, Credentials},
};

/// No answer of a test is larger.
const BODY_LIMIT: usize = 16 << 20;
/// Messages of a stream that wait to be judged.
const QUEUE: usize = 256;

/// Sends messages to one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    url: Url,
    /// What every request carries.
    headers: HeaderMap,
    timeout: Duration,
}

impl Http {
    pub(super) fn new(target: &str, timeout: Duration, token: Option<&Token>, more: &[(String, String)]) -> Result<Self, ServeError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()
            .map_err(|error| ServeError::Setup(format!("cannot set up the HTTP client: {error}")))?;
        Ok(Self { client, url: parse_url(target)?, headers: fixed_headers(token, more)?, timeout })
    }

    /// Host and port, for messages.
    fn addr(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Posts a request and reads its answer, from JSON or from a stream.
    pub(super) async fn request(&self, id: &Id, message: &Message, credentials: &Credentials) -> Result<Answer, CallError> {
        self.in_time(async {
            let response = self.send(Method::POST, credentials, Some(message)).await?;
            let got = response.status().as_u16();
            if got != 200 {
                return Err(CallError::Status { got, wanted: 200 });
            }
            let session = response.headers().get(SESSION_HEADER).and_then(|id| id.to_str().ok()).map(str::to_owned);
            if is_stream(&response) {
                return self.last_of_stream(response, id, session).await;
            }
            let body = self.body(response).await?;
            let message = Message::parse(&body).map_err(|error| CallError::Malformed(error.to_string()))?;
            Ok(Answer { message, session, ahead: Vec::new() })
        })
        .await
    }

    /// Posts a message that gets no answer but 202. Gives the status where it is another success.
    pub(super) async fn notify(&self, message: &Message, credentials: &Credentials) -> Result<Option<u16>, CallError> {
        self.in_time(async {
            match self.send(Method::POST, credentials, Some(message)).await?.status().as_u16() {
                202 => Ok(None),
                got @ 200..=299 => Ok(Some(got)),
                got => Err(CallError::Status { got, wanted: 202 }),
            }
        })
        .await
    }

    /// Asks for the end of the session; gives the status.
    pub(super) async fn delete(&self, credentials: &Credentials) -> Result<u16, CallError> {
        self.in_time(async { Ok(self.send(Method::DELETE, credentials, None).await?.status().as_u16()) }).await
    }

    /// Opens a stream on which the server may speak first. It closes with the receiver.
    pub(super) async fn stream(&self, credentials: &Credentials) -> Result<mpsc::Receiver<Message>, CallError> {
        let mut response = self.in_time(self.send(Method::GET, credentials, None)).await?;
        let got = response.status().as_u16();
        if got != 200 {
            return Err(CallError::Status { got, wanted: 200 });
        }
        if !is_stream(&response) {
            return Err(CallError::Malformed("the stream is no text/event-stream".to_owned()));
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut parser = SseParser::default();
            loop {
                let chunk = tokio::select! {
                    chunk = response.chunk() => chunk,
                    () = sender.closed() => return,
                };
                let Ok(Some(chunk)) = chunk else { return };
                let Ok(events) = parser.push(&chunk) else { return };
                for event in events {
                    if let Ok(message) = Message::parse(event.data.as_bytes()) {
                        let _ = sender.send(message).await;
                    }
                }
            }
        });
        Ok(receiver)
    }

    /// Reads a stream up to the answer; what came before it stands in `ahead`.
    async fn last_of_stream(&self, mut response: Response, id: &Id, session: Option<String>) -> Result<Answer, CallError> {
        let (mut parser, mut ahead, mut length) = (SseParser::default(), Vec::new(), 0);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            length += chunk.len();
            if length > BODY_LIMIT {
                return Err(too_large());
            }
            for event in parser.push(&chunk).map_err(|error| CallError::Malformed(error.to_string()))? {
                if event.data.is_empty() {
                    continue;
                }
                let message = Message::parse(event.data.as_bytes()).map_err(|error| CallError::Malformed(error.to_string()))?;
                if matches!(message, Message::Response { .. }) {
                    return Ok(Answer { message, session, ahead });
                }
                ahead.push((message, Instant::now()));
            }
        }
        Err(CallError::Malformed(format!("the stream ended without the answer to id {}", clean(&id.to_string()))))
    }

    pub(super) async fn body(&self, mut response: Response) -> Result<Vec<u8>, CallError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response, body.len()).await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The next piece of a body of which `read` bytes are there.
    pub(super) async fn chunk(&self, response: &mut Response, read: usize) -> Result<Option<bytes::Bytes>, CallError> {
        let chunk = response.chunk().await.map_err(|error| self.broken(&error))?;
        if chunk.as_ref().is_some_and(|chunk| read + chunk.len() > BODY_LIMIT) { Err(too_large()) } else { Ok(chunk) }
    }

    /// Sends any bytes; of what a request carries otherwise, only the fixed headers.
    pub(super) async fn send_raw(&self, method: Method, headers: &[(String, String)], body: Vec<u8>) -> Result<Response, CallError> {
        let mut all = self.headers.clone();
        all.extend(fixed_headers(None, headers).map_err(|error| CallError::Wrong(error.to_string()))?);
        self.client.request(method, self.url.clone()).headers(all).body(body).send().await.map_err(|error| self.broken(&error))
    }

    pub(super) async fn send(&self, method: Method, credentials: &Credentials, message: Option<&Message>) -> Result<Response, CallError> {
        let accept = if method == Method::GET { "text/event-stream" } else { "application/json, text/event-stream" };
        let mut request = self.client.request(method, self.url.clone()).headers(self.headers.clone()).header(ACCEPT, accept);
        if let Some(id) = &credentials.session {
            request = request.header(SESSION_HEADER, id);
        }
        if let Some(version) = credentials.version {
            request = request.header(VERSION_HEADER, version);
        }
        if let Some((method, name)) = message.filter(|_| credentials.mirrored).and_then(mirrored) {
            request = request.header(METHOD_HEADER, method);
            if let Some(name) = name {
                request = request.header(NAME_HEADER, name);
            }
        }
        if let Some(message) = message {
            request = request.header(CONTENT_TYPE, "application/json").body(message.to_json().to_string());
        }
        request.send().await.map_err(|error| self.broken(&error))
    }

    pub(super) async fn in_time<T>(&self, exchange: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(CallError::Timeout(self.timeout)))
    }

    fn broken(&self, error: &reqwest::Error) -> CallError {
        let addr = self.addr();
        if is_refused(error) { CallError::Refused { addr } } else { CallError::Broken { addr, reason: root_cause(error) } }
    }
}

fn too_large() -> CallError {
    CallError::Malformed("the answer is over 16 MiB".to_owned())
}

pub(super) fn is_stream(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|io| io.kind() == io::ErrorKind::ConnectionRefused)
}

fn fixed_headers(token: Option<&Token>, more: &[(String, String)]) -> Result<HeaderMap, ServeError> {
    let mut headers = HeaderMap::new();
    for (name, value) in more {
        let bad = || ServeError::Setup(format!("{:?} is no header", clean(name)));
        headers.insert(name.parse::<HeaderName>().map_err(|_| bad())?, HeaderValue::from_str(value).map_err(|_| bad())?);
    }
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&token.header())
            .map_err(|_| ServeError::Setup("the token holds characters that no header may".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}
