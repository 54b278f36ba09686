//! The one seam between the supervisor and the processes it starts: orders go in, facts about trees come out.

use std::{ffi::OsString, fmt, os::fd::OwnedFd, path::PathBuf, time::Duration};

use crate::model::{Containment, Exit, Limits, Signal};

use super::{Controllers, SpawnError, TakenTerminal};

/// Names one start of a process and all that it spawns. Chosen by the one who orders, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(pub u64);

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tree {}", self.0)
    }
}

/// Starts trees, signals them, ends them. Implemented by the guardian process, by a thread for use as a library, and
/// by fakes in tests.
///
/// Events leave on the `tokio::sync::mpsc::UnboundedSender<TreeEvent>` given when the spawner was made. Dropping a
/// spawner kills all that it started, synchronously.
pub trait Spawner: Send + Sync {
    /// Hands over an order. Never waits for it to be carried out; orders for one tree are carried out in the order given.
    fn send(&self, order: Order) -> Result<(), SpawnerLost>;

    /// The last resort: kills everything that was ever started, without a runtime and without events, waits at most
    /// `within`, and says how many processes are left. The spawner takes no orders afterwards.
    fn kill_all(&self, within: Duration) -> usize;

    /// How trees are held together.
    fn containment(&self) -> Containment;

    /// The controllers that hold limits of its trees: none without a control group.
    fn controllers(&self) -> Controllers {
        Controllers::default()
    }
}

/// The spawner is gone, and all it started with it; a [`TreeEvent::Lost`] has told or will tell why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guardian process is gone: nothing can be started or signalled any more")]
pub struct SpawnerLost;

/// What a [`Spawner`] can be told to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Order {
    /// Start a tree. Answered by [`TreeEvent::Spawned`] or [`TreeEvent::SpawnFailed`].
    Spawn {
        /// Its name from now on.
        tree: TreeId,
        /// What to run.
        launch: Box<Launch>,
    },
    /// Send a signal to the whole tree, then CONT so that a stopped process can act on it (not after STOP and its like).
    Signal {
        /// Which tree.
        tree: TreeId,
        /// Which signal.
        signal: Signal,
    },
    /// End the whole tree: freeze, list, KILL, until none is left. Answered by [`TreeEvent::Empty`], or after
    /// [`KILL_BOUND`](super::KILL_BOUND) by [`TreeEvent::Stuck`].
    Kill {
        /// Which tree.
        tree: TreeId,
    },
    /// Answer with [`TreeEvent::Empty`] as soon as nothing of the tree lives. Zombies do not count. Has no deadline.
    AwaitEmpty {
        /// Which tree.
        tree: TreeId,
    },
    /// Answer with [`TreeEvent::Members`].
    Census {
        /// Which tree.
        tree: TreeId,
    },
    /// Measure what trees use. Answered by one [`TreeEvent::Sampled`], unless it is the same as before.
    Sample {
        /// Which trees; unknown ones are left out of the answer.
        trees: Vec<TreeId>,
        /// Whether members that came since the last look at all processes must be in it: else they may be missing for some
        /// seconds, and the answer costs much less.
        whole: bool,
    },
    /// Should the supervisor die now, its terminal is to be given back; none: it has none any more. Only a guardian can.
    Terminal {
        /// What was taken.
        taken: Option<TakenTerminal>,
    },
    /// Stop whatever runs of all trees, until [`GoOn`](Self::GoOn): orders that come meanwhile are carried out then. Answered by
    /// [`TreeEvent::StandStill`].
    StandStill,
    /// Let go on whoever was stopped for a [`StandStill`](Self::StandStill); whoever had stopped by itself stays so.
    GoOn,
    /// No more events about this tree, please. What still lives of it is killed when the spawner ends.
    Forget {
        /// Which tree.
        tree: TreeId,
    },
}

/// What happens to trees.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TreeEvent {
    /// The program runs: `exec` has succeeded.
    Spawned {
        /// Which tree.
        tree: TreeId,
        /// Its leader, which leads a session and a process group of the same number.
        pid: u32,
    },
    /// The program could not be started. Nothing of the tree exists; no other event about it follows.
    SpawnFailed {
        /// Which tree.
        tree: TreeId,
        /// Why, with all evidence.
        error: SpawnError,
    },
    /// The leader ended and was reaped. Always before [`Empty`](Self::Empty).
    Exited {
        /// Which tree.
        tree: TreeId,
        /// How.
        exit: Exit,
        /// What the leader, and those it had waited for, used.
        usage: Usage,
    },
    /// The kernel has killed somebody of the tree for want of memory. Told where the tree has a control group with the
    /// `memory` controller, before the [`Exited`](Self::Exited) that it may lead to.
    OutOfMemory {
        /// Which tree.
        tree: TreeId,
        /// Whether the tree had reached its own limit; else the machine, or a group above, was out of memory.
        own_limit: bool,
    },
    /// Nothing of the tree lives: the answer to [`Order::AwaitEmpty`] and [`Order::Kill`] (one for both if both are pending).
    Empty {
        /// Which tree.
        tree: TreeId,
    },
    /// All that lives of the tree, the leader first: the answer to [`Order::Census`].
    Members {
        /// Which tree.
        tree: TreeId,
        /// Live processes, zombies left out.
        members: Vec<Member>,
    },
    /// KILL was sent and something still lives. An [`Empty`](Self::Empty) may follow later.
    Stuck {
        /// Which tree.
        tree: TreeId,
        /// Who lives.
        pids: Vec<u32>,
        /// What holds them (`not permitted`, `uninterruptible`), one clause a reason.
        why: String,
    },
    /// Nothing of any tree runs: the answer to [`Order::StandStill`].
    StandStill,
    /// The answer to [`Order::Sample`], where there is something to tell: so nobody is woken while all trees stand still.
    Sampled {
        /// One entry a known tree, but for those that have been told to use this at the last two samples already.
        trees: Vec<TreeSample>,
    },
    /// Somebody looks like a daemon of the tree that has cleared its environment. Where nobody adopts orphans that cannot be
    /// proven, so it is left alone.
    Unproven {
        /// Which tree.
        tree: TreeId,
        /// Who.
        pid: u32,
        /// The name of the program it runs.
        name: String,
    },
    /// Something the user should know: a signal that was refused, an exit status that somebody else collected.
    Notice {
        /// Whose, if it is about one tree.
        tree: Option<TreeId>,
        /// What, in a sentence.
        text: String,
    },
    /// The spawner died. By the time this is sent everything it had started is dead but `left`; it is the last event.
    Lost {
        /// What happened.
        why: String,
        /// Who could not be killed.
        left: Vec<u32>,
    },
}

/// What to run, completely: nothing is inherited from the spawner.
#[derive(Debug)]
pub struct Launch {
    /// Arguments, the program's name first.
    pub argv: Vec<String>,
    /// The program, resolved by [`lookup`](super::lookup()): an absolute path.
    pub program: PathBuf,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory, absolute.
    pub cwd: PathBuf,
    /// Standard input; none: `/dev/null`.
    pub stdin: Option<OwnedFd>,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// Limits to set in the child. `memory` and `cpu` are watched, not set.
    pub limits: Limits,
    /// Whether `stdout` is a terminal that becomes the tree's controlling terminal.
    pub tty: bool,
}

/// A live process of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its pid.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// Its command line, arguments separated by spaces, capped; `[name]` if it has none.
    pub command: String,
}

/// What a process used in its life, as `wait4` tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user mode.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
    /// The largest resident set, in bytes.
    pub max_rss: u64,
}

/// What a tree uses now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSample {
    /// Which tree.
    pub tree: TreeId,
    /// CPU time of the live processes and of all they have waited for, since their start.
    pub cpu: Duration,
    /// Resident memory, in bytes. Shared pages count once a process.
    pub memory: u64,
    /// The live processes, the leader first.
    pub pids: Vec<u32>,
}
