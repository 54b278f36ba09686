//! Disks that are slow, full, and well again.

use std::sync::mpsc;

use super::*;
use crate::{
    model::{At, ProcessId},
    tap::{TrafficStore, note::Toward},
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A disk in memory, that can be told to refuse, or to wait.
#[derive(Clone, Default)]
struct Played(Arc<Mutex<Play>>, Arc<Condvar>);

#[derive(Default)]
struct Play {
    bytes: Vec<u8>,
    refuses: bool,
    hangs: bool,
    /// Attempts to write, and how many of them hang.
    attempts: (usize, usize),
}

impl Disk for Played {
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut play = self.0.lock().expect("whole");
        play.attempts.0 += 1;
        while play.hangs {
            play.attempts.1 += 1;
            self.1.notify_all();
            play = self.1.wait(play).expect("whole");
        }
        self.1.notify_all();
        play.bytes.truncate(usize::try_from(at).expect("small"));
        // Half of it gets there, as on a disk that fills up.
        let part = if play.refuses { bytes.len() / 2 } else { bytes.len() };
        play.bytes.extend_from_slice(&bytes[..part]);
        if play.refuses { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        let play = self.0.lock().expect("whole");
        let from = &play.bytes[usize::try_from(at).expect("small").min(play.bytes.len())..];
        let count = from.len().min(bytes.len());
        bytes[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }
}

impl Played {
    fn set(&self, set: impl FnOnce(&mut Play)) {
        set(&mut self.0.lock().expect("whole"));
        self.1.notify_all();
    }

    fn until(&self, holds: impl Fn(&Play) -> bool) {
        let play = self.0.lock().expect("whole");
        let (_play, waited) = self.1.wait_timeout_while(play, PATIENCE, |play| !holds(play)).expect("whole");
        assert!(!waited.timed_out());
    }
}

fn asked(exchange: ExchangeId) -> Note {
    Note::Asked(super::super::note::Asked {
        exchange,
        tap: ProcessId::new("upstream").expect("a name"),
        connection: 1,
        at: At(exchange),
        http: None,
        body: super::super::note::Body::default(),
        calls: Vec::new(),
        fault: None,
        pipe: Some(Toward::Server),
    })
}

fn store(disk: &Played) -> (TrafficStore, mpsc::Receiver<String>) {
    let store = TrafficStore::on(Writer::start(Box::new(disk.clone())).expect("a thread"));
    let (told, heard) = mpsc::channel();
    store.tell(move |text| drop(told.send(text)));
    (store, heard)
}

fn lines(store: &TrafficStore) -> usize {
    let mut all = Vec::new();
    store.write_between(At(0), At(u64::MAX), &mut all).expect("memory");
    String::from_utf8_lossy(&all).lines().count()
}

#[test]
fn d2_nobody_waits_for_a_disk_that_hangs() {
    let disk = Played::default();
    disk.set(|play| play.hangs = true);
    let (store, _heard) = store(&disk);
    store.note(asked(1));
    disk.until(|play| play.attempts.1 > 0);
    // The writer stands in the middle of it now, and all the rest goes on.
    for exchange in 2..=100 {
        store.note(asked(exchange));
    }
    assert_eq!(store.look(crate::tap::Traffic::count), 100);
    assert_eq!((store.notes_of(1), store.notes_of(100)), (vec![asked(1)], vec![asked(100)]));
    assert_eq!((lines(&store), store.lost()), (100, 0));
    disk.set(|play| play.hangs = false);
    store.finish();
    assert_eq!(String::from_utf8_lossy(&disk.0.lock().expect("whole").bytes).lines().count(), 100);
}

#[test]
fn d2_a_disk_that_is_full_is_told_of_and_tried_again_and_nothing_is_lost() {
    let disk = Played::default();
    let (store, heard) = store(&disk);
    store.note(asked(1));
    store.settle(PATIENCE);
    disk.set(|play| play.refuses = true);
    store.note(asked(2));
    let told = heard.recv_timeout(PATIENCE).expect("it is told");
    assert!(told.starts_with("the recording's disk refuses traffic (") && told.ends_with("the run goes on"), "{told}");
    store.note(asked(3));
    assert_eq!((store.notes_of(2), store.notes_of(3), lines(&store)), (vec![asked(2)], vec![asked(3)], 3));
    disk.set(|play| play.refuses = false);
    assert_eq!(heard.recv_timeout(PATIENCE).expect("told"), "the recording's disk takes traffic again; nothing of it is lost");
    store.settle(PATIENCE);
    let text = String::from_utf8(disk.0.lock().expect("whole").bytes.clone()).expect("text");
    let notes: Vec<Note> = text.lines().map(|line| serde_json::from_str(line).expect("whole notes only")).collect();
    assert_eq!(notes, [asked(1), asked(2), asked(3)]);
    assert_eq!((store.notes_of(2), store.lost()), (vec![asked(2)], 0));
}

#[test]
fn d2_a_disk_that_stays_full_does_not_hold_up_the_end() {
    let disk = Played::default();
    disk.set(|play| play.refuses = true);
    let (store, heard) = store(&disk);
    store.note(asked(1));
    heard.recv_timeout(PATIENCE).expect("it is told");
    store.note(asked(2));
    store.settle(PATIENCE);
    store.finish();
    assert_eq!(store.lost(), 2);
    let told = heard.try_recv().expect("in the end it is told what is lost");
    assert!(told.ends_with("): 2 notes of what went through taps are lost"), "{told}");
    assert!(heard.try_recv().is_err());
}
