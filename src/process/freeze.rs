//! Stopping those who multiply: before a tree is killed it is frozen, so that nobody forks any more.

use std::collections::HashSet;

use crate::model::Signal;

use super::{
    procfs, signal,
    tree::{Identity, Stat},
};

/// Looks for newcomers at most. On a machine where others fork all the time somebody is always new.
const LOOKS: u32 = 40;

/// Sends STOP to all of `members`, then to whomever they have forked meanwhile, as soon as each is found, until no process
/// is new. A process that forks and exits every millisecond is caught by this, not by a whole pass over the table.
/// `ours` decides about one whose parent is not among the members (any more). Returns all of them, in that order.
pub(crate) fn freeze(members: impl IntoIterator<Item = Identity>, mut ours: impl FnMut(&Stat) -> bool) -> Vec<Identity> {
    // Listed before anybody is stopped: whoever is new since is looked at.
    let mut listed = procfs::list().unwrap_or_default();
    let (mut frozen, mut all) = (HashSet::new(), Vec::new());
    for id in members {
        _ = signal::send(id, STOP);
        frozen.insert(id.pid);
        all.push(id);
    }
    procfs::newcomers(&mut listed, LOOKS, |stat| {
        if stat.is_alive() && !frozen.contains(&stat.id.pid) && (frozen.contains(&stat.ppid) || ours(&stat)) {
            _ = signal::send(stat.id, STOP);
            frozen.insert(stat.id.pid);
            all.push(stat.id);
        }
    });
    all
}

const STOP: Signal = Signal(nix::libc::SIGSTOP);
