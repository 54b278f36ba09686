//! Whole screens, as the design draws them.

use super::{
    stories::{all_well, begin, crash_loop, exited, info, spawned, state},
    theatre::{Item, Story, Theatre},
};
use crate::model::{Actor, At, EventKind, Outcome, ProcessState, Role, Signal, StartCause, Then, Verdict};

#[test]
fn all_well_at_120x40() {
    insta::assert_snapshot!(all_well(120, 40).picture());
}

#[test]
fn crash_loop_at_120x40() {
    insta::assert_snapshot!(crash_loop(120, 40).picture());
}

#[test]
fn all_well_at_80x24() {
    insta::assert_snapshot!(all_well(80, 24).picture());
}

#[test]
fn crash_loop_at_80x24() {
    insta::assert_snapshot!(crash_loop(80, 24).picture());
}

#[test]
fn all_well_at_200x60() {
    insta::assert_snapshot!(all_well(200, 60).picture());
}

#[test]
fn crash_loop_at_200x60() {
    insta::assert_snapshot!(crash_loop(200, 60).picture());
}

#[test]
fn all_well_at_160x48() {
    insta::assert_snapshot!(all_well(160, 48).picture());
}

#[test]
fn all_well_at_40x10() {
    insta::assert_snapshot!(all_well(40, 10).picture());
}

#[test]
fn crash_loop_at_40x10() {
    insta::assert_snapshot!(crash_loop(40, 10).picture());
}

/// One process and its story.
fn small(story: Story) -> Theatre {
    let mut theatre = Theatre::new(&["upstream"]).sized(80, 24);
    theatre.play(story);
    theatre
}

#[test]
fn starting_at_80x24() {
    let mut story = Story::default();
    story
        .event(0, begin("slow-start", vec![info("upstream", Role::Service, "mock-upstream", false, Some(20001))]))
        .event(0, spawned("upstream", 1, 7, StartCause::Run, true))
        .event(0, state("upstream", 1, ProcessState::Starting { since: At(0), deadline: At(30_000_000) }));
    insta::assert_snapshot!(small(story).at(3_200).picture());
}

#[test]
fn being_stopped_and_over_at_80x24() {
    let mut theatre = all_well(80, 24);
    theatre.keys("Q");
    let mut story = Story::default();
    story.event(12_500, EventKind::StoppingRun { by: Actor::You, now: false });
    for name in ["upstream", "proxy", "client-b"] {
        story.event(12_500, state(name, 1, ProcessState::Stopping { kill_at: At(22_500_000), by: Actor::You }));
    }
    story.event(12_600, state("client-b", 1, ProcessState::Stopped { by: Actor::You, signal: Some(Signal::TERM) }));
    insta::assert_snapshot!(theatre.play(story).at(13_000).picture());
}

#[test]
fn passed_at_120x40() {
    let mut theatre = all_well(120, 40);
    let mut story = Story::default();
    story
        .event(12_500, exited("client-b", 1, 0, 12_437, Then::Completed, false, Some("50 of 50 calls")))
        .event(12_500, state("client-b", 1, ProcessState::Completed))
        .event(12_500, EventKind::Checks { met: 2, of: 2 })
        .event(12_500, EventKind::VerdictReached { outcome: Outcome::new(Verdict::Passed, 0, "2 tests passed") });
    let screen = theatre.play(story).at(12_600).picture();
    insta::assert_snapshot!(screen.lines().enumerate().filter(|(n, _)| *n < 7 || *n > 29).map(|(_, l)| l).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_recording_at_120x40() {
    let mut theatre = crash_loop(120, 40);
    theatre.stage.abilities.live = false;
    let screen = theatre.picture();
    insta::assert_snapshot!([0, 2, 38, 39].map(|n| screen.lines().nth(n).unwrap_or("")).join("\n"));
}

#[test]
fn a_flood_of_wide_characters_at_80x24() {
    let mut story = Story::default();
    story.event(0, begin("flood", vec![info("upstream", Role::Service, "mock-upstream", false, Some(20001))]));
    story.event(0, spawned("upstream", 1, 7, StartCause::Run, false)).event(0, state("upstream", 1, ProcessState::Ready));
    for n in 0..4000 {
        story.0.push((
            n,
            Item::Say("upstream", format!("WARN 警告 {n}: 上流サーバーが応答しません🦀 retrying in {} ms and so on and on", n * 3)),
        ));
    }
    insta::assert_snapshot!(small(story).at(4_000).picture());
}
