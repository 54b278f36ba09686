//! What chance does: news arrive, children die, people ask, time passes.

use std::time::Duration;

use super::{
    super::{
        tests::id,
        types::{Input, ReadyReport},
    },
    plan::NAMES,
    world::World,
};
use crate::model::{Actor, Command, Exit, Generation, ProbeOutcome, ProbeRecord, ProcessId, Request, Signal};

/// The longest that a take-down may take: three layers of grace and KILL, and what a lost guardian adds.
pub(super) const LONGEST: Duration = Duration::from_secs(3 * (10 + 3 + 1) + 10);

impl World<'_> {
    /// One thing that chance does.
    pub(super) fn happen(&mut self) {
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
    pub(super) fn deliver(&mut self) {
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
    pub(super) fn go_well(&mut self) {
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
    pub(super) fn answer(&mut self, process: ProcessId) {
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

    pub(super) fn somebody_asks(&mut self, process: ProcessId) {
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

    pub(super) fn ask(&mut self, command: Command) {
        let ticket = self.tickets.len() as u64;
        self.tickets.push((command.clone(), false));
        let by = if self.chance.one_in(4) { Actor::Signal(Signal::INT) } else { Actor::You };
        self.give(Input::Request { request: Request { command, by }, ticket });
    }

    pub(super) fn lose(&mut self) {
        if !std::mem::replace(&mut self.lost, true) {
            for child in self.children.values_mut() {
                (child.leader, child.others) = (false, 0);
            }
            self.give(Input::SpawnerLost { why: "killed".into() });
        }
    }

    /// The run is suspended for a while.
    pub(super) fn stand_still(&mut self) {
        let span = Duration::from_secs(self.chance.below(100) as u64);
        self.now = self.now + span;
        self.timers.iter_mut().for_each(|(at, _)| *at = *at + span);
        self.give(Input::StoodStill { span });
    }

    pub(super) fn tick(&mut self) {
        if let Some(n) = (0..self.timers.len()).min_by_key(|&n| self.timers[n]) {
            let (at, timer) = self.timers.swap_remove(n);
            self.now = self.now.max(at);
            self.give(Input::Timer(timer));
        }
    }

    /// Lets chance have its way, then takes the run down.
    pub(super) fn live(mut self) {
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
        | Input::LeftAlone { process, generation, .. }
        | Input::Stuck { process, generation, .. }
        | Input::Drained { process, generation, .. } => Some((process, *generation)),
        _ => None,
    }
}
