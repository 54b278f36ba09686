//! Real connections through a hop, disturbed and not.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use super::*;
use crate::{
    model::FaultKind,
    redact::Redactor,
    tap::{
        gate::Gate,
        note::{Ended, Ending},
    },
};

/// How long a test waits for what must come at once.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Told {
    start: Instant,
    notes: UnboundedSender<Note>,
    over: UnboundedSender<ProcessId>,
    /// Whether it was asked for a client before.
    asked: AtomicBool,
}

impl Observer for Told {
    fn now(&self) -> At {
        At(u64::try_from(self.start.elapsed().as_micros()).expect("a short test"))
    }
    fn note(&self, note: Note) {
        let _ = self.notes.send(note);
    }
    fn fault_over(&self, tap: &ProcessId) {
        let _ = self.over.send(tap.clone());
    }
    fn client(&self, _port: u16) -> Option<ProcessId> {
        self.asked.swap(true, Ordering::Relaxed).then(|| name("proxy"))
    }
    fn listens(&self, _port: u16) -> bool {
        true
    }
}

fn name(text: &str) -> ProcessId {
    ProcessId::new(text).expect("a name")
}

/// A tap in front of a listener that the test plays.
struct Stage {
    hop: Arc<Hop>,
    gate: Gate,
    server: Option<TcpListener>,
    notes: UnboundedReceiver<Note>,
    over: UnboundedReceiver<ProcessId>,
}

impl Stage {
    async fn new() -> Self {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let ((notes, told), (over, told_over)) = (unbounded_channel(), unbounded_channel());
        let setting = Setting { tap: name("upstream"), redactor: Redactor::default(), exchanges: Counter::default() };
        let observer = Arc::new(Told { start: Instant::now(), notes, over, asked: AtomicBool::new(false) });
        let hop = Arc::new(Hop::new(setting, server.local_addr().expect("bound").port(), Counter::default(), observer));
        let gate = Gate::keep(0).expect("a port");
        let (served, open) = (Arc::clone(&hop), gate.open().expect("it listens"));
        tokio::spawn(async move { served.serve(open).await });
        Self { hop, gate, server: Some(server), notes: told, over: told_over }
    }

    /// A client, and the process's end of its connection.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, self.gate.port().expect("a number"))).await.expect("it is open");
        let server = self.server.as_ref().expect("it listens").accept().await.expect("the hop comes");
        (client, server.0)
    }

    fn fault(&self, kind: FaultKind, delay: u64) {
        let delay = Some(Duration::from_millis(delay));
        self.hop.disturb(FaultSpec { at: name("upstream"), kind, delay, status: Some(502), method: None, count: Some(1) });
    }

    async fn ended(&mut self) -> Ended {
        loop {
            let note = timeout(PATIENCE, self.notes.recv()).await.expect("an end is noted").expect("the hop lives");
            if let Note::Ended(ended) = note {
                return ended;
            }
        }
    }
}

async fn reads(stream: &mut TcpStream, text: &str) {
    let mut bytes = vec![0; text.len()];
    timeout(PATIENCE, stream.read_exact(&mut bytes)).await.expect("it comes").expect("whole");
    assert_eq!(String::from_utf8_lossy(&bytes), text);
}

async fn rest(stream: &mut TcpStream) -> Result<String, std::io::ErrorKind> {
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("it ends").map_err(|error| error.kind())?;
    Ok(text)
}

const ASK: &str = "POST /mcp HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789";

#[tokio::test]
async fn bytes_go_on_as_they_came() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    for _ in 0..3 {
        client.write_all(ASK.as_bytes()).await.expect("written");
        reads(&mut server, ASK).await;
        server.write_all(ANSWER.as_bytes()).await.expect("written");
        reads(&mut client, ANSWER).await;
        assert_eq!(stage.ended().await.how, Ending::Answered);
    }
    // Half a close is passed on, and the way back stays open.
    client.shutdown().await.expect("closed");
    assert_eq!(rest(&mut server).await.as_deref(), Ok(""));
    server.write_all(b"late").await.expect("written");
    drop(server);
    assert_eq!(rest(&mut client).await.as_deref(), Ok("late"));
}

#[tokio::test]
async fn a_client_that_is_not_known_at_once_is_known_a_little_later() {
    let mut stage = Stage::new().await;
    let _ends = stage.connect().await;
    let client = loop {
        let note = timeout(PATIENCE, stage.notes.recv()).await.expect("it is noted").expect("the hop lives");
        if let Note::Client { client, .. } = note {
            break client;
        }
    };
    assert_eq!(client, name("proxy"));
}

#[tokio::test]
async fn another_protocol_goes_on_untouched() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    let text: String = (0..300_000_u32).map(|i| char::from(b'!' + u8::try_from(i % 1009 * 7 % 90).expect("small"))).collect();
    let sent = format!("\u{16}\u{3}\u{1}{text}");
    let ((), heard) = tokio::join!(
        async {
            client.write_all(sent.as_bytes()).await.expect("written");
            client.shutdown().await.expect("closed");
        },
        rest(&mut server)
    );
    assert_eq!(heard.expect("text"), sent);
    drop(server);
    assert_eq!(rest(&mut client).await.as_deref(), Ok(""));
    let ended = stage.ended().await;
    assert_eq!((ended.how, ended.body.size), (Ending::Closed, sent.len() as u64));
}

#[tokio::test]
async fn who_is_not_there_is_refused_as_without_a_tap() {
    let mut stage = Stage::new().await;
    stage.server = None;
    let port = stage.gate.port().expect("a number");
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("the gate is open");
    assert_eq!(rest(&mut client).await, Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!(stage.ended().await.how, Ending::Refused);
}

#[tokio::test]
async fn a_process_that_dies_breaks_its_answers() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    client.write_all(ASK.as_bytes()).await.expect("written");
    reads(&mut server, ASK).await;
    server.write_all(&ANSWER.as_bytes()[..50]).await.expect("written");
    reads(&mut client, &ANSWER[..50]).await;
    reset_when_dropped(&server);
    drop(server);
    assert_eq!(rest(&mut client).await, Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!(stage.ended().await.how, Ending::Broken);
}

#[tokio::test]
async fn a_client_that_goes_away_abandons_its_request() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    client.write_all(ASK.as_bytes()).await.expect("written");
    reads(&mut server, ASK).await;
    reset_when_dropped(&client);
    drop(client);
    assert_eq!(stage.ended().await.how, Ending::Abandoned);
    assert_eq!(rest(&mut server).await, Err(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_request_is_answered_in_the_process_place() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    stage.fault(FaultKind::Status, 0);
    client.write_all(format!("{ASK}{ASK}").as_bytes()).await.expect("written");
    reads(&mut client, "HTTP/1.1 502 \r\n").await;
    reads(&mut server, ASK).await;
    assert_eq!(timeout(PATIENCE, stage.over.recv()).await.expect("told"), Some(name("upstream")));
    assert_eq!(stage.ended().await.how, Ending::Answered);
}

#[tokio::test]
async fn a_request_waits() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    stage.fault(FaultKind::Delay, 300);
    let start = Instant::now();
    client.write_all(ASK.as_bytes()).await.expect("written");
    reads(&mut server, ASK).await;
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_request_gets_no_answer() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    stage.fault(FaultKind::Drop, 0);
    client.write_all(ASK.as_bytes()).await.expect("written");
    client.shutdown().await.expect("closed");
    assert_eq!(rest(&mut server).await.as_deref(), Ok(""), "it never came");
    drop(server);
    assert_eq!(rest(&mut client).await.as_deref(), Ok(""));
    assert_eq!(stage.ended().await.how, Ending::Unanswered);
}

#[tokio::test]
async fn a_connection_is_reset() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    stage.fault(FaultKind::Reset, 0);
    client.write_all(ASK.as_bytes()).await.expect("written");
    assert_eq!(rest(&mut client).await, Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut server).await, Err(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn the_way_back_is_closed() {
    let mut stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    stage.fault(FaultKind::HalfClose, 0);
    client.write_all(ASK.as_bytes()).await.expect("written");
    assert_eq!(rest(&mut client).await.as_deref(), Ok(""));
    reads(&mut server, ASK).await;
    server.write_all(ANSWER.as_bytes()).await.expect("it may speak");
    assert_eq!(stage.ended().await.how, Ending::Answered);
}

#[tokio::test]
async fn a_body_trickles() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    stage.fault(FaultKind::SlowBody, 150);
    client.write_all(ASK.as_bytes()).await.expect("written");
    reads(&mut server, ASK).await;
    let start = Instant::now();
    server.write_all(ANSWER.as_bytes()).await.expect("written");
    reads(&mut client, ANSWER).await;
    assert!(start.elapsed() >= Duration::from_millis(300), "two pieces of at most {DROP} bytes");
}

#[tokio::test]
async fn a_body_ends_early() {
    let stage = Stage::new().await;
    let (mut client, mut server) = stage.connect().await;
    stage.fault(FaultKind::Truncate, 0);
    client.write_all(ASK.as_bytes()).await.expect("written");
    reads(&mut server, ASK).await;
    server.write_all(ANSWER.as_bytes()).await.expect("written");
    assert_eq!(rest(&mut client).await.as_deref(), Ok(&ANSWER[..ANSWER.len() - 10]));
}
