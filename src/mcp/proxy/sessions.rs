//! The sessions of a reverse proxy: what the client calls them, and what the upstream does.

use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use tokio::time::Instant;

use super::SessionLimits;

/// What a reverse proxy knows of a session.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The upstream's id; none if it has no sessions.
    pub(super) upstream: Option<String>,
    /// The revision that the client's headers named first. It is fixed from then on.
    pub(super) version: Option<String>,
    used: Instant,
}

/// All sessions by the id that the client has.
#[derive(Debug)]
pub(super) struct ProxySessions {
    limits: SessionLimits,
    entries: Mutex<IndexMap<String, Entry>>,
}

/// Why a request may not go on in its session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It ended, was idle for too long, or never was.
    Unknown,
    /// Its revision is another one.
    Version {
        /// The one it is fixed to.
        fixed: String,
    },
}

impl ProxySessions {
    pub(super) fn new(limits: SessionLimits) -> Self {
        Self { limits, entries: Mutex::default() }
    }

    /// Opens one. Gives the id of the session that had to go for it, if there were too many.
    pub(super) fn open(&self, id: String, upstream: Option<String>) -> Option<String> {
        let mut entries = self.lock();
        let gone = if entries.len() >= self.limits.most { oldest(&entries) } else { None };
        if let Some(gone) = &gone {
            entries.shift_remove(gone);
        }
        entries.insert(id, Entry { upstream, version: None, used: Instant::now() });
        gone
    }

    /// The session, if a request with this version header may go on in it.
    pub(super) fn enter(&self, id: &str, version: Option<&str>) -> Result<Entry, Denied> {
        let mut entries = self.lock();
        let entry = entries.get_mut(id).ok_or(Denied::Unknown)?;
        if entry.used.elapsed() > self.limits.idle {
            entries.shift_remove(id);
            return Err(Denied::Unknown);
        }
        match (&entry.version, version) {
            (Some(fixed), Some(version)) if fixed != version => return Err(Denied::Version { fixed: fixed.clone() }),
            (None, Some(version)) => entry.version = Some(version.to_owned()),
            _ => {}
        }
        entry.used = Instant::now();
        Ok(entry.clone())
    }

    /// Ends one.
    pub(super) fn end(&self, id: &str) {
        self.lock().shift_remove(id);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, IndexMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn oldest(entries: &IndexMap<String, Entry>) -> Option<String> {
    entries.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| id.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_idle_longest_goes_first() {
        let sessions = ProxySessions::new(SessionLimits { most: 2, idle: Duration::from_secs(10) });
        for id in ["a", "b"] {
            sessions.open(id.into(), None);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        sessions.enter("a", None).expect("it is there");
        assert_eq!(sessions.open("c".into(), None), Some("b".into()));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(sessions.enter("a", None).expect_err("idle for too long"), Denied::Unknown);
        sessions.end("c");
        assert_eq!(sessions.count(), 0);
    }

    #[tokio::test]
    async fn the_first_version_header_fixes_the_version() {
        let sessions = ProxySessions::new(SessionLimits::default());
        sessions.open("a".into(), None);
        assert!(sessions.enter("a", None).is_ok());
        assert!(sessions.enter("a", Some("2025-06-18")).is_ok());
        assert_eq!(sessions.enter("a", Some("2025-03-26")).expect_err("another one"), Denied::Version { fixed: "2025-06-18".into() });
    }
}
