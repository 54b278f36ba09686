//! Stopping those who multiply: before a tree is killed it is frozen, so that nobody forks any more.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

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

/// Waits until none of `whom` runs any more, at most that long; says whether that came about. STOP takes effect when a
/// process would next run in user mode: in a long call of the kernel that is long after it was sent.
pub(crate) fn have_stopped(mut whom: Vec<Identity>, within: Duration) -> bool {
    let started = Instant::now();
    loop {
        whom.retain(|id| procfs::stat(id.pid).is_some_and(|stat| stat.id == *id && stat.is_alive() && !stat.is_stopped()));
        if whom.is_empty() || started.elapsed() >= within {
            return whom.is_empty();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

const STOP: Signal = Signal(nix::libc::SIGSTOP);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_stopped_has_not_stopped_and_who_is_gone_has() {
        let mut child = std::process::Command::new("sleep").arg("3600").spawn().expect("sleep exists");
        let id = procfs::stat(child.id()).expect("it lives").id;
        assert!(!have_stopped(vec![id], Duration::from_millis(5)));
        assert_eq!(freeze([id], |_| false), [id]);
        assert!(have_stopped(vec![id], Duration::from_secs(20)));
        assert!(procfs::stat(id.pid).expect("it lives").is_stopped());
        child.kill().expect("it is ours");
        assert!(have_stopped(vec![id], Duration::from_secs(20)), "a zombie");
        child.wait().expect("it is ours");
        assert!(have_stopped(vec![id], Duration::ZERO));
    }
}
