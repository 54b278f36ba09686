//! Lines that are longer than a view shows, or than their chunks.

use super::*;
use crate::model::{At, ProcessId, RunClock};

fn ids(names: &[&str]) -> Vec<ProcessId> {
    names.iter().map(|name| ProcessId::new(name).expect("a name")).collect()
}

#[test]
fn o1_long_lines_are_cut_in_the_view_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    for _ in 0..40 {
        store.append(&all[0], Stream::Out, 1, At(1), &[b'x'; 10_000]);
    }
    store.append(&all[0], Stream::Out, 1, At(1), b"\nnext\n");
    let mut view = LogView::new(Selection::All);
    view.refresh(&store);
    let lines = view.window(&store, 0, 10).expect("the logs can be read");
    assert_eq!((lines.len(), lines[0].bytes.len(), lines[0].cut, lines[0].partial), (2, MAX_LINE, true, false));
    assert_eq!((lines[1].number, lines[1].bytes.as_slice()), (2, &b"next"[..]));
}

#[test]
fn o1_any_part_of_a_long_line_can_be_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    let long: Vec<u8> = (0..300_000u32).map(|n| b'a' + (n / 7 % 26) as u8).collect();
    store.append(&all[0], Stream::Out, 1, At(0), b"short\n");
    for part in long.chunks(9_000) {
        store.append(&all[0], Stream::Out, 1, At(0), part);
    }
    store.append(&all[0], Stream::Out, 1, At(0), b"\nnext\n");
    let mut view = LogView::new(Selection::All);
    view.refresh(&store);
    for (from, len) in [(0, 10), (8_990, 20), (65_536, 1000), (150_000, 100_000), (299_999, 5), (300_000, 5), (900_000, 5)] {
        let expected = long.get(from..).unwrap_or_default();
        let found = view.line_part(&store, 1, from as u64, len).expect("readable");
        assert_eq!(found, expected[..expected.len().min(len)], "{from} {len}");
    }
    let sizes = |store: &LogStore| view.window(store, 0, 3).expect("readable").iter().map(|line| (line.size, line.cut)).collect::<Vec<_>>();
    assert_eq!(sizes(&store), [(5, false), (300_000, true), (4, false)]);
    let read = LogStore::open(dir.path(), &all).expect("the recording");
    assert_eq!(sizes(&read), sizes(&store));
    let whole =
        view.window(&store, 0, 3).expect("readable").iter().map(|line| view.whole(&store, line).expect("readable")).collect::<Vec<_>>();
    assert_eq!((whole[1].bytes.as_slice(), whole[1].cut), (long.as_slice(), false), "and all of it");
    assert_eq!((whole[0].bytes.as_slice(), whole[2].bytes.as_slice()), (&b"short"[..], &b"next"[..]));
    assert_eq!(view.line_part(&store, 0, 2, 100).expect("readable"), b"ort");
    assert_eq!(view.line_part(&store, 9, 0, 100).expect("readable"), b"");
}

#[test]
fn o1_whoever_reads_all_of_a_log_of_long_lines_has_few_of_them_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    let line = [&vec![b'x'; 60_000][..], b"\n"].concat();
    (0..200).for_each(|n| drop(store.append(&all[0], Stream::Out, 1, At(n), &line)));
    let mut view = LogView::new(Selection::All);
    view.refresh(&store);
    let mut next = 0;
    while next < view.len() {
        let batch = view.batch(&store, next).expect("readable");
        assert!((1..=20).contains(&batch.len()), "{} lines of 60 KB", batch.len());
        assert!(batch.iter().map(|line| line.row).eq(next..next + batch.len() as u64));
        next += batch.len() as u64;
    }
}

#[test]
fn o7_a_progress_line_shows_its_last_state_however_long_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    let mut view = LogView::new(Selection::All);
    let mut last = |store: &LogStore| {
        view.refresh(store);
        let lines = view.window(store, 0, 3).expect("readable");
        (plain(&lines[0].bytes), lines[0].cut, lines[0].partial, lines.len())
    };
    store.append(&all[0], Stream::Out, 1, At(0), b"building");
    for n in 0..9_000 {
        store.append(&all[0], Stream::Out, 1, At(n), format!("\r{n} of 9000").as_bytes());
        if n % 1500 == 0 {
            assert_eq!(last(&store), (format!("{n} of 9000"), n >= 6000, true, 1));
        }
    }
    store.append(&all[0], Stream::Out, 1, At(9_000), b"\rdone\nnext\n");
    for n in 0..600 {
        store.append(&all[0], Stream::Out, 1, At(9_001), format!("{n}\n").as_bytes());
    }
    assert_eq!(last(&store), ("done".into(), true, false, 3));
}

#[test]
fn d2_o1_a_long_line_is_measured_wherever_its_parts_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up", "down"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    std::fs::create_dir(dir.path().join("down.out")).expect("a folder in the segment's place");
    for n in 1..=40 {
        for process in &all {
            store.append(process, Stream::Out, 1, At(n), &[b'x'; 5_000]);
        }
        let mut view = LogView::new(Selection::All);
        view.refresh(&store);
        let seen: Vec<_> = view.window(&store, 0, 2).expect("readable").iter().map(|line| (line.size, line.partial)).collect();
        assert_eq!(seen, [(n * 5_000, true), (n * 5_000, true)]);
    }
}
