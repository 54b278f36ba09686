//! The steps of the file.

use std::path::PathBuf;

use super::bench::*;
use crate::model::{StateOrHealth, StepAction, StepSpec, StepStage, StepWhen};
use crate::supervisor::ScriptOptions;

fn step(when: StepWhen, actions: Vec<StepAction>) -> StepSpec {
    StepSpec { when, actions, title: String::new(), note: String::new(), timeout: None }
}

fn is(name: &str, word: &str) -> StepWhen {
    StepWhen::State { processes: vec![id(name)], is: StateOrHealth::State(word.into()) }
}

fn says(name: &str) -> StepWhen {
    StepWhen::Log { processes: vec![id(name)], pattern: regex::Regex::new("x").expect("a pattern") }
}

fn after(ms: u64) -> StepWhen {
    StepWhen::After(Duration::from_millis(ms))
}

fn mark(text: &str) -> Vec<StepAction> {
    vec![StepAction::Mark(text.into())]
}

fn scripted(processes: Vec<ProcessSpec>, steps: Vec<StepSpec>, script: ScriptOptions) -> Bench {
    Bench::scripted(&RunSpec { steps, ..run_of(processes) }, true, None, script)
}

fn run(processes: Vec<ProcessSpec>, steps: Vec<StepSpec>) -> Bench {
    scripted(processes, steps, ScriptOptions::default())
}

/// All that was told of steps: `1 started`, `2 failed: why`.
fn told(b: &Bench) -> Vec<String> {
    let one = |event: &EventKind| match event {
        EventKind::Step { step, stage, detail, .. } if detail.is_empty() => Some(format!("{step} {}", stage.word())),
        EventKind::Step { step, stage, detail, .. } => Some(format!("{step} {}: {detail}", stage.word())),
        _ => None,
    };
    b.events().filter_map(one).collect()
}

fn marks(b: &Bench) -> Vec<String> {
    b.events().filter_map(|event| if let EventKind::Marked { text, .. } = event { Some(text.clone()) } else { None }).collect()
}

fn service(name: &str) -> ProcessSpec {
    spec(name, Role::Service)
}

#[test]
fn steps_follow_one_another_each_counted_from_the_end_of_the_one_before() {
    let mut b = run(
        vec![service("s"), spec("t", Role::Test)],
        vec![step(is("s", "ready"), mark("one")), step(after(500), mark("two")), step(says("s"), mark("three"))],
    );
    b.up("s");
    b.up("t");
    b.give(Input::Said { step: 2 });
    b.pass(600);
    assert_eq!(told(&b), [] as [String; 0], "the service is not ready, and the line came too soon");
    b.ready("s");
    assert_eq!(told(&b), ["1 started", "1 done"]);
    b.pass(499);
    assert_eq!(marks(&b), ["one"]);
    b.pass(1);
    assert_eq!(marks(&b), ["one", "two"]);
    b.give(Input::Said { step: 2 });
    assert_eq!(marks(&b), ["one", "two", "three"]);
    assert!(b.events().any(|e| matches!(e, EventKind::Marked { by: Actor::Step(3), .. })));
    assert_eq!(b.verdict(), None);
}

#[test]
fn a_kill_is_done_when_its_victim_has_ended_so_that_the_state_from_before_is_not_met_again() {
    let mut b = run(
        vec![on_failure(service("s"), 3), spec("t", Role::Test)],
        vec![step(is("s", "ready"), vec![StepAction::Kill(id("s"))]), step(is("s", "ready"), mark("back"))],
    );
    b.up("s");
    b.up("t");
    b.ready("s");
    assert_eq!(told(&b), ["1 started"]);
    assert!(b.has(|e| matches!(e, Effect::Signal { signal: Signal::KILL, .. })));
    b.ends("s", Exit::Signal(Signal::KILL));
    assert_eq!(told(&b), ["1 started", "1 done"]);
    assert!(b.events().any(|e| matches!(e, EventKind::Exited { asked: false, by: Some(Actor::Step(1)), .. })), "it did not end by itself");
    assert_eq!(marks(&b), [] as [String; 0]);
    b.pass(2000);
    b.up("s");
    b.ready("s");
    assert_eq!(marks(&b), ["back"]);
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(0), "what a step killed has not failed");
}

#[test]
fn a_service_that_a_step_killed_for_good_has_not_failed() {
    let mut b = run(
        vec![service("s"), spec("t", Role::Test)],
        vec![step(StepWhen::AtOnce, vec![StepAction::Start(id("s")), StepAction::Kill(id("s"))])],
    );
    b.up("t");
    b.up("s");
    b.ends("s", Exit::Signal(Signal::KILL));
    assert_eq!(told(&b), ["1 started", "1 done"]);
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(0));
}

#[test]
fn a_when_that_is_not_met_in_time_fails_the_run_and_the_rest_is_left_out() {
    let slow = StepSpec { timeout: Some(Duration::from_secs(5)), ..step(is("s", "ready"), mark("one")) };
    let mut b = run(vec![service("s"), spec("t", Role::Test)], vec![slow, step(StepWhen::AtOnce, mark("two"))]);
    b.up("s");
    b.up("t");
    b.pass(5000);
    assert_eq!(told(&b), ["1 failed: waited 5 s for s ready: it is starting", "2 skipped: step 1 failed"]);
    let outcome = b.verdict().expect("it is certain");
    assert_eq!((outcome.exit_code, outcome.reason.as_str()), (1, "step 1 failed: waited 5 s for s ready: it is starting"));
    b.obey();
    assert!(b.has(|e| matches!(e, Effect::FinalCensus)), "nobody waits for the test any more");
}

#[test]
fn what_cannot_be_carried_out_fails_the_run() {
    let mut b = run(
        vec![ProcessSpec { autostart: false, ..service("s") }, spec("t", Role::Test)],
        vec![step(after(100), vec![StepAction::Kill(id("s")), StepAction::Mark("never".into())])],
    );
    b.up("t");
    b.pass(100);
    assert_eq!(told(&b), ["1 started", "1 failed: s is not alive: it is pending"]);
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1));
    assert_eq!(marks(&b), [] as [String; 0]);
}

#[test]
fn a_step_that_waits_long_says_for_what_once() {
    let mut b = run(vec![service("s"), spec("t", Role::Test)], vec![step(is("s", "unhealthy"), mark("one"))]);
    b.up("s");
    b.up("t");
    b.pass(9999);
    assert_eq!(told(&b), [] as [String; 0]);
    b.pass(30_000);
    assert_eq!(told(&b), ["1 waiting: s unhealthy: it is starting"]);
}

#[test]
fn a_run_ends_without_the_steps_that_it_need_not_wait_for() {
    let mut b = run(vec![service("s"), spec("t", Role::Test)], vec![step(after(60_000), mark("late"))]);
    b.up("s");
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(told(&b), ["1 skipped: the run ended before it was done"]);
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(0));
}

#[test]
fn tests_that_only_time_keeps_from_running_again_are_waited_for() {
    let mut b =
        run(vec![spec("t", Role::Test)], vec![step(is("t", "completed"), mark("once")), step(after(1000), vec![StepAction::RerunTests])]);
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict(), None);
    b.pass(1000);
    assert_eq!(b.generation("t"), 2);
    b.up("t");
    b.ends("t", Exit::Code(1));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1), "its newest attempt counts");
}

#[test]
fn a_rerun_that_waits_for_what_may_never_come_is_not_waited_for() {
    let mut b = run(vec![spec("t", Role::Test)], vec![step(is("t", "failed"), vec![StepAction::RerunTests])]);
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(0));
    assert_eq!(told(&b), ["1 skipped: the run ended before it was done"]);
}

#[test]
fn a_run_without_tests_waits_for_what_a_step_will_start() {
    let mut b = run(
        vec![spec("a", Role::Task), ProcessSpec { autostart: false, ..spec("b", Role::Task) }],
        vec![step(after(1000), vec![StepAction::Start(id("b"))])],
    );
    b.up("a");
    b.ends("a", Exit::Code(0));
    assert_eq!(b.verdict(), None);
    b.pass(1000);
    b.up("b");
    assert_eq!(told(&b), ["1 started", "1 done"]);
    b.ends("b", Exit::Code(0));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(0));
}

#[test]
fn stops_restarts_and_pauses_are_waited_for() {
    let mut b = run(
        vec![service("s"), spec("t", Role::Test)],
        vec![step(
            is("s", "ready"),
            vec![
                StepAction::Restart(id("s")),
                StepAction::Stop(id("s")),
                StepAction::Wait(Duration::from_secs(1)),
                StepAction::Export(PathBuf::from("/x/y.tar.zst")),
                StepAction::Mark("end".into()),
            ],
        )],
    );
    b.up("s");
    b.up("t");
    b.ready("s");
    b.ends("s", Exit::Signal(Signal::TERM));
    assert_eq!(b.generation("s"), 2);
    b.up("s");
    assert_eq!(b.state("s").word(), "stopping");
    b.ends("s", Exit::Signal(Signal::TERM));
    assert_eq!(b.state("s").word(), "stopped");
    b.pass(999);
    assert!(!b.has(|e| matches!(e, Effect::Export { .. })));
    b.pass(1);
    let ticket = b.effects.iter().find_map(|e| if let Effect::Export { ticket, .. } = e { Some(*ticket) } else { None });
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict(), None, "an archive is not left half written");
    b.give(Input::Carried { ticket: ticket.expect("it is asked for"), result: Ok(()) });
    assert_eq!(told(&b), ["1 started", "1 done"]);
    assert_eq!(marks(&b), ["end"]);
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(0));
}

#[test]
fn a_rehearsal_carries_out_all_steps_and_its_verdict_is_theirs() {
    for (fails, code) in [(false, 0), (true, 1)] {
        let timeout = Some(Duration::from_secs(3));
        let second = if fails { StepSpec { timeout, ..step(says("s"), mark("b")) } } else { step(after(1000), mark("b")) };
        let steps = vec![step(is("t", "failed"), mark("a")), second, step(after(2000), mark("c"))];
        let mut b = scripted(vec![service("s"), spec("t", Role::Test)], steps, ScriptOptions { from_step: 0, rehearse: true });
        b.up("s");
        b.up("t");
        b.ends("t", Exit::Code(1));
        b.pass(6000);
        assert_eq!(marks(&b).last().map(String::as_str), Some("c"));
        b.obey();
        b.give(Input::FinalCensus { leaks: Vec::new() });
        assert_eq!(b.finished().map(|o| o.exit_code), Some(code), "{:?}", told(&b));
        assert_eq!(told(&b).iter().filter(|line| line.contains("failed")).count(), usize::from(fails));
    }
}

#[test]
fn steps_before_the_first_that_is_wanted_are_left_out() {
    let mut b = scripted(
        vec![spec("t", Role::Test)],
        vec![step(after(9000), mark("one")), step(StepWhen::AtOnce, mark("two"))],
        ScriptOptions { from_step: 2, rehearse: false },
    );
    b.up("t");
    assert_eq!(told(&b), ["1 skipped: left out by --from-step", "2 started", "2 done"]);
    assert_eq!(marks(&b), ["two"]);
}

#[test]
fn steps_can_be_held_hurried_and_repeated() {
    let steps = vec![step(StepWhen::AtOnce, mark("one")), step(after(1000), mark("two")), step(after(1000), mark("three"))];
    let mut b = Bench::scripted(&RunSpec { steps, ..run_of(vec![service("s")]) }, false, None, ScriptOptions::default());
    b.up("s");
    b.ask(Command::HoldSteps { held: true });
    b.pass(5000);
    assert_eq!(marks(&b), ["one"]);
    b.ask(Command::RunStep { step: None });
    assert_eq!(marks(&b), ["one", "two"]);
    b.ask(Command::RunStep { step: Some(1) });
    assert_eq!(marks(&b), ["one", "two", "one"]);
    b.pass(5000);
    b.ask(Command::HoldSteps { held: false });
    assert_eq!(marks(&b), ["one", "two", "one", "two"], "its time is over");
    b.pass(1000);
    assert_eq!(marks(&b).len(), 5);
    b.ask(Command::RunStep { step: None });
    assert_eq!(b.resolved(b.tickets), Some(Err("all 3 steps are over".into())));
    b.ask(Command::RunStep { step: Some(4) });
    assert_eq!(b.resolved(b.tickets), Some(Err("there are 3 steps".into())));
    assert!(b.events().all(|e| !matches!(e, EventKind::Step { stage: StepStage::Failed | StepStage::Skipped, .. })));
}

#[test]
fn the_time_of_a_hold_does_not_count_against_a_timeout() {
    let timeout = Some(Duration::from_secs(3));
    let steps = vec![StepSpec { timeout, ..step(says("s"), mark("one")) }, step(StepWhen::AtOnce, mark("two"))];
    let mut b = Bench::scripted(&RunSpec { steps, ..run_of(vec![service("s")]) }, false, None, ScriptOptions::default());
    b.up("s");
    b.pass(1000);
    b.ask(Command::HoldSteps { held: true });
    b.pass(60_000);
    b.ask(Command::HoldSteps { held: false });
    b.pass(2999);
    assert_eq!(told(&b), [] as [String; 0]);
    b.pass(1);
    assert!(told(&b)[0].starts_with("1 failed: waited 3 s for "), "{:?}", told(&b));
    assert_eq!(told(&b)[1..], ["2 skipped: step 1 failed"]);
}

#[test]
fn a_line_that_a_step_brings_about_counts_for_the_next_one_whoever_is_heard_first() {
    let mut b = run(
        vec![service("s"), service("proxy"), spec("t", Role::Test)],
        vec![
            step(is("s", "ready"), vec![StepAction::Kill(id("s"))]),
            step(says("proxy"), mark("refused")),
            step(says("proxy"), mark("again")),
        ],
    );
    for name in ["s", "proxy", "t"] {
        b.up(name);
    }
    b.give(Input::Said { step: 1 });
    b.ready("s");
    assert_eq!(told(&b), ["1 started"], "what was said before the kill is not of it");
    // The proxy is heard before the end of the victim is told.
    b.give(Input::Said { step: 1 });
    b.give(Input::Said { step: 2 });
    b.ends("s", Exit::Signal(Signal::KILL));
    assert_eq!(marks(&b), ["refused"], "one line is not two");
    b.give(Input::Said { step: 2 });
    assert_eq!(marks(&b), ["refused", "again"]);
}

#[test]
fn a_kill_by_its_signal_is_awaited_as_a_kill_is() {
    let kill = StepAction::Signal { process: id("s"), signal: Signal::KILL };
    let mut b = run(
        vec![on_failure(service("s"), 3), spec("t", Role::Test)],
        vec![step(is("s", "ready"), vec![kill]), step(is("s", "ready"), mark("back"))],
    );
    b.up("s");
    b.up("t");
    b.ready("s");
    assert_eq!(told(&b), ["1 started"]);
    b.ends("s", Exit::Signal(Signal::KILL));
    assert_eq!((told(&b), marks(&b)), (vec!["1 started".to_owned(), "1 done".into()], Vec::new()));
    b.pass(2000);
    b.up("s");
    b.ready("s");
    assert_eq!(marks(&b), ["back"]);
}

#[test]
fn a_stop_that_somebody_undoes_is_over_when_what_it_stopped_is_gone() {
    let mut b = run(
        vec![service("s"), spec("t", Role::Test)],
        vec![step(StepWhen::After(Duration::from_millis(100)), vec![StepAction::Stop(id("s"))]), step(StepWhen::AtOnce, mark("on"))],
    );
    b.up("s");
    b.up("t");
    b.ready("s");
    // Its leader has ended; what it said last is still being read when the step stops it, and somebody starts it again.
    let (process, generation) = (id("s"), 1);
    b.give(Input::LeaderExited { process: process.clone(), generation, exit: Exit::Code(0) });
    b.pass(100);
    assert_eq!(told(&b), ["1 started"]);
    b.ask(Command::Start { process: process.clone() });
    b.give(Input::TreeEmpty { process: process.clone(), generation });
    b.give(Input::Drained { process, generation, tail: Vec::new() });
    assert_eq!(b.generation("s"), 2);
    assert_eq!(marks(&b), ["on"], "{:?}", told(&b));
}

#[test]
fn a_rehearsal_from_a_later_step_counts_those_that_are_carried_out() {
    for (late, reason) in [(mark("two"), "1 step passed"), (vec![StepAction::Kill(id("idle"))], "1 of 1 step failed")] {
        let mut b = scripted(
            vec![service("s"), ProcessSpec { autostart: false, ..service("idle") }],
            vec![step(StepWhen::AtOnce, mark("one")), step(is("s", "ready"), late)],
            ScriptOptions { from_step: 2, rehearse: true },
        );
        b.up("s");
        b.ready("s");
        b.obey();
        b.give(Input::FinalCensus { leaks: Vec::new() });
        assert_eq!(b.finished().map(|o| o.reason.clone()).as_deref(), Some(reason), "{:?}", told(&b));
    }
}
