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
    let mut b = Bench::headless(vec![ProcessSpec { listens: vec![ListenPort::new("p", 20_001)], ..spec("up", Role::Service) }]);
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
        &ProcessState::Failed {
            reason: Failure::NeverReady {
                last: "connect 127.0.0.1:20001: refused".into(),
                awaited: "a listener of its own on port 20001".into(),
                after_ms: 30_000,
            }
        }
    );
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(3));
}

#[test]
fn what_attempts_meet_is_told_when_it_is_news() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    let meets = |b: &mut Bench, why: &str| {
        b.give(Input::Ready { process: id("up"), generation: 1, report: ReadyReport::NotYet { why: why.into() } });
    };
    // (ms that pass before, what is met)
    for (ms, why) in
        [(5, "refused"), (250, "refused"), (100, "refused"), (100, "HTTP 503"), (900, "HTTP 503"), (100, "refused at 12:01:07")]
    {
        b.pass(ms);
        meets(&mut b, why);
    }
    let told: Vec<_> = b.events().filter_map(|e| if let EventKind::NotReady { why, .. } = e { Some(why.as_str()) } else { None }).collect();
    assert_eq!(told, ["refused", "HTTP 503"], "not at once, not twice, and no more often than once a second");
    assert_eq!(b.row("up").trouble.as_deref(), Some("HTTP 503"));
    b.ready("up");
    assert_eq!(b.row("up").trouble.as_deref(), None);
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
