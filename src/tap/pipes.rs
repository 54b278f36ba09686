//! The thread of the taps as it reads what was copied from pipes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{
    conversation::{Counter, Setting},
    hop::Observer,
    pipe::{Copied, PipeTalk, What},
};
use crate::redact::Redactor;

/// Reads the copies of all pipes of a run.
pub(crate) struct PipeReader {
    copies: mpsc::UnboundedReceiver<Copied>,
    /// Bytes that wait to be read.
    waiting: Arc<AtomicUsize>,
    redactor: Redactor,
    exchanges: Counter,
    observer: Arc<dyn Observer>,
    talks: HashMap<u64, PipeTalk>,
}

impl PipeReader {
    pub(crate) fn new(
        copies: mpsc::UnboundedReceiver<Copied>,
        waiting: Arc<AtomicUsize>,
        redactor: Redactor,
        exchanges: Counter,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { copies, waiting, redactor, exchanges, observer, talks: HashMap::new() }
    }

    /// Reads the next one; false if there will be none.
    pub(crate) async fn read(&mut self) -> bool {
        match self.copies.recv().await {
            Some(copied) => {
                self.take(copied);
                true
            }
            None => false,
        }
    }

    /// Reads what is there. What has no answer by now gets none: the run is over.
    pub(crate) fn finish(&mut self) {
        while let Ok(copied) = self.copies.try_recv() {
            self.take(copied);
        }
        let now = self.observer.now();
        for talk in self.talks.values_mut() {
            talk.over(now);
            talk.take_notes().into_iter().for_each(|note| self.observer.note(note));
        }
    }

    fn take(&mut self, Copied { process, connection, what }: Copied) {
        let setting = || Setting { tap: process, redactor: self.redactor.clone(), exchanges: self.exchanges.clone() };
        let talk = self.talks.entry(connection).or_insert_with(|| PipeTalk::new(setting(), connection));
        let over = matches!(what, What::Over { .. });
        match what {
            What::Line { at, toward, bytes, fault } => {
                talk.line(toward, &bytes, at, fault);
                self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
            }
            What::Over { at } => talk.over(at),
        }
        talk.take_notes().into_iter().for_each(|note| self.observer.note(note));
        if over {
            self.talks.remove(&connection);
        }
    }
}
