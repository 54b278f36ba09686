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

/// What a crash (or a clean exit) every `up` leads to, until the policy has enough: the delays in milliseconds.
fn delays(b: &mut Bench, exit: Exit, up: Duration) -> Vec<u128> {
    let mut delays = Vec::new();
    for _ in 0..30 {
        b.up("up");
        b.pass(u64::try_from(up.as_millis()).expect("a test's lives are short"));
        b.ends("up", exit);
        let ProcessState::Backoff { until, .. } = b.state("up") else { break };
        let delay = until.since(b.now);
        delays.push(delay.as_millis());
        b.pass(u64::try_from(delay.as_micros().div_ceil(1000)).expect("a test's delays are short"));
    }
    delays
}

fn always(spec: ProcessSpec) -> ProcessSpec {
    ProcessSpec { restart: RestartPolicy { mode: RestartMode::Always, ..RestartPolicy::default() }, ..spec }
}

#[test]
fn p6_exit_0_under_always_is_restarted_within_its_limit_then_it_gives_up() {
    let mut b = Bench::new(vec![always(spec("up", Role::Service))]);
    assert_eq!(delays(&mut b, Exit::Code(0), Duration::from_millis(10)), [1000; 9], "the tenth exit within a minute is enough");
    assert_eq!(b.state("up"), &ProcessState::GaveUp { reason: Failure::Exited { exit: Exit::Code(0), by: None }, times: 10 });
    assert_eq!(b.shown().map(|o| o.exit_code), Some(3));
    // Whoever lives long enough between two exits may end for ever.
    let mut b = Bench::new(vec![always(spec("up", Role::Service))]);
    assert_eq!(delays(&mut b, Exit::Code(0), Duration::from_secs(7)).len(), 30);
}

#[test]
fn p7_exit_0_under_on_failure_is_completed() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 3)]);
    assert_eq!(delays(&mut b, Exit::Code(0), Duration::ZERO), [0; 0]);
    assert_eq!(b.state("up"), &ProcessState::Completed);
    assert_eq!(b.shown().map(|o| o.exit_code), Some(0));
}

#[test]
fn p8_giving_up_tells_the_last_exit_the_last_words_and_whether_the_cause_was_the_same() {
    for (words, same) in [(["port 4001 taken", "port 4002 taken"], true), (["port 4001 taken", "out of memory"], false)] {
        let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 1)]);
        for words in words {
            b.up("up");
            b.leader_exits("up", Exit::Code(101));
            b.tree_empty("up");
            b.give(Input::Drained { process: id("up"), generation: b.generation("up"), tail: vec![words.into()] });
            b.pass(1000);
        }
        let row = b.row("up");
        assert_eq!(row.state, ProcessState::GaveUp { reason: Failure::Exited { exit: Exit::Code(101), by: None }, times: 2 });
        assert_eq!(row.same_cause, same);
        let last = row.exits.last().expect("it has ended");
        assert_eq!((last.exit, last.tail.as_slice(), last.same_cause), (Exit::Code(101), [words[1].to_owned()].as_slice(), same));
        b.ask(Command::Start { process: id("up") });
        b.up("up");
        assert!(!b.row("up").same_cause, "a new start has not given up");
    }
}

#[test]
fn the_same_seed_draws_the_same_jitter_within_its_share() {
    let run = || {
        let mut up = on_failure(spec("up", Role::Service), 5);
        up.restart.jitter = 0.5;
        let mut b = Bench::new(vec![up]);
        delays(&mut b, Exit::Code(1), Duration::ZERO)
    };
    let (first, second) = (run(), run());
    assert_eq!(first, second);
    for (n, delay) in first.iter().enumerate() {
        let plain = 1000 << n;
        assert!((plain..=plain * 3 / 2).contains(delay), "{first:?}");
    }
    assert!(first.iter().enumerate().any(|(n, delay)| *delay != 1000 << n), "{first:?}");
}

#[test]
fn k3_zero_and_endless_durations_saturate() {
    for extreme in [Duration::ZERO, Duration::MAX] {
        let all = |role| {
            let mut p = on_failure(spec("up", role), 3);
            p.restart = RestartPolicy { backoff: extreme, max_backoff: extreme, reset_after: extreme, delay: extreme, ..p.restart };
            p.ready.timeout = extreme;
            p.timeout = Some(extreme);
            p.stop.grace = extreme;
            p.health = Some(HealthSpec { start_period: extreme, interval: extreme, timeout: extreme, ..health() });
            p
        };
        for role in [Role::Service, Role::Task, Role::Test] {
            let mut b = Bench::with(vec![all(role)], true, Some(Duration::MAX));
            b.up("up");
            b.pass(1);
            b.ready("up");
            b.probe("up", false);
            b.ends("up", Exit::Code(1));
            b.pass(1);
            b.ask(Command::Start { process: id("up") });
            b.up("up");
            b.ask(Command::Shutdown { now: false });
            b.pass(1);
            b.obey();
            assert!(b.finished().is_some(), "{role:?} with {extreme:?}");
        }
    }
}
