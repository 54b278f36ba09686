//! The archives that steps write while the run goes on.
//!
//! A step can be carried out again, and its script run again, so an archive of the same scenario is written over. Whatever
//! else stands at the target stays, unless somebody has said that it may go. Nobody waits for one when the run is over: it is
//! given up then, and nothing of it is left beside its target.

use std::{
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::archive::{export_watched, packed_scenario, sweep_unfinished};

/// So long an archive that is given up may take to notice: as long as a piece of it takes to be written.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes the archives of one run.
#[derive(Debug)]
pub(super) struct StepArchives {
    /// The recording.
    dir: PathBuf,
    scenario: String,
    /// Whatever file stands there may go.
    replace: bool,
    unwanted: AtomicBool,
    /// The targets of those being written.
    under_way: Mutex<Vec<PathBuf>>,
    done: Condvar,
}

impl StepArchives {
    pub(super) fn new(dir: PathBuf, scenario: String, replace: bool) -> Self {
        let (under_way, done) = (Mutex::default(), Condvar::new());
        Self { dir, scenario, replace, unwanted: AtomicBool::new(false), under_way, done }
    }

    /// Packs the run, as far as it is, into an archive at `target`, and says what came of it.
    pub(super) fn write(&self, target: &Path) -> Result<String, String> {
        let lock = || self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        lock().push(target.to_owned());
        let replace = self.replace || packed_scenario(target).is_some_and(|scenario| scenario == self.scenario);
        let wanted = |_| !self.unwanted.load(Ordering::Relaxed);
        let done = export_watched(&self.dir, target, replace, None, &wanted);
        let mut under_way = lock();
        if let Some(place) = under_way.iter().position(|other| other == target) {
            under_way.swap_remove(place);
        }
        drop(under_way);
        self.done.notify_all();
        let done = done.map_err(|e| e.to_string())?;
        Ok(format!("exported {}   {:.1} KiB, {} lines, secrets masked", target.display(), done.size as f64 / 1024.0, done.lines))
    }

    /// The run is over: what is not written yet is given up. One that writes to a reader that does not read is left to itself.
    pub(super) fn give_up(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.done.wait_timeout_while(under_way, PATIENCE, |left| !left.is_empty());
        for target in waited.unwrap_or_else(PoisonError::into_inner).0.iter() {
            if let Err(error) = sweep_unfinished(target) {
                tracing::warn!("beside {}: {error}", target.display());
            }
        }
    }
}
