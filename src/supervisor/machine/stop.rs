//! Stops, restarts on request, signals, and the take-down of the run.
//!
//! A stop ends when the *tree* is empty, not when its leader was reaped: stop signal to the whole tree, one grace
//! for all of it, KILL, then a bounded drain of the pipes, and only then the exit is told.

use std::time::Duration;

use super::core::Machine;
use super::exit::LEAK_TIMEOUT;
use super::types::{After, Effect, Goal, Life, StopOrder, Stopping, TimerKind};
use crate::model::{Actor, Command, EventKind, Exit, Failure, Leak, ProcessId, ProcessState, Request, Role, Signal, StartCause, Then};

/// How long KILL may take before what is left cannot be killed.
pub(super) const KILL_BUDGET: Duration = Duration::from_secs(3);

impl Machine {
    pub(super) fn request(&mut self, Request { command, by }: Request, ticket: u64) {
        let done = match command {
            Command::Start { process } => self.find(&process).and_then(|i| self.ask_start(i, by, ticket)),
            Command::Stop { process, now } => self.find(&process).map(|i| self.ask_stop(i, by, now, ticket)),
            Command::Restart { process, now } => self.find(&process).and_then(|i| self.ask_restart(i, by, now, ticket)),
            Command::Signal { process, signal } => self.find(&process).and_then(|i| self.ask_signal(i, by, signal, ticket)),
            Command::SendLine { process, text } => self.find(&process).and_then(|i| self.ask_send(i, text, ticket)),
            Command::RerunTests => self.ask_rerun(&by, ticket),
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

    fn ask_start(&mut self, i: usize, by: Actor, ticket: u64) -> Result<(), String> {
        self.refuse_while_stopping()?;
        let cause = StartCause::Asked { by };
        match &mut self.procs[i].life {
            Life::Up { .. } | Life::Spawning { stop: None } | Life::Clearing { .. } => {}
            Life::Spawning { stop: Some(order) } | Life::Stopping(Stopping { order, .. }) => order.after = After::Start(cause),
            Life::Ending { stop, .. } => *stop = Some(StopOrder { by: Actor::Supervisor, now: false, after: After::Start(cause) }),
            Life::None => {
                self.procs[i].ledger.reset();
                self.procs[i].wants_start = Some(cause);
                self.cancel(i, TimerKind::Backoff);
                self.leave_backoff(i);
            }
        }
        self.expect(i, ticket, Goal::Up);
        Ok(())
    }

    /// A back-off that was cancelled is no back-off any more.
    fn leave_backoff(&mut self, i: usize) {
        if matches!(self.procs[i].state, ProcessState::Backoff { .. }) {
            self.set_state(i, ProcessState::Pending { waits_for: Vec::new() });
        }
    }

    fn ask_stop(&mut self, i: usize, by: Actor, now: bool, ticket: u64) {
        self.begin_stop(i, StopOrder { by, now, after: After::Stay });
        self.expect(i, ticket, Goal::Down);
    }

    fn ask_restart(&mut self, i: usize, by: Actor, now: bool, ticket: u64) -> Result<(), String> {
        self.refuse_while_stopping()?;
        let cause = StartCause::Asked { by: by.clone() };
        if self.procs[i].has_life() && !matches!(self.procs[i].life, Life::Clearing { .. }) {
            self.procs[i].ledger.reset();
            self.begin_stop(i, StopOrder { by, now, after: After::Start(cause) });
            self.expect(i, ticket, Goal::Up);
            Ok(())
        } else {
            self.ask_start(i, by, ticket)
        }
    }

    fn ask_signal(&mut self, i: usize, by: Actor, signal: Signal, ticket: u64) -> Result<(), String> {
        if !matches!(self.procs[i].life, Life::Up { .. } | Life::Stopping(_)) {
            return Err(format!("{} is not alive: it is {}", self.procs[i].id(), self.procs[i].state.word()));
        }
        if Self::is_outsider(&by) {
            self.procs[i].signalled_by = Some(by.clone());
        }
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.out.push(Effect::Signal { process: process.clone(), generation, signal });
        self.emit(EventKind::Signalled { process, generation, signal, by, stop: false });
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        Ok(())
    }

    fn ask_send(&mut self, i: usize, text: String, ticket: u64) -> Result<(), String> {
        let proc = &self.procs[i];
        if !matches!(proc.life, Life::Up { .. }) {
            return Err(format!("{} is not alive: it is {}", proc.id(), proc.state.word()));
        }
        if proc.spec.stdin == crate::model::StdinMode::Null && !proc.spec.tty {
            return Err(format!("{} reads nothing: give it `stdin = \"pipe\"` or `tty = true`", proc.id()));
        }
        let (process, generation) = (proc.id().clone(), proc.generation);
        self.out.push(Effect::SendLine { process, generation, text, ticket });
        Ok(())
    }

    fn ask_rerun(&mut self, by: &Actor, ticket: u64) -> Result<(), String> {
        self.refuse_while_stopping()?;
        let tests: Vec<_> = (0..self.procs.len()).filter(|&i| self.procs[i].spec.role == Role::Test).collect();
        if tests.is_empty() {
            return Err("this scenario has no tests".into());
        }
        self.emit(EventKind::Rerun { by: by.clone() });
        self.withdraw_verdict();
        for i in tests {
            self.procs[i].ledger.reset();
            if matches!(self.procs[i].life, Life::None) {
                self.cancel(i, TimerKind::Backoff);
                self.procs[i].wants_start = Some(StartCause::Rerun);
                self.set_state(i, ProcessState::Pending { waits_for: Vec::new() });
            } else {
                self.begin_stop(i, StopOrder { by: by.clone(), now: false, after: After::Start(StartCause::Rerun) });
            }
        }
        self.out.push(Effect::Resolve { ticket, result: Ok(()) });
        Ok(())
    }

    fn refuse_while_stopping(&self) -> Result<(), String> {
        if self.course.is_stopping() { Err("the run is being stopped".into()) } else { Ok(()) }
    }

    /// Stops process `i`, wherever it is in its life.
    pub(super) fn begin_stop(&mut self, i: usize, order: StopOrder) {
        self.cancel(i, TimerKind::Backoff);
        self.procs[i].wants_start = None;
        let now = self.now;
        match &mut self.procs[i].life {
            Life::None => self.stop_nothing(i, order),
            Life::Clearing { next } => {
                if let After::Start(cause) = order.after {
                    *next = cause;
                } else {
                    self.procs[i].life = Life::None;
                    self.stop_nothing(i, order);
                }
            }
            Life::Spawning { stop } | Life::Ending { stop, .. } => *stop = Some(order),
            Life::Stopping(stopping) => {
                let kill = order.now && !stopping.killed;
                // What failed while alive keeps its reason; a later request only decides what comes after a plain stop.
                if !matches!(stopping.order.after, After::Fail(_)) || order.by != Actor::Supervisor {
                    stopping.order.after = order.after;
                    stopping.order.by = order.by;
                }
                if kill {
                    self.kill(i);
                }
            }
            Life::Up { since, .. } => {
                let started = *since;
                let signal = if order.now { Signal::KILL } else { self.procs[i].spec.stop.signal };
                let stopping = Stopping {
                    order,
                    since: now,
                    started,
                    signal,
                    exit: None,
                    empty: false,
                    drained: None,
                    killed: false,
                    stuck: Vec::new(),
                };
                self.procs[i].life = Life::Stopping(stopping);
                self.send_stop(i);
            }
        }
    }

    /// Nothing lives but what a former generation may have left: that ends now.
    fn stop_nothing(&mut self, i: usize, order: StopOrder) {
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        if !self.procs[i].tree_empty {
            self.out.push(Effect::Kill { process: process.clone(), generation });
            self.out.push(Effect::AwaitEmpty { process, generation });
        }
        self.cancel_all(i);
        if !self.procs[i].tree_empty {
            self.arm(i, TimerKind::KillDeadline, self.now + KILL_BUDGET);
        }
        let settled = self.procs[i].state.is_settled();
        match order.after {
            After::Start(cause) => self.procs[i].wants_start = Some(cause),
            // What has ended keeps its end; what waited or backed off is stopped.
            After::Stay | After::Fail(_) if settled => self.resolve_tickets(i),
            After::Stay | After::Fail(_) => self.set_state(i, ProcessState::Stopped { by: order.by, signal: None }),
        }
    }

    /// Signals the tree (or runs its stop command) and starts the clock of its grace.
    fn send_stop(&mut self, i: usize) {
        self.cancel_all(i);
        let proc = &self.procs[i];
        let Life::Stopping(Stopping { order, signal, .. }) = &proc.life else { return };
        let (process, generation, grace) = (proc.id().clone(), proc.generation, proc.spec.stop.grace);
        let (by, signal, at_once) = (order.by.clone(), *signal, order.now);
        let has_command = proc.spec.stop.command.is_some();
        self.out.push(Effect::EndProbes { process: process.clone() });
        self.emit(EventKind::Signalled { process: process.clone(), generation, signal, by: by.clone(), stop: true });
        let kill_at = if at_once { self.now } else { self.now + grace };
        self.set_state(i, ProcessState::Stopping { kill_at, by });
        if at_once || grace.is_zero() {
            self.kill(i);
        } else {
            self.out.push(if has_command {
                Effect::StopCommand { process: process.clone(), generation }
            } else {
                Effect::Signal { process: process.clone(), generation, signal }
            });
            self.arm(i, TimerKind::Grace, kill_at);
        }
        self.out.push(Effect::AwaitEmpty { process, generation });
    }

    pub(super) fn grace_over(&mut self, i: usize) {
        if let Life::Stopping(stopping) = &self.procs[i].life
            && !stopping.killed
        {
            self.kill(i);
        }
    }

    fn kill(&mut self, i: usize) {
        let Life::Stopping(stopping) = &mut self.procs[i].life else { return };
        stopping.killed = true;
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.cancel(i, TimerKind::Grace);
        self.arm(i, TimerKind::KillDeadline, self.now + KILL_BUDGET);
        self.out.push(Effect::Kill { process: process.clone(), generation });
        self.out.push(Effect::AwaitEmpty { process, generation });
    }

    /// KILL has had its time: go on without what is left.
    pub(super) fn kill_overdue(&mut self, i: usize) {
        self.stuck(i, Vec::new());
    }

    pub(super) fn stuck(&mut self, i: usize, pids: Vec<u32>) {
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        let leaks = pids.iter().map(|&pid| Leak { pid: Some(pid), command: "cannot be killed".into(), port: None }).collect::<Vec<_>>();
        if !leaks.is_empty() {
            self.procs[i].leaked = true;
            self.emit(EventKind::Leaked { process: process.clone(), generation, leaks });
        }
        self.cancel(i, TimerKind::KillDeadline);
        // Nothing more can be done about it, so nobody waits for it any longer.
        self.procs[i].tree_empty = true;
        match &mut self.procs[i].life {
            Life::Stopping(stopping) => {
                stopping.stuck = pids;
                stopping.empty = true;
                stopping.exit.get_or_insert(Exit::Signal(Signal::KILL));
                self.out.push(Effect::Drain { process, generation, linger: LEAK_TIMEOUT });
            }
            Life::Clearing { .. } => {
                self.procs[i].life = Life::None;
                self.fail(i, Failure::CannotBeKilled { pids });
            }
            _ => {}
        }
    }

    pub(super) fn tree_is_empty(&mut self, i: usize) {
        self.procs[i].tree_empty = true;
        self.cancel(i, TimerKind::LeakCheck);
        if matches!(self.procs[i].life, Life::None) {
            self.cancel(i, TimerKind::KillDeadline);
        }
        match &mut self.procs[i].life {
            Life::Stopping(stopping) => {
                stopping.empty = true;
                self.drain_if_stopped(i);
            }
            Life::Clearing { next } => {
                let next = next.clone();
                self.cancel(i, TimerKind::KillDeadline);
                self.procs[i].life = Life::None;
                self.spawn(i, next);
            }
            _ => {}
        }
    }

    /// Once leader and tree are gone, what they said last is read to the end.
    pub(super) fn drain_if_stopped(&mut self, i: usize) {
        let proc = &self.procs[i];
        if let Life::Stopping(Stopping { exit: Some(_), empty: true, drained: None, .. }) = &proc.life {
            let (process, generation) = (proc.id().clone(), proc.generation);
            self.cancel_all(i);
            self.out.push(Effect::Drain { process, generation, linger: LEAK_TIMEOUT });
        }
    }

    pub(super) fn finish_stop_if_done(&mut self, i: usize) {
        let proc = &mut self.procs[i];
        if !matches!(&proc.life, Life::Stopping(s) if s.exit.is_some() && s.empty && s.drained.is_some()) {
            return;
        }
        let Life::Stopping(stopping) = std::mem::replace(&mut proc.life, Life::None) else { return };
        let (process, generation) = (proc.id().clone(), proc.generation);
        let Some(exit) = stopping.exit else { return };
        self.cancel_all(i);
        let then = match &stopping.order.after {
            After::Stay | After::Fail(_) => Then::Stopped,
            After::Start(_) => Then::RestartAsked,
        };
        let up = self.now.since(stopping.started);
        self.tell_exit(i, exit, true, up, then, stopping.drained.unwrap_or_default());
        self.emit(EventKind::TreeStopped {
            process,
            generation,
            signal: stopping.signal,
            escalated_to_kill: stopping.killed && stopping.signal != Signal::KILL,
            took: self.now.since(stopping.since),
        });
        self.course.count_stop(stopping.killed);
        if stopping.stuck.is_empty() {
            self.after_stop(i, stopping.order, Some(stopping.signal));
        } else {
            self.fail(i, Failure::CannotBeKilled { pids: stopping.stuck });
        }
    }

    /// What comes after a stop. `signal` is what was sent, if anything had to be.
    pub(super) fn after_stop(&mut self, i: usize, order: StopOrder, signal: Option<Signal>) {
        let up = self.up(self.procs[i].started);
        match order.after {
            After::Stay => {
                if self.procs[i].spec.role == Role::Test && !self.course.is_stopping() {
                    self.procs[i].stopped_by = Some(order.by.clone());
                }
                self.set_state(i, ProcessState::Stopped { by: order.by, signal });
            }
            After::Start(_) if self.course.is_stopping() => self.set_state(i, ProcessState::Stopped { by: order.by, signal }),
            After::Start(cause) => {
                self.set_state(i, ProcessState::Pending { waits_for: Vec::new() });
                self.procs[i].wants_start = Some(cause);
            }
            After::Fail(reason) => self.failed_alive(i, reason, up),
        }
    }

    /// Takes the run down. A second call with `now` kills what the first one asks politely.
    pub(super) fn shut_down(&mut self, by: &Actor, now: bool, ticket: Option<u64>) {
        if self.course.is_finished() {
            // Nothing is left to take down, and a run that is on record as ended is never opened again.
            self.out.extend(ticket.map(|ticket| Effect::Resolve { ticket, result: Ok(()) }));
            return;
        }
        self.course.tickets.extend(ticket);
        let by_signal = matches!(by, Actor::Signal(_)) && !self.course.is_stopping();
        if by_signal {
            self.course.reopen();
        }
        if self.course.begin_stopping(by, now) {
            self.emit(EventKind::StoppingRun { by: by.clone(), now });
        }
        for i in 0..self.procs.len() {
            self.procs[i].wants_start = None;
            if now || !self.procs[i].has_life() {
                self.begin_stop(i, StopOrder { by: by.clone(), now, after: After::Stay });
            }
        }
    }

    /// While the run stops: each process whose dependants are down is next.
    pub(super) fn stop_next_layer(&mut self) {
        let Some(by) = self.course.stopping_by() else { return };
        for i in 0..self.procs.len() {
            let lives = matches!(
                self.procs[i].life,
                Life::Up { .. } | Life::Spawning { stop: None } | Life::Ending { stop: None, .. } | Life::Clearing { .. }
            );
            if lives && !self.is_needed(self.procs[i].id()) {
                self.begin_stop(i, StopOrder { by: by.clone(), now: false, after: After::Stay });
            }
        }
    }

    fn is_needed(&self, id: &ProcessId) -> bool {
        self.procs.iter().any(|proc| proc.has_life() && proc.spec.depends_on.iter().any(|d| d.on == *id))
    }
}
