//! Suspensions: what is counted in time moves by the time that stood still.

use super::bench::*;

/// Everything stands still for so long; timers are moved as the runtime moves them.
fn stand_still(b: &mut Bench, ms: u64) {
    stand_still_while(b, ms, |_| {});
}

/// The same, and `happens` is told before it is over: for the machine that is when it began.
fn stand_still_while(b: &mut Bench, ms: u64, happens: impl FnOnce(&mut Bench)) {
    happens(b);
    let span = Duration::from_millis(ms);
    b.now = b.now + span;
    b.timers.iter_mut().for_each(|(at, _)| *at = *at + span);
    b.give(Input::StoodStill { span });
}

#[test]
fn t5_k2_every_deadline_moves_and_is_told() {
    // Readiness.
    let mut b = Bench::new(vec![spec("p", Role::Service)]);
    b.up("p");
    b.pass(29_000);
    stand_still(&mut b, 100_000);
    assert_eq!(b.state("p"), &ProcessState::Starting { since: At::START, deadline: At(130_000_000) });
    b.pass(999);
    assert_eq!(b.state("p").word(), "starting");
    b.pass(1);
    assert_eq!(b.state("p").word(), "stopping");
    // Grace.
    let until = b.now + Duration::from_secs(10);
    b.pass(4_000);
    stand_still(&mut b, 60_000);
    assert_eq!(b.state("p"), &ProcessState::Stopping { kill_at: until + Duration::from_mins(1), by: Actor::Supervisor });
    b.pass(5_999);
    assert!(!b.has(|e| matches!(e, Effect::Kill { .. })), "its grace is whole");
    b.pass(1);
    assert!(b.has(|e| matches!(e, Effect::Kill { .. })));
}

#[test]
fn t5_k2_a_back_off_and_the_window_of_a_policy_move() {
    let mut b = Bench::new(vec![on_failure(spec("p", Role::Service), 3)]);
    b.up("p");
    b.ends("p", Exit::Code(1));
    stand_still(&mut b, 50_000);
    assert!(matches!(b.state("p"), ProcessState::Backoff { until, .. } if *until == At(51_000_000)), "{:?}", b.state("p"));
    b.pass(999);
    assert_eq!(b.spawned_names().len(), 1);
    b.pass(1);
    assert_eq!(b.spawned_names().len(), 2);
    // It lived for a moment, however long it stood still: that is no reason to count anew.
    for _ in 0..3 {
        b.up("p");
        stand_still(&mut b, 3_600_000);
        b.ends("p", Exit::Code(1));
        b.pass(30_000);
    }
    assert_eq!(b.state("p").word(), "gave-up");
}

#[test]
fn t5_k2_a_longest_life_and_a_timeout_of_the_run_are_those_of_a_run_that_goes_on() {
    let run = run_of(vec![ProcessSpec { timeout: Some(Duration::from_secs(5)), ..spec("p", Role::Task) }]);
    let mut b = Bench::of(&run, true, Some(Duration::from_mins(1)));
    b.up("p");
    b.pass(4_000);
    stand_still(&mut b, 1_000_000);
    b.pass(999);
    assert_eq!(b.state("p").word(), "running");
    assert!(!b.has(|e| matches!(e, Effect::Emit(EventKind::StoppingRun { .. }))));
    b.pass(1);
    assert_eq!(b.state("p").word(), "stopping");
}

#[test]
fn t5_k2_what_ends_meanwhile_lived_until_then_and_backs_off_from_the_end_of_it() {
    let mut b = Bench::new(vec![on_failure(spec("p", Role::Service), 1)]);
    b.up("p");
    b.ends("p", Exit::Code(1));
    b.pass(1000);
    b.up("p");
    // Killed in the shell. It lived for a moment, and its one restart is used.
    stand_still_while(&mut b, 3_600_000, |b| b.ends("p", Exit::Signal(Signal::KILL)));
    assert_eq!(b.state("p").word(), "gave-up");

    let mut b = Bench::new(vec![on_failure(spec("p", Role::Service), 1)]);
    b.up("p");
    stand_still_while(&mut b, 600_000, |b| b.ends("p", Exit::Signal(Signal::KILL)));
    assert!(matches!(b.state("p"), ProcessState::Backoff { until, .. } if *until == b.now + Duration::from_secs(1)), "{:?}", b.state("p"));
    b.pass(1000);
    assert_eq!(b.spawned_names().len(), 2);
}

#[test]
fn t5_k2_how_long_it_lived_is_the_same_if_its_last_words_are_read_after_it() {
    let mut b = Bench::new(vec![on_failure(spec("p", Role::Task), 1)]);
    b.up("p");
    b.ends("p", Exit::Code(1));
    b.pass(1000);
    b.up("p");
    b.pass(61_000);
    b.leader_exits("p", Exit::Code(1));
    stand_still(&mut b, 3_600_000);
    b.drained("p");
    let lived = b.events().filter_map(|e| if let EventKind::Exited { up, .. } = e { Some(*up) } else { None }).last();
    assert_eq!(lived, Some(Duration::from_secs(61)));
    assert_eq!(b.state("p").word(), "backoff", "it lived long enough to count anew");
}
