//! The sessions a server has handed out.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use indexmap::IndexMap;

use super::super::{
    protocol::{Revision, new_session_id},
    streams::Streams,
};

/// More sessions than a test opens; the oldest goes when one more comes, so memory stays bounded.
const MOST: usize = 4096;

/// What a server knows of a session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Its id, as the client sends it.
    pub(super) id: String,
    /// What was negotiated.
    pub(super) revision: Revision,
    /// Where the server may speak first. They end with the session.
    pub(super) streams: Arc<Streams>,
}

/// All sessions that have not ended.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<IndexMap<String, Session>>);

impl Sessions {
    /// Opens one.
    pub(super) fn open(&self, revision: Revision) -> io::Result<Session> {
        let session = Session { id: new_session_id()?, revision, streams: Arc::default() };
        let mut sessions = self.lock();
        if sessions.len() >= MOST {
            sessions.shift_remove_index(0);
        }
        sessions.insert(session.id.clone(), session.clone());
        Ok(session)
    }

    /// The session of that id, unless it has ended or never was.
    pub(super) fn find(&self, id: &str) -> Option<Session> {
        self.lock().get(id).cloned()
    }

    /// Ends one; false if there was none.
    pub(super) fn end(&self, id: &str) -> bool {
        self.lock().shift_remove(id).is_some()
    }

    /// Ends all, and with them their streams.
    pub(super) fn end_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_session_goes_when_there_are_too_many() {
        let sessions = Sessions::default();
        let first = sessions.open(Revision::default()).expect("random bytes");
        for _ in 1..MOST {
            sessions.open(Revision::default()).expect("random bytes");
        }
        assert!(sessions.find(&first.id).is_some());
        let last = sessions.open(Revision::default()).expect("random bytes");
        assert!(sessions.find(&first.id).is_none());
        assert!(sessions.end(&last.id));
        assert!(!sessions.end(&last.id), "an ended session is gone");
    }
}
