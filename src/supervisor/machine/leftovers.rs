//! What a leader leaves behind when it ends unasked.
//!
//! ```text
//!   leader ends ──▶ Checking ──200 ms, census──▶ Known ──stop, restart, end of the run──▶ Killing ──▶ Empty
//!                      │  (all of it ends by itself: Empty)                                  └─▶ Stuck
//!                      └─ somebody wants it gone: first the census is answered, then Killing; without grace: at once
//! ```
//!
//! A leak is named before it is killed: a run that is over at once, a restart with a short back-off and a user who quits
//! wait for the census, which is 200 ms after the leader's end at most. Whoever is in a hurry (`now`) does not.

use std::time::Duration;

use super::core::Machine;
use super::types::{Effect, Life, TimerKind, Tree};
use crate::model::{EventKind, Failure, Leak};

/// How long what a leader left may take to end before it is a leak, and how long its pipe is waited for.
pub(super) const LEAK_TIMEOUT: Duration = Duration::from_millis(200);
/// How long KILL may take before what is left cannot be killed; the spawner says so earlier by itself.
pub(super) const KILL_BUDGET: Duration = Duration::from_secs(3);

impl Machine {
    /// The leader has ended unasked: what it leaves has a moment.
    pub(super) fn watch_leftovers(&mut self, i: usize) {
        self.procs[i].tree = Tree::Checking { asked: false, kill: false };
        self.arm(i, TimerKind::LeakCheck, self.now + LEAK_TIMEOUT);
    }

    /// The moment is over: whoever lives is a leak.
    pub(super) fn look_for_leaks(&mut self, i: usize) {
        match &mut self.procs[i].tree {
            Tree::Checking { asked: asked @ false, .. } => {
                *asked = true;
                let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
                self.out.push(Effect::Census { process, generation });
                // A census that nobody answers holds up nothing for good.
                self.arm(i, TimerKind::LeakCheck, self.now + KILL_BUDGET);
            }
            Tree::Checking { .. } => self.leftovers_known(i),
            _ => {}
        }
    }

    /// The census is answered.
    pub(super) fn members(&mut self, i: usize, leaks: Vec<Leak>) {
        if !matches!(self.procs[i].tree, Tree::Checking { asked: true, .. }) {
            return;
        }
        if !leaks.is_empty() {
            self.procs[i].left = leaks.iter().filter_map(|leak| leak.pid).collect();
            self.tell_leak(i, leaks);
        }
        self.leftovers_known(i);
        if self.procs[i].tree == Tree::Known {
            // They may end by themselves yet: then that is told, too.
            let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
            self.out.push(Effect::AwaitEmpty { process, generation });
        }
    }

    fn leftovers_known(&mut self, i: usize) {
        self.cancel(i, TimerKind::LeakCheck);
        if matches!(self.procs[i].tree, Tree::Checking { kill: true, .. }) {
            self.kill_leftovers(i);
        } else {
            self.procs[i].tree = Tree::Known;
        }
    }

    pub(super) fn tell_leak(&mut self, i: usize, leaks: Vec<Leak>) {
        self.procs[i].leaked = true;
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.emit(EventKind::Leaked { process, generation, leaks });
    }

    /// Whatever the former generation left is to go; unless it must be `now`, once it is known.
    pub(super) fn clear(&mut self, i: usize, now: bool) {
        match &mut self.procs[i].tree {
            Tree::Checking { kill, .. } if !now => *kill = true,
            Tree::Checking { .. } | Tree::Known | Tree::Stuck { .. } => self.kill_leftovers(i),
            Tree::Empty | Tree::Led | Tree::Killing => {}
        }
    }

    fn kill_leftovers(&mut self, i: usize) {
        self.cancel(i, TimerKind::LeakCheck);
        self.procs[i].tree = Tree::Killing;
        let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
        self.arm(i, TimerKind::KillDeadline, self.now + KILL_BUDGET);
        self.out.push(Effect::Kill { process: process.clone(), generation });
        self.out.push(Effect::AwaitEmpty { process, generation });
    }

    pub(super) fn tree_is_empty(&mut self, i: usize) {
        // Told of a live one, it is about something else: whoever waits for the end of this one asks when that is near.
        if matches!(self.procs[i].life, Life::Up { .. } | Life::Spawning { .. }) {
            return;
        }
        let killed = matches!(std::mem::replace(&mut self.procs[i].tree, Tree::Empty), Tree::Killing | Tree::Stuck { .. });
        self.cancel(i, TimerKind::LeakCheck);
        self.leaks_ended(i, killed);
        match &self.procs[i].life {
            Life::Stopping(_) => self.advance_stop(i),
            Life::Clearing { next } => {
                let next = next.clone();
                self.cancel(i, TimerKind::KillDeadline);
                self.procs[i].life = Life::None;
                self.spawn(i, next);
            }
            _ => {
                self.cancel(i, TimerKind::KillDeadline);
                self.resolve_tickets(i);
            }
        }
    }

    fn leaks_ended(&mut self, i: usize, killed: bool) {
        let pids = std::mem::take(&mut self.procs[i].left);
        if !pids.is_empty() {
            let (process, generation) = (self.procs[i].id().clone(), self.procs[i].generation);
            self.emit(EventKind::LeaksEnded { process, generation, pids, killed });
        }
    }

    /// KILL has had its time: go on without what is left.
    pub(super) fn kill_overdue(&mut self, i: usize) {
        self.stuck(i, Vec::new(), "");
    }

    /// KILL does not end these. Nothing more can be done about it, so nobody waits for it any longer.
    pub(super) fn stuck(&mut self, i: usize, pids: Vec<u32>, why: &str) {
        let proc = &self.procs[i];
        let killing = proc.tree == Tree::Killing || proc.tree == Tree::Led && matches!(&proc.life, Life::Stopping(s) if s.killed);
        if !killing {
            return;
        }
        let command = if why.is_empty() { "cannot be killed".to_owned() } else { format!("cannot be killed: {why}") };
        let outlives = |pid: Option<u32>| Leak { pid, command: command.clone(), port: None };
        let leaks = if pids.is_empty() { vec![outlives(None)] } else { pids.iter().map(|&pid| outlives(Some(pid))).collect() };
        let known = &mut self.procs[i].left;
        known.extend(pids.iter().filter(|pid| !known.contains(pid)).copied().collect::<Vec<_>>());
        self.tell_leak(i, leaks);
        self.cancel(i, TimerKind::KillDeadline);
        let reason = Failure::CannotBeKilled { pids: pids.clone() };
        self.procs[i].tree = Tree::Stuck { pids };
        match self.procs[i].life {
            Life::Stopping(_) => self.advance_stop(i),
            Life::Clearing { .. } => {
                self.procs[i].life = Life::None;
                self.fail(i, reason);
            }
            _ => self.resolve_tickets(i),
        }
    }
}
