//! A world of simulated children around the machine, driven at random: whatever happens, one generation of a process
//! lives at a time, generations only grow, nothing starts once the run stops, restarts are bounded, and every stop ends.
//!
//! `E2E_SEQUENCES=100000 cargo test --lib model_test` runs more sequences than the default.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::Machine;
use super::tests::{id, run_of, spec};
use super::types::{Effect, Input, MachineOptions, ReadyReport, TimerToken};
use crate::model::{
    Actor, At, Command, Condition, Dependency, EventKind, Exit, Failure, Generation, ProcessId, Request, RestartMode, RestartPolicy, Role,
    Signal,
};

const NAMES: [&str; 4] = ["a", "b", "c", "t"];

/// One thing that chance does.
#[derive(Debug, Clone)]
enum Chance {
    /// Something the world has pending happens: the n-th of what is waiting.
    Deliver(usize),
    /// A child ends by itself.
    Dies(usize, i32),
    /// A child becomes ready.
    Answers(usize),
    /// Somebody asks for something.
    Ask(Command),
    /// The next timer fires.
    Tick,
}

fn chance() -> impl Strategy<Value = Chance> {
    let process = (0..NAMES.len()).prop_map(|n| id(NAMES[n]));
    let command = prop_oneof![
        process.clone().prop_map(|process| Command::Start { process }),
        (process.clone(), any::<bool>()).prop_map(|(process, now)| Command::Stop { process, now }),
        (process.clone(), any::<bool>()).prop_map(|(process, now)| Command::Restart { process, now }),
        process.prop_map(|process| Command::Signal { process, signal: Signal::TERM }),
        Just(Command::RerunTests),
    ];
    prop_oneof![
        6 => (0..8_usize).prop_map(Chance::Deliver),
        2 => (0..NAMES.len(), prop_oneof![Just(0), Just(1), Just(101)]).prop_map(|(n, code)| Chance::Dies(n, code)),
        3 => (0..NAMES.len()).prop_map(Chance::Answers),
        3 => command.prop_map(Chance::Ask),
        2 => Just(Chance::Tick),
    ]
}

/// The children and everything on its way to the machine.
struct World {
    machine: Machine,
    now: At,
    timers: Vec<(At, TimerToken)>,
    /// Inputs under way; chance decides their order.
    pending: VecDeque<Input>,
    /// The generation that lives, by process.
    alive: BTreeMap<ProcessId, Generation>,
    newest: BTreeMap<ProcessId, Generation>,
    policy_restarts: BTreeMap<ProcessId, u32>,
    tickets: BTreeMap<u64, bool>,
    stopping: bool,
    finished: bool,
    requests: u64,
}

impl World {
    fn new() -> Self {
        let restart = RestartPolicy { mode: RestartMode::OnFailure, max_attempts: 2, ..RestartPolicy::default() };
        let needs = |on: &str, condition| vec![Dependency { on: id(on), condition }];
        let a = crate::model::ProcessSpec { restart: restart.clone(), ..spec("a", Role::Service) };
        let b = crate::model::ProcessSpec { restart, depends_on: needs("a", Condition::Ready), ..spec("b", Role::Service) };
        let c = crate::model::ProcessSpec { depends_on: needs("a", Condition::Started), ..spec("c", Role::Task) };
        let t = crate::model::ProcessSpec { depends_on: needs("b", Condition::Ready), ..spec("t", Role::Test) };
        let options = MachineOptions { end_when_done: false, timeout: None, seed: 7 };
        let mut world = Self {
            machine: Machine::new(&run_of(vec![a, b, c, t]), options),
            now: At::START,
            timers: Vec::new(),
            pending: VecDeque::new(),
            alive: BTreeMap::new(),
            newest: BTreeMap::new(),
            policy_restarts: BTreeMap::new(),
            tickets: BTreeMap::new(),
            stopping: false,
            finished: false,
            requests: 0,
        };
        world.give(Input::Begin);
        world
    }

    fn give(&mut self, input: Input) {
        for effect in self.machine.step(self.now, input) {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { process, generation } => {
                assert!(!self.stopping, "{process} started after the run began to stop");
                let before = self.newest.insert(process.clone(), generation).unwrap_or(0);
                assert_eq!(generation, before + 1, "generations of {process} are counted");
                assert!(self.alive.insert(process.clone(), generation).is_none(), "{process}: a second generation beside a live one");
                self.pending.push_back(Input::Spawned { process, generation, pid: 100 });
            }
            Effect::Signal { process, generation, .. } | Effect::Kill { process, generation } => {
                self.die(&process, generation, Exit::Signal(Signal::TERM));
            }
            Effect::AwaitEmpty { process, generation } if self.alive.get(&process) != Some(&generation) => {
                self.pending.push_back(Input::TreeEmpty { process, generation });
            }
            Effect::Drain { process, generation, .. } => self.pending.push_back(Input::Drained { process, generation, tail: Vec::new() }),
            Effect::Arm { timer, at } => self.timers.push((at, timer)),
            Effect::Resolve { ticket, .. } => {
                assert_eq!(self.tickets.insert(ticket, true), Some(false), "a ticket is resolved once");
            }
            Effect::FinalCensus => {
                assert!(self.alive.is_empty(), "the census comes when nothing lives");
                self.pending.push_back(Input::FinalCensus { leaks: Vec::new() });
            }
            Effect::Emit(EventKind::Spawned { process, cause: crate::model::StartCause::Policy { attempt, .. }, .. }) => {
                self.policy_restarts.insert(process, attempt);
                assert!(attempt <= 2, "restarts are bounded");
            }
            Effect::Emit(EventKind::Exited { process, generation, .. }) => {
                assert_ne!(self.alive.get(&process), Some(&generation), "{process} is told to have ended while it lives");
            }
            Effect::Finish { .. } => self.finished = true,
            _ => {}
        }
    }

    /// A child ends: its exit and its empty tree are under way, in an order that chance decides.
    fn die(&mut self, process: &ProcessId, generation: Generation, exit: Exit) {
        if self.alive.get(process) == Some(&generation) {
            self.alive.remove(process);
            self.pending.push_back(Input::LeaderExited { process: process.clone(), generation, exit });
            self.pending.push_back(Input::TreeEmpty { process: process.clone(), generation });
        }
    }

    fn happen(&mut self, chance: Chance) {
        match chance {
            Chance::Deliver(n) if !self.pending.is_empty() => {
                // A child's own news keep their order; those of different children do not.
                let n = n % self.pending.len();
                let n = (0..n).find(|&m| owner(&self.pending[m]) == owner(&self.pending[n])).unwrap_or(n);
                if let Some(input) = self.pending.remove(n) {
                    self.give(input);
                }
            }
            Chance::Deliver(_) => {}
            Chance::Dies(n, code) => {
                let process = id(NAMES[n]);
                if let Some(&generation) = self.alive.get(&process)
                    && !self.pending.iter().any(|p| matches!(p, Input::Spawned { process: p, .. } if *p == process))
                {
                    self.die(&process, generation, Exit::Code(code));
                }
            }
            Chance::Answers(n) => {
                let process = id(NAMES[n]);
                if let Some(&generation) = self.alive.get(&process) {
                    let report = ReadyReport::Yes { answered: self.now, evidence: String::new(), port: None };
                    self.give(Input::Ready { process, generation, report });
                }
            }
            Chance::Ask(command) => self.ask(command),
            Chance::Tick => self.tick(),
        }
    }

    fn ask(&mut self, command: Command) {
        self.requests += 1;
        self.stopping |= matches!(command, Command::Shutdown { .. });
        self.tickets.insert(self.requests, false);
        let ticket = self.requests;
        self.give(Input::Request { request: Request { command, by: Actor::You }, ticket });
    }

    fn tick(&mut self) {
        self.timers.sort();
        if !self.timers.is_empty() {
            let (at, timer) = self.timers.remove(0);
            self.now = self.now.max(at);
            self.give(Input::Timer(timer));
        }
    }
}

fn owner(input: &Input) -> Option<&ProcessId> {
    match input {
        Input::Spawned { process, .. }
        | Input::LeaderExited { process, .. }
        | Input::TreeEmpty { process, .. }
        | Input::Drained { process, .. } => Some(process),
        _ => None,
    }
}

fn sequences() -> u32 {
    std::env::var("E2E_SEQUENCES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_stop_ends(chances in proptest::collection::vec(chance(), 1..120)) {
        let mut world = World::new();
        for chance in chances {
            world.happen(chance);
        }
        world.ask(Command::Shutdown { now: false });
        for _ in 0..2_000 {
            if world.finished {
                break;
            }
            match world.pending.pop_front() {
                Some(input) => world.give(input),
                None => world.tick(),
            }
        }
        prop_assert!(world.finished, "the run did not end: {:?}", world.machine.procs.iter().map(|p| (&p.state, &p.life)).collect::<Vec<_>>());
        prop_assert!(world.alive.is_empty());
        prop_assert!(world.tickets.values().all(|resolved| *resolved), "a ticket was left: {:?}", world.tickets);
    }
}

#[test]
fn failures_of_a_kind_stay_short() {
    let failure = Failure::NeverReady { last: String::new(), after_ms: 30_000 };
    assert_eq!(failure.short(), "not ready in 30 s");
}
