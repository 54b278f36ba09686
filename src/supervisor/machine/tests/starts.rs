//! Dependencies, starting, readiness.

use super::bench::*;

#[test]
fn dependants_wait_for_their_condition_and_say_so() {
    let mut b = Bench::new(vec![spec("up", Role::Service), needs(spec("proxy", Role::Service), "up", Condition::Ready)]);
    assert_eq!(b.spawned_names(), ["up"]);
    assert_eq!(b.state("proxy"), &ProcessState::Pending { waits_for: vec!["up ready".into()] });
    b.up("up");
    assert_eq!(b.state("up").word(), "starting");
    assert_eq!(b.spawned_names(), ["up"]);
    b.ready("up");
    assert_eq!(b.spawned_names(), ["up", "proxy"]);
}

#[test]
fn h13_a_process_that_dies_before_it_is_ready_starts_no_dependant() {
    let mut b = Bench::headless(vec![spec("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.state("up").word(), "failed");
    assert_eq!(b.state("t"), &ProcessState::Skipped { because: "up failed".into() });
    b.obey();
    assert_eq!(b.verdict().map(|o| (o.verdict, o.exit_code)), Some((Verdict::Failed, 3)));
    // A late answer of the dead generation changes nothing.
    b.ready("up");
    assert_eq!(b.spawned_names(), ["up"]);
}

#[test]
fn p27_a_restart_while_a_dependency_is_pending_makes_one_instance() {
    let mut b = Bench::new(vec![spec("up", Role::Service), needs(spec("proxy", Role::Service), "up", Condition::Ready)]);
    b.ask(Command::Restart { process: id("proxy"), now: false });
    assert_eq!(b.state("proxy").word(), "pending");
    b.up("up");
    b.ready("up");
    assert_eq!(b.spawned_names(), ["up", "proxy"]);
}

#[test]
fn never_ready_names_what_the_last_attempt_met() {
    let mut b =
        Bench::headless(vec![ProcessSpec { listens: vec![ListenPort { name: "p".into(), port: 20_001 }], ..spec("up", Role::Service) }]);
    b.up("up");
    b.give(Input::Ready {
        process: id("up"),
        generation: 1,
        report: ReadyReport::NotYet { why: "connect 127.0.0.1:20001: refused".into() },
    });
    b.pass(30_000);
    b.obey();
    assert_eq!(
        b.state("up"),
        &ProcessState::Failed { reason: Failure::NeverReady { last: "connect 127.0.0.1:20001: refused".into(), after_ms: 30_000 } }
    );
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(3));
}

#[test]
fn h10_a_foreign_listener_is_never_ready() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.give(Input::Ready { process: id("up"), generation: 1, report: ReadyReport::Foreign { pid: 4242, port: 20_001 } });
    b.obey();
    assert_eq!(b.state("up"), &ProcessState::Failed { reason: Failure::ForeignListener { pid: 4242, port: 20_001 } });
}

#[test]
fn a_process_that_is_not_started_by_itself_starts_on_request() {
    let mut b = Bench::new(vec![ProcessSpec { autostart: false, ..spec("extra", Role::Service) }]);
    assert!(b.spawned_names().is_empty());
    b.ask(Command::Start { process: id("extra") });
    assert_eq!(b.spawned_names(), ["extra"]);
}

#[test]
fn a_dependency_that_comes_back_makes_skipped_ones_start() {
    let mut b = Bench::new(vec![spec("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.state("t").word(), "skipped");
    b.ask(Command::Start { process: id("up") });
    b.up("up");
    b.ready("up");
    assert_eq!(b.spawned_names(), ["up", "up", "t"]);
}

#[test]
fn a_service_that_completes_before_it_is_ready_has_not_failed_but_nothing_can_wait_for_it() {
    let mut b = Bench::headless(vec![spec("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    b.up("up");
    b.ends("up", Exit::Code(0));
    assert_eq!(b.state("up"), &ProcessState::Completed);
    assert_eq!(b.state("t"), &ProcessState::Skipped { because: "up completed before it was ready".into() });
    b.obey();
    let outcome = b.finished().expect("the test can never start");
    assert_eq!((outcome.exit_code, outcome.reason.as_str()), (3, "t skipped: up completed before it was ready"));
}

#[test]
fn h13_what_answers_and_ends_before_its_answer_is_confirmed_was_never_ready() {
    let mut b = Bench::new(vec![spec("up", Role::Service), needs(spec("proxy", Role::Service), "up", Condition::Ready)]);
    b.up("up");
    b.leader_exits("up", Exit::Code(1));
    // It had answered 1 ms before; that news is late.
    b.ready("up");
    b.drained("up");
    assert_eq!(b.state("up").word(), "failed");
    assert_eq!(b.state("proxy"), &ProcessState::Skipped { because: "up failed".into() });
    assert!(!b.events().any(|e| matches!(e, EventKind::Ready { .. })));
}

#[test]
fn h14_a_death_before_readiness_is_told_at_once_with_its_last_words() {
    let mut b = Bench::headless(vec![spec("up", Role::Service), needs(spec("t", Role::Test), "up", Condition::Ready)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.now, At::START, "nobody waits for the deadline of its readiness");
    let told = b.events().find_map(|e| match e {
        EventKind::Exited { tail, then: Then::Failed { fails_run: true }, asked: false, .. } => Some(tail.clone()),
        _ => None,
    });
    assert_eq!(told, Some(vec!["last words".to_owned()]));
    b.obey();
    assert_eq!(b.finished().map(|o| (o.exit_code, o.reason)), Some((3, "up exited with 1".into())));
}
