//! Killing everything that has been left to this process, without knowing more of it than the process table tells.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crate::model::Signal;

use super::{
    TreeId, exec,
    freeze::freeze,
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

/// Freezes, lists and kills all `among` for whom `ours` holds, and all of theirs, until none is left or `within` has passed.
/// Reaps those that have become children of this process. Says who is left.
pub(crate) fn kill(among: Among, within: Duration, ours: impl Fn(&Stat) -> bool) -> Vec<u32> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        freeze(find(among, &ours).0, &ours);
        let (left, children) = find(among, &ours);
        for id in &left {
            _ = signal::send(*id, Signal::KILL);
        }
        for pid in children {
            exec::reap(pid);
        }
        if left.is_empty() {
            return Vec::new();
        }
        if started.elapsed() >= within {
            return left.into_iter().map(|id| id.pid).collect();
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Who lives, and which children of this process there are of them, dead ones included.
fn find(among: Among, ours: impl Fn(&Stat) -> bool) -> (Vec<Identity>, Vec<u32>) {
    const OURS: TreeId = TreeId(0);
    let me = std::process::id();
    let table = procfs::table();
    let mut children = Vec::new();
    let assignment = table.assign(me, &HashMap::new(), &mut |stat, below| {
        let is_ours = (below || among == Among::Everybody) && ours(stat);
        if is_ours && stat.ppid == me {
            children.push(stat.id.pid);
        }
        is_ours.then_some(OURS)
    });
    (assignment.members_of(OURS).map(|stat| stat.id).collect(), children)
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
