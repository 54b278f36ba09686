//! Lines both ways, as a supervisor writes them and a process prints them.

use std::{sync::Mutex as StdMutex, time::Duration};

use super::*;
use crate::{redact::Redactor, tap::pipes::PipeReader};

#[derive(Debug, Default)]
struct Told {
    notes: StdMutex<Vec<Note>>,
    over: AtomicUsize,
    lost: AtomicUsize,
}

impl Observer for Told {
    fn now(&self) -> At {
        At(7)
    }
    fn note(&self, note: Note) {
        self.notes.lock().expect("whole").push(note);
    }
    fn fault_over(&self, _tap: &ProcessId) {
        self.over.fetch_add(1, Ordering::Relaxed);
    }
    fn client(&self, _port: u16) -> Option<ProcessId> {
        None
    }
    fn listens(&self, _port: u16) -> bool {
        false
    }
    fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

struct Rig {
    told: Arc<Told>,
    tap: Arc<PipeTap>,
    ends: PipeEnds,
    reader: PipeReader,
}

impl Rig {
    fn new(secrets: &[&str]) -> Self {
        let (told, waiting) = (Arc::new(Told::default()), Arc::new(AtomicUsize::new(0)));
        let (copies, copied) = mpsc::unbounded_channel();
        let process = ProcessId::new("server").expect("a name");
        let tap = Arc::new(PipeTap::new(process, Counter::default(), copies, waiting.clone(), told.clone()));
        let redactor = Redactor::new(secrets.iter().map(|secret| (*secret).to_owned()));
        let reader = PipeReader::new(copied, waiting, redactor, Counter::default(), told.clone());
        Self { told, ends: PipeEnds::new(tap.clone()), tap, reader }
    }

    /// What was noted by the end, in few words.
    fn told(mut self) -> Vec<String> {
        self.reader.finish();
        let words = |note: &Note| match note {
            Note::Asked(asked) => {
                let calls: Vec<_> = asked.calls.iter().map(|call| format!("{} {:?}", call.label, call.id)).collect();
                let fault = asked.fault.map(|fault| format!(" {}", fault.word())).unwrap_or_default();
                format!("{} asks {:?} {}{fault}", asked.exchange, asked.pipe.expect("a pipe"), calls.join(", "))
            }
            Note::Said(said) => format!("{} part of it to {:?}", said.exchange, said.toward),
            Note::Ended(ended) => {
                let kinds: Vec<_> = ended.calls.iter().map(|call| call.kind).collect();
                format!("{} {:?} {kinds:?}", ended.exchange, ended.how)
            }
            other => format!("{other:?}"),
        };
        self.told.notes.lock().expect("whole").iter().map(words).collect()
    }
}

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[test]
fn requests_of_either_side_are_paired_with_their_answers() {
    let rig = Rig::new(&[]);
    assert_eq!(rig.ends.writes(format!("{PING}\n").as_bytes()), None);
    rig.ends.writes(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    // The server asks with the same id; its own answer comes in two pieces, with other output about it.
    rig.ends.heard(b"starting {\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}\n{\"level\":\"info\"}\n{\"jsonrpc\":\"2.0\",");
    rig.ends.heard(b"\"id\":1,\"result\":{}}\r\nplain");
    rig.ends.writes(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no roots\"}}\n");
    rig.ends.writes(b"{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}\n");
    rig.ends.heard(b"\n{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}");
    rig.ends.ended();
    assert_eq!(
        rig.told(),
        [
            "1 asks Server ping Some(\"1\")",
            "2 asks Server notifications/initialized None",
            "2 Sent []",
            "3 asks Client roots/list Some(\"1\")",
            "1 Answered [Result]",
            "3 Answered [Error]",
            "4 asks Server tools/call echo Some(\"b\")",
            "5 asks Client  Some(\"9\")",
            "5 Sent []",
            "4 Unanswered []",
        ]
    );
}

#[test]
fn a_batch_ends_with_the_last_of_its_answers() {
    let rig = Rig::new(&[]);
    let other = PING.replace("\"id\":1", "\"id\":2");
    rig.ends.writes(format!("[{PING},{other}]\n").as_bytes());
    rig.ends.heard(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    assert_eq!(rig.told(), ["1 asks Server ping Some(\"1\"), ping Some(\"2\")", "1 part of it to Client", "1 Answered [Result]"]);
}

#[test]
fn what_was_typed_is_kept_even_if_it_is_no_message_and_secrets_are_masked() {
    let mut rig = Rig::new(&["swordfish"]);
    rig.ends.writes(b"open swordfish\n");
    rig.reader.finish();
    let notes = rig.told.notes.lock().expect("whole");
    let Note::Asked(asked) = &notes[0] else { panic!("{notes:?}") };
    assert_eq!((asked.body.text.as_str(), asked.body.size, asked.calls.len()), ("open *********", 14, 0));
}

#[test]
fn faults_are_for_a_method_and_a_count() {
    let rig = Rig::new(&[]);
    let fault = |kind, count| FaultSpec {
        at: rig.tap.process.clone(),
        kind,
        delay: Some(Duration::from_secs(2)),
        status: None,
        method: Some("ping".into()),
        count,
    };
    rig.tap.disturb(fault(FaultKind::Drop, Some(1)));
    assert_eq!(rig.ends.writes(b"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/list\"}\n"), None);
    assert_eq!(rig.ends.writes(PING.as_bytes()), Some(PipeFault::Drop));
    assert_eq!((rig.ends.writes(PING.as_bytes()), rig.told.over.load(Ordering::Relaxed)), (None, 1));
    rig.tap.disturb(fault(FaultKind::Delay, None));
    assert_eq!(rig.ends.writes(PING.as_bytes()), Some(PipeFault::Wait(Duration::from_secs(2))));
    let told = rig.told();
    assert_eq!(told[1], "2 asks Server ping Some(\"1\") drop");
    assert_eq!(told[3], "4 asks Server ping Some(\"1\") delay");
}

#[test]
fn a_flood_of_messages_that_nobody_reads_is_counted_and_a_flood_of_other_output_is_not_copied() {
    let rig = Rig::new(&[]);
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"{}\"}}\n", "x".repeat(1 << 20));
    for _ in 0..40 {
        rig.ends.heard(line.as_bytes());
    }
    let waiting = rig.tap.waiting.load(Ordering::Relaxed);
    assert!(waiting <= MOST_WAITING + line.len(), "{waiting}");
    assert!(rig.told.lost.load(Ordering::Relaxed) >= 6);
    rig.ends.heard(&vec![b'x'; LONGEST * 2]);
    rig.ends.heard(format!("{{{}", "y".repeat(LONGEST * 2)).as_bytes());
    assert_eq!(rig.tap.waiting.load(Ordering::Relaxed), waiting);
    assert!(rig.ends.begun.lock().expect("whole").bytes.is_empty());
}
