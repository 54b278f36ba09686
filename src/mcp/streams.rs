//! The streams of a session on which a server may speak first.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::protocol::Message;

/// More streams than a client opens in one session.
const MOST: usize = 8;
/// Messages that wait for a slow reader, before the sender waits too.
const QUEUE: usize = 64;

/// The open streams of a session. A message goes out on one of them, never on two.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Vec<mpsc::Sender<Message>>>);

impl Streams {
    /// One stream, which is already open.
    pub(crate) fn with(stream: mpsc::Sender<Message>) -> Self {
        Self(Mutex::new(vec![stream]))
    }

    /// Opens one more; what is sent comes out of the receiver.
    pub(crate) fn open(&self) -> mpsc::Receiver<Message> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut streams = self.lock();
        streams.retain(|stream| !stream.is_closed());
        if streams.len() >= MOST {
            streams.remove(0);
        }
        streams.push(sender);
        receiver
    }

    /// Sends on the newest stream that is still read; false if there is none.
    pub(crate) async fn send(&self, message: Message) -> bool {
        loop {
            // Cloned out of the lock: a slow reader must not hold it.
            let Some(newest) = self.newest() else { return false };
            match newest.send(message.clone()).await {
                Ok(()) => return true,
                Err(_) => self.lock().retain(|stream| !stream.is_closed()),
            }
        }
    }

    fn newest(&self) -> Option<mpsc::Sender<Message>> {
        self.lock().last().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<mpsc::Sender<Message>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn a_message_goes_out_on_one_open_stream() {
        let streams = Streams::default();
        let message = || Message::notification("notifications/message", Value::Null);
        assert!(!streams.send(message()).await, "no stream is open");
        let (mut first, second) = (streams.open(), streams.open());
        drop(second);
        assert!(streams.send(message()).await);
        assert_eq!(first.try_recv(), Ok(message()));
        assert!(first.try_recv().is_err(), "once");
        drop(streams);
        assert_eq!(first.recv().await, None, "the stream ends with its session");
    }
}
