//! What went through the taps, as rows: a fold of the notes, the same live and from a recording.
//!
//! A row is an exchange as its client began it. Where the process behind the tap is a proxy, the exchange that it begins
//! in turn goes through another tap, and belongs on the same row: [`Exchange::beyond`].

use std::collections::{HashMap, VecDeque};

use super::note::{Answered, Asked, Call, CallKind, Ended, Ending, ExchangeId, Note, Said, Toward};
use crate::model::{At, FaultKind, ProcessId};

/// Rows that are kept; what is older stays in the recording.
const MOST: usize = 20_000;

/// Letters of a line that is no message.
const TEXT: usize = 200;

/// One request, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Its number.
    pub id: ExchangeId,
    /// In front of whom.
    pub tap: ProcessId,
    /// On which connection.
    pub connection: u64,
    /// Who asked, once that is known.
    pub client: Option<ProcessId>,
    /// When its first byte came.
    pub at: At,
    /// Method and target; none for what is no HTTP.
    pub http: Option<(String, String)>,
    /// The first JSON-RPC message in it.
    pub call: Option<Call>,
    /// The session that it belongs to, or opens.
    pub session: Option<String>,
    /// The status of the answer, and when its head came.
    pub answer: Option<(At, u16)>,
    /// What the JSON-RPC error says that it was answered with.
    pub error: Option<String>,
    /// How and when it ended.
    pub ended: Option<(At, Ending)>,
    /// Bytes of the request's body, or of the line, and of the answer's.
    pub sizes: (u64, u64),
    /// What was done to it.
    pub fault: Option<FaultKind>,
    /// Which way it went, if it was a line on a pipe.
    pub pipe: Option<Toward>,
    /// The beginning of a line that is no message.
    pub text: String,
    /// The exchange that the process behind the tap began because of it.
    pub beyond: Option<ExchangeId>,
    /// The exchange because of which its client began it.
    pub before: Option<ExchangeId>,
}

impl Exchange {
    /// What was asked: `tools/call echo`, else `GET /health`, else the text.
    pub fn label(&self) -> String {
        match (&self.call, &self.http) {
            (Some(call), _) if !call.label.is_empty() => call.label.clone(),
            (Some(Call { id, .. }), None) => format!("an answer to nothing that was asked, id {}", id.as_deref().unwrap_or("null")),
            (_, Some((method, target))) => format!("{method} {target}"),
            _ => self.text.clone(),
        }
    }

    /// Whether it came to what its client wanted: none while that is open.
    pub fn succeeded(&self) -> Option<bool> {
        let (_, ending) = self.ended?;
        let status = self.pipe.is_some() || self.answer.is_some_and(|(_, status)| status < 400);
        Some(matches!(ending, Ending::Closed | Ending::Sent) || (ending == Ending::Answered && status && self.error.is_none()))
    }
}

/// All exchanges of a run.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// In the order of their numbers.
    rows: VecDeque<Exchange>,
    /// How many rows there were in all.
    all: u64,
    clients: HashMap<u64, ProcessId>,
    /// To whose tap a process was seen to talk.
    wiring: Vec<(ProcessId, ProcessId)>,
    /// When the gate of a tap opened and closed.
    gates: HashMap<ProcessId, Vec<(At, bool)>>,
}

impl Traffic {
    /// The rows that are kept, oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Exchange> + ExactSizeIterator {
        self.rows.iter()
    }

    /// One of them.
    pub fn get(&self, id: ExchangeId) -> Option<&Exchange> {
        self.place(id).map(|at| &self.rows[at])
    }

    /// How many exchanges there were, kept or not.
    pub fn count(&self) -> u64 {
        self.all
    }

    /// Who was seen to talk to whose tap, in the order in which it was first seen.
    pub fn wiring(&self) -> &[(ProcessId, ProcessId)] {
        &self.wiring
    }

    /// Whether nobody could be reached behind the process of an exchange while it lasted: its own client was refused.
    /// The kernel refuses, not the tap; so that is what a closed gate means.
    pub fn refused_beyond(&self, exchange: &Exchange) -> bool {
        let beyond = self.wiring.iter().find(|(from, _)| *from == exchange.tap).map(|(_, to)| to);
        let Some(gates) = beyond.filter(|_| exchange.beyond.is_none()).and_then(|tap| self.gates.get(tap)) else { return false };
        let before = gates.iter().rev().find(|(at, _)| *at <= exchange.at);
        let until = exchange.ended.map_or(At(u64::MAX), |(at, _)| at);
        let within = gates.iter().any(|(at, open)| !open && exchange.at < *at && *at <= until);
        before.is_some_and(|(_, open)| !open) || within
    }

    /// Takes the next note.
    pub fn apply(&mut self, note: &Note) {
        match note {
            Note::Asked(asked) => self.asked(asked),
            Note::Answered(answered) => self.answered(answered),
            Note::Said(said) => self.said(said),
            Note::Ended(ended) => self.ended(ended),
            Note::Client { connection, client } => self.client(*connection, client),
            Note::Gate { tap, at, open } => self.gates.entry(tap.clone()).or_default().push((*at, *open)),
        }
    }

    fn asked(&mut self, asked: &Asked) {
        let client = self.clients.get(&asked.connection).cloned();
        let row = Exchange {
            id: asked.exchange,
            tap: asked.tap.clone(),
            connection: asked.connection,
            client: client.clone(),
            at: asked.at,
            http: asked.http.as_ref().map(|http| (http.method.clone(), http.target.clone())),
            call: asked.calls.first().cloned(),
            session: asked.http.as_ref().and_then(|http| http.session.clone()),
            answer: None,
            error: None,
            ended: None,
            sizes: (asked.body.size, 0),
            fault: asked.fault,
            pipe: asked.pipe,
            text: if asked.pipe.is_some() && asked.calls.is_empty() { asked.body.text.chars().take(TEXT).collect() } else { String::new() },
            beyond: None,
            before: None,
        };
        // Two taps may write their notes in another order than they counted.
        let at = self.rows.partition_point(|other| other.id < row.id);
        if self.rows.get(at).is_some_and(|other| other.id == row.id) {
            return;
        }
        self.rows.insert(at, row);
        self.all += 1;
        if let Some(client) = client {
            self.pair(asked.exchange, &client);
        }
        while self.rows.len() > MOST {
            self.rows.pop_front();
        }
    }

    fn answered(&mut self, answered: &Answered) {
        if let Some(row) = self.row(answered.exchange) {
            row.answer = Some((answered.at, answered.status));
            if answered.session.is_some() {
                row.session.clone_from(&answered.session);
            }
        }
    }

    fn said(&mut self, said: &Said) {
        if let Some(row) = self.row(said.exchange)
            && said.toward == Toward::Client
            && said.call.kind == CallKind::Error
        {
            row.error = Some(said.call.label.clone());
        }
    }

    fn ended(&mut self, ended: &Ended) {
        let Some(row) = self.row(ended.exchange) else { return };
        row.ended = Some((ended.at, ended.how));
        row.sizes.1 = ended.body.size;
        if let Some(error) = ended.calls.iter().find(|call| call.kind == CallKind::Error) {
            row.error = Some(error.label.clone());
        }
    }

    fn client(&mut self, connection: u64, client: &ProcessId) {
        self.clients.insert(connection, client.clone());
        let unnamed: Vec<_> = self
            .rows
            .iter()
            .rev()
            .take(1000)
            .filter(|row| row.connection == connection && row.client.is_none())
            .map(|row| row.id)
            .collect();
        for id in unnamed.into_iter().rev() {
            if let Some(row) = self.row(id) {
                row.client = Some(client.clone());
            }
            self.pair(id, client);
        }
    }

    /// Finds the exchange because of which `client` began this one: it is under way at the client's own tap (or was when
    /// this one began), asks the same if anything does, and was not answered for yet. Ids and sessions decide where they
    /// are passed on unchanged; else the oldest.
    fn pair(&mut self, id: ExchangeId, client: &ProcessId) {
        let Some(this) = self.get(id).filter(|row| row.before.is_none()) else { return };
        let wire = (client.clone(), this.tap.clone());
        let lasted = |other: &Exchange| other.at <= this.at && other.ended.is_none_or(|(end, _)| end >= this.at);
        let near = self.rows.range(..self.place(id).unwrap_or(0)).rev().take(1000);
        let fits = near.filter(|other| other.tap == *client && other.beyond.is_none() && lasted(other)).map(|other| {
            let (method, call_id) = (method(other) == method(this), call_id(other).is_some() && call_id(other) == call_id(this));
            let session = other.session.is_some() && other.session == this.session;
            ((method, call_id && method, session, std::cmp::Reverse(other.at)), other.id)
        });
        // A ping of its own, say, is because of nobody; what asks for something else altogether is no pair.
        let found = fits.filter(|((same_method, ..), _)| *same_method).max().map(|(_, before)| before);
        if !self.wiring.contains(&wire) {
            self.wiring.push(wire);
        }
        if let Some(before) = found {
            if let Some(row) = self.row(before) {
                row.beyond = Some(id);
            }
            if let Some(row) = self.row(id) {
                row.before = Some(before);
            }
        }
    }

    fn place(&self, id: ExchangeId) -> Option<usize> {
        self.rows.binary_search_by_key(&id, |row| row.id).ok()
    }

    fn row(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        let at = self.place(id)?;
        self.rows.get_mut(at)
    }
}

/// What it asks for: the method of JSON-RPC, else that of HTTP.
fn method(exchange: &Exchange) -> &str {
    match (&exchange.call, &exchange.http) {
        (Some(call), _) => &call.method,
        (None, Some((method, _))) => method,
        (None, None) => "",
    }
}

fn call_id(exchange: &Exchange) -> Option<&str> {
    exchange.call.as_ref().and_then(|call| call.id.as_deref())
}

#[cfg(test)]
#[path = "traffic_tests.rs"]
mod tests;
