//! What is expected of logs, and how it becomes part of the verdict.

use super::{super::expect::Seen, bench::*};
use crate::model::{Bound, Comparison, Expectation, Expected, Standing, Statistic, StepAction, StepSpec, StepWhen};

fn pattern() -> regex::Regex {
    regex::Regex::new("x").expect("a pattern")
}

fn bound(comparison: Comparison, value: f64, unit: &str) -> Bound {
    Bound { comparison, value, unit: unit.into() }
}

fn must_see(count: Bound) -> Expected {
    Expected::MustSee { pattern: pattern(), count }
}

fn must_not_see() -> Expected {
    Expected::MustNotSee { pattern: pattern() }
}

/// A headless run of a service `up` and a test `t`, both up, with expectations of the service's log.
fn run(expected: Vec<(Expected, Option<u64>)>) -> Bench {
    let mut spec = run_of(vec![spec("up", Role::Service), spec("t", Role::Test)]);
    let expectation =
        |(what, within): (Expected, Option<u64>)| Expectation { process: id("up"), what, within: within.map(Duration::from_millis) };
    spec.expectations = expected.into_iter().map(expectation).collect();
    let mut bench = Bench::of(&spec, true, None);
    bench.up("up");
    bench.ready("up");
    bench.up("t");
    bench
}

impl Bench {
    fn sees(&mut self, expectation: usize, lines: u64) {
        let first = Some(("out", 7, "GET 502".to_owned()));
        self.give(Input::Seen { expectation, seen: Seen { lines, numbers: Vec::new(), first } });
    }

    fn measures(&mut self, expectation: usize, millis: &[f64]) {
        let numbers: Vec<_> = millis.iter().map(|ms| ms * 1e6).collect();
        self.give(Input::Seen { expectation, seen: Seen { lines: millis.len() as u64, numbers, first: Some(("out", 1, String::new())) } });
    }

    fn flushes(&self) -> usize {
        self.effects.iter().filter(|e| matches!(e, Effect::FlushOutput)).count()
    }

    /// Every order to read the pipes is carried out at once.
    fn pass_and_flush(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            let before = self.flushes();
            self.pass(10);
            for _ in before..self.flushes() {
                self.give(Input::Flushed);
            }
        }
    }

    fn standing(&self, index: u32) -> Option<(Standing, String)> {
        let told = self.events().filter_map(|e| match e {
            EventKind::Expected { expectation, standing, detail, .. } if *expectation == index => Some((*standing, detail.clone())),
            _ => None,
        });
        told.last()
    }
}

#[test]
fn a_window_opens_when_its_process_first_starts_however_late_that_is() {
    let mut spec = run_of(vec![spec("up", Role::Service), spec("t", Role::Test)]);
    let within = Some(Duration::from_secs(1));
    spec.expectations = vec![Expectation { process: id("up"), what: must_not_see(), within }];
    let mut b = Bench::of(&spec, true, None);
    // Asked for at once, but forking takes its time.
    b.pass_and_flush(3000);
    b.up("up");
    b.ready("up");
    b.up("t");
    b.pass_and_flush(500);
    b.sees(0, 1);
    b.ends("t", Exit::Code(0));
    b.obey();
    assert_eq!(b.finished().map(|outcome| outcome.exit_code), Some(1));
}

#[test]
fn what_must_not_be_seen_fails_the_run_at_once_and_it_ends_with_its_tests() {
    let mut b = run(vec![(must_not_see(), None)]);
    b.sees(0, 1);
    assert_eq!(b.verdict(), Some(Outcome::new(Verdict::Failed, 1, "up: expectation violated: must not see \"x\"")));
    assert_eq!(b.standing(0), Some((Standing::Violated, "GET 502".into())));
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::Expected { line: Some(7), .. }))));
    assert!(!b.has(|e| matches!(e, Effect::FinalCensus)), "the test still runs");
    b.ends("t", Exit::Code(0));
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(1));
}

#[test]
fn a_run_passes_only_after_the_last_words_of_its_services() {
    let mut b = run(vec![(must_not_see(), None)]);
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict(), None, "what the service says about the last request counts");
    b.pass(100);
    assert_eq!(b.flushes(), 1);
    assert_eq!(b.verdict(), None, "the pipes are being read");
    b.give(Input::Flushed);
    assert_eq!(b.verdict().map(|o| o.verdict), Some(Verdict::Passed));
    assert_eq!(b.standing(0).map(|(standing, _)| standing), Some(Standing::Met));
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::Checks { met: 2, of: 2 }))));
}

#[test]
fn a_violation_in_the_last_words_still_counts() {
    let mut b = run(vec![(must_not_see(), None)]);
    b.ends("t", Exit::Code(0));
    b.pass(100);
    b.sees(0, 2);
    b.give(Input::Flushed);
    b.obey();
    assert_eq!(b.finished().map(|o| (o.verdict, o.exit_code)), Some((Verdict::Failed, 1)));
}

#[test]
fn a_reading_that_hangs_does_not_hold_the_verdict() {
    let mut b = run(vec![(must_not_see(), None)]);
    b.ends("t", Exit::Code(0));
    b.pass(5_000);
    assert_eq!(b.verdict().map(|o| o.verdict), Some(Verdict::Passed));
}

#[test]
fn a_line_that_must_be_seen_is_waited_for_a_moment_and_then_missed() {
    let mut late = run(vec![(must_see(Bound::at_least_once()), None)]);
    late.ends("t", Exit::Code(0));
    late.pass_and_flush(300);
    assert_eq!(late.verdict(), None);
    late.sees(0, 1);
    assert_eq!(late.verdict().map(|o| o.verdict), Some(Verdict::Passed), "met, so nothing more is waited for");
    let mut never = run(vec![(must_see(Bound::at_least_once()), None)]);
    never.ends("t", Exit::Code(0));
    never.pass_and_flush(2_000);
    assert_eq!(never.verdict().map(|o| o.reason), Some("up: expectation violated: must see \"x\"".into()));
    assert_eq!(never.standing(0), Some((Standing::Violated, "0 of >= 1".into())));
}

#[test]
fn nothing_is_waited_for_where_nobody_can_say_anything_any_more() {
    let mut spec = run_of(vec![spec("t", Role::Test)]);
    spec.expectations = vec![Expectation { process: id("t"), what: must_see(Bound::at_least_once()), within: None }];
    let mut b = Bench::of(&spec, true, None);
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1), "its end is told after all it said");
    assert_eq!(b.flushes(), 0);
}

#[test]
fn counts_are_decided_as_soon_as_they_are_certain() {
    let count = |comparison, value| must_see(bound(comparison, value, ""));
    let mut b = run(vec![
        (count(Comparison::AtLeast, 3.0), None),
        (count(Comparison::AtMost, 3.0), None),
        (count(Comparison::Equal, 3.0), None),
        (count(Comparison::Less, 3.0), None),
    ]);
    let standings = |b: &Bench| (0..4).map(|i| b.standing(i).map(|(standing, _)| standing)).collect::<Vec<_>>();
    for i in 0..4 {
        b.sees(i, 3);
    }
    let (open, met, violated) = (Some(Standing::Open), Some(Standing::Met), Some(Standing::Violated));
    assert_eq!(standings(&b), [met, open, open, violated]);
    b.sees(2, 1);
    assert_eq!(standings(&b), [met, open, violated, violated]);
    b.ends("t", Exit::Code(0));
    b.obey();
    assert_eq!(standings(&b), [met, met, violated, violated], "decided with the verdict");
}

#[test]
fn a_time_of_its_own_begins_with_the_first_start_and_ends_by_itself() {
    let mut b = run(vec![(must_see(Bound::at_least_once()), Some(500)), (must_not_see(), Some(500))]);
    b.pass(499);
    assert_eq!(b.flushes(), 0);
    b.pass(1);
    assert_eq!(b.flushes(), 2);
    assert_eq!(b.standing(0), None, "what was said in time may still be in a pipe");
    b.give(Input::Flushed);
    assert_eq!(b.standing(0).map(|(standing, _)| standing), Some(Standing::Violated));
    assert_eq!(b.standing(1).map(|(standing, _)| standing), Some(Standing::Met));
    b.sees(1, 1);
    assert_eq!(b.standing(1).map(|(standing, _)| standing), Some(Standing::Met), "later lines are none of its business");
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1), "certain before the test has ended");
}

#[test]
fn metrics_hold_at_the_verdict_but_a_maximum_fails_at_once() {
    let metric =
        |statistic, value| Expected::Metric { pattern: pattern(), bounds: vec![(statistic, bound(Comparison::AtMost, value, "ms"))] };
    let mut b = run(vec![(metric(Statistic::P50, 50.0), None), (metric(Statistic::Max, 100.0), None), (metric(Statistic::P99, 1.0), None)]);
    b.measures(0, &[10.0, 20.0, 400.0]);
    b.measures(1, &[100.0]);
    assert_eq!(b.verdict(), None);
    b.measures(1, &[100.5]);
    assert_eq!(b.standing(1), Some((Standing::Violated, "max 100.5ms of 2".into())));
    b.ends("t", Exit::Code(0));
    b.obey();
    assert_eq!(b.standing(0), Some((Standing::Met, "p50 20ms of 3".into())));
    assert_eq!(b.standing(2), Some((Standing::Violated, "no line named a number".into())));
}

#[test]
fn a_failed_test_is_the_reason_and_nothing_is_waited_for() {
    let mut b = run(vec![(must_see(Bound::at_least_once()), None)]);
    b.ends("t", Exit::Code(1));
    assert_eq!(b.verdict().map(|o| o.reason), Some("t exited with 1".into()));
    assert_eq!(b.standing(0).map(|(standing, _)| standing), Some(Standing::Violated));
    assert_eq!(b.flushes(), 0);
}

#[test]
fn a_run_that_is_stopped_leaves_open_what_was_open() {
    let mut b = run(vec![(must_see(Bound::at_least_once()), None)]);
    b.ask_by(Command::Shutdown { now: false }, Actor::Signal(Signal::INT));
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(130));
    assert_eq!(b.standing(0), None);
}

#[test]
fn a_rerun_opens_what_a_new_attempt_can_make_good() {
    let mut b = run(vec![(must_not_see(), None), (must_see(Bound::at_least_once()), None)]);
    b.machine.options.end_when_done = false;
    b.sees(0, 1);
    b.sees(1, 1);
    b.ends("t", Exit::Code(0));
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1));
    b.ask(Command::RerunTests);
    assert_eq!(b.standing(0).map(|(standing, _)| standing), Some(Standing::Open));
    assert_eq!(b.standing(1).map(|(standing, _)| standing), Some(Standing::Met), "a service that stays says it only once");
    b.up("t");
    b.ends("t", Exit::Code(0));
    b.pass_and_flush(200);
    assert_eq!(b.verdict().map(|o| o.verdict), Some(Verdict::Passed));
}

#[test]
fn the_first_attempt_of_a_test_that_a_step_starts_forgives_nothing() {
    let late = ProcessSpec { autostart: false, ..spec("late", Role::Test) };
    let mut spec = run_of(vec![spec("up", Role::Service), late]);
    spec.expectations = vec![Expectation { process: id("up"), what: must_not_see(), within: None }];
    let start = StepAction::Start(id("late"));
    spec.steps = vec![StepSpec {
        when: StepWhen::After(Duration::from_secs(1)),
        actions: vec![start],
        title: String::new(),
        note: String::new(),
        timeout: None,
    }];
    let mut b = Bench::of(&spec, true, None);
    b.up("up");
    b.ready("up");
    b.sees(0, 1);
    b.pass(1000);
    b.up("late");
    assert_eq!(b.standing(0).map(|(standing, _)| standing), Some(Standing::Violated));
    b.ends("late", Exit::Code(0));
    b.pass_and_flush(200);
    assert_eq!(b.verdict().map(|o| o.exit_code), Some(1), "it was seen before, and the verdict is on the whole run");
}
