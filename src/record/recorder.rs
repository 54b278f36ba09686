//! The thread that writes `events.jsonl`, as events happen.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use crate::supervisor::Journal;

/// Writes a journal to disk until it is closed.
#[derive(Debug)]
pub(super) struct Recorder(JoinHandle<Option<io::Error>>);

impl Recorder {
    /// Starts writing `journal` to `path`. Nothing else waits for this thread: a slow disk delays nobody.
    pub(super) fn start(path: &Path, journal: Arc<Journal>) -> io::Result<Self> {
        journal.written(0);
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
        let thread = Builder::new().name("recorder".into()).spawn(move || write_all(file, &journal))?;
        Ok(Self(thread))
    }

    /// Waits until everything is written; the journal must be closed. Returns what went wrong, if anything did.
    pub(super) fn finish(self) -> Option<io::Error> {
        self.0.join().unwrap_or_else(|_| Some(io::Error::other("the recorder's thread panicked")))
    }
}

fn write_all(mut file: File, journal: &Journal) -> Option<io::Error> {
    let mut written = 0;
    let mut trouble = None;
    let mut batch = Vec::new();
    loop {
        let (events, closed) = journal.wait_from(written, Duration::from_hours(1));
        batch.clear();
        for event in &events {
            if serde_json::to_writer(&mut batch, event.as_ref()).is_ok() {
                batch.push(b'\n');
            }
        }
        // One write a batch: a kill leaves whole lines but for the last.
        if trouble.is_none()
            && let Err(e) = file.write_all(&batch)
        {
            trouble = Some(e);
        }
        written += events.len();
        // After a refusal nothing more will be on disk, and memory is no place to wait for that.
        journal.written(if trouble.is_none() { written } else { usize::MAX });
        if closed && events.is_empty() {
            return trouble;
        }
    }
}
