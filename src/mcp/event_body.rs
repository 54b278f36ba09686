//! An HTTP body that is a stream of server-sent events.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    protocol::{Message, SseEvent},
    server::Body,
};

/// An answer whose body is these events, each as soon as it is there.
pub(crate) fn event_answer(events: impl Stream<Item = SseEvent> + Send + 'static) -> Response<Body> {
    let frames = events.map(|event| Ok::<_, Infallible>(Frame::data(Bytes::from(event.encode()))));
    let mut response = Response::new(StreamBody::new(frames).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx would hold events back in its buffer otherwise.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// What comes out of a channel, as events, until its senders are gone.
pub(crate) fn messages(receiver: mpsc::Receiver<Message>) -> impl Stream<Item = SseEvent> + Send {
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|message| (SseEvent::message(&message), receiver)) })
}

/// The event that a task makes as its last. The task ends when nobody reads the stream any more.
pub(crate) fn last_event(work: JoinHandle<SseEvent>) -> impl Stream<Item = SseEvent> + Send {
    let work = AbortOnDrop(work);
    stream::once(async move {
        let mut work = work;
        (&mut work.0).await.ok()
    })
    .filter_map(std::future::ready)
}

struct AbortOnDrop(JoinHandle<SseEvent>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
