//! The children, what is on its way to the machine, and what must be so whatever happens.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        Machine, SCRIPT_TICKETS, ScriptOptions,
        types::{Effect, Input, MachineOptions, TimerToken},
    },
    plan::{Chance, processes, script},
};
use crate::model::{
    At, Command, Containment, Event, EventKind, Exit, Failure, Generation, Leak, ProcessId, RunSpec, Signal, Snapshot, StartCause,
};

/// A generation's tree, as it really is.
#[derive(Debug, Clone, Default)]
pub(super) struct Child {
    pub(super) generation: Generation,
    /// Whether `Spawned` has been delivered.
    pub(super) told: bool,
    pub(super) leader: bool,
    /// Others in its tree.
    pub(super) others: usize,
    pub(super) deaf: bool,
    pub(super) immortal: bool,
    pub(super) awaited: bool,
}

impl Child {
    pub(super) fn is_empty(&self) -> bool {
        !self.leader && self.others == 0
    }
}

/// The children and everything on its way to the machine.
pub(super) struct World<'a> {
    pub(super) chance: Chance<'a>,
    pub(super) machine: Machine,
    pub(super) now: At,
    pub(super) timers: Vec<(At, TimerToken)>,
    /// Inputs under way; chance decides their order.
    pub(super) pending: Vec<Input>,
    pub(super) children: BTreeMap<ProcessId, Child>,
    pub(super) snapshot: Snapshot,
    pub(super) seq: u64,
    /// Starts by policy, by process.
    pub(super) by_policy: BTreeMap<ProcessId, Vec<At>>,
    /// What was asked with each ticket, and whether it was answered.
    pub(super) tickets: Vec<(Command, bool)>,
    /// How often a watched file changed.
    pub(super) changes: usize,
    pub(super) stopping: bool,
    pub(super) lost: bool,
    pub(super) finished: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut chance = Chance(bytes.iter());
        let end_when_done = chance.one_in(3);
        let script_options = ScriptOptions { from_step: u32::from(chance.one_in(8)) * 2, rehearse: end_when_done && chance.one_in(3) };
        let options = MachineOptions { end_when_done, timeout: Some(Duration::from_secs(100)), script: script_options, seed: 7 };
        let run = RunSpec { steps: script(&mut chance), ..processes() };
        let info = Machine::describe(&run, "run", String::new(), Containment::Subreaper);
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

    pub(super) fn give(&mut self, input: Input) {
        for effect in self.machine.step(self.now, input) {
            self.carry_out(effect);
        }
        self.check();
    }

    pub(super) fn record(&mut self, kind: EventKind) {
        self.seq += 1;
        self.snapshot.fold(&Event { seq: self.seq, at: self.now, kind });
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
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

    pub(super) fn child(&mut self, process: &ProcessId, generation: Generation) -> Option<&mut Child> {
        self.children.get_mut(process).filter(|child| child.generation == generation)
    }

    pub(super) fn spawn(&mut self, process: ProcessId, generation: Generation, unless_done: bool) {
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
    pub(super) fn hit(&mut self, process: &ProcessId, generation: Generation, kill: bool) {
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

    pub(super) fn leader_dies(&mut self, process: &ProcessId, exit: Exit) {
        if let Some(child) = self.children.get_mut(process).filter(|child| child.leader) {
            child.leader = false;
            let generation = child.generation;
            self.pending.push(Input::LeaderExited { process: process.clone(), generation, exit });
            self.tell_if_empty(process);
        }
    }

    pub(super) fn tell_if_empty(&mut self, process: &ProcessId) {
        let lost = self.lost;
        if let Some(child) = self.children.get_mut(process).filter(|child| child.awaited && child.is_empty() && !lost) {
            child.awaited = false;
            let generation = child.generation;
            self.pending.push(Input::TreeEmpty { process: process.clone(), generation });
        }
    }

    pub(super) fn resolve(&mut self, ticket: u64, result: &Result<(), String>) {
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

    pub(super) fn event(&mut self, kind: EventKind) {
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
    pub(super) fn check(&self) {
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
}
