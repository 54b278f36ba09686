use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::model::{At, Narration, ProcessId, RunClock, Tone};

const ALL: Duration = Duration::MAX;
const STEP: Duration = Duration::ZERO;

fn store(dir: &tempfile::TempDir) -> (Arc<LogStore>, Vec<ProcessId>) {
    let all: Vec<_> = ["a", "b"].iter().map(|name| ProcessId::new(name).expect("a name")).collect();
    (LogStore::create(dir.path(), &all, RunClock::start()).expect("a store"), all)
}

fn told(tone: Tone, what: &str) -> Narration {
    Narration { tone, process: ProcessId::new("a").ok(), what: what.into(), in_log: Some(Vec::new()), in_events: Vec::new() }
}

fn pattern(typed: &str) -> Pattern {
    Pattern::either(typed).expect("a pattern")
}

fn within(typed: &str) -> Query {
    Query { within: vec![pattern(typed)], ..Query::default() }
}

/// The matching lines as text, of all rows.
fn found(filter: &Filter, store: &LogStore) -> Vec<String> {
    let lines = filter.view().window_of(store, filter.rows(0), 0, usize::MAX).expect("readable");
    assert_eq!(lines.iter().map(|line| line.row).collect::<Vec<_>>(), filter.rows(0).iter(0..u64::MAX).collect::<Vec<_>>());
    lines.iter().map(|line| if let Source::Lifecycle(told) = &line.source { words(told) } else { plain(&line.bytes) }).collect()
}

fn ask(store: &LogStore, query: Query) -> Vec<String> {
    let mut filter = Filter::new(LogView::new(Selection::All), vec![query]);
    assert!(filter.advance(store, ALL).expect("readable"));
    found(&filter, store)
}

#[test]
fn queries_combine() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = store(&dir);
    let out = b"INFO call one\nWARN call two\nERROR ping three\n\x1b[31mcall\x1b[0m four\n\"GET /health HTTP/1.1\" 200\nDEBUG five\n";
    store.append(&all[0], Stream::Out, 1, At(10), out);
    store.append(&all[1], Stream::Err, 1, At(20), b"call five status=502\n");
    store.note(At(30), told(Tone::Bad, "failed to call"));
    assert_eq!(ask(&store, within("call")), ["INFO call one", "WARN call two", "call four", "call five status=502", "a failed to call"]);
    assert_eq!(ask(&store, Query { without: vec![pattern("call")], ..Query::default() }).len(), 3);
    assert_eq!(ask(&store, Query { without: vec![pattern("two|fou|five|failed")], ..within("call") }), ["INFO call one"]);
    assert_eq!(ask(&store, Query { within: vec![pattern("call"), pattern("four$")], ..Query::default() }), ["call four"]);
    assert_eq!(ask(&store, Query { level: Some(Level::Error), ..Query::default() }), ["ERROR ping three", "a failed to call"]);
    assert_eq!(ask(&store, Query { level: Some(Level::Warn), ..Query::default() }).len(), 3);
    assert_eq!(ask(&store, Query { level: Some(Level::Info), ..Query::default() }).len(), 7);
    assert_eq!(ask(&store, Query { stream: Some(Stream::Err), ..Query::default() }), ["call five status=502"]);
    assert_eq!(ask(&store, Query { time: Some(At(15)..At(25)), ..Query::default() }), ["call five status=502"]);
    assert_eq!(ask(&store, Query { muted: vec![all[0].clone()], ..within("call") }), ["call five status=502", "a failed to call"]);
    assert_eq!(ask(&store, Query { hide_probes: true, lifecycle: Lifecycle::Dropped, ..Query::default() }).len(), 6);
    assert_eq!(ask(&store, Query { lifecycle: Lifecycle::Kept, ..within("nothing like it") }), ["a failed to call"]);
    assert_eq!(ask(&store, Query { alerts: Some(Vec::new()), ..Query::default() }), ["ERROR ping three", "a failed to call"]);
    let field = Query { within: vec![Pattern::field("status", "502").expect("a field")], ..Query::default() };
    assert_eq!(ask(&store, field), ["call five status=502"]);
}

#[test]
fn several_questions_are_asked_in_one_pass() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = store(&dir);
    store.append(&all[0], Stream::Out, 1, At(0), b"one\ntwo\nthree\n");
    let mut filter = Filter::new(LogView::new(Selection::All), vec![within("o"), within("t"), Query::default()]);
    assert!(filter.advance(&store, ALL).expect("readable"));
    assert_eq!([0, 1, 2].map(|n| filter.rows(n).iter(0..9).collect::<Vec<_>>()), [vec![0, 1], vec![1, 2], vec![0, 1, 2]]);
}

#[test]
fn the_newest_are_found_first_and_new_lines_join() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = store(&dir);
    for n in 0..3000u64 {
        store.append(&all[(n % 2) as usize], Stream::Out, 1, At(n), format!("line {n}\n").as_bytes());
    }
    let mut filter = Filter::new(LogView::new(Selection::All), vec![within("0$")]);
    assert!(!filter.advance(&store, STEP).expect("readable"));
    assert_eq!(filter.asked(), 2999..3000);
    let mut steps = 1;
    while filter.rows(0).is_empty() {
        filter.advance(&store, STEP).expect("readable");
        steps += 1;
    }
    assert!(steps < 20, "the newest match is ten lines away: {steps}");
    store.append(&all[0], Stream::Out, 1, At(3000), b"new 0\nand anoth");
    filter.advance(&store, STEP).expect("readable");
    assert!(filter.rows(0).contains(3000), "new lines do not wait for old ones");
    store.append(&all[0], Stream::Out, 1, At(3000), b"er 0\n");
    while !filter.advance(&store, STEP).expect("readable") {}
    assert_eq!(filter.rows(0).len(), 302);
    assert!(filter.rows(0).contains(3001), "a line that grew is asked again");
    store.append(&all[0], Stream::Out, 1, At(3000), b"not yet 0");
    assert!(filter.advance(&store, ALL).expect("readable"));
    assert!(filter.rows(0).contains(3002));
    store.append(&all[0], Stream::Out, 1, At(3000), b" and now not\n");
    assert!(filter.advance(&store, ALL).expect("readable"));
    assert!(!filter.rows(0).contains(3002), "and may not match any more");
}

#[test]
fn rows_that_move_are_asked_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = store(&dir);
    store.append(&all[0], Stream::Out, 1, At(0), b"one\n");
    store.append(&all[0], Stream::Out, 1, At(0), b"two\n");
    let mut filter = Filter::new(LogView::new(Selection::All), vec![within("two")]);
    assert!(filter.advance(&store, ALL).expect("readable"));
    store.place_note(1, At(0), told(Tone::Good, "ready")).expect("readable");
    assert!(filter.advance(&store, ALL).expect("readable"));
    assert_eq!(filter.rows(0).iter(0..9).collect::<Vec<_>>(), [2]);
}

/// Pieces of lines in many formats, with and without levels.
fn pieces() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab ]{0,4}",
        Just("\n".to_owned()),
        Just("\n2026-11-23T06:25:57.881890Z  INFO x: ".to_owned()),
        Just("\n2026-11-23T06:25:57.881890Z \x1b[31mERROR\x1b[0m x: ".to_owned()),
        Just("\n[W 2026-11-23 06:20:33,351.351 name] ".to_owned()),
        Just("\nE1123 06:21:33.334567 1 f.go:1] x".to_owned()),
        Just("\nW1123 06:21:33.334567 1 f.go:1] x".to_owned()),
        Just("\n{\"level\":50,\"msg\":\"a\"}\n".to_owned()),
        Just("\n{\"level\":\"debug\",\"msg\":\"b\"}\n".to_owned()),
        Just("\nlevel=warn msg=a ".to_owned()),
        Just("\nTraceback (most recent call last):\n  File x\nValueError: b".to_owned()),
        Just("warning: a".to_owned()),
        Just("\u{fc}\r".to_owned()),
        Just("GET /health 200".to_owned()),
    ]
}

fn queries() -> impl Strategy<Value = Query> {
    let patterns =
        || proptest::collection::vec(prop_oneof![Just("a"), Just("b a"), Just("^$"), Just(r"\bx\b"), Just("[^a]$"), Just("E")], 0..2);
    let level = proptest::option::of(prop_oneof![Just(Level::Debug), Just(Level::Info), Just(Level::Warn), Just(Level::Error)]);
    (patterns(), patterns(), level, any::<bool>()).prop_map(|(within, without, level, hide_probes)| Query {
        within: within.into_iter().map(pattern).collect(),
        without: without.into_iter().map(pattern).collect(),
        level,
        hide_probes,
        ..Query::default()
    })
}

/// What the query means, for one line.
fn naive(query: &Query, text: &str) -> bool {
    let level = present(text.as_bytes()).level;
    let enough = match query.level {
        Some(least @ (Level::Warn | Level::Error)) => level.is_some_and(|level| level >= least),
        Some(least) => level.is_none_or(|level| level >= least),
        None => true,
    };
    enough
        && query.within.iter().all(|pattern| pattern.matches(text))
        && !query.without.iter().any(|pattern| pattern.matches(text))
        && !(query.hide_probes && is_probe(text))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// For any output in any chunks, in any steps, live or read back: the filter finds what asking every line would.
    #[test]
    fn a_filter_equals_asking_every_line(
        said in proptest::collection::vec((0usize..2, any::<bool>(), proptest::collection::vec(pieces(), 1..6)), 1..20),
        query in queries(),
        early in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let (live, all) = store(&dir);
        let mut filter = Filter::new(LogView::new(Selection::All), vec![query.clone()]);
        for (process, err, text) in &said {
            live.append(&all[*process], if *err { Stream::Err } else { Stream::Out }, 1, At(1), text.concat().as_bytes());
            if early {
                filter.advance(&live, STEP).expect("readable");
            }
        }
        while !filter.advance(&live, STEP).expect("readable") {}
        let lines = filter.view().window(&live, 0, usize::MAX).expect("readable");
        let expected: Vec<String> = lines.iter().map(|line| plain(&line.bytes)).filter(|text| naive(&query, text)).collect();
        prop_assert_eq!(found(&filter, &live), expected.clone());
        let read = LogStore::open(dir.path(), &all).expect("the recording");
        prop_assert_eq!(ask(&read, query), expected);
    }
}
