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
    let health = HealthSpec {
        probe: Probe::Tcp { addr: "127.0.0.1:1".into() },
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        start_period: Duration::ZERO,
        failures: 3,
        successes: 2,
        degraded_after: None,
        degraded: Vec::new(),
        on_unhealthy: crate::model::OnUnhealthy::Restart,
        lazy: false,
    };
    let mut b = Bench::new(vec![ProcessSpec { health: Some(health), ..spec("up", Role::Service) }]);
    b.up("up");
    b.ready("up");
    let probe = |b: &mut Bench, ok: bool| {
        let outcome = if ok { ProbeOutcome::Ok } else { ProbeOutcome::Failed { short: "503".into(), why: "HTTP 503".into() } };
        let record = ProbeRecord { at: b.now, took: Duration::from_millis(1), outcome };
        b.give(Input::Probed { process: id("up"), generation: 1, record });
        b.state("up").word()
    };
    let words: Vec<_> = [true, false, true, false, false, false, true, true].into_iter().map(|ok| probe(&mut b, ok)).collect();
    assert_eq!(words, ["ready", "ready", "ready", "ready", "ready", "unhealthy", "unhealthy", "ready"]);
}
