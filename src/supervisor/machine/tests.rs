//! The machine's decisions as tables: what comes in, what goes out.

use std::{sync::Arc, time::Duration};

use super::Machine;
use super::types::{Effect, Input, MachineOptions, ReadyReport, TimerToken};
use crate::model::{
    Actor, At, Command, Condition, Dependency, EventKind, Exit, Failure, HealthSpec, Leak, ListenPort, Outcome, Probe, ProbeOutcome,
    ProbeRecord, ProcessId, ProcessSpec, ProcessState, Request, RestartMode, RestartPolicy, Role, RunSpec, Signal, Verdict,
};

/// A process that needs nothing, as a test starts from.
pub(super) fn spec(name: &str, role: Role) -> ProcessSpec {
    ProcessSpec { role, argv: vec!["true".into()], ..ProcessSpec::new(id(name)) }
}

pub(super) fn id(name: &str) -> ProcessId {
    ProcessId::new(name).expect("test names are names")
}

pub(super) fn run_of(processes: Vec<ProcessSpec>) -> RunSpec {
    RunSpec { processes: processes.into_iter().map(|p| (p.id.clone(), Arc::new(p))).collect(), ..RunSpec::new("test") }
}

fn needs(mut spec: ProcessSpec, on: &str, condition: Condition) -> ProcessSpec {
    spec.depends_on.push(Dependency { on: id(on), condition });
    spec
}

fn on_failure(mut spec: ProcessSpec, max_attempts: u32) -> ProcessSpec {
    spec.restart = RestartPolicy { mode: RestartMode::OnFailure, max_attempts, ..RestartPolicy::default() };
    spec
}

/// A machine, a hand-driven world around it, and what it has said so far.
struct Bench {
    machine: Machine,
    now: At,
    effects: Vec<Effect>,
    timers: Vec<(At, TimerToken)>,
    tickets: u64,
}

impl Bench {
    fn new(processes: Vec<ProcessSpec>) -> Self {
        Self::with(processes, false, None)
    }

    fn headless(processes: Vec<ProcessSpec>) -> Self {
        Self::with(processes, true, None)
    }

    fn with(processes: Vec<ProcessSpec>, end_when_done: bool, timeout: Option<Duration>) -> Self {
        let options = MachineOptions { end_when_done, timeout, seed: 1 };
        let mut bench = Self {
            machine: Machine::new(&run_of(processes), options),
            now: At::START,
            effects: Vec::new(),
            timers: Vec::new(),
            tickets: 0,
        };
        bench.give(Input::Begin);
        bench
    }

    /// Gives one input; what follows at once in a world where every spawn works is left to the test.
    fn give(&mut self, input: Input) -> Vec<Effect> {
        let out = self.machine.step(self.now, input);
        for effect in &out {
            if let Effect::Arm { timer, at } = effect {
                self.timers.push((*at, *timer));
            }
        }
        self.effects.extend(out.iter().cloned());
        out
    }

    fn ask(&mut self, command: Command) -> Vec<Effect> {
        self.ask_by(command, Actor::You)
    }

    fn ask_by(&mut self, command: Command, by: Actor) -> Vec<Effect> {
        self.tickets += 1;
        let ticket = self.tickets;
        self.give(Input::Request { request: Request { command, by }, ticket })
    }

    /// Lets time pass and fires what is due, in order.
    fn pass(&mut self, ms: u64) {
        let end = At(self.now.0 + ms * 1000);
        loop {
            self.timers.sort();
            match self.timers.first().copied() {
                Some((at, timer)) if at <= end => {
                    self.timers.remove(0);
                    self.now = self.now.max(at);
                    self.give(Input::Timer(timer));
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn up(&mut self, name: &str) {
        let generation = self.generation(name);
        self.give(Input::Spawned { process: id(name), generation, pid: 1000 + generation });
    }

    fn ready(&mut self, name: &str) {
        let (generation, answered) = (self.generation(name), self.now);
        let report = ReadyReport::Yes { answered, evidence: "running".into(), port: None };
        self.give(Input::Ready { process: id(name), generation, report });
    }

    /// The leader ends, its tree is empty, its output is read.
    fn ends(&mut self, name: &str, exit: Exit) {
        let generation = self.generation(name);
        self.give(Input::LeaderExited { process: id(name), generation, exit });
        self.give(Input::TreeEmpty { process: id(name), generation });
        self.give(Input::Drained { process: id(name), generation, tail: vec!["last words".into()] });
    }

    fn generation(&self, name: &str) -> u32 {
        self.machine.procs[self.machine.by_name[&id(name)]].generation
    }

    fn state(&self, name: &str) -> &ProcessState {
        &self.machine.procs[self.machine.by_name[&id(name)]].state
    }

    fn spawned_names(&self) -> Vec<String> {
        self.effects.iter().filter_map(|e| if let Effect::Spawn { process, .. } = e { Some(process.to_string()) } else { None }).collect()
    }

    fn has(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.effects.iter().any(wanted)
    }

    fn verdict(&self) -> Option<Outcome> {
        self.effects.iter().rev().find_map(|e| match e {
            Effect::Finish { outcome } | Effect::Emit(EventKind::VerdictReached { outcome }) => Some(outcome.clone()),
            _ => None,
        })
    }

    fn resolved(&self, ticket: u64) -> Option<Result<(), String>> {
        self.effects.iter().find_map(|e| {
            if let Effect::Resolve { ticket: t, result } = e
                && *t == ticket
            {
                Some(result.clone())
            } else {
                None
            }
        })
    }

    /// Everything that is up ends when it is asked to.
    fn obey(&mut self) {
        let mut seen = 0;
        while seen < self.effects.len() {
            let effect = self.effects[seen].clone();
            seen += 1;
            match effect {
                Effect::Signal { process, generation, signal } if generation == self.generation(process.as_str()) => {
                    self.give(Input::LeaderExited { process: process.clone(), generation, exit: Exit::Signal(signal) });
                    self.give(Input::TreeEmpty { process, generation });
                }
                Effect::Kill { process, generation } => {
                    self.give(Input::LeaderExited { process: process.clone(), generation, exit: Exit::Signal(Signal::KILL) });
                    self.give(Input::TreeEmpty { process, generation });
                }
                Effect::Drain { process, generation, .. } => {
                    self.give(Input::Drained { process, generation, tail: Vec::new() });
                }
                Effect::FinalCensus => {
                    self.give(Input::FinalCensus { leaks: Vec::new() });
                }
                _ => {}
            }
        }
    }
}

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
fn p10_p11_a_stop_ends_with_the_tree_and_escalates_at_its_grace() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ready("up");
    b.ask(Command::Stop { process: id("up"), now: false });
    assert!(b.has(|e| matches!(e, Effect::Signal { signal: Signal::TERM, .. })));
    b.give(Input::LeaderExited { process: id("up"), generation: 1, exit: Exit::Code(0) });
    b.pass(9_999);
    assert_eq!(b.state("up").word(), "stopping", "the leader is gone, the tree is not");
    assert!(!b.has(|e| matches!(e, Effect::Kill { .. })));
    b.pass(1);
    assert!(b.has(|e| matches!(e, Effect::Kill { .. })));
    b.give(Input::TreeEmpty { process: id("up"), generation: 1 });
    b.give(Input::Drained { process: id("up"), generation: 1, tail: Vec::new() });
    assert_eq!(b.state("up"), &ProcessState::Stopped { by: Actor::You, signal: Some(Signal::TERM) });
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::TreeStopped { escalated_to_kill: true, .. }))));
}

#[test]
fn p28_64_restart_keys_make_one_restart() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ready("up");
    for _ in 0..64 {
        b.ask(Command::Restart { process: id("up"), now: false });
    }
    b.obey();
    assert_eq!(b.spawned_names(), ["up", "up"]);
    b.up("up");
    assert_eq!(b.resolved(1), Some(Ok(())));
    assert_eq!(b.resolved(64), Some(Ok(())));
    assert_eq!(b.machine.procs[0].generation, 2);
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
fn p15_what_a_leader_leaves_is_named_a_leak_and_killed_before_a_restart() {
    let mut b = Bench::new(vec![spec("t", Role::Test)]);
    b.up("t");
    b.give(Input::LeaderExited { process: id("t"), generation: 1, exit: Exit::Code(0) });
    b.pass(200);
    assert!(b.has(|e| matches!(e, Effect::Census { .. })));
    let leak = Leak { pid: Some(77), command: "sleep 600".into(), port: None };
    b.give(Input::Members { process: id("t"), generation: 1, leaks: vec![leak] });
    b.give(Input::Drained { process: id("t"), generation: 1, tail: Vec::new() });
    assert_eq!(b.state("t"), &ProcessState::Completed);
    b.ask(Command::Start { process: id("t") });
    assert_eq!(b.spawned_names(), ["t"], "first the leftovers go");
    assert!(b.has(|e| matches!(e, Effect::Kill { generation: 1, .. })));
    b.give(Input::TreeEmpty { process: id("t"), generation: 1 });
    assert_eq!(b.spawned_names(), ["t", "t"]);
    b.up("t");
    b.ends("t", Exit::Code(0));
    b.ask(Command::Shutdown { now: false });
    b.obey();
    assert_eq!(b.verdict().map(|o| (o.verdict, o.exit_code)), Some((Verdict::Leaked, 5)));
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
fn s2_a_second_shutdown_kills_at_once() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ask_by(Command::Shutdown { now: false }, Actor::Signal(Signal::INT));
    assert!(!b.has(|e| matches!(e, Effect::Kill { .. })));
    b.ask_by(Command::Shutdown { now: true }, Actor::Signal(Signal::INT));
    assert!(b.has(|e| matches!(e, Effect::Kill { .. })));
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
