//! One hop to the upstream: a request goes out, an answer starts to come back.

use std::{error::Error as StdError, io, time::Duration};

use hyper::{HeaderMap, Method, StatusCode};
use reqwest::Url;

use super::super::server::{ServeError, os_text};

/// Sends requests on.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    client: reqwest::Client,
    timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct HopError {
    /// What the client is told: 502 or 504.
    pub(super) status: StatusCode,
    /// What happened, in the system's words: `Connection refused`.
    pub(super) reason: String,
}

impl Hop {
    /// A hop that waits this long for an answer to start.
    pub(super) fn new(timeout: Duration) -> Result<Self, ServeError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| ServeError::Setup(format!("cannot set up the HTTP client: {error}")))?;
        Ok(Self { client, timeout })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: reqwest::Body,
    ) -> Result<reqwest::Response, HopError> {
        let sending = self.client.request(method, url).headers(headers).body(body).send();
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_timeout() => Err(self.timed_out()),
            Ok(Err(error)) => Err(HopError { status: StatusCode::BAD_GATEWAY, reason: root_cause(&error) }),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn timed_out(&self) -> HopError {
        HopError { status: StatusCode::GATEWAY_TIMEOUT, reason: format!("no answer within {:?}", self.timeout) }
    }
}

/// The innermost cause: the outer ones only say "error sending request".
pub(crate) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.raw_os_error().is_some()
        {
            return os_text(io);
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => return cause.to_string(),
        }
    }
}

/// A URL that requests can be sent to.
pub(crate) fn parse_url(text: &str) -> Result<Url, ServeError> {
    let refuse = |why: &str| ServeError::Url { url: text.to_owned(), why: why.to_owned() };
    let url: Url = text.parse().map_err(|error| refuse(&format!("{error}")))?;
    match url.scheme() {
        "http" if url.has_host() => Ok(url),
        "https" => Err(refuse("https is not supported here, use http")),
        _ => Err(refuse("it must start with http://")),
    }
}
