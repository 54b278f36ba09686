//! A tree as the keeper sees it: how far it is, and what is wanted of it.

use std::{
    collections::HashSet,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use crate::{
    model::Signal,
    process::{Launch, TreeSample, cgroup::TreeGroup, procfs, tree::Identity, watcher::Slot},
};

/// One tree and what is wanted of it.
pub(super) struct Tree {
    pub(super) stage: Stage,
    pub(super) leader: Option<Identity>,
    pub(super) tag: Option<u64>,
    /// Its place on the watcher's board, in a guest's household.
    pub(super) slot: Option<Slot>,
    /// Its control group.
    pub(super) group: Option<TreeGroup>,
    /// Kills for want of memory that were told.
    pub(super) memory_kills: u64,
    /// What was last told of its use, and whether that was told twice.
    pub(super) told: Option<(TreeSample, bool)>,
    /// To be sent at the next pass.
    pub(super) signals: Vec<Signal>,
    pub(super) kill: Option<Kill>,
    /// Somebody waits for [`Empty`](crate::process::TreeEvent::Empty).
    pub(super) awaited: bool,
    /// [`Members`](crate::process::TreeEvent::Members) owed.
    pub(super) censuses: u32,
    pub(super) forgotten: bool,
    /// In a guest's household nobody tells when a tree becomes empty: when to look, and the pause after that.
    pub(super) look: (Instant, Duration),
}

pub(super) enum Stage {
    /// To be forked again: something was busy.
    Due { at: Instant, launch: Box<Launch>, attempts: u32 },
    /// Forked; the pipe will tell whether `exec` went well.
    Starting { launch: Box<Launch>, attempts: u32, verdict: OwnedFd, said: Vec<u8> },
    /// It runs. In a guest's household the pidfd tells of its end; before Linux 5.3 one has to ask.
    Running { pidfd: Option<OwnedFd> },
    /// The leader was reaped.
    Ended,
}

/// A KILL in progress.
pub(super) struct Kill {
    pub(super) since: Instant,
    pub(super) round_at: Instant,
    pub(super) pause: Duration,
    pub(super) refused: HashSet<u32>,
    pub(super) told_stuck: bool,
    /// Its control group was killed.
    pub(super) group_was_killed: bool,
}

impl Tree {
    pub(super) fn new(stage: Stage, tag: Option<u64>, slot: Option<Slot>) -> Self {
        Tree {
            stage,
            leader: None,
            tag,
            slot,
            group: None,
            memory_kills: 0,
            told: None,
            signals: Vec::new(),
            kill: None,
            awaited: false,
            censuses: 0,
            forgotten: false,
            look: (Instant::now(), Duration::from_millis(1)),
        }
    }

    pub(super) fn kill(&mut self) {
        let now = Instant::now();
        self.kill.get_or_insert_with(|| Kill {
            since: now,
            round_at: now,
            pause: Duration::from_millis(1),
            refused: HashSet::new(),
            told_stuck: false,
            group_was_killed: false,
        });
    }

    /// Whether what it uses is news. The second time that it is the same, it is: it uses no CPU any more.
    pub(super) fn is_news(&mut self, sample: &TreeSample) -> bool {
        match &mut self.told {
            Some((told, twice)) if told == sample => !std::mem::replace(twice, true),
            told => {
                *told = Some((sample.clone(), false));
                true
            }
        }
    }

    /// Whether it matters to anybody when it is empty.
    pub(super) fn wants_end(&self) -> bool {
        self.awaited || self.forgotten || self.kill.is_some()
    }
}

impl Kill {
    /// What holds those who are left, in words.
    pub(super) fn why(&self, pids: &[u32]) -> String {
        let refused = pids.iter().any(|pid| self.refused.contains(pid));
        let stuck = pids.iter().any(|pid| procfs::stat(*pid).is_some_and(|stat| stat.state == b'D'));
        match (refused, stuck) {
            (true, true) => "signals are not permitted, or it is in an uninterruptible call".to_owned(),
            (true, false) => "signals to it are not permitted: it runs as another user".to_owned(),
            (false, true) => "it is in an uninterruptible call of the kernel (state D)".to_owned(),
            (false, false) => "KILL was sent and has not taken effect".to_owned(),
        }
    }
}
