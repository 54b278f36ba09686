//! Forward over HTTP: what comes in goes to the target, what it answers comes back as it comes.

use std::{sync::Arc, time::Instant};

use hyper::{Method, Request, Response, StatusCode, Uri, body::Incoming};
use reqwest::Url;

use super::{
    super::server::{Body, Handler, text_answer},
    headers,
    peek::Peeked,
    relay::{Outgoing, Relay, Span, session_of},
};

/// A forward proxy.
pub(super) struct Forward {
    pub(super) target: Url,
    pub(super) relay: Relay,
}

impl Handler for Forward {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let session = session_of(&head.headers);
        let Ok(peeked) = Peeked::read(body).await else { return text_answer(StatusCode::BAD_REQUEST, "the body ended early\n") };
        let what = peeked.label().map_or_else(|| format!("{} {}", head.method, head.uri.path()), str::to_owned);
        self.relay.processing(&what, session.as_deref());
        let endless = head.method == Method::GET;
        let (url, headers) = (endpoint(&self.target, &head.uri), headers::to_pass_on(&head.headers));
        let span = Span(session.as_deref());
        let answer = match self.relay.send(&span, Outgoing { method: head.method, url, headers, peeked }).await {
            Ok(answer) => answer,
            Err(response) => return *response,
        };
        let opened = session_of(answer.headers()).filter(|_| session.is_none());
        if let Some(id) = &opened {
            self.relay.log.info(format_args!("Creating new session: {id}"));
        }
        let span = Span(session.as_deref().or(opened.as_deref()));
        self.relay.answered(&span, answer.status(), started);
        self.relay.pass_back(answer, endless)
    }
}

/// Where a request goes; the module's story says why.
fn endpoint(target: &Url, uri: &Uri) -> Url {
    let mut url = target.clone();
    let has_endpoint = !matches!(url.path(), "" | "/");
    let means_it = uri.path() == url.path() || matches!(uri.path(), "/mcp" | "/");
    if !(has_endpoint && means_it) {
        url.set_path(uri.path());
    }
    if let Some(query) = uri.query() {
        url.set_query(Some(query));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_passed_on_and_the_endpoint_is_the_targets() {
        let go = |target: &str, path: &'static str| endpoint(&target.parse().expect("a URL"), &Uri::from_static(path)).as_str().to_owned();
        assert_eq!(go("http://h:1", "/mcp"), "http://h:1/mcp");
        assert_eq!(go("http://h:1/", "/anything?x=1"), "http://h:1/anything?x=1");
        assert_eq!(go("http://h:1/api/mcp", "/mcp"), "http://h:1/api/mcp");
        assert_eq!(go("http://h:1/api/mcp", "/"), "http://h:1/api/mcp");
        assert_eq!(go("http://h:1/api/mcp", "/health"), "http://h:1/health");
        assert_eq!(go("http://h:1/api/mcp", "/api/mcp?a=b"), "http://h:1/api/mcp?a=b");
    }
}
