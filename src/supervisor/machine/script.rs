//! The script: steps one after the other, each as soon as what it waits for has come about.
//!
//! - A `when` counts from the end of the step before: a line said earlier is none. A state may hold already. What is said
//!   while the step before is carried out counts: it may be what that step brought about, and whether its end or the line is
//!   told first is chance.
//! - A step is done when all it does is: a start when the process is alive, a stop when its tree is empty, a kill when its
//!   victim's end is told. So the next step never meets the state from before.
//! - A step that cannot be carried out, or whose `when` is not met within its `timeout`, fails the run, and the rest is left
//!   out: what comes after would show something else than the author meant. A rehearsal goes on.
//! - A run that has nothing else to wait for ends without the steps that are left, unless nothing but time keeps one of them
//!   from starting what the verdict is made of. What a rehearsal waits for is its script alone.

use std::time::Duration;

use super::core::Machine;
use super::open::TestEnd;
use super::types::{Effect, TimerKind};
use crate::model::{
    Actor, At, Command, EventKind, Generation, Health, ProcessState, Request, Role, RunSpec, Signal, StateOrHealth, StepAction, StepInfo,
    StepSpec, StepStage, StepWhen, View, human_duration,
};

/// Tickets from here on are the script's: what becomes of them outside is told to the machine with [`Input::Carried`].
///
/// [`Input::Carried`]: super::Input::Carried
pub(crate) const SCRIPT_TICKETS: u64 = 1 << 63;

/// A step that has waited so long says what for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a run takes its script.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScriptOptions {
    /// The first step that is carried out, from 1; 0 and 1 are all of them.
    pub from_step: u32,
    /// The run is there for the script alone: all steps are carried out, then it ends, and its verdict is theirs.
    pub rehearse: bool,
}

/// What a timer of the script is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// The time of an `after` is over.
    Due,
    /// It is time to say what is waited for.
    Late,
    /// The step's `timeout` is over.
    Deadline,
    /// A `wait` is over.
    Pause,
}

/// The script of a run, and how far it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    steps: Vec<StepSpec>,
    /// The index of the step whose turn it is.
    at: usize,
    phase: Phase,
    /// When the step before ended.
    since: At,
    /// Counts stretches of waiting, so that what belongs to a former one is known by its number.
    stretch: u32,
    held: bool,
    /// While the step under way was carried out, the line was said that the next one waits for.
    heard: bool,
    /// Somebody asked for the step under way; that it fails is between the two.
    by_hand: bool,
    /// How many steps `--from-step` leaves out.
    left_out: usize,
    /// The first step that failed, in words.
    failure: Option<String>,
    failed: usize,
    rehearsal: Option<Rehearsal>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// It has not begun, or all is done.
    #[default]
    Idle,
    /// The step's `when`; `met`: what only happens once has happened.
    Waiting { met: bool },
    /// The step is carried out; `next` is the action that follows.
    Acting { next: usize, awaits: Option<Awaits> },
}

/// What the action under way waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// What was asked for is done; `end`: then the end of that generation.
    Carried { ticket: u64, end: Option<(usize, Generation)> },
    /// The end of this generation.
    End(usize, Generation),
    /// A `wait`.
    Pause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rehearsal {
    Running,
    Over,
}

impl Script {
    pub(super) fn of(spec: &RunSpec, options: ScriptOptions) -> Self {
        let skipped = (options.from_step.saturating_sub(1) as usize).min(spec.steps.len());
        let rehearsal = options.rehearse.then_some(Rehearsal::Running);
        Self { steps: spec.steps.clone(), at: skipped, left_out: skipped, rehearsal, ..Self::default() }
    }

    /// The first step that failed, in words.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Tests run again at somebody's wish: the states decide anew.
    pub(super) fn forget_failure(&mut self) {
        self.failure = None;
    }

    /// The run was suspended for so long.
    pub(super) fn stood_still(&mut self, span: Duration) {
        self.since = self.since + span;
    }

    /// Whether all steps of a rehearsal are over.
    pub(super) fn is_rehearsed(&self) -> bool {
        self.rehearsal == Some(Rehearsal::Over)
    }

    /// Whether nothing of it is waited for or carried out.
    #[cfg(debug_assertions)]
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Whether this is a rehearsal.
    pub(super) fn is_rehearsal(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// Why a rehearsal has passed.
    pub(super) fn passed_because(&self) -> Option<String> {
        self.is_rehearsed().then(|| format!("{} passed", count(self.wanted())))
    }

    /// How many steps this run is to carry out.
    fn wanted(&self) -> usize {
        self.steps.len() - self.left_out
    }

    /// The number of the step at `index`.
    fn number(index: usize) -> u32 {
        u32::try_from(index + 1).unwrap_or(u32::MAX)
    }

    fn step(&self) -> Option<&StepSpec> {
        self.steps.get(self.at)
    }

    /// The action under way and those behind it, as far as nothing but time lies before them.
    fn certain_to_come(&self) -> impl Iterator<Item = &StepAction> {
        let (index, from) = match self.phase {
            Phase::Acting { next, .. } => (self.at, next.saturating_sub(1)),
            Phase::Waiting { met: true } => (self.at, 0),
            Phase::Waiting { met: false } if self.step().is_some_and(|step| is_a_matter_of_time(&step.when)) => (self.at, 0),
            Phase::Idle | Phase::Waiting { .. } => (self.steps.len(), 0),
        };
        let first = self.steps.get(index).map_or(&[][..], |step| step.actions.get(from..).unwrap_or_default());
        let behind = self.steps.get(index + 1..).unwrap_or_default();
        first.iter().chain(behind.iter().take_while(|step| is_a_matter_of_time(&step.when)).flat_map(|step| &step.actions))
    }
}

fn is_a_matter_of_time(when: &StepWhen) -> bool {
    matches!(when, StepWhen::AtOnce | StepWhen::After(_))
}

fn count(steps: usize) -> String {
    if steps == 1 { "1 step".into() } else { format!("{steps} steps") }
}

impl Machine {
    /// The run begins, and its script with it.
    pub(super) fn begin_script(&mut self) {
        self.starters.passed(self.script.at);
        for index in 0..self.script.at {
            self.tell_step(index, StepStage::Skipped, "left out by --from-step".into(), None);
        }
        self.await_step();
    }

    /// The step whose turn it is begins to wait.
    fn await_step(&mut self) {
        self.script.since = self.now;
        self.script.by_hand = false;
        if self.script.step().is_none() {
            return self.script_is_done();
        }
        self.script.phase = Phase::Waiting { met: std::mem::take(&mut self.script.heard) };
        self.bound_wait();
    }

    /// Arms what bounds the wait for a step, from now on. What was armed for it before counts no more.
    fn bound_wait(&mut self) {
        self.script.stretch += 1;
        let (now, since) = (self.now, self.script.since);
        let Some(step) = self.script.step() else { return };
        let (when, timeout) = (step.when.clone(), step.timeout);
        match when {
            StepWhen::AtOnce => {}
            StepWhen::After(pause) => self.arm_script(Alarm::Due, since + pause),
            StepWhen::State { .. } | StepWhen::Log { .. } => self.arm_script(Alarm::Late, now + PATIENCE),
        }
        if let Some(timeout) = timeout {
            self.arm_script(Alarm::Deadline, now + timeout);
        }
    }

    fn arm_script(&mut self, alarm: Alarm, at: At) {
        self.arm_run(TimerKind::Script(self.script.stretch, alarm), at);
    }

    /// A timer of the script is due.
    pub(super) fn script_alarm(&mut self, stretch: u32, alarm: Alarm) {
        if stretch != self.script.stretch {
            return;
        }
        match (&mut self.script.phase, alarm) {
            (Phase::Waiting { met }, Alarm::Due) => *met = true,
            // Who holds the script knows why it waits.
            (Phase::Waiting { met: false }, Alarm::Late) if !self.script.held => {
                let detail = self.waits_for();
                self.tell_step(self.script.at, StepStage::Waiting, detail, None);
            }
            (Phase::Waiting { .. }, Alarm::Deadline) if !self.script.held => {
                let limit = self.script.step().and_then(|step| step.timeout).map(human_duration).unwrap_or_default();
                let why = format!("waited {limit} for {}", self.waits_for());
                self.fail_step(why);
            }
            (Phase::Acting { awaits, .. }, Alarm::Pause) if *awaits == Some(Awaits::Pause) => *awaits = None,
            _ => {}
        }
    }

    /// A line that step `index` waits for was said.
    pub(super) fn said(&mut self, index: usize) {
        match &mut self.script.phase {
            Phase::Waiting { met } if index == self.script.at => *met = true,
            Phase::Acting { .. } if index == self.script.at + 1 => self.script.heard = true,
            _ => {}
        }
    }

    /// What the step waits for, and how that stands: `upstream ready: it is backoff`.
    fn waits_for(&self) -> String {
        let Some(step) = self.script.step() else { return String::new() };
        let StepWhen::State { processes, is } = &step.when else { return step.when.words() };
        let mut missing = Vec::new();
        for proc in processes.iter().filter_map(|id| self.by_name.get(id)).map(|&i| &self.procs[i]) {
            if !is_in(&proc.state, proc.health, is) {
                let name = if processes.len() == 1 { "it" } else { proc.id().as_str() };
                let health = if let StateOrHealth::Health(_) = is { format!(", {}", proc.health.word()) } else { String::new() };
                missing.push(format!("{name} is {}{health}", proc.state.word()));
            }
        }
        format!("{}: {}", step.when.words(), missing.join(", "))
    }

    /// Takes the script one move further, if it can go on.
    pub(super) fn script_moves(&mut self) -> bool {
        match self.script.phase {
            Phase::Waiting { met } => {
                let goes = !self.script.held && (met || self.script.step().is_some_and(|step| self.holds(&step.when)));
                if goes {
                    self.start_step();
                }
                goes
            }
            Phase::Acting { awaits: Some(Awaits::End(i, generation)), next } => {
                let proc = &self.procs[i];
                let over = proc.generation != generation || !proc.has_life();
                if over {
                    self.script.phase = Phase::Acting { next, awaits: None };
                }
                over
            }
            Phase::Acting { awaits: Some(Awaits::Carried { ticket, .. }), .. } => self.carry_on(ticket),
            Phase::Idle | Phase::Acting { awaits: Some(Awaits::Pause), .. } => false,
            Phase::Acting { awaits: None, next } => {
                let action = self.script.step().and_then(|step| step.actions.get(next).cloned());
                match action {
                    Some(action) => self.act(next + 1, action),
                    None => self.end_step(StepStage::Done, String::new()),
                }
                true
            }
        }
    }

    fn holds(&self, when: &StepWhen) -> bool {
        match when {
            StepWhen::AtOnce => true,
            StepWhen::After(_) | StepWhen::Log { .. } => false,
            StepWhen::State { processes, is } => {
                let mut procs = processes.iter().map(|id| self.by_name.get(id).map(|&i| &self.procs[i]));
                procs.all(|proc| proc.is_some_and(|proc| is_in(&proc.state, proc.health, is)))
            }
        }
    }

    fn start_step(&mut self) {
        self.script.stretch += 1;
        self.script.phase = Phase::Acting { next: 0, awaits: None };
        self.script.heard = false;
        let note = self.script.step().map(|step| step.note.clone()).unwrap_or_default();
        self.tell_step(self.script.at, StepStage::Started, note, None);
    }

    /// Carries out one action; `next` is the one behind it.
    fn act(&mut self, next: usize, action: StepAction) {
        self.script.stretch += 1;
        let ticket = SCRIPT_TICKETS + u64::from(self.script.stretch);
        let mut end = None;
        let command = match action {
            StepAction::Start(process) => Command::Start { process },
            StepAction::Stop(process) => Command::Stop { process, now: false },
            StepAction::Restart(process) => Command::Restart { process, now: false },
            StepAction::Kill(process) | StepAction::Signal { process, signal: Signal::KILL } => {
                end = self.by_name.get(&process).map(|&i| (i, self.procs[i].generation));
                Command::Signal { process, signal: Signal::KILL }
            }
            StepAction::Signal { process, signal } => Command::Signal { process, signal },
            StepAction::Send { process, text } => Command::SendLine { process, text },
            StepAction::Mark(text) => Command::Mark { text },
            StepAction::RerunTests => Command::RerunTests,
            StepAction::Wait(pause) => {
                self.script.phase = Phase::Acting { next, awaits: Some(Awaits::Pause) };
                return self.arm_script(Alarm::Pause, self.now + pause);
            }
            StepAction::Export(path) => {
                self.script.phase = Phase::Acting { next, awaits: Some(Awaits::Carried { ticket, end }) };
                return self.out.push(Effect::Export { path, ticket });
            }
            StepAction::Layout(name) => return self.view(next, View::Layout(name)),
            StepAction::Focus(process) => return self.view(next, View::Focus(process)),
            StepAction::Filter(pattern) => return self.view(next, View::Filter(pattern)),
            StepAction::Fault(fault) => Command::Disturb { fault },
        };
        self.script.phase = Phase::Acting { next, awaits: Some(Awaits::Carried { ticket, end }) };
        self.request(Request { command, by: self.script_actor() }, ticket);
    }

    fn view(&mut self, next: usize, view: View) {
        self.script.phase = Phase::Acting { next, awaits: None };
        self.emit(EventKind::Viewed { view, by: self.script_actor() });
    }

    fn script_actor(&self) -> Actor {
        Actor::Step(Script::number(self.script.at))
    }

    /// Goes on if what the script asked for has been done by this very input.
    fn carry_on(&mut self, awaited: u64) -> bool {
        let Some(place) = self.out.iter().position(|e| matches!(e, Effect::Resolve { ticket, .. } if *ticket == awaited)) else {
            return false;
        };
        if let Effect::Resolve { ticket, result } = self.out.remove(place) {
            self.carried(ticket, result);
        }
        true
    }

    /// What the script asked for is done, or cannot be.
    pub(super) fn carried(&mut self, ticket: u64, result: Result<(), String>) {
        let Phase::Acting { next, awaits: Some(Awaits::Carried { ticket: awaited, end }) } = self.script.phase else { return };
        if awaited != ticket {
            return;
        }
        match result {
            Ok(()) => self.script.phase = Phase::Acting { next, awaits: end.map(|(i, generation)| Awaits::End(i, generation)) },
            Err(why) => self.fail_step(why),
        }
    }

    fn fail_step(&mut self, why: String) {
        let number = Script::number(self.script.at);
        self.script.failed += 1;
        if !self.script.by_hand {
            self.script.failure.get_or_insert_with(|| format!("step {number} failed: {why}"));
        }
        let goes_on = self.script.is_rehearsal() || self.script.by_hand;
        self.end_step(StepStage::Failed, why);
        if !goes_on {
            self.skip_steps(&format!("step {number} failed"));
        }
    }

    /// The step is over; the next begins to wait.
    fn end_step(&mut self, stage: StepStage, detail: String) {
        let took = self.now.since(self.script.since);
        self.tell_step(self.script.at, stage, detail, Some(took));
        self.script.at += 1;
        self.starters.passed(self.script.at);
        self.await_step();
    }

    /// Leaves out what is left of the script.
    pub(super) fn skip_steps(&mut self, why: &str) {
        if self.script.phase == Phase::Idle {
            return;
        }
        for index in self.script.at..self.script.steps.len() {
            self.tell_step(index, StepStage::Skipped, why.to_owned(), None);
        }
        self.script.at = self.script.steps.len();
        self.script.phase = Phase::Idle;
        self.script.stretch += 1;
        self.starters.passed(self.script.at);
    }

    fn script_is_done(&mut self) {
        self.script.phase = Phase::Idle;
        if self.script.rehearsal == Some(Rehearsal::Running) {
            self.script.rehearsal = Some(Rehearsal::Over);
            let of = count(self.script.wanted());
            let failed = self.script.failed;
            let end = if failed == 0 { TestEnd::Passed } else { TestEnd::Failed(format!("{failed} of {of} failed")) };
            self.course.open = false;
            self.course.close(end);
        }
    }

    fn tell_step(&mut self, index: usize, stage: StepStage, detail: String, took: Option<Duration>) {
        let Some(step) = self.script.steps.get(index) else { return };
        let what = StepInfo::of(step).title().to_owned();
        let took_us = took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.emit(EventKind::Step { step: Script::number(index), stage, what, detail, took_us });
    }

    /// Whether the run waits for its script, although nothing else is left to wait for.
    pub(super) fn script_holds(&self) -> bool {
        let is_test = |id| self.by_name.get(id).is_some_and(|&i| self.procs[i].spec.role == Role::Test);
        let tests = self.tests.iter().any(|&i| self.takes_part(i));
        let exports = matches!(self.script.phase, Phase::Acting { next, .. } if matches!(self.script.certain_to_come().next(), Some(StepAction::Export(_)) if next > 0));
        exports
            || self.script.certain_to_come().any(|action| match action {
                StepAction::Start(process) | StepAction::Restart(process) => !tests || is_test(process),
                StepAction::RerunTests => true,
                _ => false,
            })
    }

    /// Somebody wants a step to be carried out now, whatever it waits for.
    pub(super) fn ask_step(&mut self, step: Option<u32>, ticket: u64) -> Result<(), String> {
        let of = self.script.steps.len();
        if of == 0 {
            return Err("this scenario has no steps".into());
        }
        if let Phase::Acting { .. } = self.script.phase {
            return Err(format!("step {} is under way", Script::number(self.script.at)));
        }
        let index = match step {
            None if self.script.at < of => self.script.at,
            None => return Err(format!("{} over", if of == 1 { "the one step is".into() } else { format!("all {of} steps are") })),
            Some(number) => {
                (number as usize).checked_sub(1).filter(|index| *index < of).ok_or_else(|| format!("there are {}", count(of)))?
            }
        };
        for between in self.script.at..index {
            self.tell_step(between, StepStage::Skipped, format!("step {} was asked for", Script::number(index)), None);
        }
        self.script.at = index;
        self.script.since = self.now;
        self.script.by_hand = true;
        self.start_step();
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        Ok(())
    }

    /// Somebody wants the script to stand still, or to go on.
    pub(super) fn hold_script(&mut self, held: bool, by: &Actor, ticket: u64) -> Result<(), String> {
        if self.script.steps.is_empty() {
            return Err("this scenario has no steps".into());
        }
        if std::mem::replace(&mut self.script.held, held) != held {
            self.emit(EventKind::StepsHeld { held, by: by.clone() });
            // The time of a hold is nobody's fault: what bounds the wait counts from its end.
            if let (Phase::Waiting { met: false }, false) = (self.script.phase, held) {
                self.bound_wait();
            }
        }
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        Ok(())
    }
}

/// Whether a process stands as a step wants it. `unhealthy` is a state and a health; either will do.
fn is_in(state: &ProcessState, health: Health, is: &StateOrHealth) -> bool {
    match is {
        StateOrHealth::State(word) => state.word() == word || word == "unhealthy" && health == Health::Unhealthy,
        StateOrHealth::Health(wanted) => state.is_alive() && health == *wanted,
    }
}
