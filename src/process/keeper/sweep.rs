//! What needs the process table: one pass for all trees that want something.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc,
    unistd::{SysconfVar, sysconf},
};

use super::{Keeper, Post};
use crate::{
    model::Signal,
    process::{KILL_BOUND, Member, TreeEvent, TreeId, TreeSample, exec, freeze::freeze, procfs, signal, tree::Identity, tree::Stat},
};

/// The longest pause between two rounds of a KILL.
const SLOWEST_ROUND: Duration = Duration::from_millis(20);
/// How long those may take to die whom the kernel has killed with their control group, before anybody looks for others.
const AFTER_GROUP_KILL: Duration = Duration::from_millis(5);
/// Samples in between two passes only look at processes known from the last one, and while none of these runs no pass is
/// needed at all: who does not run does not fork.
const PASS_FOR_SAMPLES: Duration = Duration::from_secs(5);

/// The live members of every tree that has some, the leader first.
type Members = HashMap<TreeId, Vec<Stat>>;

impl<P: Post> Keeper<P> {
    /// Reads the process table and says who lives in which tree.
    pub(super) fn pass(&mut self) -> Members {
        self.look().0
    }

    /// Everybody alive who is this keeper's to kill: whosever it is, if orphans come to it.
    pub(super) fn everybody(&mut self) -> Vec<Identity> {
        let (members, below) = self.look();
        if self.adopts { below } else { members.into_values().flatten().map(|stat| stat.id).collect() }
    }

    fn look(&mut self) -> (Members, Vec<Identity>) {
        let table = procfs::table();
        let known = std::mem::take(&mut self.known);
        let keeper = self.me.pid;
        let assignment = table.assign(keeper, &known, &mut |stat, below| self.place(stat, below));
        let mut members = Members::new();
        for (tree, stat) in assignment.owned() {
            members.entry(tree).or_default().push(*stat);
        }
        let below = assignment.below().map(|stat| stat.id).collect();
        // Who has gone need not be known any more, but for leaders that are not reaped yet.
        self.known = members.iter().flat_map(|(tree, all)| all.iter().map(|stat| (stat.id, *tree))).collect();
        for (pid, tree) in &self.leaders {
            if let Some(leader) = self.trees.get(tree).and_then(|tree| tree.leader).filter(|leader| leader.pid == *pid) {
                self.known.insert(leader, *tree);
                if let Some(all) = members.get_mut(tree) {
                    all.sort_by_key(|stat| stat.id != leader);
                }
            }
        }
        if !self.strangers.is_empty() || !self.unsure.is_empty() {
            let all: HashSet<Identity> = table.iter().map(|stat| stat.id).collect();
            self.prune_strangers(|id| !all.contains(id));
        }
        self.last_pass = Some(Instant::now());
        self.glances.passed(|id| self.known.contains_key(id));
        (members, below)
    }

    /// Does what trees want that takes a look at the process table.
    pub(super) fn sweep(&mut self, now: Instant) {
        let wants = |tree: &super::tree::Tree| !tree.signals.is_empty() || tree.censuses > 0;
        let asking: Vec<TreeId> = self.trees.iter().filter(|(_, tree)| wants(tree)).map(|(id, _)| *id).collect();
        if !asking.is_empty() {
            let members = self.pass();
            for id in asking {
                let all = members.get(&id).map(Vec::as_slice).unwrap_or_default();
                self.send_signals(id, all);
                self.answer_censuses(id, all);
            }
        }
        let due = |tree: &super::tree::Tree| tree.kill.as_ref().is_some_and(|kill| kill.round_at <= now);
        let dying: Vec<TreeId> = self.trees.iter().filter(|(_, tree)| due(tree)).map(|(id, _)| *id).collect();
        if !dying.is_empty() {
            self.kill_round(&dying, now);
        }
        for (trees, whole) in std::mem::take(&mut self.samples) {
            self.sample(&trees, whole);
        }
    }

    fn send_signals(&mut self, id: TreeId, members: &[Stat]) {
        let Some(tree) = self.trees.get_mut(&id) else { return };
        let leader = tree.leader.filter(|leader| self.leaders.get(&leader.pid) == Some(&id));
        for wanted in std::mem::take(&mut tree.signals) {
            let stops = matches!(wanted.0, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
            let also = (!stops && wanted != Signal::CONT).then_some(Signal::CONT);
            for signal in [Some(wanted), also].into_iter().flatten() {
                for (pid, errno) in deliver(leader, members, signal) {
                    if signal == wanted && errno == Errno::EPERM {
                        let text = format!("{wanted} may not be sent to pid {pid} ({}): it runs as another user", procfs::name(pid));
                        self.post.send(TreeEvent::Notice { tree: Some(id), text });
                    }
                }
            }
        }
    }

    fn answer_censuses(&mut self, id: TreeId, all: &[Stat]) {
        let Some(tree) = self.trees.get_mut(&id) else { return };
        for _ in 0..std::mem::take(&mut tree.censuses) {
            let member = |stat: &Stat| Member { pid: stat.id.pid, ppid: stat.ppid, command: procfs::command(stat.id.pid) };
            self.post.send(TreeEvent::Members { tree: id, members: all.iter().map(member).collect() });
        }
    }

    /// One round of ending trees: freeze all, so that nobody forks any more, then KILL all. What slips through is there in
    /// the next round. Trees found empty are told of by `settle`.
    fn kill_round(&mut self, dying: &[TreeId], now: Instant) {
        if self.kill_groups(dying, now) {
            return;
        }
        let members = self.pass();
        let all: Vec<Identity> = dying.iter().flat_map(|id| members.get(id).into_iter().flatten()).map(|stat| stat.id).collect();
        if all.is_empty() {
            return self.next_round(dying, &members, now);
        }
        freeze(all, |stat| self.place_newcomer(stat).is_some_and(|owner| dying.contains(&owner)));
        let members = self.pass();
        self.next_round(dying, &members, now);
    }

    /// Has the kernel end the control groups of dying trees. Says whether it may be left at that for now: who was moved out
    /// of them is found in the next round.
    fn kill_groups(&mut self, dying: &[TreeId], now: Instant) -> bool {
        let mut enough = true;
        for id in dying {
            let Some(tree) = self.trees.get_mut(id) else { continue };
            let (Some(group), Some(kill)) = (&tree.group, &mut tree.kill) else {
                enough = false;
                continue;
            };
            group.kill();
            enough &= !std::mem::replace(&mut kill.group_was_killed, true);
        }
        if enough {
            for id in dying {
                if let Some(kill) = self.trees.get_mut(id).and_then(|tree| tree.kill.as_mut()) {
                    kill.round_at = now + AFTER_GROUP_KILL;
                }
            }
        }
        enough
    }

    /// Sends KILL to whoever is there, and says when to look again.
    fn next_round(&mut self, dying: &[TreeId], members: &Members, now: Instant) {
        for id in dying {
            let Some(tree) = self.trees.get_mut(id) else { continue };
            let Some(kill) = tree.kill.as_mut() else { continue };
            let left = members.get(id).map(Vec::as_slice).unwrap_or_default();
            for stat in left {
                if signal::send(stat.id, Signal::KILL) == Err(Errno::EPERM) {
                    kill.refused.insert(stat.id.pid);
                }
            }
            kill.round_at = now + kill.pause;
            kill.pause = (kill.pause * 2).min(SLOWEST_ROUND);
            if !left.is_empty() && !kill.told_stuck && kill.since.elapsed() >= KILL_BOUND {
                kill.told_stuck = true;
                let pids: Vec<u32> = left.iter().map(|stat| stat.id.pid).collect();
                let why = kill.why(&pids);
                self.post.send(TreeEvent::Stuck { tree: *id, pids, why });
            }
            if kill.told_stuck {
                kill.round_at = now + Duration::from_secs(1);
            }
        }
    }

    fn sample(&mut self, trees: &[TreeId], whole: bool) {
        let glanced = self.glance(trees);
        // Where nobody has done anything nobody has forked either.
        let recent = |at: Instant| !whole && at.elapsed() < PASS_FOR_SAMPLES;
        let fresh = self.last_pass.is_some_and(|at| recent(at) || !self.glances.is_stirred());
        let mut members = if fresh { glanced } else { self.pass() };
        for tree in trees {
            self.tell_memory_kills(*tree);
        }
        let ticks = tick_micros();
        let page = page_size();
        let sample = |id: &TreeId| {
            let tree = self.trees.get_mut(id)?;
            let all = members.remove(id).unwrap_or_default();
            let sample = TreeSample {
                tree: *id,
                cpu: Duration::from_micros(all.iter().map(|stat| stat.cpu).sum::<u64>().saturating_mul(ticks)),
                memory: all.iter().map(|stat| stat.rss).sum::<u64>().saturating_mul(page),
                pids: all.iter().map(|stat| stat.id.pid).collect(),
            };
            tree.is_news(&sample).then_some(sample)
        };
        let samples: Vec<TreeSample> = trees.iter().filter_map(sample).collect();
        if !samples.is_empty() {
            self.post.send(TreeEvent::Sampled { trees: samples });
        }
    }

    /// The members found by the last pass, as they are now. Much cheaper than a pass where the machine has many processes.
    fn glance(&mut self, trees: &[TreeId]) -> Members {
        let wanted: HashSet<TreeId> = trees.iter().copied().collect();
        let mut members = Members::new();
        for (id, tree) in self.known.iter().filter(|(_, tree)| wanted.contains(tree)) {
            if let Some(stat) = self.glances.at(*id) {
                members.entry(*tree).or_default().push(stat);
            }
        }
        for (tree, all) in &mut members {
            let leader = self.trees.get(tree).and_then(|tree| tree.leader);
            all.sort_by_key(|stat| (Some(stat.id) != leader, stat.id));
        }
        members
    }
}

/// Sends a signal to all of a tree and says where that failed. The leader's process group gets it in one call, so that no
/// process forked meanwhile is left out; `leader` is given while its pid cannot have been used again.
fn deliver(leader: Option<Identity>, members: &[Stat], signal: Signal) -> Vec<(u32, Errno)> {
    let mut failed = Vec::new();
    let group = leader.filter(|leader| exec::signal_pid(leader.pid, true, signal).is_ok());
    for stat in members.iter().filter(|stat| group.is_none_or(|leader| stat.group != leader.pid)) {
        if let Err(errno) = signal::send(stat.id, signal) {
            failed.push((stat.id.pid, errno));
        }
    }
    failed
}

fn tick_micros() -> u64 {
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    1_000_000 / u64::try_from(per_second).unwrap_or(100).max(1)
}

fn page_size() -> u64 {
    sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}
