//! When a run is over, and how it ended.

use super::bench::*;

#[test]
fn a_run_passes_when_its_tests_do_and_services_are_taken_down_in_reverse() {
    let mut b = Bench::headless(vec![
        spec("up", Role::Service),
        needs(spec("proxy", Role::Service), "up", Condition::Ready),
        needs(spec("t", Role::Test), "proxy", Condition::Ready),
    ]);
    for name in ["up", "proxy"] {
        b.up(name);
        b.ready(name);
    }
    b.up("t");
    assert_eq!(b.state("t"), &ProcessState::Running);
    b.ends("t", Exit::Code(0));
    b.obey();
    let stops: Vec<_> =
        b.effects.iter().filter_map(|e| if let Effect::Signal { process, .. } = e { Some(process.to_string()) } else { None }).collect();
    assert_eq!(stops, ["proxy", "up"]);
    assert_eq!(b.verdict(), Some(Outcome::new(Verdict::Passed, 0, "1 test passed")));
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::RunEnded { stopped: 2, killed: 0, .. }))));
}

#[test]
fn a_failed_test_fails_the_run_at_once_but_the_others_finish() {
    let mut b = Bench::headless(vec![spec("a", Role::Test), spec("b", Role::Test)]);
    b.up("a");
    b.up("b");
    b.ends("a", Exit::Code(1));
    assert_eq!(b.verdict(), Some(Outcome::new(Verdict::Failed, 1, "a exited with 1")));
    assert!(!b.has(|e| matches!(e, Effect::FinalCensus)), "b still runs");
    b.ends("b", Exit::Code(0));
    b.obey();
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1));
}

#[test]
fn the_verdict_names_the_first_that_failed_not_the_first_of_the_file() {
    let mut b = Bench::headless(vec![spec("a", Role::Test), spec("b", Role::Test)]);
    b.up("a");
    b.up("b");
    b.ends("b", Exit::Code(2));
    b.pass(10);
    b.ends("a", Exit::Code(1));
    b.obey();
    assert_eq!(b.finished(), Some(Outcome::new(Verdict::Failed, 1, "b exited with 2")));
}

#[test]
fn a_test_skipped_for_a_failed_test_is_that_tests_failure() {
    let after = |name: &str, on: &str| needs(spec(name, Role::Test), on, Condition::Succeeded);
    let mut b = Bench::headless(vec![spec("t1", Role::Test), after("t2", "t1"), after("t3", "t2")]);
    b.up("t1");
    b.ends("t1", Exit::Code(1));
    b.obey();
    assert!(matches!(b.state("t3"), ProcessState::Skipped { .. }));
    assert_eq!(b.finished(), Some(Outcome::new(Verdict::Failed, 1, "t1 exited with 1")));
}

#[test]
fn a_signal_excuses_only_the_end_that_it_brings_about() {
    let killed_by = |sent: Signal, exit: Exit| {
        let mut b = Bench::new(vec![spec("up", Role::Service)]);
        b.up("up");
        b.ready("up");
        b.ask(Command::Signal { process: id("up"), signal: sent });
        b.ends("up", exit);
        matches!(b.state("up"), ProcessState::Failed { reason: Failure::Exited { by: Some(_), .. } })
    };
    assert!(killed_by(Signal::TERM, Exit::Signal(Signal::TERM)));
    assert!(killed_by(Signal::TERM, Exit::Code(143)));
    assert!(!killed_by(Signal::HUP, Exit::Signal(Signal(11))), "it crashed of its own");
    assert!(!killed_by(Signal::TERM, Exit::Code(129)));
    assert!(!killed_by(Signal::TERM, Exit::Code(1)));
}

#[test]
fn a_signal_from_outside_is_nobodys_fault_but_a_stopped_test_is() {
    let mut b = Bench::new(vec![spec("up", Role::Service), spec("t", Role::Test)]);
    b.up("up");
    b.ready("up");
    b.up("t");
    b.ask(Command::Signal { process: id("up"), signal: Signal::KILL });
    b.ends("up", Exit::Signal(Signal::KILL));
    assert_eq!(b.state("up"), &ProcessState::Failed { reason: Failure::Exited { exit: Exit::Signal(Signal::KILL), by: Some(Actor::You) } });
    assert_eq!(b.verdict(), None);
    b.ask(Command::Stop { process: id("t"), now: false });
    let generation = 1;
    b.give(Input::LeaderExited { process: id("t"), generation, exit: Exit::Signal(Signal::TERM) });
    b.give(Input::TreeEmpty { process: id("t"), generation });
    b.give(Input::Drained { process: id("t"), generation, tail: Vec::new() });
    assert_eq!(b.verdict().map(|o| (o.exit_code, o.reason)), Some((1, "t stopped by you".into())));
}

#[test]
fn a_rerun_makes_the_verdict_open_again() {
    let mut b = Bench::new(vec![spec("t", Role::Test)]);
    b.up("t");
    b.ends("t", Exit::Code(1));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1));
    b.ask(Command::RerunTests);
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict().map(|o| o.verdict), Some(Verdict::Passed));
}

#[test]
fn quitting_with_nothing_failed_is_a_stop_and_a_signal_has_its_own_code() {
    for (by, verdict, code) in [
        (Actor::You, Verdict::Stopped, 0),
        (Actor::Signal(Signal::INT), Verdict::Stopped, 130),
        (Actor::Signal(Signal::TERM), Verdict::Stopped, 143),
    ] {
        let mut b = Bench::new(vec![spec("up", Role::Service), spec("t", Role::Test)]);
        b.up("up");
        b.up("t");
        b.ask_by(Command::Shutdown { now: false }, by);
        b.obey();
        assert_eq!(b.verdict().map(|o| (o.verdict, o.exit_code)), Some((verdict, code)));
    }
}

#[test]
fn a_run_that_has_ended_is_not_opened_again_by_another_shutdown() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ready("up");
    b.ask(Command::Shutdown { now: false });
    b.obey();
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::RunEnded { .. }))));
    b.ask(Command::Shutdown { now: true });
    assert!(!b.has(|e| matches!(e, Effect::Emit(EventKind::StoppingRun { now: true, .. }))));
}

#[test]
fn a_headless_run_times_out_with_4_and_a_dashboard_only_says_so() {
    let timeout = Some(Duration::from_secs(2));
    let mut b = Bench::with(vec![spec("t", Role::Test)], true, timeout);
    b.up("t");
    b.pass(2000);
    b.obey();
    assert_eq!(b.verdict().map(|o| (o.verdict, o.exit_code)), Some((Verdict::TimedOut, 4)));
    let mut b = Bench::with(vec![spec("t", Role::Test)], false, timeout);
    b.up("t");
    b.pass(2000);
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::Notice { .. }))));
    assert_eq!(b.state("t"), &ProcessState::Running);
}

#[test]
fn s6_a_lost_guardian_ends_the_run_with_3() {
    let mut b = Bench::new(vec![spec("up", Role::Service), spec("t", Role::Test)]);
    b.up("up");
    b.up("t");
    b.give(Input::SpawnerLost { why: "killed by SIGKILL".into() });
    b.obey();
    assert_eq!(b.verdict(), Some(Outcome::new(Verdict::Failed, 3, "guardian lost")));
}

#[test]
fn a_test_that_somebody_stops_before_it_runs_has_failed() {
    // While it waits.
    let mut b = Bench::new(vec![spec("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    b.ask(Command::Stop { process: id("t"), now: false });
    assert_eq!(b.verdict().map(|o| (o.exit_code, o.reason)), Some((1, "t stopped by you".into())));
    // While it backs off.
    let mut b = Bench::new(vec![on_failure(spec("t", Role::Test), 3)]);
    b.up("t");
    b.ends("t", Exit::Code(1));
    b.ask_by(Command::Stop { process: id("t"), now: false }, Actor::Step(2));
    assert_eq!(b.verdict().map(|o| (o.exit_code, o.reason)), Some((1, "t stopped by step 2".into())));
}

#[test]
fn a_new_attempt_by_hand_makes_the_verdict_open_again() {
    for by_restart in [true, false] {
        let restart = Command::Restart { process: id("t"), now: false };
        let command = || if by_restart { restart.clone() } else { Command::Start { process: id("t") } };
        for (first, second, code) in [(0, 1, 1), (1, 0, 0)] {
            let mut b = Bench::new(vec![spec("t", Role::Test)]);
            b.up("t");
            b.ends("t", Exit::Code(first));
            assert!(b.shown().is_some());
            b.ask(command());
            assert_eq!(b.shown(), None, "nothing is certain while the new attempt runs");
            b.up("t");
            b.ends("t", Exit::Code(second));
            assert_eq!(b.shown().map(|o| o.exit_code), Some(code));
            b.ask(Command::Shutdown { now: false });
            b.obey();
            assert_eq!(b.finished().map(|o| o.exit_code), Some(code));
        }
    }
}

#[test]
fn a_service_put_right_by_hand_has_not_failed_any_more() {
    let mut b = Bench::new(vec![spec("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.shown().map(|o| o.exit_code), Some(3));
    b.ask(Command::Start { process: id("up") });
    assert_eq!(b.shown(), None);
    b.up("up");
    b.ready("up");
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(b.shown().map(|o| o.exit_code), Some(0));
    // Once all tests have ended, what a service does changes nothing.
    b.ends("up", Exit::Code(1));
    b.ask(Command::Restart { process: id("up"), now: false });
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.shown().map(|o| o.exit_code), Some(0));
}

#[test]
fn what_is_not_started_by_itself_and_what_waits_for_it_hold_up_no_headless_run() {
    let by_hand = |name, role| ProcessSpec { autostart: false, ..spec(name, role) };
    // A test that nobody will start has no part in the verdict.
    let mut b = Bench::headless(vec![spec("t", Role::Test), by_hand("manual", Role::Test)]);
    b.up("t");
    b.ends("t", Exit::Code(0));
    b.obey();
    assert_eq!(b.finished(), Some(Outcome::new(Verdict::Passed, 0, "1 test passed")));
    // What waits for something that nobody will start is skipped, and that is on record as the failure that it is.
    let mut b = Bench::headless(vec![by_hand("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    assert_eq!(b.state("t"), &ProcessState::Skipped { because: "up is not started by itself".into() });
    assert!(b.events().any(|e| matches!(e, EventKind::Failed { reason: Failure::Dependency { .. }, fatal: true, .. })));
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(3));
    // In the dashboard somebody can.
    let mut b = Bench::new(vec![by_hand("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    assert_eq!(b.state("up"), &ProcessState::Pending { waits_for: vec!["a start by hand".into()] });
    assert_eq!(b.state("t"), &ProcessState::Pending { waits_for: vec!["up ready".into()] });
    b.ask(Command::Start { process: id("up") });
    b.up("up");
    b.ready("up");
    assert_eq!(b.spawned_names(), ["up", "t"]);
}

/// How the events say that something makes the run fail.
fn fatal(b: &Bench) -> Vec<bool> {
    b.events()
        .filter_map(|e| match e {
            EventKind::Failed { fatal, .. } | EventKind::GaveUp { fatal, .. } => Some(*fatal),
            EventKind::Exited { then: Then::Failed { fails_run }, .. } => Some(*fails_run),
            _ => None,
        })
        .collect()
}

#[test]
fn events_say_what_makes_the_run_fail_and_only_that() {
    let run = |up| vec![up, spec("t", Role::Test)];
    // Never ready, without a policy: that is it.
    let mut b = Bench::new(run(spec("up", Role::Service)));
    b.up("up");
    b.pass(30_000);
    assert_eq!(fatal(&b), [true]);
    // With one, it is tried again; when that is exhausted, that is it.
    let mut b = Bench::new(run(on_failure(spec("up", Role::Service), 1)));
    b.up("up");
    b.pass(30_000);
    assert_eq!(fatal(&b), [false]);
    b.obey();
    b.pass(1_000);
    b.up("up");
    b.pass(30_000);
    b.obey();
    assert_eq!(fatal(&b), [false, true, true]);
    // A service that crashes.
    let mut b = Bench::new(run(spec("up", Role::Service)));
    b.up("up");
    b.ends("up", Exit::Code(3));
    assert_eq!(fatal(&b), [true]);
    // Somebody killed it: nobody's fault.
    let mut b = Bench::new(run(spec("up", Role::Service)));
    b.up("up");
    b.ask(Command::Signal { process: id("up"), signal: Signal::KILL });
    b.ends("up", Exit::Signal(Signal::KILL));
    assert_eq!(fatal(&b), [false]);
    // The verdict is certain already.
    let mut b = Bench::new(run(spec("up", Role::Service)));
    b.up("up");
    b.ready("up");
    b.up("t");
    b.ends("t", Exit::Code(0));
    b.ends("up", Exit::Code(3));
    assert_eq!((fatal(&b), b.shown().map(|o| o.exit_code)), (vec![false], Some(0)));
}

#[test]
fn a_guardian_lost_during_the_last_clean_up_counts_and_the_run_ends() {
    let mut b = Bench::headless(vec![spec("t", Role::Test)]);
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert!(b.has(|e| matches!(e, Effect::FinalCensus)));
    b.give(Input::SpawnerLost { why: "killed by SIGKILL".into() });
    b.pass(60_000);
    assert_eq!(b.finished(), Some(Outcome::new(Verdict::Failed, 3, "guardian lost")));
}
