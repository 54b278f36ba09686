//! What a connection says, as exchanges: which answer belongs to which request, and how each ends.
//!
//! HTTP/1.1 answers in the order of the requests, so the answer that comes next belongs to the oldest request that has
//! none. The hop hands over the bytes as they pass; this room knows nothing of sockets, and no clock but the moments it
//! is given.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    body::{self, Collected},
    fault::Deed,
    message::{Close, Head, Piece, Reader, StartLine},
    note::{Answered, Asked, Call, Ended, Ending, ExchangeId, Note, RequestHead, Said, Toward},
};
use crate::{
    mcp::protocol::{SESSION_HEADER, SseParser},
    model::{At, FaultKind, ProcessId},
    redact::{Redactor, looks_secret},
};

/// Numbers exchanges over all taps of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What all connections of a tap share.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// In front of whom.
    pub tap: ProcessId,
    /// What must not be written down.
    pub redactor: Redactor,
    /// Counts exchanges.
    pub exchanges: Counter,
}

/// A request that has no complete answer yet.
#[derive(Debug)]
struct Open {
    id: ExchangeId,
    /// Its answer has no body, whatever its head says.
    head_only: bool,
    answer: Option<Answer>,
    /// What is done to its answer.
    plan: Option<Deed>,
}

/// The part of an answer that has come.
#[derive(Debug, Default)]
struct Answer {
    body: Collected,
    /// Of an answer that is a stream of events.
    events: Option<SseParser>,
}

/// A request that is still coming.
#[derive(Debug)]
struct Coming {
    id: ExchangeId,
    at: At,
    head: Head,
    body: Collected,
}

/// A request that has just come, whole, for whoever decides what to do to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Of HTTP.
    pub method: String,
    /// Of JSON-RPC.
    pub calls: Vec<String>,
}

/// How far the bytes that were taken go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Within a message.
    Within,
    /// A head ends with them, of an answer that is no interim one.
    Head,
    /// They belong to a body.
    Body,
    /// A message ends with them.
    End,
    /// They are not read as HTTP.
    Opaque,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    setting: Setting,
    connection: u64,
    requests: Reader,
    answers: Reader,
    coming: Option<Coming>,
    /// When the request began that is coming.
    began: Option<At>,
    open: VecDeque<Open>,
    /// The exchange that stands for all that is not read as HTTP.
    opaque: Option<(ExchangeId, u64)>,
    last: Request,
    /// The answer that is coming is an interim one.
    interim: bool,
    server_gone: bool,
    notes: Vec<Note>,
}

impl Conversation {
    pub(crate) fn new(setting: Setting, connection: u64) -> Self {
        Self {
            setting,
            connection,
            requests: Reader::requests(),
            answers: Reader::answers(),
            coming: None,
            began: None,
            open: VecDeque::new(),
            opaque: None,
            last: Request::default(),
            interim: false,
            server_gone: false,
            notes: Vec::new(),
        }
    }

    /// What has happened since this was asked last.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Whether the next byte of the client begins a request.
    pub(crate) fn is_between_requests(&self) -> bool {
        self.requests.between_messages()
    }

    /// How many requests have no complete answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.open.len()
    }

    /// The request that has come last.
    pub(crate) fn last_request(&self) -> &Request {
        &self.last
    }

    /// Takes bytes of the client from the front of `bytes`: how many, and what they bring.
    pub(crate) fn request(&mut self, bytes: &[u8], at: At) -> (usize, Mark) {
        if !bytes.is_empty() {
            self.began.get_or_insert(at);
        }
        let (taken, piece) = self.requests.next(bytes);
        let mark = match piece {
            None => Mark::Within,
            Some(Piece::Head(head)) => {
                let id = self.setting.exchanges.next();
                self.coming = Some(Coming { id, at: self.began.unwrap_or(at), head, body: Collected::default() });
                Mark::Head
            }
            Some(Piece::Body(bytes)) => {
                if let Some(coming) = &mut self.coming {
                    coming.body.push(bytes);
                }
                Mark::Body
            }
            Some(Piece::End) => {
                self.began = None;
                self.request_is_whole();
                Mark::End
            }
            Some(Piece::Opaque) => {
                self.opaque(taken, at);
                Mark::Opaque
            }
        };
        (taken, mark)
    }

    /// Takes bytes of the server from the front of `bytes`: how many, and what they bring.
    pub(crate) fn answer(&mut self, bytes: &[u8], at: At) -> (usize, Mark) {
        let (taken, piece) = self.answers.next(bytes);
        let mark = match piece {
            None => Mark::Within,
            Some(Piece::Head(head)) => self.answer_head(&head, at),
            Some(Piece::Body(bytes)) => {
                self.answer_body(bytes, at);
                Mark::Body
            }
            // The answer proper is still to come.
            Some(Piece::End) if std::mem::take(&mut self.interim) => return self.answer(bytes, at),
            Some(Piece::End) => {
                self.end_first(Ending::Answered, at);
                Mark::End
            }
            Some(Piece::Opaque) => {
                self.opaque(taken, at);
                Mark::Opaque
            }
        };
        (taken, mark)
    }

    /// Something is done to the request that came last, or to its answer. To be said before its note is taken.
    pub(crate) fn disturb(&mut self, fault: FaultKind, deed: Deed) {
        if let Some(open) = self.open.back_mut() {
            open.plan = Some(deed);
        }
        let asked = self.notes.iter_mut().rev().find_map(|note| if let Note::Asked(asked) = note { Some(asked) } else { None });
        if let Some(asked) = asked {
            asked.fault = Some(fault);
        }
    }

    /// What is done to the answer that comes next, or is coming.
    pub(crate) fn plan(&self) -> Option<Deed> {
        self.open.front().and_then(|open| open.plan)
    }

    /// Whether anything is done to answers that are still to come.
    pub(crate) fn has_plans(&self) -> bool {
        self.open.iter().any(|open| open.plan.is_some())
    }

    /// Whether the client waits for a word before it sends the body of the request that is coming.
    pub(crate) fn expects_word(&self) -> bool {
        self.coming.as_ref().is_some_and(|coming| coming.head.field("expect").is_some())
    }

    /// The tap has answered the oldest request itself.
    pub(crate) fn answered_here(&mut self, status: u16, at: At) {
        if let Some(open) = self.open.front() {
            self.notes.push(Note::Answered(Answered { exchange: open.id, at, status, session: None, fields: Vec::new() }));
        }
        self.end_first(Ending::Answered, at);
    }

    /// Nobody listens behind the tap.
    pub(crate) fn refused(&mut self, at: At) {
        let exchange = self.setting.exchanges.next();
        let asked = self.asked(exchange, at, None);
        self.notes.push(Note::Asked(asked));
        self.notes.push(Note::Ended(Ended { exchange, at, how: Ending::Refused, body: body::Body::default(), calls: Vec::new() }));
    }

    /// The server says no more: what has no answer by now gets none.
    pub(crate) fn server_closed(&mut self, at: At) {
        if self.answers.close() == Close::Complete {
            self.end_first(Ending::Answered, at);
        }
        self.end_all(false, at);
        self.server_gone = true;
    }

    /// The connection is over: what has no answer gets none. `by_client`: it went away first.
    pub(crate) fn over(&mut self, by_client: bool, at: At) {
        if self.coming.is_some() {
            self.request_is_whole();
        }
        self.end_all(by_client && !self.server_gone, at);
        if let Some((exchange, size)) = self.opaque.take() {
            let body = body::Body { size, text: String::new() };
            self.notes.push(Note::Ended(Ended { exchange, at, how: Ending::Closed, body, calls: Vec::new() }));
        }
    }

    fn end_all(&mut self, by_client: bool, at: At) {
        while let Some(open) = self.open.front() {
            let how = match (&open.answer, by_client) {
                (_, true) => Ending::Abandoned,
                (Some(_), false) => Ending::Broken,
                (None, false) => Ending::Unanswered,
            };
            self.end_first(how, at);
        }
    }

    fn request_is_whole(&mut self) {
        let Some(coming) = self.coming.take() else { return };
        let StartLine::Request { method, target } = coming.head.start.clone() else { return };
        let calls = coming.body.calls();
        self.last = Request { method: method.clone(), calls: calls.iter().map(|call| call.method.clone()).collect() };
        self.open.push_back(Open { id: coming.id, head_only: method == "HEAD", answer: None, plan: None });
        let session = coming.head.field(SESSION_HEADER).map(|id| self.setting.redactor.mask(id).into_owned());
        let target = self.setting.redactor.mask(&target).into_owned();
        let http = RequestHead { method, target, session, fields: self.masked(&coming.head.fields) };
        let body = coming.body.shown(&self.setting.redactor);
        let mut asked = self.asked(coming.id, coming.at, Some(http));
        (asked.body, asked.calls) = (body, masked_calls(calls, &self.setting.redactor));
        self.notes.push(Note::Asked(asked));
    }

    fn asked(&self, exchange: ExchangeId, at: At, http: Option<RequestHead>) -> Asked {
        Asked {
            exchange,
            tap: self.setting.tap.clone(),
            connection: self.connection,
            at,
            http,
            body: body::Body::default(),
            calls: Vec::new(),
            fault: None,
            pipe: None,
        }
    }

    fn answer_head(&mut self, head: &Head, at: At) -> Mark {
        let StartLine::Answer { status } = head.start else { return Mark::Within };
        self.interim = status / 100 == 1 && status != 101;
        if self.interim {
            return Mark::Within;
        }
        let fields = self.masked(&head.fields);
        let session = head.field(SESSION_HEADER).map(|id| self.setting.redactor.mask(id).into_owned());
        if let Some(open) = self.open.front_mut() {
            let streams =
                head.field("content-type").is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"));
            open.answer = Some(Answer { body: Collected::default(), events: streams.then(SseParser::default) });
            if open.head_only {
                self.answers.no_body();
            }
            self.notes.push(Note::Answered(Answered { exchange: open.id, at, status, session, fields }));
        }
        if status == 101 {
            self.end_first(Ending::Answered, at);
            self.requests.give_up();
            self.answers.give_up();
        }
        Mark::Head
    }

    fn answer_body(&mut self, bytes: &[u8], at: At) {
        let Some(Open { id, answer: Some(answer), .. }) = self.open.front_mut() else { return };
        answer.body.push(bytes);
        let Some(parser) = &mut answer.events else { return };
        let Ok(events) = parser.push(bytes) else {
            answer.events = None;
            return;
        };
        for event in events {
            for call in Call::all_in(event.data.as_bytes()) {
                let body = body::of(&event.data, &self.setting.redactor);
                let call = masked_call(call, &self.setting.redactor);
                self.notes.push(Note::Said(Said { exchange: *id, at, toward: Toward::Client, call, body }));
            }
        }
    }

    fn end_first(&mut self, how: Ending, at: At) {
        let Some(open) = self.open.pop_front() else { return };
        let mut ended = Ended { exchange: open.id, at, how, body: body::Body::default(), calls: Vec::new() };
        if let Some(answer) = open.answer {
            if answer.events.is_none() {
                ended.calls = masked_calls(answer.body.calls(), &self.setting.redactor);
            }
            ended.body = answer.body.shown(&self.setting.redactor);
        }
        self.notes.push(Note::Ended(ended));
    }

    fn opaque(&mut self, size: usize, at: At) {
        if self.opaque.is_none() {
            let exchange = self.setting.exchanges.next();
            let asked = self.asked(exchange, at, None);
            self.notes.push(Note::Asked(asked));
            self.opaque = Some((exchange, 0));
        }
        if let Some((_, all)) = &mut self.opaque {
            *all += size as u64;
        }
    }

    fn masked(&self, fields: &[(String, String)]) -> Vec<(String, String)> {
        let redactor = &self.setting.redactor;
        let value = |name: &str, value: &str| if looks_secret(name) { "***".to_owned() } else { redactor.mask(value).into_owned() };
        fields.iter().map(|(name, text)| (redactor.mask(name).into_owned(), value(name, text))).collect()
    }
}

pub(super) fn masked_calls(calls: Vec<Call>, redactor: &Redactor) -> Vec<Call> {
    calls.into_iter().map(|call| masked_call(call, redactor)).collect()
}

/// Methods, ids and messages of errors are text of a peer like any other.
fn masked_call(call: Call, redactor: &Redactor) -> Call {
    let mask = |text: String| redactor.mask(&text).into_owned();
    Call { kind: call.kind, method: mask(call.method), label: mask(call.label), id: call.id.map(mask) }
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
