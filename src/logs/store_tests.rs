use std::os::unix::fs::{MetadataExt, PermissionsExt};

use proptest::prelude::*;

use super::*;
use crate::model::{At, Narration, ProcessId, RunClock, Tone};

fn ids(names: &[&str]) -> Vec<ProcessId> {
    names.iter().map(|name| ProcessId::new(name).expect("a name")).collect()
}

fn told(process: &ProcessId, what: &str) -> Narration {
    Narration { tone: Tone::Done, process: Some(process.clone()), what: what.into(), in_log: Some(Vec::new()), in_events: Vec::new() }
}

/// Rows as `name out 1 "text"`, lifecycle lines as `* text`, what may grow or is gone marked.
fn rows(view: &mut LogView, store: &LogStore) -> Vec<String> {
    view.refresh(store);
    let lines = view.window(store, 0, usize::MAX).expect("the logs can be read");
    assert_eq!(lines.len() as u64, view.len(), "a window over everything has every row");
    assert!(lines.iter().enumerate().all(|(i, line)| line.row == i as u64));
    lines.iter().map(show).collect()
}

fn show(line: &LogLine) -> String {
    let text = plain(&line.bytes);
    let marks = if line.lost {
        " lost"
    } else if line.partial {
        " …"
    } else if line.cut {
        " cut"
    } else {
        ""
    };
    match (&line.source, &line.process) {
        (Source::Lifecycle(told), _) => format!("* {}", told.what),
        (source, Some(process)) => {
            format!("{process} {} {} {text:?}{marks}", if *source == Source::Out { "out" } else { "err" }, line.number)
        }
        _ => "output of nobody".into(),
    }
}

#[test]
fn o9_lines_stand_where_they_begin_and_notes_between_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up", "down"]);
    let store = LogStore::create(dir.path().join("logs"), &all, RunClock::start()).expect("a store");
    let mut view = LogView::new(Selection::All);
    let say = |process: usize, stream, bytes: &[u8]| assert!(store.append(&all[process], stream, 1, At(5), bytes).is_none());
    say(0, Stream::Out, b"one\ntw");
    say(1, Stream::Out, b"other\n");
    assert_eq!(rows(&mut view, &store), [r#"up out 1 "one""#, r#"up out 2 "tw" …"#, r#"down out 1 "other""#]);
    store.note(At(6), told(&all[0], "killed"));
    say(0, Stream::Err, b"err\n");
    say(0, Stream::Out, b"o\n");
    let expected = [r#"up out 1 "one""#, r#"up out 2 "two""#, r#"down out 1 "other""#, "* killed", r#"up err 1 "err""#];
    assert_eq!(rows(&mut view, &store), expected);
    assert_eq!(rows(&mut LogView::new(Selection::All), &store), expected);
    assert_eq!(rows(&mut LogView::new(Selection::All).without_lifecycle(), &store).len(), 4);
    assert_eq!(rows(&mut LogView::new(Selection::Some(ids(&["down"]))), &store), [r#"down out 1 "other""#]);
    assert_eq!((store.lines(&all[0]), store.total_lines(), store.bytes(&all[1])), (3, 4, 6));
    assert_eq!(std::fs::read(dir.path().join("logs/up.out")).expect("the segment"), b"one\ntwo\n");
    assert!(!dir.path().join("logs/down.err").exists(), "a stream that said nothing has no file");
}

#[test]
fn a_new_generation_begins_a_new_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    store.append(&all[0], Stream::Out, 1, At(1), b"half");
    store.append(&all[0], Stream::Out, 2, At(2), b"whole\n");
    let expected = [r#"up out 1 "half""#, r#"up out 2 "whole""#];
    assert_eq!(rows(&mut LogView::new(Selection::All), &store), expected);
    let read = LogStore::open(dir.path(), &all).expect("the recording");
    assert_eq!(rows(&mut LogView::new(Selection::All), &read), expected);
}

#[test]
fn d10_nobody_else_can_read_the_logs() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let logs = dir.path().join("run").join("logs");
    let store = LogStore::create(&logs, &all, RunClock::start()).expect("a store");
    store.append(&all[0], Stream::Err, 1, At(1), b"x");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
    assert_eq!([mode(&dir.path().join("run")), mode(&logs)], [0o700, 0o700]);
    assert_eq!([mode(&logs.join("up.err")), mode(&logs.join("up.err.idx"))], [0o600, 0o600]);
}

#[test]
fn windows_and_jumps_agree_over_many_blocks() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["a", "b", "c"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    for n in 0..5000u64 {
        let (process, stream) = (&all[(n % 3) as usize], Stream::ALL[(n % 2) as usize]);
        store.append(process, stream, 1, At(n * 10), format!("{n}\n{n}.\n").as_bytes());
        if n % 500 == 0 {
            store.note(At(n * 10), told(process, "note"));
        }
    }
    let some = Selection::Some(ids(&["a", "c"]));
    for (selection, lifecycle) in [(Selection::All, true), (some.clone(), true), (some, false)] {
        let mut view = LogView::new(selection);
        if !lifecycle {
            view = view.without_lifecycle();
        }
        view.refresh(&store);
        let all_rows = view.window(&store, 0, usize::MAX).expect("the logs can be read");
        assert_eq!(all_rows.len() as u64, view.len());
        for from in [0, 1, 1023, 1024, 3333, view.len() - 3, view.len(), view.len() + 7] {
            let window = view.window(&store, from, 40).expect("the logs can be read");
            let expected: Vec<_> = all_rows.iter().skip(from as usize).take(40).cloned().collect();
            assert_eq!(window, expected, "from {from}");
        }
        for line in all_rows.iter().step_by(97) {
            let first = all_rows.iter().position(|other| other.seq >= line.seq).expect("itself") as u64;
            assert_eq!(view.row_at_seq(&store, line.seq).expect("readable"), first);
            let first = all_rows.iter().position(|other| other.at >= line.at).expect("itself") as u64;
            assert_eq!(view.row_at_time(&store, line.at).expect("readable"), first);
            if let (Some(process), Source::Out | Source::Err) = (&line.process, &line.source) {
                let stream = if line.source == Source::Out { Stream::Out } else { Stream::Err };
                assert_eq!(view.row_of(&store, process, stream, line.number, line.seq).expect("readable"), Some(line.row));
            }
        }
        assert_eq!(view.row_at_seq(&store, u64::MAX).expect("readable"), view.len());
    }
}

#[test]
fn d2_output_that_the_disk_refuses_is_kept_in_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up", "down"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    store.append(&all[0], Stream::Out, 1, At(1), b"on disk\n");
    // A folder in the place of a segment: the disk refuses this stream.
    std::fs::create_dir(dir.path().join("down.out")).expect("a folder");
    assert!(store.append(&all[1], Stream::Out, 1, At(2), b"refused\n").is_some(), "the refusal is told");
    assert!(store.append(&all[1], Stream::Out, 1, At(3), b"again\nand ag").is_none(), "once");
    store.append(&all[1], Stream::Out, 1, At(3), b"ain\n");
    let expected = [r#"up out 1 "on disk""#, r#"down out 1 "refused""#, r#"down out 2 "again""#, r#"down out 3 "and again""#];
    assert_eq!(rows(&mut LogView::new(Selection::All), &store), expected);
    // The disk recovers.
    std::fs::remove_dir(dir.path().join("down.out")).expect("an empty folder");
    store.settle();
    store.append(&all[1], Stream::Out, 1, At(4), b"well\n");
    let after = rows(&mut LogView::new(Selection::All), &store);
    assert_eq!(after[..4], expected);
    assert_eq!(after[4], r#"down out 4 "well""#);
    let read = LogStore::open(dir.path(), &all).expect("the recording");
    assert_eq!(rows(&mut LogView::new(Selection::All), &read), after);
}

#[test]
fn d2_what_the_memory_ring_loses_keeps_its_rows() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    store.append(&all[0], Stream::Out, 1, At(1), b"first\n");
    // In the future, so that it is not tried again however long this takes.
    let failed = std::time::Instant::now() + std::time::Duration::from_hours(1);
    store.segments[0].writer.lock().expect("nobody panicked").failed = Some(failed);
    let big: Vec<u8> = std::iter::repeat_n(*b"123456789\n", 10_000).flatten().collect();
    for _ in 0..100 {
        store.append(&all[0], Stream::Out, 1, At(2), &big);
    }
    let mut view = LogView::new(Selection::All);
    view.refresh(&store);
    assert_eq!(view.len(), 1_000_001);
    let lost = view.window(&store, 1, 2).expect("readable");
    assert!(lost.iter().all(|line| line.lost && line.bytes.is_empty()), "the oldest had to go");
    assert_eq!(store.lost(), 1_700_000, "of 10 MB in chunks of 100 kB the memory holds 8 MiB");
    let last = view.window(&store, 1_000_000, 1).expect("readable");
    assert_eq!((last[0].bytes.as_slice(), last[0].number), (&b"123456789"[..], 1_000_001));
    store.settle();
    store.append(&all[0], Stream::Out, 1, At(3), b"last\n");
    let read = LogStore::open(dir.path(), &all).expect("the recording");
    let mut again = LogView::new(Selection::All);
    again.refresh(&read);
    view.refresh(&store);
    assert_eq!((again.len(), view.len()), (1_000_002, 1_000_002));
    for row in [0, 1, 500, 500_000, 999_999, 1_000_001] {
        assert_eq!(again.window(&read, row, 1).expect("readable"), view.window(&store, row, 1).expect("readable"), "row {row}");
    }
    let on_disk = std::fs::metadata(dir.path().join("up.out")).expect("the segment").size();
    assert!((8_000_000..9_000_000).contains(&on_disk), "what was in memory reached the disk: {on_disk}");
}

#[test]
fn d8_a_recording_with_a_damaged_index_is_read_as_far_as_it_goes() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    for n in 0..10 {
        store.append(&all[0], Stream::Out, 1, At(n), format!("line {n}\n").as_bytes());
    }
    let whole = rows(&mut LogView::new(Selection::All), &store);
    let index = dir.path().join("up.out.idx");
    let bytes = std::fs::read(&index).expect("the index");
    assert_eq!(bytes.len(), 8 + 10 * 40);
    let read = || rows(&mut LogView::new(Selection::All), &LogStore::open(dir.path(), &all).expect("the recording"));
    // Cut anywhere, missing, from elsewhere: bytes without a record come last, and all are there.
    for cut in [0, 7, 8, 47, 48, 100, 407] {
        std::fs::write(&index, &bytes[..cut]).expect("written");
        assert_eq!(read(), whole, "index cut at {cut}");
    }
    std::fs::remove_file(&index).expect("it is there");
    assert_eq!(read(), whole);
    // Bytes behind the last whole record of a shorter segment do not exist.
    std::fs::write(&index, &bytes).expect("written");
    let data = std::fs::read(dir.path().join("up.out")).expect("the segment");
    std::fs::write(dir.path().join("up.out"), &data[..data.len() - 3]).expect("written");
    assert_eq!(read().last().map(String::as_str), Some(r#"up out 10 "line""#));
}

#[test]
fn notes_of_a_recording_find_their_places() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["a", "b"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    let mut notes = Vec::new();
    for n in 0..3000u64 {
        store.append(&all[(n % 2) as usize], Stream::Out, 1, At(n), format!("{n}\n").as_bytes());
        if n % 100 == 0 {
            let told = told(&all[0], &format!("note {n}"));
            notes.push((store.note(At(n), told.clone()), At(n), told));
        }
    }
    let live = rows(&mut LogView::new(Selection::All), &store);
    let read = LogStore::open(dir.path(), &all).expect("the recording");
    let mut view = LogView::new(Selection::All);
    assert_eq!(rows(&mut view, &read).len(), 3000);
    read.place_notes(notes).expect("readable");
    assert_eq!(rows(&mut view, &read), live, "a view notices that rows moved");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whoever is selected: the merged rows are those of each alone, in the one order of everything, which keeps the order
    /// of each and does not change when more is said.
    #[test]
    fn merged_rows_are_a_stable_permutation(
        said in proptest::collection::vec((0usize..3, any::<bool>(), 0u8..8, "[a\n]{0,5}"), 0..80),
        chosen in proptest::collection::vec(any::<bool>(), 3),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let all = ids(&["a", "b", "c"]);
        let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
        let window = |selection: Selection| {
            let mut view = LogView::new(selection);
            view.refresh(&store);
            view.window(&store, 0, usize::MAX).expect("readable")
        };
        let place = |line: &LogLine| (line.process.clone(), line.source.clone(), line.number, line.seq);
        let mut early = Vec::new();
        for (n, (process, err, note, text)) in said.iter().enumerate() {
            store.append(&all[*process], Stream::ALL[usize::from(*err)], 1, At(n as u64), text.as_bytes());
            if *note == 0 {
                store.note(At(n as u64), told(&all[*process], "note"));
            }
            if n == said.len() / 2 {
                early = window(Selection::All);
            }
        }
        let merged = window(Selection::All);
        prop_assert!(merged.is_sorted_by_key(|line| line.seq), "it is the order of the sequence");
        prop_assert!(early.iter().map(place).eq(merged.iter().take(early.len()).map(place)), "rows never move");
        let some: Vec<ProcessId> = all.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(id, _)| id.clone()).collect();
        let selected = window(Selection::Some(some.clone()));
        let of_merged = merged.iter().filter(|line| line.process.as_ref().is_some_and(|id| some.contains(id)));
        prop_assert!(selected.iter().map(place).eq(of_merged.map(place)), "a selection is a part of the whole, in its order");
        let mut apart: Vec<_> = all.iter().flat_map(|id| window(Selection::Some(vec![id.clone()]))).map(|line| place(&line)).collect();
        let mut together: Vec<_> = merged.iter().map(place).collect();
        for places in [&mut apart, &mut together] {
            places.sort_by(|a, b| (&a.0, a.3, a.2, format!("{:?}", a.1)).cmp(&(&b.0, b.3, b.2, format!("{:?}", b.1))));
        }
        prop_assert_eq!(apart, together, "nothing is lost and nothing is doubled");
    }

    /// For any output in any chunks of any streams: the segments hold it, every line has its row where it began, and a
    /// recording reads back the same.
    #[test]
    fn any_output_in_any_chunks_reads_back(
        said in proptest::collection::vec((0usize..2, any::<bool>(), 1u32..3, "[a-c\n]{0,6}"), 0..60),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let all = ids(&["a", "b"]);
        let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
        let mut naive: Vec<(usize, Stream, String)> = Vec::new();
        let mut open: std::collections::HashMap<(usize, Stream), Option<usize>> = std::collections::HashMap::new();
        let mut generations = [1; 2];
        for (process, err, generation, text) in said {
            let stream = if err { Stream::Err } else { Stream::Out };
            if generation > generations[process] {
                generations[process] = generation;
                open.insert((process, Stream::Out), None);
                open.insert((process, Stream::Err), None);
            }
            store.append(&all[process], stream, generations[process], At(1), text.as_bytes());
            for c in text.chars() {
                let line = open.entry((process, stream)).or_default();
                let at = *line.get_or_insert_with(|| {
                    naive.push((process, stream, String::new()));
                    naive.len() - 1
                });
                if c == '\n' { *line = None } else { naive[at].2.push(c) }
            }
        }
        let mut view = LogView::new(Selection::All);
        view.refresh(&store);
        let lines = view.window(&store, 0, usize::MAX).expect("readable");
        let found: Vec<_> = lines.iter().map(|line| {
            let process = all.iter().position(|id| Some(id) == line.process.as_ref()).expect("one of them");
            let stream = if line.source == Source::Out { Stream::Out } else { Stream::Err };
            (process, stream, String::from_utf8(line.bytes.clone()).expect("text"))
        }).collect();
        prop_assert_eq!(&found, &naive);
        let read = LogStore::open(dir.path(), &all).expect("the recording");
        let mut again = LogView::new(Selection::All);
        again.refresh(&read);
        let reread: Vec<_> = again.window(&read, 0, usize::MAX).expect("readable").into_iter().map(|line| LogLine { partial: false, ..line }).collect();
        prop_assert_eq!(reread, lines.into_iter().map(|line| LogLine { partial: false, ..line }).collect::<Vec<_>>());
    }
}

#[test]
fn the_oldest_output_goes_and_what_went_is_known() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up", "down"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    store.cap(&all[0], 1 << 20);
    let block = |n: u64| (0..1000).flat_map(|i| format!("{:<62}.\n", n * 1000 + i).into_bytes()).collect::<Vec<u8>>();
    for n in 0..64 {
        store.append(&all[0], Stream::ALL[(n % 4 == 0) as usize], 1, At(n), &block(n));
    }
    let dropped = store.dropped(&all[0]);
    assert!(dropped.lines >= 47_000 && dropped.lines.is_multiple_of(1000), "{dropped:?}");
    assert_eq!(dropped.bytes, dropped.lines * 64);
    assert_eq!((store.lines(&all[0]), store.dropped(&all[1]).lines), (64_000, 0));
    let used = |name: &str| std::fs::metadata(dir.path().join(name)).expect("the segment").blocks() * 512;
    assert!(used("up.out") + used("up.err") <= (1 << 20) + 64_000, "the disk has it back");
    let mut view = LogView::new(Selection::All);
    view.refresh(&store);
    assert_eq!(view.len(), 64_000);
    let gone = view.window(&store, 0, 2).expect("readable");
    assert!(gone.iter().all(|line| line.lost && line.bytes.is_empty()));
    let last = view.window(&store, 63_999, 1).expect("readable");
    assert!(last[0].bytes.starts_with(b"63999 ") && !last[0].lost);
    let read = LogStore::open(dir.path(), &all).expect("the recording");
    assert_eq!(read.dropped(&all[0]), dropped);
    let mut again = LogView::new(Selection::All);
    again.refresh(&read);
    for row in [0, 30_000, 46_999, 47_000, 50_000, 63_999] {
        assert_eq!(again.window(&read, row, 1).expect("readable"), view.window(&store, row, 1).expect("readable"), "row {row}");
    }
    // A cap for all takes from whoever has most.
    store.cap_all(1 << 20);
    store.append(&all[1], Stream::Out, 1, At(100), "x\n".repeat(400_000).as_bytes());
    store.append(&all[1], Stream::Out, 1, At(100), b"end\n");
    assert!(store.dropped(&all[1]).bytes > 0);
}

#[test]
fn a_process_that_comes_later_has_its_place_and_old_views_go_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["up", "late"]);
    let store = LogStore::create(dir.path(), &all[..1], RunClock::start()).expect("a store");
    let mut view = LogView::new(Selection::All);
    store.append(&all[0], Stream::Out, 1, At(1), b"one\n");
    assert_eq!(rows(&mut view, &store).len(), 1);
    assert!(store.add(&all[1]) && store.add(&all[1]), "a second time changes nothing");
    store.append(&all[1], Stream::Err, 1, At(2), b"hello\n");
    assert_eq!(view.window(&store, 0, 9).expect("readable").len(), 1, "a view that has not been refreshed");
    assert_eq!(rows(&mut view, &store), [r#"up out 1 "one""#, r#"late err 1 "hello""#]);
    assert_eq!(store.processes(), all);
    drop(store);
    let store = LogStore::open(dir.path(), &all).expect("a recording");
    assert_eq!(rows(&mut LogView::new(Selection::All), &store), [r#"up out 1 "one""#, r#"late err 1 "hello""#]);
}

#[test]
fn a_process_s_own_format_and_alerts_count_for_its_lines() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = ids(&["plain", "auto"]);
    let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
    store.set_manner(&all[0], crate::model::LogFormat::Plain, &[regex::Regex::new("^slow").expect("a pattern")]);
    for process in &all {
        store.append(process, Stream::Out, 1, At(0), b"ERROR x\nslow y\n\x1b[31mERROR\x1b[0m z\nrefused\nERROR unfinished");
    }
    let query = |query: Query| {
        let mut filter = Filter::new(LogView::new(Selection::All), vec![query]);
        assert!(filter.advance(&store, std::time::Duration::MAX).expect("readable"));
        filter
            .view()
            .window_of(&store, filter.rows(0), 0, 99)
            .expect("readable")
            .iter()
            .map(|line| show(line)[..5].trim().to_owned() + &plain(&line.bytes))
            .collect::<Vec<_>>()
    };
    let level = query(Query { level: Some(Level::Error), ..Query::default() });
    assert_eq!(level, ["autoERROR x", "autoERROR z", "autoERROR unfinished"]);
    let alerts = query(Query { alerts: Some(Vec::new()), ..Query::default() });
    assert_eq!(alerts, ["plainslow y", "plainrefused", "autoERROR x", "autoERROR z", "autorefused", "autoERROR unfinished"]);
    let only = query(Query { only: Some(vec![all[1].clone()]), within: vec![Pattern::text("slow").expect("a text")], ..Query::default() });
    assert_eq!(only, ["autoslow y"]);
}
