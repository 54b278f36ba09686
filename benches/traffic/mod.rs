//! One server, and two ways to it: directly, and through a tap that records as in a run.
//!
//! Nothing absolute holds on a shared machine, so both ways are taken in turn, by the same client, in the same run.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{At, ProcessId},
    redact::Redactor,
    tap::{Note, Observer, TapSpec, Taps, TrafficStore},
};

/// What a client of MCP asks, and what it is answered.
pub const REQUEST: &str = "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-session-id: 6f1b2c3d-0000-4000-8000-000000000001\r\ncontent-length: 94\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"a\":\"hi\"}}}";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 84\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"a\":true}}";
const LISTEN: &str = "GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, its port, and that of the tap in front of it.
pub struct Rig {
    pub direct: u16,
    pub tapped: u16,
    pub store: Arc<TrafficStore>,
    /// Events that streams may have sent by now.
    granted: Arc<Granted>,
    /// They end before the folder goes.
    _taps: Taps,
    _dir: tempfile::TempDir,
}

#[derive(Default)]
struct Granted {
    events: Mutex<usize>,
    more: Condvar,
}

#[derive(Debug)]
struct Kept {
    store: Arc<TrafficStore>,
    start: Instant,
}

impl Observer for Kept {
    fn now(&self) -> At {
        At(u64::try_from(self.start.elapsed().as_micros()).expect("a short run"))
    }
    fn note(&self, note: Note) {
        self.store.note(note);
    }
    fn fault_over(&self, _tap: &ProcessId) {}
    fn client(&self, _port: u16) -> Option<ProcessId> {
        None
    }
    fn listens(&self, _port: u16) -> bool {
        true
    }
}

impl Rig {
    pub fn new() -> Self {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let direct = server.local_addr().expect("bound").port();
        let granted = Arc::new(Granted::default());
        let grants = granted.clone();
        thread::spawn(move || {
            for client in server.incoming().flatten() {
                let grants = grants.clone();
                thread::spawn(move || serve(client, &grants));
            }
        });
        let tapped = {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            free.local_addr().expect("bound").port()
        };
        let dir = tempfile::tempdir().expect("a folder");
        let store = Arc::new(TrafficStore::create(&dir.path().join("traffic.jsonl")).expect("a file"));
        let observer: Arc<dyn Observer> = Arc::new(Kept { store: store.clone(), start: Instant::now() });
        let process = ProcessId::new("server").expect("a name");
        let spec = TapSpec { process: process.clone(), front: tapped, real: direct };
        let taps = Taps::start(&[spec], &[], &Redactor::default(), &observer).expect("a tap");
        taps.runs(&process, Some(1));
        Self { direct, tapped, store, granted, _taps: taps, _dir: dir }
    }

    /// A connection to `port`, which may open in a moment.
    pub fn connect(port: u16) -> TcpStream {
        let start = Instant::now();
        loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => {
                    stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).expect("a socket");
                    return stream;
                }
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
            thread::yield_now();
        }
    }

    /// Asks, and reads the answer. How long that took.
    pub fn ask(stream: &mut TcpStream) -> Duration {
        let mut answer = [0; ANSWER.len()];
        let start = Instant::now();
        stream.write_all(REQUEST.as_bytes()).expect("written");
        stream.read_exact(&mut answer).expect("answered");
        let took = start.elapsed();
        assert_eq!(answer.as_slice(), ANSWER.as_bytes());
        took
    }

    /// Begins to listen to a stream of events.
    pub fn listen(port: u16) -> TcpStream {
        let mut stream = Self::connect(port);
        let mut head = [0; STREAM.len()];
        stream.write_all(LISTEN.as_bytes()).and_then(|()| stream.read_exact(&mut head)).expect("a stream");
        assert_eq!(head.as_slice(), STREAM.as_bytes());
        stream
    }

    /// Reads the event with this number.
    pub fn hear(stream: &mut TcpStream, number: usize) {
        let mut heard = vec![0; event(number).len()];
        stream.read_exact(&mut heard).expect("an event");
        assert_eq!(String::from_utf8_lossy(&heard), event(number));
    }

    /// Streams may send one more.
    pub fn grant(&self) {
        *self.granted.events.lock().expect("whole") += 1;
        self.granted.more.notify_all();
    }

    /// The notes, once there are so many that are meant.
    pub fn notes(&self, count: usize, meant: fn(&Note) -> bool) -> Vec<Note> {
        let start = Instant::now();
        loop {
            let mut text = Vec::new();
            self.store.write_between(At(0), At(u64::MAX), &mut text).expect("memory");
            let text = String::from_utf8(text).expect("text");
            let notes: Vec<Note> = text.lines().map(|line| serde_json::from_str(line).expect("a note")).collect();
            let there = notes.iter().filter(|note| meant(note)).count();
            if there >= count {
                return notes;
            }
            assert!(start.elapsed() < PATIENCE, "{there} of {count}");
            thread::yield_now();
        }
    }
}

fn event(number: usize) -> String {
    format!("data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progress\":{number}}}}}\n\n")
}

fn serve(mut client: TcpStream, grants: &Granted) {
    client.set_nodelay(true).expect("a socket");
    let mut request = [0; REQUEST.len()];
    while client.read_exact(&mut request[..LISTEN.len()]).is_ok() {
        if request.starts_with(b"GET") {
            return stream(client, grants);
        }
        let answered = client.read_exact(&mut request[LISTEN.len()..]).and_then(|()| client.write_all(ANSWER.as_bytes()));
        if answered.is_err() {
            return;
        }
    }
}

fn stream(mut client: TcpStream, grants: &Granted) {
    let mut sent = 0;
    let mut written = client.write_all(STREAM.as_bytes());
    while written.is_ok() {
        let granted = grants.events.lock().expect("whole");
        let (granted, waited) = grants.more.wait_timeout_while(granted, PATIENCE, |granted| *granted <= sent).expect("whole");
        if waited.timed_out() {
            return;
        }
        drop(granted);
        sent += 1;
        written = client.write_all(event(sent).as_bytes());
    }
}
