//! All recordings of a folder: what is there, and what may go.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    beside::{sweep, temporary_beside},
    manifest::Manifest,
};

/// A recording on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its folder.
    pub dir: PathBuf,
    /// What it is.
    pub manifest: Manifest,
    /// Bytes on disk.
    pub size: u64,
    /// Whether its run goes on.
    pub running: bool,
    /// When anything was last written to it.
    pub changed: SystemTime,
}

impl Kept {
    /// `PASSED`, `RUNNING`, or `CUT OFF` if nobody brought it to its end.
    pub fn verdict(&self) -> &'static str {
        match &self.manifest.outcome {
            Some(outcome) => outcome.verdict.badge(),
            None if self.running => "RUNNING",
            None => "CUT OFF",
        }
    }

    /// Whether there is something to look into: it is over and has not passed, nor was stopped with nothing failed.
    pub fn has_failed(&self) -> bool {
        use crate::model::Verdict;
        let well = |verdict| matches!(verdict, Verdict::Passed | Verdict::Stopped);
        !self.running && self.manifest.outcome.as_ref().is_none_or(|outcome| !well(outcome.verdict))
    }
}

/// What may stay. What none of them says has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// So many recordings, the newest.
    pub keep: Option<usize>,
    /// Only recordings younger than this.
    pub older_than: Option<Duration>,
    /// So many bytes together, the newest.
    pub max_size: Option<u64>,
}

/// What stays in the default place without being asked.
pub(crate) const AUTOMATIC: Bounds = Bounds { keep: Some(500), older_than: Some(Duration::from_hours(30 * 24)), max_size: Some(20 << 30) };

/// The recordings in `base`, newest first. What is no recording, or is only linked to, is not there.
pub fn recordings(base: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(base) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all: Vec<Kept> = entries.flatten().filter_map(|entry| kept(&entry)).collect();
    all.sort_by(|one, other| (&other.manifest.started, &other.dir).cmp(&(&one.manifest.started, &one.dir)));
    Ok(all)
}

fn kept(entry: &fs::DirEntry) -> Option<Kept> {
    let hidden = entry.file_name().to_string_lossy().starts_with('.');
    if hidden || !entry.file_type().ok()?.is_dir() {
        return None;
    }
    let dir = entry.path();
    let manifest = Manifest::read(&dir).ok()?;
    let running = manifest.outcome.is_none() && manifest.lease.is_held();
    let (size, changed) = measured(&dir);
    Some(Kept { dir, manifest, size, running, changed: changed.unwrap_or(SystemTime::UNIX_EPOCH) })
}

/// Bytes on disk (a hole takes none) and the last change of a folder, links not followed.
fn measured(dir: &Path) -> (u64, Option<SystemTime>) {
    use std::os::unix::fs::MetadataExt;
    let (mut size, mut changed) = (0, None);
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            } else {
                size += meta.blocks() * 512;
                changed = changed.max(meta.modified().ok());
            }
        }
    }
    (size, changed)
}

/// Removes what is beyond `bounds`, the oldest first, and returns it. A recording of a run that goes on stays, whatever
/// its age, and so does what is no recording.
pub fn prune(base: &Path, bounds: &Bounds) -> io::Result<Vec<Kept>> {
    // A pruner that died half-way has left folders that are nobody's any more.
    let _ = sweep(base);
    let now = SystemTime::now();
    let (mut count, mut size) = (0, 0);
    let mut gone = Vec::new();
    for kept in recordings(base)? {
        count += 1;
        size += kept.size;
        let old = bounds.older_than.is_some_and(|most| now.duration_since(kept.changed).is_ok_and(|age| age > most));
        let beyond = bounds.keep.is_some_and(|most| count > most) || bounds.max_size.is_some_and(|most| size > most) || old;
        if !beyond || kept.running {
            continue;
        }
        count -= 1;
        size -= kept.size;
        // Out of sight at once, whoever looks: what is half removed is no recording.
        let doomed = temporary_beside(&kept.dir);
        match fs::rename(&kept.dir, &doomed) {
            // Somebody else prunes too.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            moved => moved?,
        }
        fs::remove_dir_all(&doomed)?;
        gone.push(kept);
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Outcome, Verdict},
        record::{Lease, crash_tests::recording},
    };

    /// A recording of the minute `n` with some bytes, over or not.
    fn add(base: &Path, n: u32, bytes: usize, outcome: Option<Verdict>, alive: bool) -> PathBuf {
        let dir = base.join(format!("2026-11-23-06{n:02}-x-k3"));
        fs::create_dir(&dir).expect("a disk");
        recording(&dir, bytes);
        let mut manifest = Manifest::read(&dir).expect("it is one");
        manifest.started = format!("2026-11-23T06:{n:02}:00.000000Z");
        manifest.outcome = outcome.map(|verdict| Outcome::new(verdict, u8::from(verdict != Verdict::Passed), "so"));
        if !alive {
            manifest.lease = Lease { start_ticks: manifest.lease.start_ticks + 1, ..manifest.lease };
        }
        fs::write(dir.join("manifest.json"), manifest.to_json()).expect("a disk");
        dir
    }

    fn names(kept: &[Kept]) -> Vec<u32> {
        kept.iter().map(|kept| kept.manifest.started[14..16].parse().expect("a minute")).collect()
    }

    #[test]
    fn recordings_are_listed_newest_first_and_pruned_oldest_first() {
        let base = tempfile::tempdir().expect("a folder");
        for n in [3, 1, 2, 5, 4] {
            add(base.path(), n, 66 * 100, Some(if n == 3 { Verdict::Failed } else { Verdict::Passed }), false);
        }
        fs::create_dir(base.path().join("notes")).expect("a disk");
        std::os::unix::fs::symlink(base.path().join("notes"), base.path().join("link")).expect("a link");
        let all = recordings(base.path()).expect("readable");
        assert_eq!(names(&all), [5, 4, 3, 2, 1]);
        assert_eq!(all.iter().find(|kept| kept.has_failed()).map(Kept::verdict), Some("FAILED"));
        assert_eq!(names(&prune(base.path(), &Bounds::default()).expect("nothing to do")), [0; 0]);
        assert_eq!(names(&prune(base.path(), &Bounds { keep: Some(3), ..Bounds::default() }).expect("a disk")), [2, 1]);
        let most = all[0].size * 2;
        assert_eq!(names(&prune(base.path(), &Bounds { max_size: Some(most), ..Bounds::default() }).expect("a disk")), [3]);
        assert_eq!(names(&recordings(base.path()).expect("readable")), [5, 4]);
        assert_eq!(
            names(&prune(base.path(), &Bounds { older_than: Some(Duration::from_hours(1)), ..Bounds::default() }).expect("a disk")),
            [0; 0]
        );
        assert_eq!(names(&prune(base.path(), &Bounds { older_than: Some(Duration::ZERO), ..Bounds::default() }).expect("a disk")), [5, 4]);
        assert!(base.path().join("notes").is_dir() && base.path().join("link").exists(), "what is no recording stays");
    }

    #[test]
    fn a_run_that_goes_on_is_never_pruned() {
        let base = tempfile::tempdir().expect("a folder");
        let (live, dead) = (add(base.path(), 1, 0, None, true), add(base.path(), 2, 0, None, false));
        let all = recordings(base.path()).expect("readable");
        assert_eq!(all.iter().map(Kept::verdict).collect::<Vec<_>>(), ["CUT OFF", "RUNNING"]);
        assert_eq!(all.iter().map(Kept::has_failed).collect::<Vec<_>>(), [true, false]);
        let all = Bounds { keep: Some(0), older_than: Some(Duration::ZERO), max_size: Some(0) };
        assert_eq!(names(&prune(base.path(), &all).expect("a disk")), [2]);
        assert!(live.is_dir() && !dead.exists());
    }

    #[test]
    fn a_place_that_is_not_there_holds_nothing() {
        assert_eq!(recordings(Path::new("/nonexistent")).expect("that is no error"), []);
    }
}
