//! The steps of a scenario: what is asked of them by name, and what they want to be seen.

use super::{
    stories::{all_well, begin, info, spawned, state},
    theatre::{Story, Theatre, id},
};
use crate::{
    model::{Actor, Command, EventKind, ProcessInfo, ProcessState, Reads, Role, RunInfo, StartCause, StepInfo, StepStage, View},
    tui::{app::Outcome, layout::Pane},
};

fn scripted() -> Theatre {
    let mut theatre = Theatre::new(&["upstream", "proxy"]).sized(120, 40);
    let service = |name, port| info(name, Role::Service, "", false, Some(port));
    let EventKind::RunStarted(run) = begin("scripted", vec![service("upstream", 20001), service("proxy", 20002)]) else {
        unreachable!("it begins a run")
    };
    let step = |when: &str, what: &str, note: &str| StepInfo {
        when: when.into(),
        what: what.into(),
        note: note.into(),
        title: String::new(),
        idle: false,
    };
    let steps = vec![
        step("upstream ready", "kill upstream", "Killed under way."),
        step("upstream ready", "restart proxy", ""),
        step("500 ms", "mark \"end\"", "That is all."),
    ];
    let mut story = Story::default();
    story.event(0, EventKind::RunStarted(RunInfo { steps, ..run }));
    for name in ["upstream", "proxy"] {
        story.event(10, spawned(name, 1, 7, StartCause::Run, false)).event(12, state(name, 1, ProcessState::Ready));
    }
    theatre.play(story).at(500);
    theatre
}

fn told(step: u32, stage: StepStage, detail: &str, took_us: Option<u64>) -> EventKind {
    let what = ["kill upstream", "restart proxy", "mark \"end\""][step as usize - 1].into();
    EventKind::Step { step, stage, what, detail: detail.into(), took_us }
}

fn play(theatre: &mut Theatre, events: Vec<(u64, EventKind)>) {
    let mut story = Story::default();
    for (at, event) in events {
        story.event(at, event);
    }
    theatre.play(story);
}

fn first_done() -> Vec<(u64, EventKind)> {
    let started = told(1, StepStage::Started, "Killed under way.", None);
    vec![(900, started), (920, told(1, StepStage::Done, "", Some(20_000)))]
}

fn ask(theatre: &mut Theatre, name: &str) -> (Option<Outcome>, String) {
    theatre.outcomes.clear();
    theatre.keys(":").type_text(name).keys("Enter");
    let said = theatre.stage.app.toast.as_ref().map_or_else(String::new, |toast| toast.text.clone());
    (theatre.outcomes.pop(), said)
}

#[test]
fn steps_are_hurried_held_and_repeated_by_name() {
    let mut theatre = scripted();
    assert_eq!(ask(&mut theatre, "next-step").0, Some(Outcome::Send(Command::RunStep { step: None })));
    assert_eq!(ask(&mut theatre, "repeat-step"), (None, "no step has been carried out yet".into()));
    play(&mut theatre, first_done());
    let (asked, said) = ask(&mut theatre, "repeat-step");
    assert_eq!(asked, Some(Outcome::Send(Command::RunStep { step: Some(1) })));
    assert_eq!(said, "step 1 again: kill upstream");
    assert_eq!(ask(&mut theatre, "hold-steps").0, Some(Outcome::Send(Command::HoldSteps { held: true })));
    play(&mut theatre, vec![(950, EventKind::StepsHeld { held: true, by: Actor::You })]);
    assert_eq!(ask(&mut theatre, "hold-steps").0, Some(Outcome::Send(Command::HoldSteps { held: false })));
}

#[test]
fn the_script_has_a_pane_and_a_list_from_which_each_step_can_be_carried_out() {
    let mut theatre = scripted();
    play(&mut theatre, first_done());
    let screen = theatre.picture();
    assert!(screen.contains("─ Steps ──") && screen.contains("── 1 of 3 done ─"), "{screen}");
    assert!(screen.contains("|    0.920  ✓ done       1  kill upstream   after 20 ms"), "{screen}");
    assert!(screen.contains("|        -  ◐ waits      2  restart proxy   for upstream ready"), "{screen}");
    assert!(screen.contains("|        -  ○            3  mark \"end\"   That is all."), "{screen}");
    play(&mut theatre, vec![(1200, told(2, StepStage::Waiting, "upstream ready: it is backoff", None))]);
    let screen = theatre.picture();
    assert!(screen.contains("    1.200  ▲ waits      2  restart proxy   for upstream ready: it is backoff"), "{screen}");
    theatre.keys("P j");
    insta::assert_snapshot!(theatre.picture());
    theatre.keys("Enter");
    assert_eq!(theatre.outcomes.pop(), Some(Outcome::Send(Command::RunStep { step: Some(2) })));
    theatre.keys(".");
    assert_eq!(theatre.outcomes.pop(), Some(Outcome::Send(Command::HoldSteps { held: true })));
}

#[test]
fn a_scenario_without_steps_says_so() {
    let mut theatre = all_well(120, 40);
    assert_eq!(ask(&mut theatre, "next-step"), (None, "this scenario has no steps: [[step]] adds one".into()));
}

#[test]
fn what_a_step_wants_to_be_seen_is_shown() {
    let mut theatre = all_well(120, 40);
    theatre.keys("Tab");
    let mut story = Story::default();
    let by = Actor::Step(2);
    story
        .event(12_500, EventKind::Viewed { view: View::Layout("logs".into()), by: by.clone() })
        .event(12_500, EventKind::Viewed { view: View::Focus(id("proxy")), by: by.clone() })
        .event(12_500, EventKind::Viewed { view: View::Filter("tools/call".into()), by: by.clone() })
        .event(12_501, state("client-b", 1, ProcessState::Running));
    theatre.play(story);
    let app = &theatre.stage.app;
    assert_eq!(theatre.stage.options.layouts[app.layout].name(), "logs");
    assert_eq!((app.table.selected, app.focus), (1, Pane::Processes));
    assert_eq!(app.log.within.as_ref().map(crate::logs::Pattern::typed), Some("tools/call"));
    let mut story = Story::default();
    story.event(12_600, EventKind::Viewed { view: View::Layout("nowhere".into()), by });
    theatre.play(story);
    let said = theatre.stage.app.toast.as_ref().map(|toast| toast.text.clone());
    assert_eq!(said.as_deref(), Some("a step wants the layout nowhere, and there is none of that name"));
}

#[test]
fn steps_stand_in_the_log_and_among_the_events() {
    let mut theatre = scripted();
    play(&mut theatre, first_done());
    play(&mut theatre, vec![(999, told(2, StepStage::Failed, "proxy is not alive: it is stopped", Some(80_000)))]);
    let screen = theatre.picture();
    for wanted in [
        "step 1   kill upstream   Killed under way.",
        "step 1 done   after 20 ms",
        "step 2 failed   restart proxy   proxy is not alive: it is stopped   after 80 ms",
    ] {
        assert!(screen.contains(wanted), "{wanted} is missing in\n{screen}");
    }
}

#[test]
fn a_step_that_moves_the_focus_does_not_redirect_a_line_that_is_being_typed() {
    let mut theatre = Theatre::new(&["upstream", "proxy"]).sized(120, 40);
    let reader = |name, port| ProcessInfo { reads: Reads::Pipe, ..info(name, Role::Service, "", false, Some(port)) };
    let mut story = Story::default();
    story.event(0, begin("readers", vec![reader("upstream", 20001), reader("proxy", 20002)]));
    for name in ["upstream", "proxy"] {
        story.event(10, spawned(name, 1, 7, StartCause::Run, false)).event(12, state(name, 1, ProcessState::Ready));
    }
    theatre.play(story).at(500);
    theatre.keys(">").type_text("hel");
    play(&mut theatre, vec![(900, EventKind::Viewed { view: View::Focus(id("proxy")), by: Actor::Step(1) })]);
    assert_eq!(theatre.stage.app.table.selected, 1);
    let screen = theatre.picture();
    assert!(screen.contains("| > hel") && screen.contains("Enter send to upstream"), "{screen}");
    theatre.type_text("lo").keys("Enter");
    let sent = Command::SendLine { process: id("upstream"), text: "hello".into() };
    assert_eq!(theatre.outcomes.pop(), Some(Outcome::Send(sent)));
}

#[test]
fn who_looks_at_the_past_is_shown_what_steps_want_to_be_seen_when_they_come_back() {
    let mut theatre = scripted();
    play(&mut theatre, first_done());
    theatre.keys("[");
    let layout = theatre.stage.app.layout;
    let view = |view| EventKind::Viewed { view, by: Actor::Step(2) };
    play(&mut theatre, vec![(1000, view(View::Layout("logs".into()))), (1001, view(View::Focus(id("proxy"))))]);
    assert_eq!((theatre.stage.app.layout, theatre.stage.app.table.selected), (layout, 0), "the past stays as it is");
    theatre.keys("=");
    let app = &theatre.stage.app;
    assert_eq!((theatre.stage.options.layouts[app.layout].name(), app.table.selected), ("logs", 1));
}
