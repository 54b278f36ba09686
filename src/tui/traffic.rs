//! What went through taps, as rows to be shown: a fold of the exchanges, and the words for what became of each.

use std::time::Duration;

use crate::{
    model::{At, FaultKind, ProcessId, human_duration},
    tap::{Ending, Exchange, ExchangeId, Toward, Traffic},
};

use super::{text::clean, theme::Role};

/// Exchanges that are looked at for the list: more than anybody scrolls through.
pub(crate) const NEWEST: usize = 2000;
/// A call that takes longer is marked.
const SLOW: Duration = Duration::from_secs(1);
/// A call that has no answer for longer is marked while it is still open.
const OVERDUE: Duration = Duration::from_secs(5);

/// A word, and how it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) role: Role,
}

/// A row of the list: an exchange, or several in a row that are alike.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The newest of them.
    pub(crate) id: ExchangeId,
    pub(crate) at: At,
    pub(crate) client: Option<ProcessId>,
    pub(crate) tap: ProcessId,
    pub(crate) call: String,
    pub(crate) answer: Word,
    pub(crate) took: (String, Role),
    /// What the process behind the tap was answered in turn.
    pub(crate) beyond: Option<(Word, (String, Role))>,
    pub(crate) fault: Option<&'static str>,
    /// Which way it went, if it was a line on a pipe.
    pub(crate) pipe: Option<Toward>,
    pub(crate) times: usize,
}

/// The newest `most` exchanges that had begun by `now` and are wanted, oldest first.
pub(crate) fn each(traffic: &Traffic, now: At, most: usize, wanted: impl Fn(&Exchange) -> bool) -> Vec<Row> {
    let begun = traffic.rows().rev().filter(|row| row.at <= now && row.before.is_none());
    let mut newest: Vec<_> = begun.filter(|row| wanted(row)).take(most).map(|row| of(traffic, row, now)).collect();
    newest.reverse();
    newest
}

/// The rows of all that had begun by `now`, oldest first.
pub(crate) fn rows(traffic: &Traffic, now: At) -> Vec<Row> {
    let newest = each(traffic, now, NEWEST, |_| true);
    let mut rows: Vec<Row> = Vec::with_capacity(newest.len());
    for row in newest {
        match rows.last_mut().filter(|last| is_alike(last, &row)) {
            Some(last) => *last = Row { times: last.times + 1, ..row },
            None => rows.push(row),
        }
    }
    rows
}

/// Where the row stands that tells of an exchange, whatever has come since; none is the newest.
pub(crate) fn place(rows: &[Row], chosen: Option<ExchangeId>) -> usize {
    // A row is called after the newest of those it counts.
    let told_by = |id| rows.iter().position(|row| row.id >= id);
    chosen.and_then(told_by).unwrap_or(rows.len().saturating_sub(1))
}

/// Whether a row says nothing new after the one before it; how long it took is no news unless it was slow.
fn is_alike(one: &Row, next: &Row) -> bool {
    let same =
        (&one.client, &one.tap, &one.call, &one.answer, one.fault) == (&next.client, &next.tap, &next.call, &next.answer, next.fault);
    let beyond = |row: &Row| row.beyond.as_ref().map(|(word, _)| word.clone());
    same && one.pipe == next.pipe && beyond(one) == beyond(next) && one.took.1 == next.took.1
}

fn of(traffic: &Traffic, row: &Exchange, now: At) -> Row {
    let beyond = row.beyond.and_then(|id| traffic.get(id));
    let fault = row.fault.or(beyond.and_then(|beyond| beyond.fault));
    let beyond = match beyond {
        Some(beyond) => Some((Answer::of(beyond, now).word(), took(beyond, now))),
        None if traffic.refused_beyond(row) => Some((word("✗  refused", Role::Bad), ("-".into(), Role::Dim))),
        None => None,
    };
    Row {
        id: row.id,
        at: row.at,
        client: row.client.clone(),
        tap: row.tap.clone(),
        call: clean(&row.label()).into_owned(),
        answer: Answer::of(row, now).word(),
        took: took(row, now),
        beyond,
        fault: fault.map(FaultKind::word),
        pipe: row.pipe,
        times: 1,
    }
}

/// What became of an exchange. Cheap to tell and to compare: a count looks at thousands of them for every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Refused,
    Closed,
    Sent,
    PipeError,
    PipeResult,
    /// It has ended without any.
    Missing,
    GivenUp,
    Cut(u16),
    /// Its status says no.
    Declined(u16),
    /// Its status says yes, and the message in it no.
    Mistaken(u16),
    Good(u16),
    /// It has been open for long.
    Overdue,
    Open,
}

impl Answer {
    /// As it was known at `now`.
    pub(crate) fn of(row: &Exchange, now: At) -> Self {
        let status = row.answer.filter(|(at, _)| *at <= now).map(|(_, status)| status);
        match (row.ended.filter(|(at, _)| *at <= now).map(|(_, how)| how), status) {
            (Some(Ending::Refused), _) => Self::Refused,
            (Some(Ending::Closed), _) => Self::Closed,
            (Some(Ending::Sent), _) => Self::Sent,
            (Some(Ending::Answered), None) if row.pipe.is_some() && row.error.is_some() => Self::PipeError,
            (Some(Ending::Answered), None) if row.pipe.is_some() => Self::PipeResult,
            (Some(Ending::Unanswered), _) | (Some(Ending::Answered | Ending::Broken), None) => Self::Missing,
            (Some(Ending::Abandoned), None) => Self::GivenUp,
            (Some(Ending::Broken | Ending::Abandoned), Some(status)) => Self::Cut(status),
            (_, Some(status)) if status >= 400 => Self::Declined(status),
            (Some(_), Some(status)) if row.error.is_some() => Self::Mistaken(status),
            (_, Some(status)) => Self::Good(status),
            (None, None) if now.since(row.at) > OVERDUE => Self::Overdue,
            (None, None) => Self::Open,
        }
    }

    pub(crate) fn role(self) -> Role {
        match self {
            Self::Refused | Self::Missing | Self::GivenUp | Self::Cut(_) => Role::Bad,
            Self::Closed | Self::Sent | Self::Open => Role::Dim,
            Self::PipeError | Self::Declined(_) | Self::Mistaken(_) | Self::Overdue => Role::Warn,
            Self::PipeResult | Self::Good(_) => Role::Good,
        }
    }

    pub(crate) fn word(self) -> Word {
        let text = match self {
            Self::Refused => "✗ refused".to_owned(),
            Self::Closed => "closed".to_owned(),
            Self::Sent => "sent".to_owned(),
            Self::PipeError => "error".to_owned(),
            Self::PipeResult => "result".to_owned(),
            Self::Missing => "✗ none".to_owned(),
            Self::GivenUp => "✗ given up".to_owned(),
            Self::Cut(status) => format!("{status} cut"),
            Self::Mistaken(status) => format!("{status} error"),
            Self::Declined(status) | Self::Good(status) => status.to_string(),
            Self::Overdue => "no answer".to_owned(),
            Self::Open => "…".to_owned(),
        };
        Word { text, role: self.role() }
    }
}

/// How long it took; how long it has been going on, while it has not ended. What wants no answer takes no time.
fn took(row: &Exchange, now: At) -> (String, Role) {
    if row.ended.is_some_and(|(at, how)| at <= now && how == Ending::Sent) {
        return ("-".into(), Role::Dim);
    }
    let ended = row.ended.map(|(at, _)| at).filter(|at| *at <= now);
    let took = ended.unwrap_or(now).since(row.at);
    let role = if took > SLOW && (row.http.is_some() || row.pipe.is_some()) { Role::Warn } else { Role::Dim };
    let text =
        if took < Duration::from_millis(1) { "<1 ms".into() } else { human_duration(Duration::from_millis(took.as_millis() as u64)) };
    (text, role)
}

fn word(text: &str, role: Role) -> Word {
    Word { text: text.to_owned(), role }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::{Answered, Asked, Body, Call, CallKind, Ended, Note, RequestHead};

    fn id(name: &str) -> ProcessId {
        ProcessId::new(name).expect("a name")
    }

    fn call(traffic: &mut Traffic, exchange: ExchangeId, at: u64, status: Option<u16>) {
        let call = Call { kind: CallKind::Request, method: "ping".into(), label: "ping".into(), id: None };
        traffic.apply(&Note::Asked(Asked {
            exchange,
            tap: id("proxy"),
            connection: 1,
            at: At(at),
            http: Some(RequestHead { method: "POST".into(), target: "/mcp".into(), session: None, fields: Vec::new() }),
            body: Body::default(),
            calls: vec![call],
            fault: None,
            pipe: None,
        }));
        if let Some(status) = status {
            traffic.apply(&Note::Answered(Answered { exchange, at: At(at + 2000), status, session: None, fields: Vec::new() }));
            traffic.apply(&Note::Ended(Ended {
                exchange,
                at: At(at + 3000),
                how: Ending::Answered,
                body: Body::default(),
                calls: Vec::new(),
            }));
        }
    }

    #[test]
    fn what_repeats_is_counted_and_what_changes_is_not() {
        let mut traffic = Traffic::default();
        traffic.apply(&Note::Client { connection: 1, client: id("client-a") });
        for exchange in 1..=4 {
            call(&mut traffic, exchange, exchange * 10_000, Some(200));
        }
        call(&mut traffic, 5, 50_000, Some(502));
        call(&mut traffic, 6, 60_000, None);
        let shown = rows(&traffic, At(65_000));
        let words: Vec<_> = shown.iter().map(|row| (row.times, row.answer.text.as_str(), row.took.0.as_str(), row.id)).collect();
        assert_eq!(words, [(4, "200", "3 ms", 4), (1, "502", "3 ms", 5), (1, "…", "5 ms", 6)]);
        assert_eq!(rows(&traffic, At(9_000_000))[2].answer.text, "no answer");
        assert_eq!((place(&shown, None), place(&shown, Some(2)), place(&shown, Some(5))), (2, 0, 1));
        call(&mut traffic, 7, 64_000, Some(502));
        assert_eq!(place(&rows(&traffic, At(67_000)), Some(5)), 1, "it stays where it was chosen");
        let before = rows(&traffic, At(52_500));
        assert_eq!((before.len(), before[1].answer.text.as_str()), (2, "502"), "as it was known then");
        assert_eq!(rows(&traffic, At(51_000))[1].answer.text, "…");
    }

    #[test]
    fn what_goes_over_a_pipe_has_no_status_and_says_what_came_of_it() {
        let mut traffic = Traffic::default();
        let call = |kind, label: &str| Call { kind, method: label.into(), label: label.into(), id: Some("1".into()) };
        let asked = |exchange, pipe, calls| {
            let body = Body { size: 7, text: "no call".into() };
            Note::Asked(Asked {
                exchange,
                tap: id("server"),
                connection: 1,
                at: At(0),
                http: None,
                body,
                calls,
                fault: None,
                pipe: Some(pipe),
            })
        };
        let ended = |exchange, how, calls| Note::Ended(Ended { exchange, at: At(4000), how, body: Body::default(), calls });
        for (exchange, pipe, calls, how, answer) in [
            (1, Toward::Server, vec![call(CallKind::Request, "ping")], Ending::Answered, vec![call(CallKind::Result, "")]),
            (2, Toward::Server, vec![call(CallKind::Request, "nope")], Ending::Answered, vec![call(CallKind::Error, "unknown")]),
            (3, Toward::Client, vec![call(CallKind::Result, "")], Ending::Sent, Vec::new()),
            (4, Toward::Server, Vec::new(), Ending::Sent, Vec::new()),
            (5, Toward::Server, vec![call(CallKind::Request, "ping")], Ending::Unanswered, Vec::new()),
        ] {
            traffic.apply(&asked(exchange, pipe, calls));
            traffic.apply(&ended(exchange, how, answer));
        }
        let shown: Vec<_> =
            rows(&traffic, At(9000)).into_iter().map(|row| format!("{}: {} {}", row.call, row.answer.text, row.took.0)).collect();
        assert_eq!(
            shown,
            [
                "ping: result 4 ms",
                "nope: error 4 ms",
                "an answer to nothing that was asked, id 1: sent -",
                "no call: sent -",
                "ping: ✗ none 4 ms",
            ]
        );
        let succeeded: Vec<_> = traffic.rows().filter_map(Exchange::succeeded).collect();
        assert_eq!(succeeded, [true, false, true, true, false]);
    }
}
