//! A server at the other end of two pipes, spoken to by many at once: answers find their requests by id.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    PartLog,
    child::{ChildError, ChildLines, Ending, StdioChild},
    lines::Line,
    log::clean,
    protocol::{Id, Message},
};

/// Messages on their way to the server, and unasked ones from it, that wait for a slow reader.
const QUEUE: usize = 64;

type Pending = Arc<Mutex<HashMap<Id, oneshot::Sender<Message>>>>;

/// The client's side of a server that runs as our child.
#[derive(Debug)]
pub(crate) struct PipePeer {
    out: mpsc::Sender<Vec<u8>>,
    pending: Pending,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PipeError {
    /// The server has gone.
    Gone,
    /// Nothing came in time.
    Timeout,
    /// Another request of that id is under way.
    IdInUse,
}

impl PipePeer {
    /// Starts `argv`. What it says unasked comes out of the second value; if nobody takes it, it is dropped. The
    /// third one ends with the child, which is ended in order once the peer is dropped.
    pub(crate) fn spawn(argv: &[String], log: PartLog) -> Result<(Self, mpsc::Receiver<Message>, JoinHandle<Ending>), ChildError> {
        let (child, lines) = StdioChild::spawn(argv)?;
        let (out, orders) = mpsc::channel(QUEUE);
        let (notes, unasked) = mpsc::channel(QUEUE);
        let pending = Pending::default();
        let task = tokio::spawn(carry(child, lines, orders, Arc::clone(&pending), notes, log));
        Ok((Self { out, pending }, unasked, task))
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn request(&self, id: &Id, message: &Message, patience: Duration) -> Result<Message, PipeError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if pending.contains_key(id) {
                return Err(PipeError::IdInUse);
            }
            pending.insert(id.clone(), answer);
        }
        let _forget = Forget { pending: &self.pending, id };
        self.send(message).await?;
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(_)) => Err(PipeError::Gone),
            Err(_) => Err(PipeError::Timeout),
        }
    }

    /// Sends a message that gets no answer.
    pub(crate) async fn send(&self, message: &Message) -> Result<(), PipeError> {
        self.out.send(message.to_json().to_string().into_bytes()).await.map_err(|_| PipeError::Gone)
    }
}

/// A request that is given up must not keep its place.
struct Forget<'a> {
    pending: &'a Pending,
    id: &'a Id,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(self.id);
    }
}

/// Owns the child: writes what it is given, sorts what comes back, ends it when nobody can give more.
async fn carry(
    mut child: StdioChild,
    mut lines: ChildLines,
    mut orders: mpsc::Receiver<Vec<u8>>,
    pending: Pending,
    notes: mpsc::Sender<Message>,
    log: PartLog,
) -> Ending {
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                None => break,
                Some(line) => if child.write_line(&line).await.is_err() { break },
            },
            line = lines.next() => match line {
                Ok(Some(line)) => sort(line, &pending, &notes, &log),
                Ok(None) | Err(_) => break,
            },
        }
    }
    // Whoever still waits learns that no answer comes.
    orders.close();
    pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let ending = child.end().await;
    log.debug(format_args!("stdio server {}", ending.describe()));
    ending
}

fn sort(line: Line, pending: &Pending, notes: &mpsc::Sender<Message>, log: &PartLog) {
    let message = match line {
        Line::TooLong => return log.warn("dropped a line of over 4 MiB from the stdio server"),
        Line::Text(text) if text.trim_ascii().is_empty() => return,
        Line::Text(text) => Message::parse(&text),
    };
    match message {
        Ok(Message::Response { id: Some(id), outcome }) => {
            let waiting = pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            match waiting {
                Some(waiting) => drop(waiting.send(Message::Response { id: Some(id), outcome })),
                None => log.warn(format_args!("an answer nobody waits for, id={}", clean(&id.to_string()))),
            }
        }
        Ok(message) => drop(notes.try_send(message)),
        Err(error) => log.warn(format_args!("a line from the stdio server is {}", clean(&error.to_string()))),
    }
}
