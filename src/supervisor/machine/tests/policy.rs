//! Restarts by policy.

use super::bench::*;

#[test]
fn p8_a_crash_loop_backs_off_exactly_then_gives_up() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 3)]);
    let mut starts = Vec::new();
    for _ in 0..4 {
        starts.push(b.now.millis());
        b.up("up");
        b.ends("up", Exit::Code(101));
        b.pass(match b.state("up") {
            ProcessState::Backoff { until, .. } => until.since(b.now).as_millis() as u64,
            _ => 0,
        });
    }
    assert_eq!(starts, [0, 1000, 3000, 7000]);
    assert_eq!(b.state("up"), &ProcessState::GaveUp { reason: Failure::Exited { exit: Exit::Code(101), by: None }, times: 4 });
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(3));
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::GaveUp { same_cause: true, .. }))));
}

#[test]
fn p29_a_stop_during_back_off_stops_at_once() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 3)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.state("up").word(), "backoff");
    b.ask(Command::Stop { process: id("up"), now: false });
    assert_eq!(b.state("up"), &ProcessState::Stopped { by: Actor::You, signal: None });
    assert_eq!(b.resolved(1), Some(Ok(())));
    b.pass(10_000);
    assert_eq!(b.spawned_names(), ["up"], "the back-off timer was cancelled");
}

#[test]
fn no_policy_restarts_anything_while_the_run_is_taken_down() {
    let run = || vec![on_failure(spec("up", Role::Service), 3), needs(spec("t", Role::Test), "up", Condition::Ready)];
    let started = || {
        let mut b = Bench::new(run());
        b.up("up");
        b.ready("up");
        b.up("t");
        b
    };
    // It dies while it waits for its turn to be stopped.
    let mut b = started();
    b.ask(Command::Shutdown { now: false });
    b.ends("up", Exit::Code(1));
    assert_ne!(b.state("up").word(), "backoff");
    b.obey();
    b.pass(60_000);
    assert_eq!((b.spawned_names(), b.finished().map(|o| o.exit_code)), (vec!["up".to_owned(), "t".to_owned()], Some(0)));
    // It was being stopped for a failure of its own.
    let mut up = on_failure(spec("up", Role::Service), 3);
    up.timeout = Some(Duration::from_secs(1));
    let mut b = Bench::new(vec![up]);
    b.up("up");
    b.pass(1000);
    assert_eq!(b.state("up").word(), "stopping");
    b.ask(Command::Shutdown { now: false });
    b.obey();
    b.pass(60_000);
    assert_eq!((b.spawned_names().len(), b.finished().map(|o| o.exit_code)), (1, Some(0)));
}
