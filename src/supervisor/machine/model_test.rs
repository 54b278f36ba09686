//! A world of simulated children around the machine, driven at random.
//!
//! Children die by themselves, ignore signals, leave others behind, cannot be killed; spawns fail; news arrive in any order
//! that a spawner and a capture may deliver them in; the guardian is lost; people ask for anything at any time. Whatever
//! happens: one generation of a process lives at a time and generations only grow; nothing starts once the run stops;
//! restarts are bounded; each ticket is resolved exactly once, a stop's only when its tree is empty; what the events say of a
//! process is so; every run that is taken down ends, within the graces that it must wait for; and each step of its script is
//! then over.
//!
//! Chance is a list of bytes, so that a failure shrinks to a short one. `E2E_SEQUENCES=1000000 cargo test --lib model_test`
//! runs more sequences than the default; a seed of the bulk that fails is printed and can be put into `a_seed_that_failed`.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::Machine;
use super::tests::{id, run_of, spec};
use super::types::{Effect, Input, MachineOptions, ReadyReport, TimerToken};
use super::{SCRIPT_TICKETS, ScriptOptions};
use crate::model::{
    Actor, At, Command, Condition, Dependency, Event, EventKind, Exit, Failure, Generation, HealthSpec, Leak, OnUnhealthy, Probe,
    ProbeOutcome, ProbeRecord, ProcessId, ProcessSpec, Request, RestartMode, RestartPolicy, Role, RunSpec, Signal, Snapshot, StartCause,
    StateOrHealth, StepAction, StepSpec, StepWhen, StopSpec,
};

const NAMES: [&str; 5] = ["a", "b", "c", "t", "m"];
/// Restarts that the policy of `a` and `b` allows.
const ATTEMPTS: u32 = 2;
/// The longest that a take-down may take: three layers of grace and KILL, and what a lost guardian adds.
const LONGEST: Duration = Duration::from_secs(3 * (10 + 3 + 1) + 10);

/// Random bytes, read one at a time; zeros when they are used up.
struct Chance<'a>(std::slice::Iter<'a, u8>);

impl Chance<'_> {
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

/// A generation's tree, as it really is.
#[derive(Debug, Clone, Default)]
struct Child {
    generation: Generation,
    /// Whether `Spawned` has been delivered.
    told: bool,
    leader: bool,
    /// Others in its tree.
    others: usize,
    deaf: bool,
    immortal: bool,
    awaited: bool,
}

impl Child {
    fn is_empty(&self) -> bool {
        !self.leader && self.others == 0
    }
}

/// The children and everything on its way to the machine.
struct World<'a> {
    chance: Chance<'a>,
    machine: Machine,
    now: At,
    timers: Vec<(At, TimerToken)>,
    /// Inputs under way; chance decides their order.
    pending: Vec<Input>,
    children: BTreeMap<ProcessId, Child>,
    snapshot: Snapshot,
    seq: u64,
    /// Starts by policy, by process.
    by_policy: BTreeMap<ProcessId, Vec<At>>,
    /// What was asked with each ticket, and whether it was answered.
    tickets: Vec<(Command, bool)>,
    /// How often a watched file changed.
    changes: usize,
    stopping: bool,
    lost: bool,
    finished: bool,
}

fn processes() -> RunSpec {
    let restart = RestartPolicy { mode: RestartMode::OnFailure, max_attempts: ATTEMPTS, ..RestartPolicy::default() };
    let needs = |on: &str, condition| vec![Dependency { on: id(on), condition }];
    let health = HealthSpec {
        probe: Probe::Tcp { addr: "127.0.0.1:1".into() },
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        start_period: Duration::ZERO,
        failures: 1,
        successes: 1,
        degraded_after: None,
        degraded: Vec::new(),
        on_unhealthy: OnUnhealthy::Restart,
        lazy: true,
    };
    let command = StopSpec { command: Some(vec!["stop-it".into()]), ..StopSpec::default() };
    let always = RestartPolicy { mode: RestartMode::Always, ..RestartPolicy::default() };
    run_of(vec![
        ProcessSpec { restart: restart.clone(), health: Some(health), ..spec("a", Role::Service) },
        ProcessSpec { restart, depends_on: needs("a", Condition::Ready), stop: command, ..spec("b", Role::Service) },
        ProcessSpec { depends_on: needs("a", Condition::Started), ..spec("c", Role::Task) },
        ProcessSpec { depends_on: needs("a", Condition::Healthy), timeout: Some(Duration::from_secs(20)), ..spec("t", Role::Test) },
        ProcessSpec { autostart: false, restart: always, ..spec("m", Role::Service) },
    ])
}

/// A script of a few steps, each as chance will have it.
fn script(chance: &mut Chance<'_>) -> Vec<StepSpec> {
    let of = chance.below(5);
    let mut step = |_| {
        let process = id(NAMES[chance.below(NAMES.len())]);
        let state = |word: &str| StateOrHealth::State(word.into());
        let when = match chance.below(8) {
            0 | 1 => StepWhen::AtOnce,
            2 => StepWhen::After(Duration::from_secs(2)),
            3 => StepWhen::Log { processes: vec![process.clone()], pattern: regex::Regex::new("x").expect("a pattern") },
            n => StepWhen::State { processes: vec![process.clone()], is: state(["ready", "stopped", "backoff", "completed"][n - 4]) },
        };
        let action = |n: usize| match n {
            0 => StepAction::Start(process.clone()),
            1 => StepAction::Stop(process.clone()),
            2 => StepAction::Restart(process.clone()),
            3 => StepAction::Kill(process.clone()),
            4 => StepAction::Signal { process: process.clone(), signal: Signal::HUP },
            5 => StepAction::Send { process: process.clone(), text: "x".into() },
            6 => StepAction::RerunTests,
            7 => StepAction::Wait(Duration::from_secs(1)),
            _ => StepAction::Export("x".into()),
        };
        let actions = (0..chance.below(4)).map(|_| action(chance.below(9))).collect();
        StepSpec { when, actions, note: String::new(), timeout: chance.one_in(3).then_some(Duration::from_secs(3)) }
    };
    (0..of).map(&mut step).collect()
}

impl<'a> World<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut chance = Chance(bytes.iter());
        let end_when_done = chance.one_in(3);
        let script_options = ScriptOptions { from_step: u32::from(chance.one_in(8)) * 2, rehearse: end_when_done && chance.one_in(3) };
        let options = MachineOptions { end_when_done, timeout: Some(Duration::from_secs(100)), script: script_options, seed: 7 };
        let run = RunSpec { steps: script(&mut chance), ..processes() };
        let info = Machine::describe(&run, "run", String::new(), crate::model::Containment::Subreaper);
        let mut world = Self {
            chance,
            machine: Machine::new(&run, options),
            now: At::START,
            timers: Vec::new(),
            pending: Vec::new(),
            children: BTreeMap::new(),
            snapshot: Snapshot::default(),
            seq: 0,
            by_policy: BTreeMap::new(),
            tickets: Vec::new(),
            changes: 0,
            stopping: false,
            lost: false,
            finished: false,
        };
        world.record(EventKind::RunStarted(info));
        world.give(Input::Begin);
        world
    }

    fn give(&mut self, input: Input) {
        for effect in self.machine.step(self.now, input) {
            self.carry_out(effect);
        }
        self.check();
    }

    fn record(&mut self, kind: EventKind) {
        self.seq += 1;
        self.snapshot.fold(&Event { seq: self.seq, at: self.now, kind });
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { process, generation, unless_done } => self.spawn(process, generation, unless_done),
            Effect::Signal { process, generation, .. } | Effect::StopCommand { process, generation } => {
                self.hit(&process, generation, false);
            }
            Effect::Kill { process, generation } => self.hit(&process, generation, true),
            Effect::AwaitEmpty { process, generation } => {
                if let Some(child) = self.child(&process, generation) {
                    child.awaited = true;
                    self.tell_if_empty(&process);
                }
            }
            Effect::Census { process, generation } if !self.lost => {
                let others = self.child(&process, generation).map_or(0, |child| child.others);
                let leak = Leak { pid: Some(9), command: String::new(), port: None };
                self.pending.push(Input::Members { process, generation, leaks: vec![leak; others] });
            }
            Effect::Drain { process, generation, .. } => {
                self.pending.push(Input::Drained { process, generation, tail: Vec::new() });
            }
            Effect::Arm { timer, at } => self.timers.push((at, timer)),
            Effect::Resolve { ticket, result } => self.resolve(ticket, &result),
            Effect::SendLine { ticket, .. } | Effect::Export { ticket, .. } => self.resolve(ticket, &Ok(())),
            Effect::FinalCensus => {
                let left = self.children.values().any(|child| !child.is_empty() && !child.immortal);
                assert!(!left || self.lost, "the census comes when nothing lives");
                if !self.lost || self.chance.one_in(2) {
                    self.pending.push(Input::FinalCensus { leaks: Vec::new() });
                }
            }
            Effect::Emit(kind) => self.event(kind),
            Effect::Finish { .. } => {
                assert!(!self.finished, "a run ends once");
                self.finished = true;
            }
            _ => {}
        }
    }

    fn child(&mut self, process: &ProcessId, generation: Generation) -> Option<&mut Child> {
        self.children.get_mut(process).filter(|child| child.generation == generation)
    }

    fn spawn(&mut self, process: ProcessId, generation: Generation, unless_done: bool) {
        assert!(!self.stopping, "{process} started after the run began to stop");
        let before = self.children.get(&process).cloned().unwrap_or_default();
        assert_eq!(generation, before.generation + 1, "generations of {process} are counted");
        assert!(before.is_empty(), "{process}: a second generation beside {before:?}");
        let mut child = Child { generation, ..Child::default() };
        if self.lost || self.chance.one_in(8) {
            let reason = Failure::NotStarted { error: "no".into(), short: "no".into() };
            self.pending.push(Input::SpawnFailed { process: process.clone(), generation, reason });
        } else if process.as_str() == "c" && unless_done && self.chance.one_in(4) {
            self.pending.push(Input::AlreadyDone { process: process.clone(), generation, path: "out".into() });
        } else {
            let others = self.chance.below(3);
            child = Child { leader: true, others, deaf: self.chance.one_in(4), immortal: self.chance.one_in(16), ..child };
            self.pending.push(Input::Spawned { process: process.clone(), generation, pid: 100 + generation });
        }
        self.children.insert(process, child);
    }

    /// A signal or KILL reaches a tree.
    fn hit(&mut self, process: &ProcessId, generation: Generation, kill: bool) {
        let lost = self.lost;
        let Some(child) = self.child(process, generation).filter(|child| !lost && (kill || !child.deaf)) else { return };
        child.awaited |= kill;
        let (immortal, led) = (child.immortal, child.leader);
        child.others = usize::from(immortal && !led && child.others > 0);
        if immortal && kill && !child.is_empty() {
            self.pending.push(Input::Stuck { process: process.clone(), generation, pids: vec![9], why: String::new() });
        }
        if !immortal && led {
            self.leader_dies(process, Exit::Signal(if kill { Signal::KILL } else { Signal::TERM }));
        }
        self.tell_if_empty(process);
    }

    fn leader_dies(&mut self, process: &ProcessId, exit: Exit) {
        if let Some(child) = self.children.get_mut(process).filter(|child| child.leader) {
            child.leader = false;
            let generation = child.generation;
            self.pending.push(Input::LeaderExited { process: process.clone(), generation, exit });
            self.tell_if_empty(process);
        }
    }

    fn tell_if_empty(&mut self, process: &ProcessId) {
        let lost = self.lost;
        if let Some(child) = self.children.get_mut(process).filter(|child| child.awaited && child.is_empty() && !lost) {
            child.awaited = false;
            let generation = child.generation;
            self.pending.push(Input::TreeEmpty { process: process.clone(), generation });
        }
    }

    fn resolve(&mut self, ticket: u64, result: &Result<(), String>) {
        if ticket >= SCRIPT_TICKETS {
            return self.pending.push(Input::Carried { ticket, result: result.clone() });
        }
        let (command, answered) = &mut self.tickets[ticket as usize];
        assert!(!std::mem::replace(answered, true), "{command:?} is answered once");
        if let (Command::Stop { process, .. }, Ok(())) = (&*command, result) {
            let child = self.children.get(process).cloned().unwrap_or_default();
            assert!(child.is_empty() || self.lost, "{process} is said to have been stopped, but {child:?}");
        }
    }

    fn event(&mut self, kind: EventKind) {
        match &kind {
            EventKind::Spawned { process, cause: StartCause::Policy { attempt, of, .. }, .. } => {
                assert!(of.is_none_or(|of| *attempt <= of), "restarts are bounded");
                let now = self.now;
                let starts = self.by_policy.entry(process.clone()).or_default();
                starts.retain(|at| now.since(*at) < Duration::from_mins(1));
                starts.push(now);
                assert!(starts.len() <= 10 * (1 + self.tickets.len() + self.changes + 12), "restarts are bounded");
            }
            EventKind::Exited { process, generation, .. } => {
                let child = self.children.get(process).cloned().unwrap_or_default();
                assert!(child.generation != *generation || !child.leader, "{process} is told to have ended while it lives");
            }
            EventKind::StoppingRun { .. } => self.stopping = true,
            _ => {}
        }
        self.record(kind);
    }

    /// What the events say of each process is so.
    fn check(&self) {
        for row in &self.snapshot.rows {
            let child = self.children.get(row.id()).cloned().unwrap_or_default();
            let (id, state) = (row.id(), &row.state);
            let given_up = child.immortal && self.machine.procs.iter().any(|p| p.id() == id && p.exit_owed);
            if self.lost || given_up {
                continue;
            }
            assert!(!(child.leader && child.told) || state.is_alive(), "{id} lives, but is shown as {state:?}");
            assert!(state.is_alive() || row.pid.is_none() || child.leader, "{id} is shown as {state:?} with a pid");
            assert!(!state.is_settled() || !child.leader, "{id} is shown as {state:?}, but its leader lives");
        }
    }

    /// One thing that chance does.
    fn happen(&mut self) {
        let n = self.chance.below(NAMES.len());
        let process = id(NAMES[n]);
        match self.chance.below(20) {
            0..=8 => self.deliver(),
            9 => self.go_well(),
            10 => {
                let code = [0, 0, 1, 101][self.chance.below(4)];
                if self.children.get(&process).is_some_and(|child| child.told) {
                    self.leader_dies(&process, Exit::Code(code));
                }
            }
            11 => {
                if let Some(child) = self.children.get_mut(&process) {
                    child.others = child.others.saturating_sub(1);
                    self.tell_if_empty(&process);
                }
            }
            12 | 13 if self.chance.one_in(6) => self.give(Input::Said { step: n }),
            12 | 13 => self.answer(process),
            14..=16 => self.somebody_asks(process),
            17 | 18 => self.tick(),
            _ if self.chance.one_in(12) => self.lose(),
            _ if self.chance.one_in(2) => {
                self.changes += 1;
                self.give(Input::Changed { process, file: "main.rs".into(), more: 0 });
            }
            _ if self.chance.one_in(4) => {
                let looking = self.chance.one_in(2);
                self.give(Input::Observed { looking });
            }
            _ if self.chance.one_in(4) => self.stand_still(),
            _ => self.tick(),
        }
    }

    /// Something under way arrives: of a tree's own news, only its start and its leader's end keep their places.
    fn deliver(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let n = self.chance.below(self.pending.len());
        let first = |input: &Input| -> u8 {
            match input {
                Input::Spawned { .. } | Input::SpawnFailed { .. } | Input::AlreadyDone { .. } => 0,
                Input::LeaderExited { .. } => 1,
                _ => 2,
            }
        };
        let (whose, rank) = (tree_of(&self.pending[n]), first(&self.pending[n]));
        let before = |input: &Input| whose.is_some() && tree_of(input) == whose && first(input) < rank;
        let n = self.pending.iter().position(before).unwrap_or(n);
        let input = self.pending.remove(n);
        if let Input::Spawned { process, generation, .. } = &input
            && let Some(child) = self.child(&process.clone(), *generation)
        {
            child.told = true;
        }
        if let Input::SpawnFailed { process, .. } = &input {
            self.children.get_mut(process).expect("it was to be spawned").awaited = false;
        }
        self.give(input);
    }

    /// All is as it should be: everything is delivered, and what waits for its readiness is ready.
    fn go_well(&mut self) {
        for name in NAMES {
            for _ in 0..20 {
                if self.pending.is_empty() {
                    break;
                }
                self.deliver();
            }
            let starting = self.snapshot.row(name).is_some_and(|row| row.state.word() == "starting");
            if let Some(generation) = self.children.get(&id(name)).filter(|child| starting && child.told).map(|child| child.generation) {
                let report = ReadyReport::Yes { answered: self.now, evidence: String::new(), port: None };
                self.give(Input::Ready { process: id(name), generation, report });
            }
        }
    }

    /// A probe of a live one is answered.
    fn answer(&mut self, process: ProcessId) {
        let Some(generation) = self.children.get(&process).filter(|child| child.told).map(|child| child.generation) else { return };
        let input = match self.chance.below(16) {
            0 => Input::Ready { process, generation, report: ReadyReport::Foreign { pid: 1, port: 1 } },
            1..=5 => {
                let bad = ProbeOutcome::Failed { short: "503".into(), why: "503".into() };
                let outcome = if self.chance.one_in(2) { bad } else { ProbeOutcome::Ok };
                Input::Probed { process, generation, record: ProbeRecord { at: self.now, took: Duration::ZERO, outcome } }
            }
            _ => {
                let report = ReadyReport::Yes { answered: self.now, evidence: String::new(), port: None };
                Input::Ready { process, generation, report }
            }
        };
        self.give(input);
    }

    fn somebody_asks(&mut self, process: ProcessId) {
        let now = self.chance.one_in(3);
        let command = match self.chance.below(16) {
            0..=3 => Command::Start { process },
            4..=7 => Command::Stop { process, now },
            8..=11 => Command::Restart { process, now },
            12 => Command::Signal { process, signal: Signal::TERM },
            13 if self.chance.one_in(3) => Command::RunStep { step: [None, Some(1), Some(2)][self.chance.below(3)] },
            13 if self.chance.one_in(4) => Command::HoldSteps { held: now },
            13 => Command::RerunTests,
            14 if self.chance.one_in(4) => Command::Shutdown { now },
            14 => Command::SendLine { process, text: "x".into() },
            _ => Command::Hold { process, held: !now },
        };
        self.ask(command);
    }

    fn ask(&mut self, command: Command) {
        let ticket = self.tickets.len() as u64;
        self.tickets.push((command.clone(), false));
        let by = if self.chance.one_in(4) { Actor::Signal(Signal::INT) } else { Actor::You };
        self.give(Input::Request { request: Request { command, by }, ticket });
    }

    fn lose(&mut self) {
        if !std::mem::replace(&mut self.lost, true) {
            for child in self.children.values_mut() {
                (child.leader, child.others) = (false, 0);
            }
            self.give(Input::SpawnerLost { why: "killed".into() });
        }
    }

    /// The run is suspended for a while.
    fn stand_still(&mut self) {
        let span = Duration::from_secs(self.chance.below(100) as u64);
        self.now = self.now + span;
        self.timers.iter_mut().for_each(|(at, _)| *at = *at + span);
        self.give(Input::StoodStill { span });
    }

    fn tick(&mut self) {
        if let Some(n) = (0..self.timers.len()).min_by_key(|&n| self.timers[n]) {
            let (at, timer) = self.timers.swap_remove(n);
            self.now = self.now.max(at);
            self.give(Input::Timer(timer));
        }
    }

    /// Lets chance have its way, then takes the run down.
    fn live(mut self) {
        while !self.chance.is_empty() && !self.finished {
            self.happen();
        }
        let asked = self.now;
        self.ask(Command::Shutdown { now: false });
        while !self.finished {
            assert!(
                self.now.since(asked) <= LONGEST,
                "the run did not end: {:?}",
                self.machine.procs.iter().map(|p| (p.id(), &p.state, &p.life, &p.tree)).collect::<Vec<_>>()
            );
            assert!(!self.pending.is_empty() || !self.timers.is_empty(), "nothing is left to happen, but the run has not ended");
            if self.pending.is_empty() { self.tick() } else { self.deliver() }
        }
        let open: Vec<_> = self.snapshot.steps.iter().filter(|step| !step.stage.is_over()).collect();
        assert!(open.is_empty(), "the run has ended, but not {open:?}");
        let unanswered: Vec<_> = self.tickets.iter().filter(|(_, answered)| !answered).collect();
        assert!(unanswered.is_empty(), "nobody answered {unanswered:?}");
        assert!(self.lost || self.children.values().all(|child| child.is_empty() || child.immortal), "{:?}", self.children);
    }
}

fn tree_of(input: &Input) -> Option<(&ProcessId, Generation)> {
    match input {
        Input::Spawned { process, generation, .. }
        | Input::SpawnFailed { process, generation, .. }
        | Input::LeaderExited { process, generation, .. }
        | Input::TreeEmpty { process, generation }
        | Input::Members { process, generation, .. }
        | Input::Stuck { process, generation, .. }
        | Input::Drained { process, generation, .. } => Some((process, *generation)),
        _ => None,
    }
}

fn sequences() -> u32 {
    std::env::var("E2E_SEQUENCES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences() / 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_holds_with_shrinking(bytes in proptest::collection::vec(any::<u8>(), 1..400)) {
        World::new(&bytes).live();
    }
}

/// `length` bytes that follow from `seed`.
fn bytes_of(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let length = 20 + usize::from(next());
    (0..length).map(|_| next()).collect()
}

#[test]
fn whatever_happens_holds_a_hundred_thousand_times() {
    for seed in 0..u64::from(sequences()) {
        let lived = std::panic::catch_unwind(|| World::new(&bytes_of(seed)).live());
        assert!(lived.is_ok(), "seed {seed} failed, see above");
    }
}

#[test]
fn failures_of_a_kind_stay_short() {
    let failure = Failure::NeverReady { last: String::new(), after_ms: 30_000 };
    assert_eq!(failure.short(), "not ready in 30 s");
}
