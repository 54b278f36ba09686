//! Ends: reaping, and when a tree is empty.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{
    Household, Keeper, Post,
    tree::{Stage, Tree},
};
use crate::{
    model::{Exit, Signal},
    process::{
        KILL_BOUND, TreeEvent, TreeId, Usage,
        cgroup::TreeGroup,
        exec::{self, Reaped},
        freeze::freeze,
        signal,
    },
};

/// The longest pause between two looks at whether a tree is empty, where nobody tells.
const SLOWEST_LOOK: Duration = Duration::from_millis(200);

impl<P: Post> Keeper<P> {
    /// In a household of its own: reaps everybody who has ended, adopted orphans included.
    pub(super) fn reap_all(&mut self) {
        while let Some(Ok(Some(_))) = self.child_signals.as_ref().map(nix::sys::signalfd::SignalFd::read_signal) {}
        while let Reaped::Ended(pid, exit, usage) = exec::reap_any() {
            self.ended(pid, exit, usage);
        }
    }

    /// In a guest's household: reaps one leader whose end was told.
    pub(super) fn reap_leader(&mut self, pid: u32) {
        match exec::reap(pid) {
            Reaped::Ended(pid, exit, usage) => self.ended(pid, exit, usage),
            Reaped::Nothing => {}
            Reaped::NoChild => {
                let tree = self.leaders.get(&pid).copied();
                self.post.send(TreeEvent::Notice {
                    tree,
                    text: format!(
                        "how pid {pid} ended is not known: this program ignores SIGCHLD or reaps children it did not start; \
                         it is taken as failed"
                    ),
                });
                self.ended(pid, Exit::Code(-1), Usage::default());
            }
        }
    }

    /// Asks for the end of leaders that no descriptor tells of.
    pub(super) fn ask_the_silent(&mut self) {
        if matches!(self.household, Household::Own) {
            return;
        }
        let silent = |tree: &&Tree| matches!(tree.stage, Stage::Running { pidfd: None });
        let pids: Vec<u32> = self.trees.values().filter(silent).filter_map(|tree| Some(tree.leader?.pid)).collect();
        for pid in pids {
            self.reap_leader(pid);
        }
    }

    fn ended(&mut self, pid: u32, exit: Exit, usage: Usage) {
        self.adopted.remove(&pid);
        self.lost_namespace |= self.namespace.as_ref().is_some_and(|namespace| namespace.init().pid == pid);
        let Some(id) = self.leaders.get(&pid).copied() else { return };
        if self.trees.get(&id).is_some_and(|tree| matches!(tree.stage, Stage::Starting { .. })) {
            // It has ended, so its end of the pipe is closed: all of the verdict is there.
            self.has_spoken(id);
            if !self.judge(id, pid, true) {
                return;
            }
        }
        self.drop_leader(id, pid);
        if let Some(tree) = self.trees.get_mut(&id) {
            // Closing it is not enough: a child of another thread, caught between fork and exec, may hold a copy.
            if let Stage::Running { pidfd: Some(pidfd) } = std::mem::replace(&mut tree.stage, Stage::Ended) {
                _ = self.epoll.delete(pidfd);
            }
            tree.look = (Instant::now(), Duration::from_millis(1));
            let heard = !tree.forgotten;
            self.tell_memory_kills(id);
            if heard {
                self.post.send(TreeEvent::Exited { tree: id, exit, usage });
            }
        }
    }

    /// Says so if the kernel has killed somebody of a tree for want of memory since the last look.
    pub(super) fn tell_memory_kills(&mut self, id: TreeId) {
        let Some(tree) = self.trees.get_mut(&id) else { return };
        let Some((kills, own_limit)) = tree.group.as_ref().and_then(TreeGroup::killed_for_memory) else { return };
        if kills > std::mem::replace(&mut tree.memory_kills, kills) && !tree.forgotten {
            self.post.send(TreeEvent::OutOfMemory { tree: id, own_limit });
        }
    }

    /// Its pid may be used again from now on.
    pub(super) fn drop_leader(&mut self, id: TreeId, pid: u32) {
        self.leaders.remove(&pid);
        if let Some(leader) = self.trees.get(&id).and_then(|tree| tree.leader) {
            self.known.remove(&leader);
        }
    }

    /// Tells of trees that have become empty, and forgets them.
    pub(super) fn settle(&mut self, now: Instant) {
        let waiting = |tree: &Tree| matches!(tree.stage, Stage::Ended) && tree.wants_end();
        let adopts = self.adopts;
        let mut candidates: HashSet<TreeId> =
            self.trees.iter().filter(|(_, tree)| waiting(tree) && (adopts || tree.look.0 <= now)).map(|(id, _)| *id).collect();
        self.look_again = None;
        if candidates.is_empty() || !self.may_look(now) {
            return;
        }
        for id in self.inhabited(&candidates) {
            candidates.remove(&id);
            if let Some(tree) = self.trees.get_mut(&id) {
                tree.look = (now + tree.look.1, (tree.look.1 * 2).min(SLOWEST_LOOK));
            }
        }
        for id in candidates {
            if let Some(tree) = self.remove(id)
                && (tree.awaited || tree.kill.is_some())
                && !tree.forgotten
            {
                self.post.send(TreeEvent::Empty { tree: id });
            }
        }
    }

    /// Whether it is time to read this process's children again. With a thousand of them that is a long list, and a thousand
    /// that end one by one would each have it read: so looking takes at most a fifth of the time.
    fn may_look(&mut self, now: Instant) -> bool {
        self.look_again = self.looked.map(|(at, cost)| at + cost * 4).filter(|at| now < *at);
        self.look_again.is_none()
    }

    /// Which of these trees, whose leaders are gone, somebody still lives in.
    fn inhabited(&mut self, trees: &HashSet<TreeId>) -> HashSet<TreeId> {
        if self.adopts {
            // Whoever is left hangs below the nearest subreaper, and the topmost of them are its children.
            let started = Instant::now();
            self.adopt();
            self.looked = Some((Instant::now(), started.elapsed()));
            self.adopted.values().filter_map(|(_, owner)| *owner).collect()
        } else {
            let inhabited = self.pass();
            inhabited.into_keys().chain(self.haunted()).filter(|id| trees.contains(id)).collect()
        }
    }

    pub(super) fn remove(&mut self, id: TreeId) -> Option<Tree> {
        let tree = self.trees.remove(&id)?;
        if let Some(tag) = tree.tag {
            self.tags.release(tag);
        }
        if let Some(slot) = tree.slot {
            slot.release();
        }
        if let Some(group) = &tree.group {
            // With somebody in it who is nobody's child here (a process that was moved in) it goes with the run's.
            group.remove();
        }
        Some(tree)
    }

    /// Kills everybody, whosever they are, as the last act. Says who is left.
    pub(super) fn end_everything(&mut self) -> Vec<u32> {
        let started = Instant::now();
        for tree in self.trees.values_mut() {
            tree.kill();
        }
        self.start_due(started);
        if let Some(group) = &self.group {
            group.kill();
        }
        let mut pause = Duration::from_millis(1);
        loop {
            let all = self.everybody();
            if !all.is_empty() {
                let (adopts, parents) = (self.adopts, [self.me.pid, self.reaper()]);
                freeze(all, |stat| if adopts { parents.contains(&stat.ppid) } else { self.place(stat, false).is_some() });
            }
            let left = self.everybody();
            for id in &left {
                _ = signal::send(*id, Signal::KILL);
            }
            // Adopted ones stay listed until they are reaped, dead or alive.
            let reaped = self.adopted.is_empty() || self.namespace.is_some();
            // Who is in the midst of an `exec` may turn out to be one more.
            if left.is_empty() && self.leaders.is_empty() && reaped && self.haunted().next().is_none() {
                self.adopted.clear();
                for tree in self.trees.values_mut() {
                    tree.look.0 = started;
                }
                self.looked = None;
                self.settle(Instant::now());
                self.post.flush();
                return self.group.as_ref().map_or_else(Vec::new, |group| group.end(KILL_BOUND.saturating_sub(started.elapsed())));
            }
            if started.elapsed() > KILL_BOUND {
                self.post.flush();
                return left.into_iter().map(|id| id.pid).collect();
            }
            self.post.flush();
            for token in self.wait(Some(pause)) {
                self.heed(token);
            }
            self.ask_the_silent();
            pause = (pause * 2).min(Duration::from_millis(20));
            self.settle(Instant::now());
        }
    }
}
