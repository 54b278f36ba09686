//! The client's side of streamable HTTP.

use std::{error::Error as StdError, io, time::Duration};

use reqwest::{
    Method, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

use super::{
    super::{
        ServeError,
        protocol::{Message, SESSION_HEADER, VERSION_HEADER},
        proxy::{parse_url, root_cause},
    },
    CallError,
};

/// No answer of a test is larger.
const BODY_LIMIT: usize = 16 << 20;

/// Sends messages to one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    url: Url,
    timeout: Duration,
}

/// What an exchange brought.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The session that the server opened.
    pub(super) session: Option<String>,
    /// The body, as it came.
    pub(super) body: Vec<u8>,
}

/// What goes into the headers of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    /// The session's id, once there is one.
    pub(super) session: Option<String>,
    /// The negotiated revision, where it has a header.
    pub(super) version: Option<&'static str>,
}

impl Http {
    pub(super) fn new(target: &str, timeout: Duration) -> Result<Self, ServeError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()
            .map_err(|error| ServeError::Setup(format!("cannot set up the HTTP client: {error}")))?;
        Ok(Self { client, url: parse_url(target)?, timeout })
    }

    /// Host and port, for messages.
    fn addr(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Posts a message and reads the whole answer.
    pub(super) async fn post(&self, message: &Message, credentials: &Credentials) -> Result<Answer, CallError> {
        self.exchange(Method::POST, credentials, Some(message.to_json().to_string())).await
    }

    /// Ends the session.
    pub(super) async fn delete(&self, credentials: &Credentials) -> Result<Answer, CallError> {
        self.exchange(Method::DELETE, credentials, None).await
    }

    async fn exchange(&self, method: Method, credentials: &Credentials, body: Option<String>) -> Result<Answer, CallError> {
        let mut request = self.client.request(method, self.url.clone()).headers(headers(credentials));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let exchange = async {
            let mut response = request.send().await?;
            let status = response.status().as_u16();
            let session = response.headers().get(SESSION_HEADER).and_then(|id| id.to_str().ok()).map(str::to_owned);
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() > BODY_LIMIT {
                    break;
                }
            }
            Ok(Answer { status, session, body })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok(answer)) if answer.body.len() > BODY_LIMIT => Err(CallError::Malformed("the body is over 16 MiB".to_owned())),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(CallError::Timeout(self.timeout)),
        }
    }

    fn broken(&self, error: &reqwest::Error) -> CallError {
        let addr = self.addr();
        if is_refused(error) { CallError::Refused { addr } } else { CallError::Broken { addr, reason: root_cause(error) } }
    }
}

fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|io| io.kind() == io::ErrorKind::ConnectionRefused)
}

fn headers(credentials: &Credentials) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    let session = credentials.session.as_deref().and_then(|id| HeaderValue::from_str(id).ok());
    if let Some(id) = session {
        headers.insert(HeaderName::from_static(SESSION_HEADER), id);
    }
    if let Some(version) = credentials.version {
        headers.insert(HeaderName::from_static(VERSION_HEADER), HeaderValue::from_static(version));
    }
    headers
}
