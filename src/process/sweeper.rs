//! Killing everything that has been left to this process, without knowing more of it than the process table tells.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::model::Signal;

use super::{
    TreeId, exec, procfs, signal,
    tree::{Identity, Stat},
};

/// Freezes, lists and kills all descendants of this process for which `ours` holds, and all of theirs, until none is left
/// or `within` has passed. Reaps those that have become its children. Says who is left.
pub(crate) fn kill_below(within: Duration, ours: impl Fn(&Stat) -> bool) -> Vec<u32> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        for id in below(&ours).0 {
            _ = signal::send(id, Signal(nix::libc::SIGSTOP));
        }
        let (left, children) = below(&ours);
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
fn below(ours: impl Fn(&Stat) -> bool) -> (Vec<Identity>, Vec<u32>) {
    const OURS: TreeId = TreeId(0);
    let me = std::process::id();
    let table = procfs::table().unwrap_or_default();
    let mut children = Vec::new();
    let assignment = table.assign(me, &HashMap::new(), &mut |stat, below| {
        let is_ours = below && ours(stat);
        if is_ours && stat.ppid == me {
            children.push(stat.id.pid);
        }
        is_ours.then_some(OURS)
    });
    (assignment.members_of(OURS).map(|stat| stat.id).collect(), children)
}
