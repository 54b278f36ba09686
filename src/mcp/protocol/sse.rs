//! Server-sent events: how a stream of messages is written into an HTTP body and read back.
//!
//! The parser takes bytes as they arrive, in any cut, and holds at most one event. Source: the `text/event-stream`
//! section of the HTML standard, as far as MCP uses it.

use super::Message;

/// One event of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `id:` field: where a client may resume.
    pub id: Option<String>,
    /// The `event:` field; none means `message`.
    pub event: Option<String>,
    /// The `data:` lines, joined by newlines.
    pub data: String,
}

impl SseEvent {
    /// An event that carries a message.
    pub fn message(message: &Message) -> Self {
        Self { id: None, event: Some("message".to_owned()), data: message.to_json().to_string() }
    }

    /// The event that opens a resumable stream from revision 2025-11-25 on: an id and no data.
    pub fn priming(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// The event as it stands in the body.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        for (name, value) in [("event", &self.event), ("id", &self.id)] {
            if let Some(value) = value {
                text.extend([name, ": ", value, "\n"]);
            }
        }
        for line in self.data.split('\n') {
            text.extend(["data: ", line, "\n"]);
        }
        text.push('\n');
        text
    }
}

/// More than this in one event is an error, not an event.
const LARGEST: usize = 16 << 20;

/// An event over 16 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of over 16 MiB")]
pub struct EventTooLarge;

/// Finds the events in a body that arrives in pieces.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The last byte was a carriage return, so a newline right after it belongs to it.
    after_return: bool,
    started: bool,
    event: SseEvent,
    has_data: bool,
}

impl SseParser {
    /// Takes the next bytes; returns the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, EventTooLarge> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    events.extend(self.end_line());
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.event.data.len() > LARGEST {
                return Err(EventTooLarge);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let line = if self.started { line.as_str() } else { line.trim_start_matches('\u{feff}') };
        self.started = true;
        if line.is_empty() {
            return self.end_event();
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => self.event.event = Some(value.to_owned()),
            "id" => self.event.id = Some(value.to_owned()),
            // `retry:`, comments and whatever comes with the future.
            _ => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.event);
        (std::mem::take(&mut self.has_data) || event.id.is_some()).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Vec<SseEvent> {
        SseParser::default().push(text.as_bytes()).expect("small")
    }

    #[test]
    fn events_end_with_an_empty_line_of_any_kind() {
        let data = |text: &str| SseEvent { data: text.to_owned(), ..SseEvent::default() };
        assert_eq!(parse("data: a\n\ndata:b\r\n\r\ndata: c\r\r"), [data("a"), data("b"), data("c")]);
        assert_eq!(parse("data: one\ndata: two\n\n"), [data("one\ntwo")]);
        assert_eq!(parse("data: never ended\n"), []);
        assert_eq!(parse(": a comment\nretry: 10\n\n"), []);
    }

    #[test]
    fn a_priming_event_has_an_id_and_no_data() {
        assert_eq!(parse("\u{feff}id: 7\ndata: \n\n"), [SseEvent::priming("7")]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_however_it_is_cut(text in ".{0,40}", cut in 0..200_usize, id in proptest::option::of("[a-z0-9]{1,8}")) {
            let message = Message::request(1, "tools/call", json!({"name": text}));
            let event = SseEvent { id, ..SseEvent::message(&message) };
            let bytes = event.encode().into_bytes();
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let mut parser = SseParser::default();
            let mut events = parser.push(head).expect("small");
            events.extend(parser.push(tail).expect("small"));
            prop_assert_eq!(&events, &[event]);
            prop_assert_eq!(Message::parse(events[0].data.as_bytes()), Ok(message));
        }
    }

    #[test]
    fn an_endless_event_is_an_error() {
        let mut parser = SseParser::default();
        parser.push(b"data: ").expect("small");
        let piece = vec![b'x'; 1 << 20];
        let outcome = (0..20).try_for_each(|_| parser.push(&piece).map(|_| ()));
        assert_eq!(outcome, Err(EventTooLarge));
    }
}
