//! Time travel: the screen of an earlier instant, in a run that goes on and in a recording.

use super::{
    stories::{all_well, crash_loop, state},
    theatre::{Story, Theatre, id, row},
};
use crate::{
    model::{At, EventKind, ProcessState, Snapshot},
    tui::app::Outcome,
};

fn toast(theatre: &Theatre) -> &str {
    theatre.stage.app.toast.as_ref().map_or("", |toast| &toast.text)
}

/// The instant that is shown, in seconds.
fn shown(theatre: &Theatre) -> Option<String> {
    theatre.stage.past.as_ref().map(|past| past.snapshot.at.seconds())
}

#[test]
fn the_whole_screen_goes_back_to_the_crash_at_120x40() {
    let mut theatre = crash_loop(120, 40);
    theatre.frame();
    theatre.keys("]");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn the_whole_screen_goes_back_to_the_crash_at_80x24() {
    let mut theatre = crash_loop(80, 24);
    theatre.frame();
    theatre.keys("]");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn details_tell_of_a_process_as_it_was() {
    let mut theatre = crash_loop(120, 40);
    theatre.frame();
    theatre.keys("] } i");
    insta::assert_snapshot!(theatre.picture());
}

#[test]
fn keys_walk_from_event_to_event_and_from_failure_to_failure() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("G");
    let mut stops = Vec::new();
    for _ in 0..5 {
        theatre.keys("{");
        stops.extend(shown(&theatre));
    }
    assert_eq!(stops, ["7.214", "6.222", "4.211", "3.402", "2.392"]);
    theatre.keys("}");
    assert_eq!(shown(&theatre).as_deref(), Some("3.402"));
    theatre.keys("]");
    assert_eq!(shown(&theatre).as_deref(), Some("3.410"), "the restart is ready");
    theatre.keys("[ [ [");
    assert_eq!(shown(&theatre).as_deref(), Some("1.412"));
    theatre.keys("} } } } } }");
    assert_eq!((shown(&theatre).as_deref(), toast(&theatre)), (Some("7.214"), "no failure or restart after this"));
    theatre.keys("]");
    assert_eq!((shown(&theatre), toast(&theatre)), (None, "back to now"));
    theatre.keys("]");
    assert_eq!(toast(&theatre), "this is now; [ goes back in time");
    theatre.keys("[ =");
    assert_eq!((shown(&theatre), toast(&theatre)), (None, "back to now"));
    for _ in 0..100 {
        theatre.keys("[");
    }
    assert_eq!(toast(&theatre), "nothing happened before this");
    assert!(row(&theatre.picture(), 0).contains("PAST 0.000"), "{}", theatre.picture());
}

#[test]
fn every_stop_shows_the_fold_up_to_there_and_no_later_line() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("G");
    let events = theatre.events();
    for _ in 0..100 {
        theatre.keys("[");
        let past = theatre.stage.past.clone().expect("an instant");
        let until = past.until();
        let naive = Snapshot::of(events.iter().filter(|event| event.seq <= until).map(AsRef::as_ref));
        assert_eq!(*theatre.stage.snapshot, naive);
        let window = &theatre.stage.window;
        assert!(window.rows.iter().all(|row| row.line.seq <= until), "a line was said later than {}", past.snapshot.at.seconds());
        assert!(theatre.stage.events().listed_window(0, 100).all(|(event, _)| event.seq <= until));
        // Up and down again within what had been said.
        theatre.keys("Tab g G PgUp PgDn j Tab");
        assert!(theatre.stage.window.rows.iter().all(|row| row.line.seq <= until));
    }
}

#[test]
fn the_past_stands_still_while_the_run_goes_on() {
    let mut theatre = all_well(120, 40);
    theatre.keys("[ [");
    let before = theatre.picture();
    let mut story = Story::default();
    story.say(12_500, "client-b", "INFO this was said meanwhile").event(12_501, state("client-b", 1, ProcessState::Completed));
    theatre.play(story).at(14_000);
    let after = theatre.picture();
    let still = |picture: &str| picture.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(still(&before), still(&after), "{before}{after}");
    assert!(row(&after, 0).contains("of 14.0 s"), "{after}");
    theatre.keys("=");
    let now = theatre.picture();
    assert!(now.contains("this was said meanwhile") && now.contains("completed") && row(&now, 0).contains("LIVE"), "{now}");
}

#[test]
fn what_would_act_on_the_run_says_that_this_is_the_past() {
    let mut theatre = all_well(80, 24);
    theatre.keys("[");
    for key in ["s", "r", "R", "x", "X", "C-x", ">", "C-r", "m"] {
        theatre.keys(key);
        assert_eq!(toast(&theatre), "the screen shows 2.088 s, which is past: = goes back to now", "{key}");
        assert!(theatre.stage.app.overlay.is_none());
    }
    assert!(theatre.outcomes.is_empty(), "{:?}", theatre.outcomes);
    theatre.keys("Q");
    assert!(matches!(theatre.outcomes.as_slice(), [Outcome::Send(_)]) && shown(&theatre).is_none(), "stopping everything is seen live");
}

#[test]
fn quitting_counts_what_lives_now() {
    let mut theatre = all_well(80, 24);
    theatre.keys("{ [ [ [ [ [ [ [ [ [ [ q");
    assert!(row(&theatre.picture(), 23).contains("3 processes are still up"), "{}", theatre.picture());
}

#[test]
fn finding_and_filtering_end_at_the_instant() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("G [ /").type_text("later").keys("Enter");
    theatre.until("there is none");
    theatre.keys("/").type_text("502").keys("Enter");
    theatre.until("/502");
    theatre.keys("&").type_text("later").keys("Enter");
    let screen = theatre.until("no line passes the filters");
    assert!(screen.contains("0 of "), "{screen}");
    theatre.keys("\\ =");
    theatre.keys("/").type_text("later").keys("Enter");
    theatre.until("of 111");
}

#[test]
fn the_timeline_travels_where_time_is_travelled() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("G { { V");
    let screen = theatre.picture();
    let here = screen.lines().find(|line| line.starts_with("|▸")).unwrap_or("");
    assert!(here.contains("6.222"), "it opens at the instant: {screen}");
    theatre.keys("G Enter");
    assert_eq!(shown(&theatre).as_deref(), Some("7.214"));
}

#[test]
fn a_process_that_came_afterwards_is_not_there_yet() {
    let mut theatre = all_well(120, 40);
    let mut info = super::stories::info("newcomer", crate::model::Role::Service, "x", false, None);
    info.cwd = String::new();
    let mut story = Story::default();
    story.event(12_500, EventKind::ProcessAdded { info }).event(12_500, state("newcomer", 1, ProcessState::Running));
    theatre.play(story).at(12_600);
    assert!(theatre.picture().contains("newcomer"));
    theatre.keys("5 [ [");
    assert!(!theatre.picture().contains("newcomer") && theatre.stage.app.selected(&theatre.stage.snapshot).is_some());
    assert_eq!(theatre.stage.snapshot.row("newcomer"), None);
    theatre.keys("=");
    assert!(theatre.stage.snapshot.row(id("newcomer").as_str()).is_some());
}

#[test]
fn logs_side_by_side_end_at_the_instant_too() {
    let mut theatre = crash_loop(160, 48);
    theatre.keys("G | { {");
    let screen = theatre.picture();
    assert!(!screen.contains("later 3") && screen.contains("crash_after 3 calls"), "{screen}");
    assert!(theatre.now > At::START);
}
