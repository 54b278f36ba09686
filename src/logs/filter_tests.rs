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
        Just("GET /health?a".to_owned()),
    ]
}

fn queries() -> impl Strategy<Value = Query> {
    let name = |name| ProcessId::new(name).expect("a name");
    let alerts =
        prop_oneof![4 => Just(None), 1 => Just(Some(Vec::new())), 1 => Just(Some(vec![regex::Regex::new("b a").expect("a pattern")]))];
    let stream = prop_oneof![3 => Just(None), 1 => Just(Some(Stream::Out)), 1 => Just(Some(Stream::Err))];
    let time = prop_oneof![3 => Just(None), 1 => (0u64..20, 0u64..20).prop_map(|(from, to)| Some(At(from)..At(to)))];
    let only = prop_oneof![4 => Just(None), 1 => Just(Some(vec![name("a")]))];
    let muted = prop_oneof![4 => Just(Vec::new()), 1 => Just(vec![name("b")])];
    (texts(), alerts, stream, time, only, muted).prop_map(|(query, alerts, stream, time, only, muted)| Query {
        alerts,
        stream,
        time,
        only,
        muted,
        ..query
    })
}

/// What is asked of texts alone.
fn texts() -> impl Strategy<Value = Query> {
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
fn naive(query: &Query, line: &LogLine) -> bool {
    let (text, process) = (plain(&line.bytes), line.process.as_ref().expect("somebody said it"));
    let level = present(text.as_bytes()).level;
    let enough = match query.level {
        Some(least @ (Level::Warn | Level::Error)) => level.is_some_and(|level| level >= least),
        Some(least) => level.is_none_or(|level| level >= least),
        None => true,
    };
    let matters = |own: &Vec<regex::Regex>| {
        let signs = super::alert::Alerts::new(own, crate::model::LogFormat::Auto);
        signs.scan(text.as_bytes()).iter().any(|found| !found.order)
    };
    enough
        && query.within.iter().all(|pattern| pattern.matches(&text))
        && !query.without.iter().any(|pattern| pattern.matches(&text))
        && !(query.hide_probes && is_probe(&text))
        && query.alerts.as_ref().is_none_or(matters)
        && query.stream.is_none_or(|stream| (stream == Stream::Err) == (line.source == Source::Err))
        && query.time.as_ref().is_none_or(|time| time.contains(&line.at))
        && query.only.as_ref().is_none_or(|only| only.contains(process))
        && !query.muted.contains(process)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

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
        for (at, (process, err, text)) in (0..).zip(&said) {
            live.append(&all[*process], if *err { Stream::Err } else { Stream::Out }, 1, At(at), text.concat().as_bytes());
            if early {
                filter.advance(&live, STEP).expect("readable");
            }
        }
        while !filter.advance(&live, STEP).expect("readable") {}
        let lines = filter.view().window(&live, 0, usize::MAX).expect("readable");
        let expected: Vec<String> = lines.iter().filter(|line| naive(&query, line)).map(|line| plain(&line.bytes)).collect();
        prop_assert_eq!(found(&filter, &live), expected.clone());
        let read = LogStore::open(dir.path(), &all).expect("the recording");
        prop_assert_eq!(ask(&read, query), expected);
    }
}

#[test]
fn o3_lines_with_nul_bytes_are_found_by_their_text_and_by_their_glyph() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = store(&dir);
    store.append(&all[0], Stream::Out, 1, At(0), b"be\0fore\nbefore\n\0\0\nlast\0");
    assert_eq!(ask(&store, within("fore")), ["be\u{2400}fore", "before"]);
    assert_eq!(ask(&store, within("\u{2400}")), ["be\u{2400}fore", "\u{2400}\u{2400}", "last\u{2400}"]);
    assert_eq!(ask(&store, within("^last.$")), ["last\u{2400}"]);
}

#[test]
fn o19_a_monstrous_pattern_is_refused_or_asked_in_small_steps() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = store(&dir);
    // Nothing that matches, and everything that could begin to.
    store.append(&all[0], Stream::Out, 1, At(0), ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(8_000)).as_bytes());
    assert!(Pattern::regex("(?:(?:a{0,200}){0,200}){0,20}b").is_err(), "too big");
    let slow = Pattern::regex("(?:a?){300}(?:[ab]?[ac]?){300}b$").expect("small enough");
    let mut filter = Filter::new(LogView::new(Selection::All), vec![Query { within: vec![slow], ..Query::default() }]);
    let (mut steps, mut longest) = (0, Duration::ZERO);
    let started = std::time::Instant::now();
    while started.elapsed() < Duration::from_secs(1) {
        let began = std::time::Instant::now();
        if filter.advance(&store, STEP).expect("readable") {
            break;
        }
        (steps, longest) = (steps + 1, longest.max(began.elapsed()));
    }
    assert!(steps > 1, "a chunk of 256 KiB is no step");
    // Whoever waits for a step waits for a slice of a few KiB: unoptimised, and beside other tests.
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    assert!(filter.rows(0).is_empty());
}

#[test]
fn a_line_is_asked_as_far_as_it_is_shown_whatever_chunks_it_came_in() {
    let line = |at: usize, len: usize| [&vec![b'x'; at], &b"needle"[..], &vec![b'x'; len - at - 6]].concat();
    for (at, found) in [(0, 1), (MAX_LINE - 6, 1), (MAX_LINE - 5, 0), (100_000, 0)] {
        for chunk in [1_000, 50_000, 200_000] {
            let dir = tempfile::tempdir().expect("a folder");
            let (store, all) = store(&dir);
            let text = [&b"first\n"[..], &line(at, 150_000), b"\nlast\n"].concat();
            text.chunks(chunk).for_each(|part| drop(store.append(&all[0], Stream::Out, 1, At(0), part)));
            assert_eq!(ask(&store, within("needle")).len(), found, "at {at} in chunks of {chunk}");
            assert_eq!(ask(&store, within("a|i")).len(), 2, "at {at} in chunks of {chunk}");
        }
    }
}

#[test]
fn answers_can_be_kept_while_the_filter_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, all) = store(&dir);
    store.append(&all[0], Stream::Out, 1, At(0), b"one\ntwo\n");
    let mut filter = Filter::new(LogView::new(Selection::All), vec![within("one"), within("o")]);
    assert!(!filter.answers().is_complete());
    assert!(filter.advance(&store, ALL).expect("readable"));
    let early = filter.answers();
    store.append(&all[0], Stream::Out, 1, At(0), b"one\n");
    assert!(filter.advance(&store, ALL).expect("readable"));
    assert_eq!((early.rows(0).len(), early.rows(1).len(), early.asked(), early.is_complete()), (1, 2, 0..2, true));
    assert_eq!(filter.answers().rows(0).len(), 2);
}
