//! The client's side of stdio: a server that it started itself.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    super::{
        PartLog, ServeError,
        child::Ending,
        pipe_peer::{PipeError, PipePeer},
        protocol::{Id, Message},
    },
    CallError,
    wire::Answer,
};

/// A server at the other end of two pipes.
#[derive(Debug)]
pub(super) struct Pipe {
    peer: PipePeer,
    unasked: Mutex<Option<mpsc::Receiver<Message>>>,
    end: JoinHandle<Ending>,
    timeout: Duration,
}

impl Pipe {
    pub(super) fn new(argv: &[String], timeout: Duration, log: PartLog) -> Result<Self, ServeError> {
        let (peer, unasked, end) = PipePeer::spawn(argv, log)?;
        Ok(Self { peer, unasked: Mutex::new(Some(unasked)), end, timeout })
    }

    pub(super) async fn request(&self, id: &Id, message: &Message) -> Result<Answer, CallError> {
        let message = self.peer.request(id, message, self.timeout).await.map_err(|error| self.error(error))?;
        Ok(Answer { message, session: None, ahead: Vec::new() })
    }

    pub(super) async fn notify(&self, message: &Message) -> Result<(), CallError> {
        self.peer.send(message).await.map_err(|error| self.error(error))
    }

    /// What the server says unasked. There is one such stream; whoever asks first has it.
    pub(super) fn stream(&self) -> Result<mpsc::Receiver<Message>, CallError> {
        let unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner).take();
        unasked.ok_or_else(|| CallError::Wrong("the server's messages are already read".to_owned()))
    }

    /// Ends the server in order.
    pub(super) async fn end(self) -> Result<(), CallError> {
        drop(self.peer);
        match self.end.await {
            Ok(ending) if ending.is_clean() => Ok(()),
            Ok(ending) => Err(CallError::Wrong(format!("the server {}", ending.describe()))),
            Err(_) => Ok(()),
        }
    }

    fn error(&self, error: PipeError) -> CallError {
        match error {
            PipeError::Gone => CallError::Broken { addr: "the stdio server".to_owned(), reason: "it has ended".to_owned() },
            PipeError::Timeout => CallError::Timeout(self.timeout),
            PipeError::IdInUse => CallError::Wrong("two requests with one id".to_owned()),
        }
    }
}
