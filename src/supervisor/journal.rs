//! All events of a run, in order, for everybody who reads along: fronts, recorder, tests.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::model::Event;

/// An append-only list of events that many can read while one writes.
#[derive(Debug, Default)]
pub struct Journal {
    inner: Mutex<Inner>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Arc<Event>>,
    closed: bool,
}

impl Journal {
    /// A journal of a run that is over.
    pub fn of(events: Vec<Event>) -> Self {
        Self { inner: Mutex::new(Inner { events: events.into_iter().map(Arc::new).collect(), closed: true }), more: Condvar::new() }
    }

    /// Appends `event`, whose number is above all before it.
    pub(crate) fn push(&self, event: Event) {
        self.lock().events.push(Arc::new(event));
        self.more.notify_all();
    }

    /// No more events will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events from index `from` on.
    pub fn from(&self, from: usize) -> Vec<Arc<Event>> {
        self.lock().events.get(from..).unwrap_or_default().to_vec()
    }

    /// The same, but waits for the first of them, at most `patience`; the flag says that none will come after them.
    pub fn wait_from(&self, from: usize, patience: Duration) -> (Vec<Arc<Event>>, bool) {
        let waiting = self.more.wait_timeout_while(self.lock(), patience, |inner| inner.events.len() <= from && !inner.closed);
        let (inner, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        (inner.events.get(from..).unwrap_or_default().to_vec(), inner.closed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A reader that panicked has changed nothing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
