//! Rows and pairs, from notes as two taps write them.

use super::*;
use crate::tap::note::{Body, RequestHead};

fn name(text: &str) -> ProcessId {
    ProcessId::new(text).expect("a name")
}

fn asked(exchange: ExchangeId, tap: &str, connection: u64, at: u64, method: &str, id: &str) -> Note {
    let call = Call { kind: CallKind::Request, method: method.into(), label: method.into(), id: Some(id.into()) };
    Note::Asked(Asked {
        exchange,
        tap: name(tap),
        connection,
        at: At(at),
        http: Some(RequestHead { method: "POST".into(), target: "/mcp".into(), session: None, fields: Vec::new() }),
        body: Body { size: 10, text: "{}".into() },
        calls: vec![call],
        fault: None,
        pipe: None,
    })
}

fn answered(exchange: ExchangeId, at: u64, status: u16) -> [Note; 2] {
    [
        Note::Answered(Answered { exchange, at: At(at), status, session: None, fields: Vec::new() }),
        Note::Ended(Ended { exchange, at: At(at + 1), how: Ending::Answered, body: Body::default(), calls: Vec::new() }),
    ]
}

fn client(connection: u64, client: &str) -> Note {
    Note::Client { connection, client: name(client) }
}

fn fold(notes: impl IntoIterator<Item = Note>) -> Traffic {
    let mut traffic = Traffic::default();
    notes.into_iter().for_each(|note| traffic.apply(&note));
    traffic
}

#[test]
fn both_sides_of_a_proxy_are_one_pair() {
    let mut notes = vec![client(1, "client-a"), client(2, "client-b"), client(3, "proxy")];
    notes.push(asked(1, "proxy", 1, 10, "tools/call", "7"));
    notes.push(asked(2, "proxy", 2, 11, "tools/call", "8"));
    // Not in their order; the ids tell.
    notes.push(asked(3, "upstream", 3, 20, "tools/call", "8"));
    notes.push(asked(4, "upstream", 3, 21, "tools/call", "7"));
    notes.push(asked(5, "upstream", 3, 22, "ping", "9"));
    notes.extend(answered(3, 30, 200));
    notes.extend(answered(2, 32, 200));
    let traffic = fold(notes);
    let pairs: Vec<_> = traffic.rows().map(|row| (row.id, row.beyond)).collect();
    assert_eq!(pairs, [(1, Some(4)), (2, Some(3)), (3, None), (4, None), (5, None)]);
    assert_eq!(traffic.get(5).expect("a row").before, None, "a ping of the proxy's own");
    assert_eq!(traffic.get(2).expect("a row").succeeded(), Some(true));
    assert_eq!(traffic.wiring(), [(name("client-a"), name("proxy")), (name("client-b"), name("proxy")), (name("proxy"), name("upstream"))]);
}

#[test]
fn time_pairs_where_ids_are_changed() {
    let mut notes = vec![asked(1, "proxy", 1, 10, "tools/call", "7")];
    notes.extend(answered(1, 12, 200));
    notes.push(asked(2, "proxy", 1, 20, "tools/call", "8"));
    notes.push(asked(3, "upstream", 3, 21, "tools/call", "x1"));
    // Who that is turns out late.
    notes.push(client(3, "proxy"));
    let traffic = fold(notes);
    assert_eq!(traffic.get(1).expect("a row").beyond, None, "it was over");
    assert_eq!(traffic.get(2).expect("a row").beyond, Some(3));
}

#[test]
fn a_closed_gate_refuses() {
    let gate = |at, open| Note::Gate { tap: name("upstream"), at: At(at), open };
    let mut notes = vec![client(1, "client-a"), client(3, "proxy"), gate(0, true)];
    notes.push(asked(1, "proxy", 1, 10, "ping", "1"));
    notes.push(asked(2, "upstream", 3, 11, "ping", "1"));
    notes.extend(answered(2, 12, 200));
    notes.extend(answered(1, 13, 200));
    notes.push(asked(3, "proxy", 1, 20, "ping", "2"));
    notes.extend(answered(3, 21, 502));
    notes.push(gate(30, false));
    notes.push(asked(4, "proxy", 1, 40, "ping", "3"));
    notes.extend(answered(4, 41, 502));
    notes.push(gate(50, true));
    notes.push(asked(5, "proxy", 1, 60, "ping", "4"));
    let traffic = fold(notes);
    let refused: Vec<_> = traffic.rows().map(|row| traffic.refused_beyond(row)).collect();
    assert_eq!(refused, [false, false, false, true, false]);
    assert_eq!(traffic.get(4).expect("a row").succeeded(), Some(false));
}

#[test]
fn errors_of_json_rpc_are_failures_whatever_the_status() {
    let error = Call { kind: CallKind::Error, method: String::new(), label: "no such tool".into(), id: Some("1".into()) };
    let mut notes = vec![asked(1, "proxy", 1, 10, "tools/call", "1")];
    let [head, _] = answered(1, 12, 200);
    notes.push(head);
    notes.push(Note::Ended(Ended { exchange: 1, at: At(13), how: Ending::Answered, body: Body::default(), calls: vec![error] }));
    let traffic = fold(notes);
    assert_eq!(traffic.get(1).and_then(Exchange::succeeded), Some(false));
}

#[test]
fn old_rows_go() {
    let traffic = fold((1..=MOST as u64 + 5).map(|id| asked(id, "proxy", 1, id, "ping", "1")));
    assert_eq!((traffic.rows().len(), traffic.count()), (MOST, MOST as u64 + 5));
    assert!(traffic.get(5).is_none() && traffic.get(6).is_some());
}
