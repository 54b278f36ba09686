//! Stops.
//!
//! A stop ends when the *tree* is empty, not when its leader was reaped: stop signal to the whole tree, one grace
//! for all of it, KILL, then a bounded drain of the pipes, and only then the exit is told.

use super::backoff::Decision;
use super::core::Machine;
use super::leftovers::{KILL_BUDGET, LEAK_TIMEOUT};
use super::types::{After, Effect, Fallen, Goal, Life, StopOrder, Stopping, TimerKind, Tree};
use crate::model::{Actor, EventKind, Failure, ProcessState, Signal, Then};

impl Machine {
    /// Stops process `i`, wherever it is in its life.
    pub(super) fn begin_stop(&mut self, i: usize, order: StopOrder) {
        self.cancel(i, TimerKind::Backoff);
        self.procs[i].wants_start = None;
        match &mut self.procs[i].life {
            Life::None => self.stop_nothing(i, order),
            Life::Clearing { next } => {
                if let After::Start(cause) = order.after {
                    *next = cause;
                    if order.now {
                        self.clear(i, true);
                    }
                } else {
                    self.procs[i].life = Life::None;
                    self.stop_nothing(i, order);
                }
            }
            Life::Spawning { stop } => *stop = Some(order),
            Life::Ending { stop, .. } => {
                let (now, stays) = (order.now, !order.after.is_start());
                *stop = Some(order);
                if now || stays {
                    self.clear(i, now);
                }
            }
            Life::Stopping(stopping) => {
                // The supervisor's own reasons do not override what somebody asked for.
                let hurry = order.now && !stopping.killed;
                if order.by != Actor::Supervisor {
                    stopping.order = order;
                }
                if hurry {
                    self.kill_asked(i);
                }
            }
            Life::Up { .. } => self.stop_living(i, order, None),
        }
    }

    /// Nothing lives but what a former generation may have left: that ends now.
    fn stop_nothing(&mut self, i: usize, StopOrder { by, now, after }: StopOrder) {
        if let After::Start(cause) = after {
            // What stands of the former generation stands no longer: a new one is on its way.
            self.set_state(i, ProcessState::Pending { waits_for: Vec::new() });
            self.procs[i].wants_start = Some(cause);
            if now {
                self.clear(i, true);
            }
            return;
        }
        self.clear(i, now);
        // What has ended keeps its end; what waited or backed off is stopped. What was skipped had waited, too, but at the end
        // of the run it is still what it was.
        let state = &self.procs[i].state;
        let waited = matches!(state, ProcessState::Skipped { .. }) && !self.course.is_stopping();
        if state.is_settled() && !waited {
            self.resolve_tickets(i);
        } else {
            self.set_state(i, ProcessState::Stopped { by, signal: None });
        }
    }

    /// Signals the tree of a live process (or runs its stop command) and starts the clock of its grace.
    pub(super) fn stop_living(&mut self, i: usize, order: StopOrder, fallen: Option<Fallen>) {
        let Life::Up { since: started, .. } = self.procs[i].life else { return };
        self.cancel_all(i);
        let proc = &mut self.procs[i];
        proc.late |= self.course.is_stopping();
        let (process, generation, spec) = (proc.id().clone(), proc.generation, proc.spec.clone());
        let (by, at_once) = (order.by.clone(), order.now || spec.stop.grace.is_zero());
        let command = spec.stop.command.as_ref().filter(|_| !at_once);
        let signal = match command {
            Some(_) => None,
            None if at_once => Some(Signal::KILL),
            None => Some(spec.stop.signal),
        };
        proc.life = Life::Stopping(Stopping {
            order,
            fallen,
            since: self.now,
            started,
            signal,
            exit: None,
            killed: false,
            draining: false,
            drained: None,
        });
        self.end_probes(i);
        if let Some(command) = command {
            let command = command.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            self.emit(EventKind::StopCommand { process: process.clone(), generation, command, by: by.clone() });
        }
        if let Some(signal) = signal {
            self.emit(EventKind::Signalled { process: process.clone(), generation, signal, by: by.clone(), stop: true });
        }
        if at_once {
            return self.kill(i);
        }
        let kill_at = self.now + spec.stop.grace;
        self.set_state(i, ProcessState::Stopping { kill_at, by });
        self.out.push(match signal {
            Some(signal) => Effect::Signal { process: process.clone(), generation, signal },
            None => Effect::StopCommand { process: process.clone(), generation },
        });
        self.arm(i, TimerKind::Grace, kill_at);
        self.out.push(Effect::AwaitEmpty { process, generation });
    }

    /// The command that was to stop it has not done so: for the rest of the grace it is asked by its signal, rather than
    /// killed at the end of a grace in which nobody has asked it anything.
    pub(super) fn signal_instead(&mut self, i: usize) {
        let (process, generation, signal) = (self.procs[i].id().clone(), self.procs[i].generation, self.procs[i].spec.stop.signal);
        let Life::Stopping(stopping) = &mut self.procs[i].life else { return };
        if stopping.signal.is_some() || stopping.killed || stopping.draining || stopping.exit.is_some() {
            return;
        }
        stopping.signal = Some(signal);
        let by = stopping.order.by.clone();
        self.emit(EventKind::Signalled { process: process.clone(), generation, signal, by, stop: true });
        self.out.push(Effect::Signal { process, generation, signal });
    }

    pub(super) fn grace_over(&mut self, i: usize) {
        self.kill(i);
    }

    /// Somebody does not want to wait for the grace to end.
    fn kill_asked(&mut self, i: usize) {
        let Life::Stopping(Stopping { order, .. }) = &self.procs[i].life else { return };
        let by = order.by.clone();
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.emit(EventKind::Signalled { process, generation, signal: Signal::KILL, by, stop: true });
        self.kill(i);
    }

    fn kill(&mut self, i: usize) {
        let Life::Stopping(stopping) = &mut self.procs[i].life else { return };
        if stopping.killed || stopping.draining {
            return;
        }
        stopping.killed = true;
        let by = stopping.order.by.clone();
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.set_state(i, ProcessState::Stopping { kill_at: self.now, by });
        self.cancel(i, TimerKind::Grace);
        self.arm(i, TimerKind::KillDeadline, self.now + KILL_BUDGET);
        self.out.push(Effect::Kill { process: process.clone(), generation });
        self.out.push(Effect::AwaitEmpty { process, generation });
    }

    /// Takes a stop as far as what is known allows: once leader and tree are gone, what they said last is read to the end;
    /// then the stop is told.
    pub(super) fn advance_stop(&mut self, i: usize) {
        let proc = &mut self.procs[i];
        let stuck = matches!(proc.tree, Tree::Stuck { .. });
        let Life::Stopping(stopping) = &mut proc.life else { return };
        // What cannot be killed may be the leader itself: nobody waits for its exit then.
        let over = proc.tree.is_settled() && (stopping.exit.is_some() || stuck);
        if over && !stopping.draining {
            stopping.draining = true;
            let (process, generation) = (proc.spec.id.clone(), proc.generation);
            self.cancel_all(i);
            self.out.push(Effect::Drain { process, generation, linger: LEAK_TIMEOUT });
        } else if over && stopping.drained.is_some() {
            self.finish_stop(i);
        }
    }

    fn finish_stop(&mut self, i: usize) {
        let Life::Stopping(stopping) = std::mem::replace(&mut self.procs[i].life, Life::None) else { return };
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.cancel_all(i);
        let again = stopping.order.after.is_start() && !self.course.is_stopping();
        if let Some(exit) = stopping.exit {
            let then = if again { Then::RestartAsked } else { Then::Stopped };
            let up = self.now.since(stopping.started);
            self.tell_exit(i, exit, true, up, then, stopping.drained.clone().unwrap_or_default());
        }
        self.procs[i].exit_owed = stopping.exit.is_none();
        self.emit(EventKind::TreeStopped {
            process,
            generation,
            signal: stopping.signal,
            escalated_to_kill: stopping.killed && stopping.signal != Some(Signal::KILL),
            took: self.now.since(stopping.since),
        });
        self.course.count_stop(stopping.killed);
        if let Tree::Stuck { pids } = self.procs[i].tree.clone() {
            return self.fail(i, Failure::CannotBeKilled { pids });
        }
        // The stop was carried out, whatever comes next.
        self.resolve_goal(i, Goal::Down, true, &Ok(()));
        self.after_stop(i, stopping);
    }

    fn after_stop(&mut self, i: usize, Stopping { order, fallen, signal, killed, .. }: Stopping) {
        let signal = if killed { Some(Signal::KILL) } else { signal };
        let held_by = self.procs[i].held_by.clone();
        let stays = matches!(order.after, After::Stay) || self.course.is_stopping() || held_by.is_some();
        match (order.after, fallen) {
            (After::Start(cause), _) if !self.course.is_stopping() => self.start_again(i, cause),
            (_, Some(Fallen { reason, decision })) => match decision {
                Decision::Rest => self.set_state(i, ProcessState::Failed { reason }),
                Decision::GiveUp { times } => self.give_up(i, reason, times),
                Decision::Restart { .. } if stays => {
                    let by = if order.by == Actor::Supervisor { held_by.unwrap_or(order.by) } else { order.by };
                    self.set_state(i, ProcessState::Stopped { by, signal });
                }
                Decision::Restart { attempt, of, delay } => self.back_off(i, attempt, of, delay, reason),
            },
            (_, None) => self.set_state(i, ProcessState::Stopped { by: order.by, signal }),
        }
    }
}
