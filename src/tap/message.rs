//! One direction of a connection, cut into HTTP/1.1 messages as its bytes come by.
//!
//! The reader only looks: the hop passes the bytes on exactly as they were written. What is no HTTP, or asks for another
//! protocol, is passed on just the same and merely counted. Source: RFC 9112.

use memchr::memmem;

/// A head over this is none.
const LARGEST_HEAD: usize = 64 << 10;
/// The line before a chunk, with whatever extensions it has.
const LARGEST_CHUNK_LINE: usize = 4 << 10;
/// More header fields than any program sends.
const MOST_FIELDS: usize = 128;

/// What a head says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartLine {
    /// Of a request.
    Request {
        /// `POST`.
        method: String,
        /// `/mcp?x=1`, as it was written.
        target: String,
    },
    /// Of an answer.
    Answer {
        /// `200`.
        status: u16,
    },
}

/// The head of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its first line.
    pub start: StartLine,
    /// Its fields, in their order, with the case they were written in.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The first field of this name, in any case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether one of the comma-separated words of a field is this one.
    fn has_word(&self, name: &str, word: &str) -> bool {
        let named = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.flat_map(|(_, value)| value.split(',')).any(|w| w.trim().eq_ignore_ascii_case(word))
    }
}

/// What stands next in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A head, whole.
    Head(Head),
    /// Some of a body, without what frames it.
    Body(&'a [u8]),
    /// The message is complete.
    End,
    /// Bytes that are not read as HTTP.
    Opaque,
}

/// Reads one direction.
#[derive(Debug)]
pub(crate) struct Reader {
    answers: bool,
    state: State,
    /// The beginning of a head or of a chunk's line that has not ended yet.
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before or within a head.
    Head,
    Length(u64),
    ChunkLine,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    /// The last byte has been read; [`Piece::End`] is due.
    Ended,
    Opaque,
}

impl Reader {
    /// Of what a client sends.
    pub(crate) fn requests() -> Self {
        Self { answers: false, state: State::Head, held: Vec::new() }
    }

    /// Of what a server sends.
    pub(crate) fn answers() -> Self {
        Self { answers: true, state: State::Head, held: Vec::new() }
    }

    /// Whether a message ended with the last byte: the next one begins a message.
    pub(crate) fn between_messages(&self) -> bool {
        self.state == State::Head && self.held.is_empty()
    }

    /// Takes from the front of `bytes` what makes up the next piece. Returns how many bytes that were, and the piece;
    /// none if it needs more bytes than there are.
    pub(crate) fn next<'a>(&mut self, bytes: &'a [u8]) -> (usize, Option<Piece<'a>>) {
        match self.state {
            State::Ended => {
                self.state = State::Head;
                (0, Some(Piece::End))
            }
            _ if bytes.is_empty() => (0, None),
            State::Opaque => (bytes.len(), Some(Piece::Opaque)),
            State::UntilClose => (bytes.len(), Some(Piece::Body(bytes))),
            State::Head => self.head(bytes),
            State::Length(left) => self.body(bytes, left, |left| if left == 0 { State::Ended } else { State::Length(left) }),
            State::Chunk(left) => self.body(bytes, left, |left| if left == 0 { State::ChunkEnd } else { State::Chunk(left) }),
            State::ChunkLine | State::ChunkEnd | State::Trailers => self.line(bytes),
        }
    }

    /// The message whose head was read last has no body, whatever its head says: it answers a `HEAD`.
    pub(crate) fn no_body(&mut self) {
        self.state = State::Ended;
    }

    /// What follows is another protocol.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Opaque;
        self.held = Vec::new();
    }

    /// The stream is over. Says whether that completes the message that was under way, and whether one was.
    pub(crate) fn close(&mut self) -> Close {
        match self.state {
            State::UntilClose | State::Ended => {
                self.state = State::Head;
                Close::Complete
            }
            State::Head if self.held.is_empty() => Close::Between,
            State::Opaque => Close::Between,
            _ => Close::Within,
        }
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> (usize, Option<Piece<'a>>) {
        if self.held.is_empty() {
            // Old clients send an empty line after a request.
            let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            if blank > 0 {
                return (blank, None);
            }
        }
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let Some(end) = head_end(&self.held, before.saturating_sub(3)) else {
            if self.held.len() > LARGEST_HEAD || !may_be_http(&self.held, self.answers) {
                return self.opaque(bytes.len());
            }
            return (bytes.len(), None);
        };
        let parsed = if self.answers { parse_answer(&self.held[..end]) } else { parse_request(&self.held[..end]) };
        let Some(head) = parsed else { return self.opaque(bytes.len()) };
        self.held.clear();
        self.state = self.framing(&head);
        (end - before, Some(Piece::Head(head)))
    }

    fn opaque<'a>(&mut self, taken: usize) -> (usize, Option<Piece<'a>>) {
        self.give_up();
        (taken, Some(Piece::Opaque))
    }

    /// How the body of a message ends (RFC 9112, section 6.3).
    fn framing(&self, head: &Head) -> State {
        if let StartLine::Answer { status } = head.start
            && (status / 100 == 1 || status == 204 || status == 304)
        {
            return State::Ended;
        }
        if head.has_word("transfer-encoding", "chunked") {
            return State::ChunkLine;
        }
        match head.field("content-length").map(|length| length.trim().parse()) {
            Some(Ok(0)) => State::Ended,
            Some(Ok(length)) => State::Length(length),
            Some(Err(_)) => State::Opaque,
            None if self.answers => State::UntilClose,
            None => State::Ended,
        }
    }

    fn body<'a>(&mut self, bytes: &'a [u8], left: u64, after: impl Fn(u64) -> State) -> (usize, Option<Piece<'a>>) {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.state = after(left - taken as u64);
        (taken, Some(Piece::Body(&bytes[..taken])))
    }

    /// A line of what frames a chunked body.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> (usize, Option<Piece<'a>>) {
        let taken = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        self.held.extend_from_slice(&bytes[..taken]);
        if !self.held.ends_with(b"\n") {
            return if self.held.len() > LARGEST_CHUNK_LINE { self.opaque(taken) } else { (taken, None) };
        }
        let line = std::mem::take(&mut self.held);
        let empty = line == b"\r\n" || line == b"\n";
        self.state = match self.state {
            State::ChunkEnd if empty => State::ChunkLine,
            State::Trailers => {
                if empty {
                    State::Ended
                } else {
                    State::Trailers
                }
            }
            State::ChunkLine => match httparse::parse_chunk_size(&line) {
                Ok(httparse::Status::Complete((_, 0))) => State::Trailers,
                Ok(httparse::Status::Complete((_, size))) => State::Chunk(size),
                _ => return self.opaque(taken),
            },
            _ => return self.opaque(taken),
        };
        (taken, None)
    }
}

/// What the end of a stream means for the message that was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// There was none.
    Between,
    /// It ends there, as it said.
    Complete,
    /// It was broken off.
    Within,
}

/// Where the head ends that begins `bytes`; what lies before `from` has been looked at.
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let of = |end: &[u8]| memmem::find(&bytes[from..], end).map(|at| from + at + end.len());
    [of(b"\r\n\r\n"), of(b"\n\n"), of(b"\n\r\n")].into_iter().flatten().min()
}

/// Whether a head may begin so: what else a port hears, TLS for one, should not be collected first.
fn may_be_http(bytes: &[u8], answers: bool) -> bool {
    if answers {
        let start = b"HTTP/1.";
        let both = start.len().min(bytes.len());
        return bytes[..both] == start[..both];
    }
    let method = bytes.iter().position(|b| *b == b' ').unwrap_or(bytes.len());
    method > 0 && method <= 32 && bytes[..method].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_')
}

fn parse_request(bytes: &[u8]) -> Option<Head> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(bytes).ok().filter(httparse::Status::is_complete)?;
    let start = StartLine::Request { method: request.method?.to_owned(), target: request.path?.to_owned() };
    Some(Head { start, fields: owned(request.headers) })
}

fn parse_answer(bytes: &[u8]) -> Option<Head> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    answer.parse(bytes).ok().filter(httparse::Status::is_complete)?;
    Some(Head { start: StartLine::Answer { status: answer.code? }, fields: owned(answer.headers) })
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    fields.iter().map(|field| (field.name.to_owned(), String::from_utf8_lossy(field.value).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was read, in a form that does not depend on how the bytes were cut.
    fn read(mut reader: Reader, chunks: &[&[u8]]) -> (Vec<String>, usize) {
        let (mut said, mut body, mut count) = (Vec::new(), String::new(), 0);
        for chunk in chunks {
            let mut at = 0;
            loop {
                let (taken, piece) = reader.next(&chunk[at..]);
                at += taken;
                match piece {
                    Some(Piece::Head(head)) => said.push(format!("{:?} {}", head.start, head.fields.len())),
                    Some(Piece::Body(bytes)) => body.push_str(&String::from_utf8_lossy(bytes)),
                    Some(Piece::End) => said.push(format!("end {:?}", std::mem::take(&mut body))),
                    Some(Piece::Opaque) if said.last().is_some_and(|last| last == "opaque") => {}
                    Some(Piece::Opaque) => said.push("opaque".into()),
                    None if taken == 0 => break,
                    None => {}
                }
            }
            assert_eq!(at, chunk.len(), "every byte is taken once");
            count += at;
        }
        match reader.close() {
            Close::Between => {}
            Close::Complete => said.push(format!("end {body:?}")),
            Close::Within => said.push(format!("broken off {body:?}")),
        }
        (said, count)
    }

    fn requests(text: &str) -> Vec<String> {
        read(Reader::requests(), &[text.as_bytes()]).0
    }

    fn answers(text: &str) -> Vec<String> {
        read(Reader::answers(), &[text.as_bytes()]).0
    }

    #[test]
    fn requests_follow_one_another() {
        let text = "POST /mcp HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\r\nGET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
        assert_eq!(
            requests(text),
            [
                "Request { method: \"POST\", target: \"/mcp\" } 1",
                "end \"hello\"",
                "Request { method: \"GET\", target: \"/\" } 2",
                "end \"\"",
            ]
        );
    }

    #[test]
    fn bodies_come_in_chunks() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n";
        assert_eq!(answers(text), ["Answer { status: 200 } 1", "end \"hello!\"", "Answer { status: 204 } 0", "end \"\""]);
    }

    #[test]
    fn an_answer_without_a_length_ends_with_its_connection() {
        assert_eq!(answers("HTTP/1.0 200 OK\r\n\r\nall of it"), ["Answer { status: 200 } 0", "end \"all of it\""]);
    }

    #[test]
    fn what_breaks_off_is_not_complete() {
        assert_eq!(answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), ["Answer { status: 200 } 1", "broken off \"half\""]);
        assert_eq!(requests("GET / HT"), ["broken off \"\""]);
    }

    #[test]
    fn what_is_no_http_is_only_counted() {
        assert_eq!(requests("\x16\x03\x01\x02\x00\x01"), ["opaque"]);
        assert_eq!(answers("SSH-2.0-OpenSSH_9.2\r\n"), ["opaque"]);
        assert_eq!(answers("HTTP/1.1 200 OK\r\ncontent-length: some\r\n\r\nx"), ["Answer { status: 200 } 1", "opaque"]);
        assert_eq!(
            answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfive\r\nhello\r\n"),
            ["Answer { status: 200 } 1", "opaque"]
        );
        let endless = format!("GET /{}", "a".repeat(LARGEST_HEAD));
        assert_eq!(requests(&endless), ["opaque"]);
    }

    #[test]
    fn interim_answers_have_no_body() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(answers(text), ["Answer { status: 100 } 0", "end \"\"", "Answer { status: 200 } 1", "end \"ok\""]);
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            bodies in proptest::collection::vec(("[a-z\r\n]{0,30}", any::<bool>()), 1..4),
            cuts in proptest::collection::vec(0..400_usize, 0..8),
            tail in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            let mut text = Vec::new();
            for (body, chunked) in &bodies {
                if *chunked {
                    text.extend_from_slice(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
                    for part in body.as_bytes().chunks(7) {
                        text.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                        text.extend_from_slice(part);
                        text.extend_from_slice(b"\r\n");
                    }
                    text.extend_from_slice(b"0\r\n\r\n");
                } else {
                    text.extend_from_slice(format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes());
                }
            }
            text.extend_from_slice(&tail);
            let whole = read(Reader::requests(), &[&text]);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(&read(Reader::requests(), &chunks), &whole);
            if tail.is_empty() {
                let expected: Vec<_> = bodies.iter().map(|(body, _)| format!("end {body:?}")).collect();
                prop_assert_eq!(whole.0.into_iter().filter(|s| s.starts_with("end")).collect::<Vec<_>>(), expected);
            }
        }
    }
}
