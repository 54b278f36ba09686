//! Health: thresholds, and what being unhealthy leads to.

use super::bench::*;

#[test]
fn h12_answers_about_an_older_generation_are_ignored() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ready("up");
    b.ask(Command::Restart { process: id("up"), now: false });
    b.obey();
    b.up("up");
    let report = ReadyReport::Yes { answered: b.now, evidence: String::new(), port: None };
    b.give(Input::Ready { process: id("up"), generation: 1, report });
    assert_eq!(b.state("up").word(), "starting");
}

#[test]
fn h8_health_needs_its_failures_in_a_row_and_its_successes() {
    let health = HealthSpec { failures: 3, successes: 2, ..health() };
    let mut b = Bench::new(vec![ProcessSpec { health: Some(health), ..spec("up", Role::Service) }]);
    b.up("up");
    b.ready("up");
    let probe = |b: &mut Bench, ok: bool| {
        b.probe("up", ok);
        b.state("up").word()
    };
    let words: Vec<_> = [true, false, true, false, false, false, true, true].into_iter().map(|ok| probe(&mut b, ok)).collect();
    assert_eq!(words, ["ready", "ready", "ready", "ready", "ready", "unhealthy", "unhealthy", "ready"]);
}

/// A service whose health needs `failures` and `successes` in a row, up and ready.
fn checked(failures: u32, successes: u32, policy: Option<u32>) -> Bench {
    let up = ProcessSpec { health: Some(HealthSpec { failures, successes, ..health() }), ..spec("up", Role::Service) };
    let mut b = Bench::new(vec![policy.map_or_else(|| up.clone(), |attempts| on_failure(up.clone(), attempts))]);
    b.up("up");
    b.ready("up");
    b
}

#[test]
fn h8_flapping_below_the_threshold_restarts_nothing() {
    let mut b = checked(3, 1, Some(3));
    for n in 0..1000 {
        b.pass(5_000);
        b.probe("up", n % 2 == 0);
    }
    assert_eq!((b.state("up"), b.spawned_names().len()), (&ProcessState::Ready, 1));
    assert_eq!(b.row("up").probes.len(), crate::model::RECENT_PROBES, "the row keeps the last of them");
}

#[test]
fn thresholds_hold_both_ways_and_more_failures_than_it_takes_are_no_news() {
    let mut b = checked(2, 3, None);
    let mut states = Vec::new();
    for ok in [false, false, false, false, true, true, false, true, true, true] {
        b.probe("up", ok);
        states.push(b.row("up").health.word());
    }
    let unhealthy = "unhealthy";
    assert_eq!(states[..2], ["unknown", unhealthy]);
    assert_eq!(states[2..9], [unhealthy; 7]);
    assert_eq!(states[9], "healthy");
    let told = b.events().filter(|e| matches!(e, EventKind::StateChanged { state: ProcessState::Unhealthy { .. }, .. })).count();
    assert_eq!(told, 1);
}

#[test]
fn a_slow_or_degraded_answer_is_well_enough_but_told() {
    let mut b = checked(1, 1, Some(3));
    b.probe_says("up", ProbeOutcome::Degraded { why: "900 ms".into() });
    assert_eq!((b.state("up"), b.row("up").health), (&ProcessState::Ready, Health::Degraded));
    // From unhealthy, too, it is a way back.
    let mut b = checked(1, 1, None);
    b.probe("up", false);
    assert_eq!(b.state("up").word(), "unhealthy");
    b.probe_says("up", ProbeOutcome::Degraded { why: "HTTP 429".into() });
    assert_eq!((b.state("up"), b.row("up").health), (&ProcessState::Ready, Health::Degraded));
    b.probe("up", true);
    assert_eq!(b.row("up").health, Health::Healthy);
}

#[test]
fn failures_in_the_start_period_do_not_count_but_an_answer_does() {
    let check = HealthSpec { start_period: Duration::from_secs(10), ..health() };
    let mut b = Bench::new(vec![ProcessSpec { health: Some(check), ..spec("up", Role::Service) }]);
    b.up("up");
    b.ready("up");
    b.probe("up", false);
    assert_eq!((b.state("up").word(), b.row("up").health), ("ready", Health::Unknown));
    b.probe("up", true);
    assert_eq!(b.row("up").health, Health::Healthy);
    b.pass(10_000);
    b.probe("up", false);
    assert_eq!(b.state("up").word(), "unhealthy");
}

#[test]
fn h12_a_probe_of_an_older_generation_is_ignored() {
    let mut b = checked(1, 1, None);
    b.ask(Command::Restart { process: id("up"), now: false });
    b.obey();
    b.up("up");
    b.ready("up");
    let record = ProbeRecord { at: b.now, took: Duration::ZERO, outcome: ProbeOutcome::Failed { short: "x".into(), why: "x".into() } };
    let said = b.give(Input::Probed { process: id("up"), generation: 1, record });
    assert_eq!(said, []);
    assert_eq!((b.state("up"), b.row("up").health), (&ProcessState::Ready, Health::Unknown));
}

#[test]
fn h16_a_failing_probe_restarts_by_policy_until_that_is_exhausted() {
    let mut b = checked(2, 1, Some(1));
    for _ in 0..2 {
        b.probe("up", false);
        b.probe("up", false);
        assert_eq!(b.state("up").word(), "stopping");
        b.obey();
        b.pass(1_000);
        b.up("up");
        b.ready("up");
    }
    assert_eq!(b.spawned_names(), ["up", "up"]);
    assert_eq!(b.state("up"), &ProcessState::GaveUp { reason: Failure::Unhealthy { last: "HTTP 503".into() }, times: 2 });
    assert_eq!(b.shown().map(|o| o.exit_code), Some(3));
}

#[test]
fn unhealthy_without_a_policy_is_a_state_and_no_failure() {
    let mut b = checked(1, 1, None);
    b.probe("up", false);
    assert_eq!(b.state("up"), &ProcessState::Unhealthy { failed: 1, of: 1 });
    assert_eq!(b.shown(), None);
}

/// How often probes were begun and ended.
fn watches(b: &Bench) -> (usize, usize) {
    let count = |wanted: fn(&Effect) -> bool| b.effects.iter().filter(|e| wanted(e)).count();
    (count(|e| matches!(e, Effect::WatchHealth { .. })), count(|e| matches!(e, Effect::EndProbes { .. })))
}

#[test]
fn health_is_asked_for_from_readiness_on() {
    let mut b = Bench::new(vec![ProcessSpec { health: Some(health()), ..spec("up", Role::Service) }]);
    b.up("up");
    assert_eq!(watches(&b), (0, 0));
    b.ready("up");
    assert_eq!(watches(&b), (1, 0));
    b.leader_exits("up", Exit::Code(0));
    assert_eq!(watches(&b), (1, 1));
}

#[test]
fn a_lazy_check_asks_only_while_somebody_looks_or_waits() {
    let lazy = || ProcessSpec { health: Some(HealthSpec { lazy: true, ..health() }), ..spec("up", Role::Service) };
    let mut b = Bench::new(vec![lazy()]);
    b.up("up");
    b.ready("up");
    assert_eq!(watches(&b), (0, 0));
    b.give(Input::Observed { looking: true });
    assert_eq!(watches(&b), (1, 0));
    b.give(Input::Observed { looking: false });
    assert_eq!(watches(&b), (1, 1));
    let mut b = Bench::new(vec![lazy(), needs(spec("t", Role::Test), "up", Condition::Healthy)]);
    b.up("up");
    b.ready("up");
    assert_eq!(watches(&b), (1, 0), "the test waits for it");
    b.probe("up", true);
    assert_eq!((watches(&b), b.spawned_names()), ((1, 1), vec!["up".to_owned(), "t".to_owned()]));
}

fn hold(b: &mut Bench, held: bool) {
    b.ask(Command::Hold { process: id("up"), held });
}

#[test]
fn nothing_acts_on_a_process_that_is_held() {
    let mut up = ProcessSpec { health: Some(health()), timeout: Some(Duration::from_secs(50)), ..on_failure(spec("up", Role::Service), 3) };
    up.ready.timeout = Duration::from_secs(10);
    let mut b = Bench::new(vec![up]);
    b.up("up");
    hold(&mut b, true);
    assert!(b.row("up").held);
    b.pass(100_000);
    assert_eq!(b.state("up").word(), "starting", "it may take as long as it wants");
    b.ready("up");
    assert_eq!(watches(&b), (0, 0));
    b.probe("up", false);
    assert_eq!(b.state("up"), &ProcessState::Ready);
    // Its end is its end; nobody restarts it, and nobody says that it has failed.
    b.ends("up", Exit::Code(1));
    assert_eq!(b.state("up"), &ProcessState::Stopped { by: Actor::You, signal: None });
    assert_ne!(b.shown().map(|o| o.verdict), Some(Verdict::Failed));
    b.ask(Command::Start { process: id("up") });
    b.up("up");
    b.ready("up");
    // Released, it is as before, with its time counted from now.
    hold(&mut b, false);
    assert_eq!((b.row("up").held, watches(&b).0), (false, 1));
    b.pass(49_999);
    assert_eq!(b.state("up"), &ProcessState::Ready);
    b.pass(1);
    assert_eq!(b.state("up").word(), "stopping");
}

#[test]
fn a_hold_ends_a_back_off_and_a_release_gives_a_start_its_whole_time_again() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 3)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    hold(&mut b, true);
    assert_eq!(b.state("up").word(), "stopped");
    b.ask(Command::Start { process: id("up") });
    b.up("up");
    b.pass(60_000);
    hold(&mut b, false);
    assert_eq!(b.state("up"), &ProcessState::Starting { since: At::START, deadline: b.now + Duration::from_secs(30) });
    b.pass(30_000);
    assert_eq!(b.state("up").word(), "stopping");
}
