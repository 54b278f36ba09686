//! Whole conversations, and what is noted of them.

use super::*;
use crate::tap::note::CallKind;

fn conversation() -> Conversation {
    let setting = Setting {
        tap: ProcessId::new("upstream").expect("a name"),
        redactor: Redactor::new(["swordfish".to_owned()]),
        exchanges: Counter::default(),
    };
    Conversation::new(setting, 1)
}

/// Hands all of `text` over; returns what each piece brought.
fn feed(text: &str, mut take: impl FnMut(&[u8]) -> (usize, Mark)) -> Vec<Mark> {
    let (mut at, mut marks) = (0, Vec::new());
    loop {
        let (taken, mark) = take(&text.as_bytes()[at..]);
        at += taken;
        match mark {
            Mark::Within if taken == 0 => break,
            Mark::Within => {}
            mark => marks.push(mark),
        }
    }
    assert_eq!(at, text.len());
    marks
}

fn ask(conversation: &mut Conversation, text: &str, at: u64) -> Vec<Mark> {
    feed(text, |bytes| conversation.request(bytes, At(at)))
}

fn answer(conversation: &mut Conversation, text: &str, at: u64) -> Vec<Mark> {
    feed(text, |bytes| conversation.answer(bytes, At(at)))
}

fn post(body: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nMcp-Session-Id: s1\r\nAuthorization: Bearer x\r\nX: swordfish\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn endings(notes: &[Note]) -> Vec<(ExchangeId, Ending)> {
    notes.iter().filter_map(|note| if let Note::Ended(ended) = note { Some((ended.exchange, ended.how)) } else { None }).collect()
}

#[test]
fn a_call_and_its_answer_are_one_exchange() {
    let mut talk = conversation();
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"t":"swordfish"}}}"#;
    assert_eq!(ask(&mut talk, &post(call), 10), [Mark::Head, Mark::Body, Mark::End]);
    assert_eq!(talk.last_request().calls, ["tools/call"]);
    let result = r#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
    let text = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{result}", result.len());
    assert_eq!(answer(&mut talk, &text, 30), [Mark::Head, Mark::Body, Mark::End]);
    let notes = talk.take_notes();
    let [Note::Asked(asked), Note::Answered(answered), Note::Ended(ended)] = notes.as_slice() else { panic!("{notes:#?}") };
    let http = asked.http.as_ref().expect("HTTP");
    assert_eq!((asked.at, http.method.as_str(), http.session.as_deref()), (At(10), "POST", Some("s1")));
    assert_eq!(http.fields[1..3], [("Authorization".into(), "***".into()), ("X".into(), "*********".into())]);
    assert!(!asked.body.text.contains("swordfish"));
    assert_eq!((asked.calls[0].label.as_str(), asked.calls[0].id.as_deref()), ("tools/call echo", Some("7")));
    assert_eq!((answered.at, answered.status), (At(30), 200));
    ask(&mut talk, &post(call), 50);
    assert!(matches!(talk.take_notes().as_slice(), [Note::Asked(next)] if next.at == At(50)), "not when the one before it ended");
    assert_eq!((ended.how, ended.calls[0].kind, ended.body.text.as_str()), (Ending::Answered, CallKind::Result, result));
}

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let mut talk = conversation();
    ask(&mut talk, "GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n", 0);
    assert_eq!(talk.unanswered(), 3);
    answer(&mut talk, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 1);
    answer(&mut talk, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 2);
    answer(&mut talk, "HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nbro", 3);
    talk.server_closed(At(4));
    talk.over(false, At(4));
    assert_eq!(endings(&talk.take_notes()), [(1, Ending::Answered), (2, Ending::Answered), (3, Ending::Broken)]);
}

#[test]
fn messages_of_a_stream_are_told_as_they_come() {
    let mut talk = conversation();
    ask(&mut talk, &post(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#), 0);
    answer(&mut talk, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", 1);
    answer(&mut talk, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n", 2);
    answer(&mut talk, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32000,\"message\":\"no\"}}\n\n", 3);
    talk.server_closed(At(4));
    let notes = talk.take_notes();
    let said: Vec<_> =
        notes.iter().filter_map(|note| if let Note::Said(said) = note { Some((said.at, said.call.kind)) } else { None }).collect();
    assert_eq!(said, [(At(2), CallKind::Notification), (At(3), CallKind::Error)]);
    assert_eq!(endings(&notes), [(1, Ending::Answered)]);
}

#[test]
fn what_stays_without_an_answer_says_whose_doing_that_was() {
    for (by_client, ending) in [(true, Ending::Abandoned), (false, Ending::Unanswered)] {
        let mut talk = conversation();
        ask(&mut talk, "GET / HTTP/1.1\r\n\r\n", 0);
        talk.over(by_client, At(9));
        assert_eq!(endings(&talk.take_notes()), [(1, ending)]);
    }
    let mut talk = conversation();
    talk.refused(At(3));
    assert_eq!(endings(&talk.take_notes()), [(1, Ending::Refused)]);
}

#[test]
fn another_protocol_is_one_exchange() {
    let mut talk = conversation();
    ask(&mut talk, "GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 0);
    answer(&mut talk, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\u{1}\u{2}", 1);
    assert_eq!(ask(&mut talk, "frames", 2), [Mark::Opaque]);
    talk.over(true, At(3));
    let notes = talk.take_notes();
    assert_eq!(endings(&notes), [(1, Ending::Answered), (2, Ending::Closed)]);
    let Some(Note::Ended(ended)) = notes.last() else { panic!("{notes:#?}") };
    assert_eq!(ended.body.size, 8, "both ways");
}

#[test]
fn interim_answers_are_none() {
    let mut talk = conversation();
    ask(&mut talk, &post("x"), 0);
    let marks = answer(&mut talk, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 1);
    assert_eq!(marks, [Mark::Head, Mark::End]);
    assert_eq!(endings(&talk.take_notes()), [(1, Ending::Answered)]);
}

#[test]
fn a_fault_is_noted_with_the_request_it_was_done_to() {
    let mut talk = conversation();
    ask(&mut talk, "GET /a HTTP/1.1\r\n\r\n", 0);
    talk.disturb(FaultKind::Status, Deed::Answer(503));
    assert_eq!(talk.plan(), Some(Deed::Answer(503)));
    talk.answered_here(503, At(2));
    let notes = talk.take_notes();
    let [Note::Asked(asked), Note::Answered(answered), Note::Ended(_)] = notes.as_slice() else { panic!("{notes:#?}") };
    assert_eq!((asked.fault, answered.status), (Some(FaultKind::Status), 503));
}
