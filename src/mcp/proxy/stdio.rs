//! Forward over stdio: our pipes on one side, those of a server that we start on the other.
//!
//! Lines pass as they are, whatever they hold; only the log looks at them. All of it goes to stderr, since
//! stdout is the protocol.

use std::time::{Duration, Instant};

use indexmap::IndexMap;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};

use super::super::{
    PartLog, Stop,
    child::{ChildError, StdioChild},
    lines::{Line, Lines},
    log::{clean, millis},
    protocol::{Id, Message},
};

/// Requests under way that the log remembers; what is beyond has no elapsed time.
const MOST_PENDING: usize = 1024;
/// How long the last lines of an ended server may take.
const LAST_LINES: Duration = Duration::from_millis(100);

/// Passes lines between a client on `from` and `to` and the server `argv`, until one of them ends.
///
/// When the client closes its side or the end is wanted, the server is ended in order: its stdin is closed, then
/// SIGTERM, then SIGKILL. A server that ends by itself is an error.
pub async fn forward_stdio<R, W>(argv: &[String], from: R, mut to: W, mut stop: Stop, log: PartLog) -> Result<(), ChildError>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut child, mut said) = StdioChild::spawn(argv)?;
    log.info(format_args!("Forward proxy on stdio, server {}", clean(&argv.join(" "))));
    let (mut asked, mut notes) = (Lines::new(from), Notes { pending: IndexMap::new(), log: log.clone() });
    loop {
        tokio::select! {
            line = asked.next() => match line {
                Ok(Some(Line::Text(line))) => {
                    notes.asked(&line);
                    tokio::select! {
                        // A server that closed its stdin is about to end, and says why by how it does.
                        _ = child.write_line(&line) => {}
                        () = stop.requested() => break,
                    }
                }
                Ok(Some(Line::TooLong)) => log.error("dropped a line of over 4 MiB from the client"),
                Ok(None) | Err(_) => {
                    log.info("the client closed its side");
                    break;
                }
            },
            line = said.next() => match line {
                Ok(Some(line)) => tokio::select! {
                    () = notes.pass(line, &mut to) => {}
                    () = stop.requested() => break,
                },
                Ok(None) | Err(_) => return Err(child.ended_by_itself().await),
            },
            () = stop.requested() => break,
        }
    }
    let program = child.program().to_owned();
    // What the server still says is passed on for as long as it takes to end.
    let mut ending = std::pin::pin!(child.end());
    let ending = loop {
        tokio::select! {
            biased;
            Ok(Some(line)) = said.next() => notes.pass(line, &mut to).await,
            ending = ending.as_mut() => break ending,
        }
    };
    // Its last lines may still be in the pipe; a grandchild that holds the pipe open is not waited for.
    while let Ok(Ok(Some(line))) = tokio::time::timeout(LAST_LINES, said.next()).await {
        notes.pass(line, &mut to).await;
    }
    let how = ending.describe();
    log.info(format_args!("the server {how}"));
    if ending.is_clean() { Ok(()) } else { Err(ChildError::Ended { program, how }) }
}

/// What the log tells of the lines.
struct Notes {
    pending: IndexMap<Id, Instant>,
    log: PartLog,
}

impl Notes {
    /// Passes a line of the server on. A client that reads no more has gone; its end of file is what ends us.
    async fn pass(&mut self, line: Line, to: &mut (impl AsyncWrite + Unpin)) {
        match line {
            Line::TooLong => self.log.error("dropped a line of over 4 MiB from the server"),
            Line::Text(line) => {
                self.said(&line);
                let _ = to.write_all(&[line.as_slice(), b"\n"].concat()).await;
                let _ = to.flush().await;
            }
        }
    }

    fn asked(&mut self, line: &[u8]) {
        match Message::parse(line) {
            Ok(Message::Request { id, method, .. }) => {
                self.log.info(format_args!("handle: Processing {} id={}", clean(&method), clean(&id.to_string())));
                if self.pending.len() < MOST_PENDING {
                    self.pending.insert(id, Instant::now());
                }
            }
            Ok(message) => self.log.info(format_args!("handle: Processing {}", clean(&message.label()))),
            Err(error) => self.log.warn(format_args!("a line from the client is {}", clean(&error.to_string()))),
        }
    }

    fn said(&mut self, line: &[u8]) {
        match Message::parse(line) {
            Ok(Message::Response { id: Some(id), outcome }) => {
                let elapsed = self.pending.swap_remove(&id).map(|asked| format!(" elapsed={}", millis(asked.elapsed()).replace(' ', "")));
                let word = outcome.map_or_else(|error| format!("error={}", error.code), |_| "ok".to_owned());
                let elapsed = elapsed.unwrap_or_default();
                self.log.info(format_args!("handle: upstream answered id={} {word}{elapsed}", clean(&id.to_string())));
            }
            Ok(message) => self.log.info(format_args!("handle: upstream sent {}", clean(&message.label()))),
            Err(error) => self.log.warn(format_args!("a line from the server is {}", clean(&error.to_string()))),
        }
    }
}
