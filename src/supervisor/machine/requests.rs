//! What somebody asks for: starts, stops, restarts, signals, lines for stdin, reruns.

use super::core::Machine;
use super::types::{After, Effect, Goal, Life, StopOrder, Stopping, Tree};
use crate::model::{Actor, Command, EventKind, Failure, FaultSpec, Generation, ProcessId, ProcessState, Request, Role, Signal, StartCause};

impl Machine {
    pub(super) fn request(&mut self, Request { command, by }: Request, ticket: u64) {
        let done = match command {
            Command::Start { process } => self.find(&process).and_then(|i| self.ask_start(i, &by, ticket)),
            Command::Stop { process, now } => self.find(&process).map(|i| self.ask_stop(i, by, now, ticket)),
            Command::Restart { process, now } => self.find(&process).and_then(|i| self.ask_restart(i, by, now, ticket)),
            Command::Signal { process, signal } => self.find(&process).and_then(|i| self.ask_signal(i, by, signal, ticket)),
            Command::SendLine { process, text } => self.find(&process).and_then(|i| self.ask_send(i, text, ticket)),
            Command::Type { process, bytes } => self.find(&process).and_then(|i| self.ask_type(i, bytes, ticket)),
            Command::Hold { process, held } => self.find(&process).map(|i| self.ask_hold(i, by, held, ticket)),
            Command::Disturb { fault } => self.find(&fault.at.clone()).and_then(|i| self.ask_disturb(i, fault, by, ticket)),
            Command::RerunTests => self.ask_rerun(&by, ticket),
            Command::RunStep { step } => self.refuse_while_stopping().and_then(|()| self.ask_step(step, ticket)),
            Command::HoldSteps { held } => self.hold_script(held, &by, ticket),
            Command::Mark { text } => {
                self.emit(EventKind::Marked { process: None, text, by });
                self.out.push(Effect::Resolve { ticket, result: Ok(()) });
                Ok(())
            }
            Command::Shutdown { now } => {
                self.shut_down(&by, now, Some(ticket));
                Ok(())
            }
        };
        if let Err(why) = done {
            self.out.push(Effect::Resolve { ticket, result: Err(why) });
        }
    }

    fn ask_disturb(&mut self, i: usize, fault: FaultSpec, by: Actor, ticket: u64) -> Result<(), String> {
        let process = self.procs[i].id().clone();
        if !self.procs[i].spec.is_tapped() {
            return Err(format!("{process} has no tap: add `tap = true` to it"));
        }
        if self.procs[i].spec.taps_pipes() && !fault.kind.is_for_pipes() {
            return Err(format!(
                "{process} is tapped on its pipes, where {} cannot be done: delay, jitter and drop can",
                fault.kind.word()
            ));
        }
        self.emit(EventKind::Disturbed { process, fault: fault.effect(), by });
        self.out.push(Effect::Disturb { fault });
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        Ok(())
    }

    /// A fault was for so many requests, and they have been.
    pub(super) fn fault_is_over(&mut self, process: ProcessId) {
        self.emit(EventKind::Disturbed { process, fault: String::new(), by: Actor::Supervisor });
    }

    fn ask_start(&mut self, i: usize, by: &Actor, ticket: u64) -> Result<(), String> {
        self.refuse_while_stopping()?;
        let cause = StartCause::Asked { by: by.clone() };
        let order = |after| StopOrder { by: by.clone(), now: false, after };
        match &mut self.procs[i].life {
            Life::Up { .. } | Life::Spawning { stop: None } | Life::Clearing { .. } => {}
            Life::Spawning { stop: Some(order) } | Life::Stopping(Stopping { order, .. }) => {
                order.after = After::Start(cause);
                self.new_attempt(i, by);
            }
            Life::Ending { stop, .. } => {
                *stop = Some(order(After::Start(cause)));
                self.new_attempt(i, by);
            }
            Life::None => {
                self.new_attempt(i, by);
                self.begin_stop(i, order(After::Start(cause)));
            }
        }
        self.expect(i, ticket, Goal::Up);
        Ok(())
    }

    fn ask_stop(&mut self, i: usize, by: Actor, now: bool, ticket: u64) {
        if self.procs[i].spec.role == Role::Test && !self.course.is_stopping() {
            self.procs[i].stopped_by = Some(by.clone());
        }
        self.begin_stop(i, StopOrder { by, now, after: After::Stay });
        self.expect(i, ticket, Goal::Down);
    }

    fn ask_restart(&mut self, i: usize, by: Actor, now: bool, ticket: u64) -> Result<(), String> {
        self.refuse_while_stopping()?;
        let cause = StartCause::Asked { by: by.clone() };
        self.new_attempt(i, &by);
        self.begin_stop(i, StopOrder { by, now, after: After::Start(cause) });
        self.expect(i, ticket, Goal::Up);
        Ok(())
    }

    /// Process `i` is about to be started by hand: its policy counts anew, and the verdict is by what comes of that.
    pub(super) fn new_attempt(&mut self, i: usize, by: &Actor) {
        self.procs[i].ledger.reset();
        self.procs[i].stopped_by = None;
        self.reopen(i, by);
    }

    fn ask_signal(&mut self, i: usize, by: Actor, signal: Signal, ticket: u64) -> Result<(), String> {
        if !matches!(self.procs[i].life, Life::Up { .. } | Life::Stopping(_)) {
            return Err(format!("{} is not alive: it is {}", self.procs[i].id(), self.procs[i].state.word()));
        }
        if Self::is_outsider(&by) {
            self.procs[i].signalled_by = Some(by.clone());
            self.procs[i].sent.push(signal);
        }
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.out.push(Effect::Signal { process: process.clone(), generation, signal });
        self.emit(EventKind::Signalled { process, generation, signal, by, stop: false });
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        Ok(())
    }

    /// Process `i` as one that can read what is sent to it, or why it cannot.
    fn reader(&self, i: usize) -> Result<(ProcessId, Generation), String> {
        let proc = &self.procs[i];
        if matches!(proc.life, Life::Up { .. }) {
            Ok((proc.id().clone(), proc.generation))
        } else {
            Err(format!("{} is not alive: it is {}", proc.id(), proc.state.word()))
        }
    }

    fn ask_type(&mut self, i: usize, bytes: Vec<u8>, ticket: u64) -> Result<(), String> {
        let (process, generation) = self.reader(i)?;
        if !self.procs[i].spec.tty {
            return Err(format!("{process} has no terminal to type into: give it `tty = true`"));
        }
        self.out.push(Effect::Type { process, generation, bytes, ticket });
        Ok(())
    }

    fn ask_send(&mut self, i: usize, text: String, ticket: u64) -> Result<(), String> {
        let (process, generation) = self.reader(i)?;
        let proc = &self.procs[i];
        if proc.spec.stdin == crate::model::StdinMode::Null && !proc.spec.tty {
            return Err(format!("{} reads nothing: give it `stdin = \"pipe\"` or `tty = true`", proc.id()));
        }
        self.out.push(Effect::SendLine { process, generation, text, ticket });
        Ok(())
    }

    fn ask_rerun(&mut self, by: &Actor, ticket: u64) -> Result<(), String> {
        self.refuse_while_stopping()?;
        let tests: Vec<_> = self.tests.iter().copied().filter(|&i| self.takes_part(i)).collect();
        if tests.is_empty() {
            return Err("this scenario has no tests".into());
        }
        self.withdraw_verdict(by);
        for i in tests {
            self.procs[i].ledger.reset();
            self.procs[i].stopped_by = None;
            self.begin_stop(i, StopOrder { by: by.clone(), now: false, after: After::Start(StartCause::Rerun) });
        }
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        Ok(())
    }

    fn refuse_while_stopping(&self) -> Result<(), String> {
        if self.course.is_stopping() { Err("the run is being stopped".into()) } else { Ok(()) }
    }

    /// Remembers who waits for `goal` of process `i`; resolved at once if it is reached.
    pub(super) fn expect(&mut self, i: usize, ticket: u64, goal: Goal) {
        self.procs[i].tickets.push((ticket, goal));
        self.resolve_tickets(i);
    }

    /// Resolves who waited for what process `i` has come to.
    pub(super) fn resolve_tickets(&mut self, i: usize) {
        let proc = &self.procs[i];
        let up = matches!(proc.life, Life::Up { .. });
        let down = proc.is_down();
        let skipped = matches!(proc.state, ProcessState::Skipped { .. });
        // Whoever stopped it waits for the last of its tree, too.
        let gone = down && proc.tree.is_settled();
        let started = up || proc.state == ProcessState::Completed;
        let result = if started { Ok(()) } else { Err(format!("{} {}", proc.id(), proc.state.word())) };
        self.resolve_goal(i, Goal::Up, up || down || skipped, &result);
        let proc = &self.procs[i];
        let result = match &proc.tree {
            Tree::Stuck { pids } => Err(format!("{} {}", proc.id(), Failure::CannotBeKilled { pids: pids.clone() }.short())),
            _ => Ok(()),
        };
        self.resolve_goal(i, Goal::Down, gone, &result);
    }

    /// Resolves all who wait for `goal` of process `i`, if it is `reached`.
    pub(super) fn resolve_goal(&mut self, i: usize, goal: Goal, reached: bool, result: &Result<(), String>) {
        if reached {
            let (done, waiting) = std::mem::take(&mut self.procs[i].tickets).into_iter().partition(|(_, g)| *g == goal);
            self.procs[i].tickets = waiting;
            let done: Vec<(u64, Goal)> = done;
            self.out.extend(done.into_iter().map(|(ticket, _)| Effect::Resolve { ticket, result: result.clone() }));
        }
    }

    /// The run is over: who still waits for a process learns that.
    pub(super) fn resolve_all(&mut self) {
        for i in 0..self.procs.len() {
            for (ticket, _) in std::mem::take(&mut self.procs[i].tickets) {
                self.out.push(Effect::Resolve { ticket, result: Err("the run has ended".into()) });
            }
        }
    }
}
