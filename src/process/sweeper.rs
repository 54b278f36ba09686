//! Killing everything that has been left to this process, without knowing more of it than the process table tells.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::model::Signal;

use super::{
    TreeId, exec,
    freeze::freeze,
    mark::Whose,
    procfs, signal,
    tree::{Identity, Stat},
};

/// Whose orphans are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    /// The descendants of this process, a subreaper.
    Descendants,
    /// All processes of the machine.
    Everybody,
}

impl Among {
    /// Whether one may be meant that has just appeared and is no child of anybody who was found. Whatever else is born on this
    /// machine meanwhile is a stranger.
    fn holds_orphan(self, stat: &Stat) -> bool {
        self == Self::Everybody || stat.ppid == std::process::id()
    }
}

/// Whose a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    Ours,
    /// It looks like one of ours and is in the midst of an `exec`: that shows when it is through.
    NotYet,
    Not,
}

impl From<bool> for Claim {
    fn from(ours: bool) -> Self {
        if ours { Self::Ours } else { Self::Not }
    }
}

impl From<Whose> for Claim {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Ours => Self::Ours,
            Whose::NotYetKnown => Self::NotYet,
            Whose::Others | Whose::Unmarked => Self::Not,
        }
    }
}

/// Freezes, lists and kills all `among` that are ours by `claim`, and all of theirs, until none is left or `within` has passed.
/// Reaps those that have become children of this process. Says who is left.
pub(crate) fn kill(among: Among, within: Duration, claim: impl Fn(&Stat) -> Claim) -> Vec<u32> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        freeze(find(among, &claim).left, |stat| among.holds_orphan(stat) && claim(stat) == Claim::Ours);
        let Found { left, children, unclear } = find(among, &claim);
        for id in &left {
            _ = signal::send(*id, Signal::KILL);
        }
        for pid in children {
            exec::reap(pid);
        }
        if left.is_empty() && !unclear {
            return Vec::new();
        }
        if started.elapsed() >= within {
            return left.into_iter().map(|id| id.pid).collect();
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// What a look has found.
struct Found {
    /// Who lives.
    left: Vec<Identity>,
    /// Which children of this process there are of them, dead ones included.
    children: Vec<u32>,
    /// Whether there may be more.
    unclear: bool,
}

fn find(among: Among, claim: impl Fn(&Stat) -> Claim) -> Found {
    const OURS: TreeId = TreeId(0);
    let me = std::process::id();
    let table = procfs::table();
    let (mut children, mut unclear) = (Vec::new(), false);
    let assignment = table.assign(me, &HashMap::new(), &mut |stat, below| {
        let claim = if below || among == Among::Everybody { claim(stat) } else { Claim::Not };
        unclear |= claim == Claim::NotYet && stat.is_alive();
        if claim == Claim::Ours && stat.ppid == me {
            children.push(stat.id.pid);
        }
        (claim == Claim::Ours).then_some(OURS)
    });
    let left = assignment.members_of(OURS).map(|stat| stat.id).collect();
    Found { left, children, unclear }
}

/// Reaps zombies that have become children of this process without anybody here knowing of them, as happens to the first
/// process of a container. Only those that were zombies at the last look too: others may be about to be waited for.
pub(crate) fn reap_strays(seen: &mut HashSet<Identity>) {
    let me = std::process::id();
    let zombies: HashSet<Identity> =
        procfs::table().iter().filter(|stat| stat.ppid == me && !stat.is_alive()).map(|stat| stat.id).collect();
    for id in zombies.intersection(seen) {
        exec::reap(id.pid);
    }
    *seen = zombies;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p26_who_is_born_elsewhere_while_descendants_are_killed_is_not_meant() {
        let own = procfs::stat(std::process::id()).expect("it runs");
        let child = Stat { ppid: own.id.pid, ..own };
        assert!(Among::Descendants.holds_orphan(&child) && !Among::Descendants.holds_orphan(&own));
        assert!(Among::Everybody.holds_orphan(&own));
    }
}
