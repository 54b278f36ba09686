//! What lies over the panes, drawn.

use super::{
    stories::{all_well, crash_loop},
    theatre::{id, row},
};
use crate::{
    model::{At, FaultKind},
    tap::{Asked, Body, Call, CallKind, Ended, Ending, ExchangeId, Note, Toward, TrafficStore},
};

#[test]
fn help_lists_the_live_keymap_and_narrows_to_what_is_typed() {
    let mut theatre = all_well(80, 24);
    theatre.keys("?");
    insta::assert_snapshot!(theatre.picture());
    theatre.keys("/").type_text("stop");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn the_whole_help_can_be_scrolled_to_its_end_and_back() {
    let mut theatre = all_well(80, 24);
    theatre.keys("? G");
    assert!(theatre.picture().contains("C-c             stop all and quit"), "{}", theatre.picture());
    theatre.keys("k");
    assert!(!theatre.picture().contains("C-c             stop all and quit"), "one key scrolls back at once");
}

#[test]
fn details_tell_why_a_process_is_in_its_state_and_how_to_start_it_alone() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("i");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn the_timeline_opens_the_log_at_a_moment() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("V k k");
    insta::assert_snapshot!(theatre.picture());
    theatre.keys("Enter");
    assert!(theatre.picture().contains("at 6.233, paused"), "{}", theatre.picture());
}

#[test]
fn alerts_are_listed_and_open_their_lines() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("C-a k");
    let screen = theatre.picture();
    assert!(row(&screen, 6).contains("─ Alerts ") && row(&screen, 6).contains("3 of 4"), "{screen}");
    assert!(screen.lines().any(|line| line.starts_with("|▸") && line.contains("client-a")), "{screen}");
    theatre.keys("Enter");
    assert!(theatre.picture().contains("paused"), "{}", theatre.picture());
    let mut calm = all_well(80, 24);
    calm.keys("C-a");
    assert!(calm.picture().contains("no line has matched an alert pattern"), "{}", calm.picture());
}

#[test]
fn the_timeline_opens_at_the_moment_that_the_log_shows() {
    let mut theatre = crash_loop(120, 40);
    theatre.frame();
    theatre.keys("V");
    let screen = theatre.picture();
    let here = screen.lines().find(|line| line.starts_with("|▸")).unwrap_or("");
    assert!(here.contains("0.063"), "the last event before the panic: {screen}");
    theatre.keys("Esc G V");
    let screen = theatre.picture();
    let here = screen.lines().find(|line| line.starts_with("|▸")).unwrap_or("");
    assert!(here.contains("7.214"), "the newest: {screen}");
}

#[test]
fn the_palette_offers_processes_and_actions() {
    let mut theatre = all_well(80, 24);
    theatre.keys(":").type_text("up");
    insta::assert_snapshot!(theatre.picture());
    assert!(theatre.frame().1.cursor.is_some(), "the terminal's cursor stands where is typed");
}

#[test]
fn signals_are_chosen_by_name() {
    let mut theatre = all_well(80, 24);
    theatre.keys("2 C-x j");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn a_line_is_shown_exactly_as_it_was_written() {
    let mut theatre = all_well(80, 24);
    theatre.keys("Tab k Enter");
    let picture = theatre.picture();
    assert!(picture.contains("2026-11-23T06:25:57.406000Z  INFO handle{session_id=\"6f1b8a52-9c1d-4f0e-8a77-"), "{picture}");
}

#[test]
fn logs_side_by_side_and_tiled() {
    let mut theatre = all_well(160, 48);
    theatre.keys("|");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn layouts_follow_one_another() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("Tab L");
    assert!(row(&theatre.picture(), 38).contains("layout: logs"));
    theatre.keys("L");
    assert!(row(&theatre.picture(), 38).contains("layout: grid"));
    insta::assert_snapshot!(theatre.picture());
    theatre.keys("L");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn the_tools_own_log_has_a_place_of_its_own() {
    let mut theatre = all_well(80, 24);
    theatre.keys("~");
    assert!(theatre.picture().contains("─ e2e-tui's own log"));
}

/// A line over the pipes of `upstream`, and what became of it.
fn over_pipes(traffic: &TrafficStore, exchange: ExchangeId, pipe: Toward, call: Option<&str>, end: Option<(Ending, CallKind)>) {
    let at = At(exchange * 1_000_000);
    let of = |kind, label: &str| Call { kind, method: label.into(), label: label.into(), id: Some(exchange.to_string()) };
    traffic.note(Note::Asked(Asked {
        exchange,
        tap: id("upstream"),
        connection: 1,
        at,
        http: None,
        body: Body { size: 10, text: "no message".into() },
        calls: call.map(|call| of(CallKind::Request, call)).into_iter().collect(),
        fault: (end.is_none()).then_some(FaultKind::Drop),
        pipe: Some(pipe),
    }));
    if let Some((how, kind)) = end {
        traffic.note(Note::Ended(Ended { exchange, at: At(at.0 + 4000), how, body: Body::default(), calls: vec![of(kind, "failed")] }));
    }
}

#[test]
fn traffic_over_pipes_says_who_asked_and_what_came_of_it() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut theatre = all_well(width, height);
        let traffic = theatre.traffic();
        let ended = |how, kind| Some((how, kind));
        over_pipes(&traffic, 1, Toward::Server, Some("initialize"), ended(Ending::Answered, CallKind::Result));
        over_pipes(&traffic, 2, Toward::Server, None, ended(Ending::Sent, CallKind::Result));
        for exchange in 3..=5 {
            over_pipes(&traffic, exchange, Toward::Server, Some("tools/call echo"), ended(Ending::Answered, CallKind::Result));
        }
        over_pipes(&traffic, 6, Toward::Client, Some("roots/list"), ended(Ending::Answered, CallKind::Error));
        over_pipes(&traffic, 7, Toward::Server, Some("ping"), None);
        theatre.keys("T");
        insta::assert_snapshot!(format!("pipes_{width}x{height}"), theatre.picture());
        theatre.keys("Enter");
        assert!(theatre.picture().contains("c copy the line"), "{}", theatre.picture());
        theatre.keys("Esc D");
        assert!(theatre.picture().contains("─ Disturb what goes to upstream"), "D is for the tap of the chosen row: {}", theatre.picture());
    }
}
