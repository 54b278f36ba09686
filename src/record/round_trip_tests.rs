//! Export, move, replay: what comes back is what was recorded.

use std::path::{Path, PathBuf};

use super::{OpenError, Recording, archive::export};
use crate::{
    logs::{LogView, Selection},
    model::{At, Snapshot},
};

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.tar.zst"))
}

fn open(path: &Path) -> Recording {
    Recording::open_named(&path.display().to_string(), Path::new("/nonexistent")).unwrap_or_else(|e| panic!("{e}"))
}

/// The run as it stood at `at`.
fn at(recording: &Recording, at: At) -> Snapshot {
    let events = recording.journal.from(0);
    Snapshot::of(events.iter().filter(|event| event.at <= at).map(AsRef::as_ref))
}

#[test]
fn an_archive_that_was_moved_replays_equal_at_twenty_instants() {
    for name in ["crash-restart", "forward"] {
        let before = open(&recorded(name));
        let (made, moved) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        export(&before.dir, &made.path().join("x.tar.zst"), false).expect("it can be packed");
        std::fs::rename(made.path().join("x.tar.zst"), moved.path().join("y.tar.zst")).expect("one disk");
        drop(made);
        let after = open(&moved.path().join("y.tar.zst"));
        assert_eq!(after.broken(), None);
        for n in 0..=20 {
            let instant = At(before.snapshot.at.0 * n / 20);
            assert_eq!(at(&before, instant), at(&after, instant), "{name} at {}", instant.seconds());
        }
        let lines = |recording: &Recording| {
            let mut view = LogView::new(Selection::All);
            view.refresh(&recording.logs);
            view.window(&recording.logs, 0, usize::MAX).expect("readable")
        };
        assert_eq!(lines(&before), lines(&after));
        assert_eq!(before.explain(), after.explain());
        assert_eq!(before.manifest, after.manifest);
    }
}

#[test]
fn the_summary_reads_well_alone() {
    let mut recording = open(&recorded("crash-restart"));
    recording.manifest.packed_live = true;
    insta::assert_snapshot!(super::archive::summary(&recording));
}

#[test]
fn r5_a_newer_format_is_refused_with_a_hint_and_an_older_one_is_read() {
    for (format, reads) in [(0, true), (1, true), (2, false)] {
        let dir = tempfile::tempdir().expect("a folder");
        super::crash_tests::recording(dir.path(), 0);
        let path = dir.path().join("manifest.json");
        let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
        manifest["format"] = format.into();
        if !reads {
            // A later version may keep anything under any name.
            manifest.as_object_mut().expect("an object").remove("processes");
        }
        std::fs::write(&path, manifest.to_string()).expect("a disk");
        match Recording::open(dir.path()) {
            Ok(_) => assert!(reads, "format {format} is read"),
            Err(error @ OpenError::Newer { .. }) => assert!(!reads && error.to_string().contains("update e2e-tui"), "{error}"),
            Err(error) => panic!("{error}"),
        }
    }
}
