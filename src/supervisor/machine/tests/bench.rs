//! A machine, a world around it that is driven by hand, and words for what tests do with the two.

pub(super) use std::{sync::Arc, time::Duration};

pub(super) use super::super::types::{Effect, Input, MachineOptions, ReadyReport, TimerToken};
use super::super::{Machine, ScriptOptions};
pub(super) use crate::model::{
    Actor, At, Command, Condition, Containment, Dependency, Event, EventKind, Exit, Failure, Health, HealthSpec, Leak, ListenPort,
    OnUnhealthy, Outcome, Probe, ProbeOutcome, ProbeRecord, ProcessId, ProcessSnapshot, ProcessSpec, ProcessState, Request, RestartMode,
    RestartPolicy, Role, RunInfo, RunSpec, Signal, Snapshot, Then, Verdict,
};

/// A process that needs nothing, as a test starts from.
pub(in super::super) fn spec(name: &str, role: Role) -> ProcessSpec {
    ProcessSpec { role, argv: vec!["true".into()], ..ProcessSpec::new(id(name)) }
}

pub(in super::super) fn id(name: &str) -> ProcessId {
    ProcessId::new(name).expect("test names are names")
}

pub(in super::super) fn run_of(processes: Vec<ProcessSpec>) -> RunSpec {
    RunSpec { processes: processes.into_iter().map(|p| (p.id.clone(), Arc::new(p))).collect(), ..RunSpec::new("test") }
}

pub(super) fn needs(mut spec: ProcessSpec, on: &str, condition: Condition) -> ProcessSpec {
    spec.depends_on.push(Dependency { on: id(on), condition });
    spec
}

pub(super) fn on_failure(mut spec: ProcessSpec, max_attempts: u32) -> ProcessSpec {
    spec.restart = RestartPolicy { mode: RestartMode::OnFailure, max_attempts, ..RestartPolicy::default() };
    spec
}

/// A health check that one failure makes fail, and one success makes well.
pub(super) fn health() -> HealthSpec {
    HealthSpec {
        probe: Probe::Tcp { addr: "127.0.0.1:1".into() },
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        start_period: Duration::ZERO,
        failures: 1,
        successes: 1,
        degraded_after: None,
        degraded: Vec::new(),
        on_unhealthy: OnUnhealthy::Restart,
        lazy: false,
    }
}

/// A machine, a hand-driven world around it, and what it has said so far.
pub(super) struct Bench {
    pub(super) machine: Machine,
    pub(super) now: At,
    pub(super) effects: Vec<Effect>,
    pub(super) timers: Vec<(At, TimerToken)>,
    pub(super) tickets: u64,
    info: RunInfo,
    /// Effects that [`obey`](Self::obey) has answered.
    answered: usize,
}

impl Bench {
    pub(super) fn new(processes: Vec<ProcessSpec>) -> Self {
        Self::with(processes, false, None)
    }

    pub(super) fn headless(processes: Vec<ProcessSpec>) -> Self {
        Self::with(processes, true, None)
    }

    pub(super) fn with(processes: Vec<ProcessSpec>, end_when_done: bool, timeout: Option<Duration>) -> Self {
        Self::of(&run_of(processes), end_when_done, timeout)
    }

    pub(super) fn of(run: &RunSpec, end_when_done: bool, timeout: Option<Duration>) -> Self {
        Self::scripted(run, end_when_done, timeout, ScriptOptions::default())
    }

    pub(super) fn scripted(run: &RunSpec, end_when_done: bool, timeout: Option<Duration>, script: ScriptOptions) -> Self {
        let options = MachineOptions { end_when_done, timeout, script, seed: 1 };
        let mut bench = Self {
            info: Machine::describe(run, "run", String::new(), Containment::Subreaper),
            machine: Machine::new(run, options),
            now: At::START,
            effects: Vec::new(),
            timers: Vec::new(),
            tickets: 0,
            answered: 0,
        };
        bench.give(Input::Begin);
        bench
    }

    /// Gives one input; what follows at once in a world where every spawn works is left to the test.
    pub(super) fn give(&mut self, input: Input) -> Vec<Effect> {
        let out = self.machine.step(self.now, input);
        for effect in &out {
            if let Effect::Arm { timer, at } = effect {
                self.timers.push((*at, *timer));
            }
        }
        self.effects.extend(out.iter().cloned());
        out
    }

    pub(super) fn ask(&mut self, command: Command) -> Vec<Effect> {
        self.ask_by(command, Actor::You)
    }

    pub(super) fn ask_by(&mut self, command: Command, by: Actor) -> Vec<Effect> {
        self.tickets += 1;
        let ticket = self.tickets;
        self.give(Input::Request { request: Request { command, by }, ticket })
    }

    /// Lets time pass and fires what is due, in order.
    pub(super) fn pass(&mut self, ms: u64) {
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

    pub(super) fn up(&mut self, name: &str) {
        let generation = self.generation(name);
        self.give(Input::Spawned { process: id(name), generation, pid: 1000 + generation });
    }

    pub(super) fn ready(&mut self, name: &str) {
        let (generation, answered) = (self.generation(name), self.now);
        let report = ReadyReport::Yes { answered, evidence: "running".into(), port: None };
        self.give(Input::Ready { process: id(name), generation, report });
    }

    /// A health probe ends.
    pub(super) fn probe(&mut self, name: &str, ok: bool) {
        let failed = ProbeOutcome::Failed { short: "503".into(), why: "HTTP 503".into() };
        self.probe_says(name, if ok { ProbeOutcome::Ok } else { failed });
    }

    pub(super) fn probe_says(&mut self, name: &str, outcome: ProbeOutcome) {
        let record = ProbeRecord { at: self.now, took: Duration::from_millis(1), outcome };
        self.give(Input::Probed { process: id(name), generation: self.generation(name), record });
    }

    /// The leader ends, its tree is empty, its output is read.
    pub(super) fn ends(&mut self, name: &str, exit: Exit) {
        let generation = self.generation(name);
        self.give(Input::LeaderExited { process: id(name), generation, exit });
        self.give(Input::TreeEmpty { process: id(name), generation });
        self.give(Input::Drained { process: id(name), generation, tail: vec!["last words".into()] });
    }

    pub(super) fn generation(&self, name: &str) -> u32 {
        self.machine.procs[self.machine.by_name[&id(name)]].generation
    }

    pub(super) fn state(&self, name: &str) -> &ProcessState {
        &self.machine.procs[self.machine.by_name[&id(name)]].state
    }

    pub(super) fn spawned_names(&self) -> Vec<String> {
        self.effects.iter().filter_map(|e| if let Effect::Spawn { process, .. } = e { Some(process.to_string()) } else { None }).collect()
    }

    pub(super) fn has(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.effects.iter().any(wanted)
    }

    pub(super) fn verdict(&self) -> Option<Outcome> {
        self.effects.iter().rev().find_map(|e| match e {
            Effect::Finish { outcome } | Effect::Emit(EventKind::VerdictReached { outcome }) => Some(outcome.clone()),
            _ => None,
        })
    }

    pub(super) fn resolved(&self, ticket: u64) -> Option<Result<(), String>> {
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

    /// The leader ends; what it leaves, and what its output says, is told later.
    pub(super) fn leader_exits(&mut self, name: &str, exit: Exit) {
        let generation = self.generation(name);
        self.give(Input::LeaderExited { process: id(name), generation, exit });
    }

    pub(super) fn drained(&mut self, name: &str) {
        let generation = self.generation(name);
        self.give(Input::Drained { process: id(name), generation, tail: vec!["last words".into()] });
    }

    pub(super) fn tree_empty(&mut self, name: &str) {
        let generation = self.generation(name);
        self.give(Input::TreeEmpty { process: id(name), generation });
    }

    /// A census finds this.
    pub(super) fn members(&mut self, name: &str, pids: &[u32]) {
        let generation = self.generation(name);
        let leaks = pids.iter().map(|pid| Leak { pid: Some(*pid), command: "sleep 600".into(), port: None }).collect();
        self.give(Input::Members { process: id(name), generation, leaks });
    }

    pub(super) fn kills(&self, name: &str) -> usize {
        self.effects.iter().filter(|e| matches!(e, Effect::Kill { process, .. } if *process == id(name))).count()
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &EventKind> {
        self.effects.iter().filter_map(|e| if let Effect::Emit(kind) = e { Some(kind) } else { None })
    }

    /// The outcome with which the run has ended.
    pub(super) fn finished(&self) -> Option<Outcome> {
        self.effects.iter().find_map(|e| if let Effect::Finish { outcome } = e { Some(outcome.clone()) } else { None })
    }

    /// The verdict that a reader of the events sees now.
    pub(super) fn shown(&self) -> Option<Outcome> {
        self.snapshot().outcome
    }

    /// The row of a process, as a reader of the events sees it now.
    pub(super) fn row(&self, name: &str) -> ProcessSnapshot {
        self.snapshot().row(name).cloned().expect("the events name it")
    }

    fn snapshot(&self) -> Snapshot {
        let events = self.events().cloned().zip(2..);
        let events: Vec<_> = events.map(|(kind, seq)| Event { seq, at: self.now, kind }).collect();
        let begun = Event { seq: 1, at: At::START, kind: EventKind::RunStarted(self.info.clone()) };
        Snapshot::of(std::iter::once(&begun).chain(&events))
    }

    /// Everything that is up ends when it is asked to.
    pub(super) fn obey(&mut self) {
        while self.answered < self.effects.len() {
            let effect = self.effects[self.answered].clone();
            self.answered += 1;
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
