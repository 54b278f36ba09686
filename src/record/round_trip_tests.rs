//! Export, move, replay: what comes back is what was recorded.

use std::path::{Path, PathBuf};

use super::{
    OpenError, Part, Recording,
    archive::{ExportError, export, export_part, export_watched},
};
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
    insta::assert_snapshot!(super::archive::summary(&recording, None));
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

#[test]
fn a_part_of_a_run_replays_with_its_lines_and_all_that_happened() {
    let whole = open(&recorded("crash-restart"));
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("part.tar.zst");
    let part = Part { from: At(600_000), until: At(1_200_000) };
    export_part(&whole.dir, &path, false, Some(part)).expect("it can be packed");
    let sliced = open(&path);
    assert_eq!(sliced.manifest.part, Some(part));
    let said = |recording: &Recording| -> Vec<(At, Vec<u8>)> {
        let mut view = LogView::new(Selection::All).without_lifecycle();
        view.refresh(&recording.logs);
        view.window(&recording.logs, 0, usize::MAX).expect("readable").into_iter().map(|line| (line.at, line.bytes)).collect()
    };
    let all = said(&whole);
    let wanted: Vec<_> = all.iter().filter(|(at, _)| *at >= part.from && *at <= part.until).cloned().collect();
    assert!(!wanted.is_empty() && wanted.len() < all.len());
    assert_eq!(said(&sliced), wanted);
    let states = |recording: &Recording| recording.snapshot.rows.iter().map(|row| row.state.clone()).collect::<Vec<_>>();
    assert_eq!(states(&whole), states(&sliced));
    // The facts point at the same lines, by their new numbers.
    let (told, before) = (sliced.explain().expect("it failed"), whole.explain().expect("it failed"));
    let first = told.facts.first().expect("there are facts");
    assert_eq!((first.at, &first.quote), (before.facts[0].at, &before.facts[0].quote));
    let line = first.line.as_ref().expect("it said something");
    assert!(line.number < before.facts[0].line.as_ref().expect("it said something").number);
}

#[test]
fn an_export_tells_how_far_it_is_and_can_be_given_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let (run, out) = (dir.path().join("run"), dir.path().join("out"));
    std::fs::create_dir(&run).expect("a disk");
    std::fs::create_dir(&out).expect("a disk");
    super::crash_tests::recording(&run, 6 << 20);
    let target = out.join("x.tar.zst");
    let shares = std::cell::RefCell::new(Vec::new());
    let watch = |share| {
        shares.borrow_mut().push(share);
        true
    };
    export_watched(&run, &target, false, None, &watch).expect("it can be packed");
    let told = shares.take();
    assert!(told.len() > 5 && told.is_sorted() && told.iter().all(|share| (0.0..=1.0).contains(share)), "{told:?}");
    assert!(told.last().is_some_and(|last| *last > 0.8), "{told:?}");
    let packed = std::fs::read(&target).expect("it is there");
    let halfway = |share| share < 0.5;
    let error = export_watched(&run, &target, true, None, &halfway).expect_err("it was given up");
    assert!(matches!(error, ExportError::GivenUp(_)) && error.to_string().ends_with("was given up: nothing is left of it"), "{error}");
    assert_eq!(std::fs::read(&target).expect("it is there"), packed);
    assert_eq!(std::fs::read_dir(&out).expect("readable").count(), 1, "no part is left");
}
