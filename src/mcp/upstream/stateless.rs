//! Requests of revision 2026-07-28: no session, and headers that must say what the body says.

use std::sync::Arc;

use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::{
    super::{
        log::clean,
        protocol::{
            Id, Message, Revision, RpcError, VERSION_HEADER, code,
            stateless::{METHOD_HEADER, NAME_HEADER, decode_header, mirrored, version_of},
        },
        server::{Body, empty_answer, json_answer},
    },
    checks::{accepts_stream, header},
    dispatch,
    http::Server,
    post::Exchange,
};

impl Server {
    /// Whether a message belongs to the stateless era, which only a server of such a revision knows. One of the
    /// handshake era sees a request without a session, and says so.
    pub(super) fn is_stateless(&self, headers: &HeaderMap, message: &Message) -> bool {
        let (Message::Request { params, .. } | Message::Notification { params, .. }) = message else { return false };
        let named = header(headers, VERSION_HEADER).and_then(|version| version.parse::<Revision>().ok());
        self.config.revision.is_stateless() && (version_of(params).is_some() || named.is_some_and(Revision::is_stateless))
    }

    pub(super) async fn stateless(self: Arc<Self>, headers: &HeaderMap, message: Message) -> Response<Body> {
        let label = clean(&message.label());
        if let Err(error) = check_headers(headers, &message) {
            return self.refuse_request(StatusCode::BAD_REQUEST, id_of(&message), error);
        }
        let Message::Request { id, method, params } = message else {
            self.log.info(format_args!("{label} → 202"));
            return empty_answer(StatusCode::ACCEPTED);
        };
        if let Err(error) = check_version(&params, self.config.revision) {
            return self.refuse_request(StatusCode::BAD_REQUEST, Some(id), error);
        }
        if !dispatch::is_stateless(&method) {
            let error = RpcError::new(code::METHOD_NOT_FOUND, format!("unknown method: {}", clean(&method)));
            return self.refuse_request(StatusCode::NOT_FOUND, Some(id), error);
        }
        let tag = format!("id={}", clean(&id.to_string()));
        self.log.info(format_args!("{tag} {label}"));
        let (request, takes_streams) = ((id, method, params), accepts_stream(headers));
        Exchange { server: self, tag, request, streams: Arc::default(), priming: None, stateless: true }.run(takes_streams).await
    }

    fn refuse_request(&self, status: StatusCode, id: Option<Id>, error: RpcError) -> Response<Body> {
        self.log.warn(format_args!("{} → {}", error.message, status.as_u16()));
        json_answer(status, &Message::error(id, error).to_json())
    }
}

fn id_of(message: &Message) -> Option<Id> {
    if let Message::Request { id, .. } = message { Some(id.clone()) } else { None }
}

/// Headers must repeat the body, so that whoever routes by them and whoever acts on the body agree.
fn check_headers(headers: &HeaderMap, message: &Message) -> Result<(), RpcError> {
    let Some((method, name)) = mirrored(message) else { return Ok(()) };
    let params = if let Message::Request { params, .. } = message { params } else { &Value::Null };
    let wanted = [(VERSION_HEADER, version_of(params)), (METHOD_HEADER, Some(method)), (NAME_HEADER, name)];
    for (header_name, body) in wanted {
        let Some(body) = body else { continue };
        let value = header(headers, header_name).and_then(decode_header);
        if value.as_deref() != Some(body) {
            let value = value.map_or_else(|| "missing".to_owned(), |value| format!("{:?}", clean(&value)));
            let why = format!("header mismatch: {header_name} is {value}, the body says {:?}", clean(body));
            return Err(RpcError::new(code::HEADER_MISMATCH, why));
        }
    }
    Ok(())
}

fn check_version(params: &Value, newest: Revision) -> Result<(), RpcError> {
    let requested = version_of(params).unwrap_or_default();
    if requested.parse::<Revision>().is_ok_and(|revision| revision.is_stateless() && revision <= newest) {
        return Ok(());
    }
    let supported: Vec<&str> =
        Revision::ALL.iter().rev().filter(|revision| **revision <= newest).map(|revision| revision.as_str()).collect();
    let mut error = RpcError::new(code::UNSUPPORTED_VERSION, format!("unsupported protocol version {:?}", clean(requested)));
    error.data = Some(json!({"supported": supported, "requested": requested}));
    Err(error)
}
