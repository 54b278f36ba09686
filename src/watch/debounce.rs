//! One change of many.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// A change is told when nothing else has changed for this long.
pub(super) const QUIET: Duration = Duration::from_millis(500);
/// What never rests is told after this long all the same.
const LONGEST: Duration = Duration::from_secs(5);

/// Changes that are not told yet.
#[derive(Debug, Default)]
pub(super) struct Debounce(Option<Burst>);

#[derive(Debug)]
struct Burst {
    began: Instant,
    last: Instant,
    file: PathBuf,
    /// Other files.
    more: Vec<PathBuf>,
}

/// So many files of a burst are told apart; beyond that nobody counts.
const MOST: usize = 1000;

impl Debounce {
    /// `file` has changed at `now`.
    pub(super) fn note(&mut self, file: PathBuf, now: Instant) {
        match &mut self.0 {
            None => self.0 = Some(Burst { began: now, last: now, file, more: Vec::new() }),
            Some(burst) => {
                burst.last = now;
                if burst.file != file && burst.more.len() < MOST && !burst.more.contains(&file) {
                    burst.more.push(file);
                }
            }
        }
    }

    /// When there will be something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|burst| (burst.last + QUIET).min(burst.began + LONGEST))
    }

    /// The first file that changed, and how many others, once that is to be told.
    pub(super) fn take(&mut self, now: Instant) -> Option<(PathBuf, usize)> {
        self.due().filter(|due| *due <= now)?;
        self.0.take().map(|burst| (burst.file, burst.more.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_changes_are_one_when_they_have_come_to_rest() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut debounce = Debounce::default();
        assert_eq!(debounce.take(at(0)), None);
        debounce.note("a".into(), at(0));
        debounce.note("b".into(), at(400));
        debounce.note("a".into(), at(450));
        assert_eq!((debounce.take(at(900)), debounce.due()), (None, Some(at(950))));
        assert_eq!(debounce.take(at(950)), Some(("a".into(), 1)));
        assert_eq!((debounce.take(at(5000)), debounce.due()), (None, None));
    }

    #[test]
    fn what_never_rests_is_told_all_the_same() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        for tenths in 0..50 {
            assert_eq!(debounce.take(start + Duration::from_millis(tenths * 100)), None);
            debounce.note("log".into(), start + Duration::from_millis(tenths * 100));
        }
        assert_eq!(debounce.take(start + LONGEST), Some(("log".into(), 0)));
    }
}
