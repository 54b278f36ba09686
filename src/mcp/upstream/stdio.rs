//! The mock upstream over stdio: a message a line, the log on stderr.

use std::{sync::Arc, time::Instant};

use serde_json::Value;
use tokio::{
    io::{AsyncBufRead, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::JoinSet,
};

use super::{
    super::{
        PartLog, Stop,
        lines::{Line, Lines},
        log::{clean, millis},
        protocol::{Id, Message, Revision, RpcError, code, stateless::version_of},
        streams::Streams,
    },
    UpstreamConfig,
    dispatch::{self, Peer},
    faults::{BadFrame, Fate, FaultState},
};

/// Notifications that wait for a slow reader.
const QUEUE: usize = 64;

struct Server {
    config: UpstreamConfig,
    faults: Arc<FaultState>,
    peer: Peer,
    /// What was negotiated; none before `initialize`.
    revision: Option<Revision>,
    /// Requests under way; each gives the line to write.
    work: JoinSet<String>,
    log: PartLog,
}

/// Serves the client at the other end of two pipes until it closes its own, or until the end is wanted.
///
/// Requests are answered as they are done, not as they came: a slow tool must not hold up a ping.
pub async fn serve_stdio<R, W>(config: UpstreamConfig, from: R, mut to: W, mut stop: Stop, log: PartLog)
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let faults = Arc::new(FaultState::start(config.faults.clone()));
    let (sender, mut notes) = mpsc::channel(QUEUE);
    let peer = Peer { streams: Arc::new(Streams::with(sender.clone())), answer: Some(sender) };
    tokio::select! {
        () = tokio::time::sleep(config.faults.start_delay) => {}
        () = stop.requested() => return,
    }
    log.info(format_args!("MCP server on stdio, revision {}", config.revision));
    let mut server = Server { config, faults: Arc::clone(&faults), peer, revision: None, work: JoinSet::new(), log: log.clone() };
    let (mut lines, mut open) = (Lines::new(from), true);
    while open || !server.work.is_empty() {
        let mut out = Vec::new();
        tokio::select! {
            line = lines.next(), if open => match line {
                Ok(Some(line)) => server.take(line),
                Ok(None) => open = false,
                Err(error) => {
                    log.error(format_args!("cannot read stdin: {error}"));
                    open = false;
                }
            },
            Some(done) = server.work.join_next() => {
                // Progress stands before the answer it belongs to.
                out.extend(std::iter::from_fn(|| notes.try_recv().ok()).map(|note| note.to_json().to_string()));
                out.extend(done.ok());
            }
            Some(note) = notes.recv() => out.push(note.to_json().to_string()),
            () = faults.crash_in_time() => {}
            () = stop.requested() => break,
        }
        tokio::select! {
            () = write_lines(&mut to, &out) => {}
            () = stop.requested() => break,
        }
    }
    log.info("shutdown complete");
}

/// A client that reads no more has gone; the end of file on our side is what ends us.
async fn write_lines(to: &mut (impl AsyncWrite + Unpin), lines: &[String]) {
    for line in lines {
        let _ = to.write_all(format!("{line}\n").as_bytes()).await;
    }
    let _ = to.flush().await;
}

impl Server {
    fn take(&mut self, line: Line) {
        let message = match line {
            Line::TooLong => Err((code::INVALID_REQUEST, "a line of over 4 MiB".to_owned())),
            Line::Text(text) if text.trim_ascii().is_empty() => return,
            Line::Text(text) => Message::parse(&text).map_err(|error| (error.code(), error.to_string())),
        };
        match message {
            Ok(Message::Request { id, method, params }) => self.request(id, method, params),
            Ok(message) => self.log.info(clean(&message.label())),
            Err((code, why)) => {
                self.log.warn(format_args!("{} → error {code}", clean(&why)));
                self.say(Message::error(None, RpcError::new(code, why)));
            }
        }
    }

    fn request(&mut self, id: Id, method: String, params: Value) {
        let label = clean(&Message::Request { id: id.clone(), method: method.clone(), params: params.clone() }.label());
        self.log.info(format_args!("id={} {label}", clean(&id.to_string())));
        let stateless = self.config.revision.is_stateless() && version_of(&params).is_some();
        if stateless {
            if !dispatch::is_stateless(&method) {
                return self.say(Message::error(Some(id), RpcError::new(code::METHOD_NOT_FOUND, format!("unknown method: {method}"))));
            }
        } else if method == "initialize" {
            let wanted = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
            self.revision = Some(Revision::negotiate(self.config.revision, wanted));
        } else if self.revision.is_none() && method != "ping" {
            return self.say(Message::error(Some(id), RpcError::new(code::INVALID_REQUEST, "initialize first")));
        }
        match self.faults.fate(&method) {
            Fate::Hangs => {}
            Fate::Fails(why) => {
                self.log.error(format_args!("id={} → error {} {why}", clean(&id.to_string()), code::INTERNAL));
                self.say(Message::error(Some(id), RpcError::new(code::INTERNAL, why)));
            }
            Fate::Answered => self.answer((id, method, params), stateless, None),
            Fate::Spoiled(frame) => self.answer((id, method, params), stateless, Some(frame)),
        }
    }

    fn say(&mut self, message: Message) {
        self.work.spawn(async move { message.to_json().to_string() });
    }

    fn answer(&mut self, (id, method, params): (Id, String, Value), stateless: bool, spoil: Option<BadFrame>) {
        let (faults, peer, log, revision) = (Arc::clone(&self.faults), self.peer.clone(), self.log.clone(), self.revision);
        let newest = self.config.revision;
        let started = Instant::now();
        self.work.spawn(async move {
            faults.delay().await;
            let outcome = match (method.as_str(), revision) {
                _ if stateless => dispatch::answer_stateless(&method, &params, newest, &peer).await,
                ("initialize", Some(revision)) => Ok(dispatch::initialize(revision)),
                _ => dispatch::answer(&method, &params, &peer).await,
            };
            let word = outcome.as_ref().map_or_else(|error| format!("error {}", error.code), |_| "ok".to_owned());
            let shown = clean(&id.to_string());
            let message = Message::Response { id: Some(id), outcome };
            let (text, note) = match spoil {
                None => (message.to_json().to_string(), String::new()),
                Some(frame) => (frame.spoil(&message), format!(" bad frame: {}", frame.name())),
            };
            log.info(format_args!("id={shown} → {word}{note} in {}", millis(started.elapsed())));
            text
        });
    }
}
