//! Wakes who waits for output: tasks of any runtime, and threads without one.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, futures::Notified};

use crate::logs::LogStore;

/// Rings when something was said. Arm the store, look, then wait.
#[derive(Debug, Default)]
pub(in crate::harness) struct Bell {
    tasks: Notify,
    rung: Mutex<u64>,
    threads: Condvar,
}

impl Bell {
    /// A bell for `store`, which has none yet.
    pub(in crate::harness) fn of(store: &LogStore) -> Arc<Self> {
        let bell = Arc::new(Self::default());
        let ringer = bell.clone();
        store.ring_when_changed(move || ringer.ring());
        bell
    }

    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.threads.notify_all();
        self.tasks.notify_waiters();
    }

    /// Resolves at the next ring after this call.
    pub(super) fn next(&self) -> Notified<'_> {
        self.tasks.notified()
    }

    /// How often it has rung.
    pub(super) fn count(&self) -> u64 {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits in this thread until it has rung more than `count` times, at most `patience`. Whether it has.
    pub(super) fn wait_beyond(&self, count: u64, patience: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (rung, _) = self.threads.wait_timeout_while(rung, patience, |rung| *rung <= count).unwrap_or_else(PoisonError::into_inner);
        *rung > count
    }
}
