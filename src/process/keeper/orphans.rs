//! Whose a process without a living parent is.

use std::collections::HashSet;

use super::{Keeper, Post, tree::Tree};
use crate::process::{
    TreeEvent, TreeId,
    mark::Whose,
    procfs,
    tree::{Identity, Stat},
};

/// How often children are listed at most where some of them go meanwhile; a reading of all processes shows them then.
const LISTINGS: u32 = 10;

impl<P: Post> Keeper<P> {
    /// Takes note of processes that have become children of this one because their parent ended.
    pub(super) fn adopt(&mut self) {
        let mut dead = HashSet::new();
        for _ in 0..LISTINGS {
            let children = self.children_of_reaper();
            if self.namespace.is_some() {
                // They are reaped by somebody else: who is not listed any more is gone.
                self.adopted.retain(|pid, _| children.contains(pid));
            }
            let mut somebody_has_died = false;
            for pid in children {
                if self.is_taken_in(pid) {
                    continue;
                }
                match procfs::stat(pid).filter(Stat::is_alive) {
                    Some(stat) => self.take_in(&stat),
                    // A zombie counts for nothing. But it may have lived when it was listed, and left children of its own since.
                    None => somebody_has_died |= dead.insert(pid),
                }
            }
            if !somebody_has_died {
                return;
            }
        }
        // They die faster than a list is read: who is there shows in a reading that looks at each as soon as it is found.
        let reaper = self.reaper();
        for stat in procfs::table().iter().filter(|stat| stat.ppid == reaper && stat.is_alive()) {
            if !self.is_taken_in(stat.id.pid) {
                self.take_in(stat);
            }
        }
    }

    fn is_taken_in(&self, child: u32) -> bool {
        self.leaders.contains_key(&child) || self.adopted.contains_key(&child)
    }

    fn take_in(&mut self, orphan: &Stat) {
        let owner = self.known.get(&orphan.id).copied().or_else(|| self.identify(orphan));
        self.adopted.insert(orphan.id.pid, (orphan.id, owner));
    }

    fn children_of_reaper(&self) -> Vec<u32> {
        let reaper = self.reaper();
        let listed = if self.namespace.is_none() {
            // Nobody but this thread reaps them, so none goes while they are listed.
            procfs::children_of_this_thread()
        } else {
            // The first process of the namespace reaps meanwhile, and each that goes then may hide another one: only a list all of
            // whom are still there is whole.
            let is_there = |pid: &u32| procfs::stat(*pid).is_some_and(|stat| stat.ppid == reaper);
            (0..LISTINGS).filter_map(|_| procfs::children_of(reaper)).find(|all| all.iter().all(is_there))
        };
        listed.unwrap_or_else(|| procfs::table().iter().filter(|stat| stat.ppid == reaper).map(|stat| stat.id.pid).collect())
    }

    /// Whose a process is that was found in the midst of a freeze, by one look at it alone.
    pub(super) fn place_newcomer(&mut self, stat: &Stat) -> Option<TreeId> {
        self.place(stat, stat.ppid == self.reaper())
    }

    /// Whose a process is that neither earlier looks nor its ancestors place. `below`: it descends from this process.
    pub(super) fn place(&mut self, stat: &Stat, below: bool) -> Option<TreeId> {
        if !stat.is_alive() {
            self.unsure.remove(&stat.id);
            return None;
        }
        if let Some((id, owner)) = self.adopted.get(&stat.id.pid)
            && *id == stat.id
        {
            return *owner;
        }
        let may_be_ours = if self.adopts {
            // What descends from an orphan follows it.
            below && stat.ppid == self.reaper()
        } else {
            // An orphan may have gone to any subreaper; it cannot be older than this program.
            stat.id.start >= self.me.start
        };
        if !may_be_ours || self.strangers.contains(&stat.id) {
            return None;
        }
        let owner = self.identify(stat);
        if owner.is_none() && !self.unsure.contains_key(&stat.id) {
            self.strangers.insert(stat.id);
        }
        owner
    }

    fn identify(&mut self, stat: &Stat) -> Option<TreeId> {
        if let Some(owner) = self.group.as_ref().and_then(|group| group.owner_of(stat.id.pid)) {
            return Some(owner).filter(|id| self.trees.contains_key(id));
        }
        let by_tag = procfs::message_queue_limit(stat.id.pid).and_then(|tag| self.tags.tree_of(tag));
        if self.adopts {
            return by_tag.or_else(|| self.trees.iter().find(|(_, tree)| leads_session_of(tree, stat)).map(|(id, _)| *id));
        }
        // Another program on this machine may use the same tag for trees of its own: one more sign is wanted.
        let id = by_tag?;
        let in_session = self.trees.get(&id).is_some_and(|tree| leads_session_of(tree, stat));
        let whose = if in_session { Whose::Ours } else { self.doubts.settle(stat.id, self.marker.as_bytes()) };
        let was_unsure = self.unsure.remove(&stat.id).is_some();
        match whose {
            Whose::Ours => return Some(id),
            Whose::NotYetKnown => _ = self.unsure.insert(stat.id, id),
            Whose::Unmarked if was_unsure => {
                self.post.send(TreeEvent::Unproven { tree: id, pid: stat.id.pid, name: procfs::name(stat.id.pid) });
            }
            Whose::Unmarked | Whose::Others => {}
        }
        None
    }

    /// Trees that somebody may live in who is not proven to.
    pub(super) fn haunted(&self) -> impl Iterator<Item = TreeId> {
        self.unsure.values().copied()
    }

    /// Forgets strangers that have gone.
    pub(super) fn prune_strangers(&mut self, gone: impl Fn(&Identity) -> bool) {
        self.strangers.retain(|id| !gone(id));
        self.unsure.retain(|id, _| !gone(id));
        self.doubts.prune(gone);
    }
}

/// Whether the process is in the session that the tree's leader has made.
fn leads_session_of(tree: &Tree, stat: &Stat) -> bool {
    tree.leader.is_some_and(|leader| leader.pid == stat.session && leader.start <= stat.id.start)
}
