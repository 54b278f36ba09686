//! Operating-system children: how they are started, how a whole tree of them is known, signalled and ended, and who
//! makes sure that none survives.
//!
//! Everything goes through one seam, the [`Spawner`]: [`Order`]s in, [`TreeEvent`]s out. Behind it is one piece of
//! machinery, the keeper, in one of two places:
//!
//! ```text
//!   supervisor ──Order──▶ Guardian ══ socket ══▶ guardian process: keeper ──fork──▶ trees
//!              ◀─TreeEvent─┘     ◀═══════════         (adopts what they leave behind)
//!
//!   test program ──Order──▶ LocalSpawner ──▶ thread: keeper ──fork──▶ trees
//!                ◀─TreeEvent─┘                      └─fork─▶ watcher (outlives the program by a moment)
//! ```
//!
//! - **What a tree is**: whatever a start has spawned, whatever it has done to get away. See [`tree`] for how a process is
//!   placed, [`tag`] for the sign that `setsid`, double fork and `env -i` leave in place, and [`mark`] for the one in its environment.
//! - **What holds it together** is chosen at the start ([`Hold`]): a control group ([`cgroup`]) where one may be made, a PID
//!   namespace ([`namespace`]) if asked for, else adoption by subreapers, or sessions and marks alone. Each adds to the one
//!   after it; none replaces the sweep.
//! - **Who dies with whom**: supervisor and guardian watch each other through their socket. Whichever is gone, in whatever
//!   way, the other kills everything that is left; with the supervisor that ends the run, see [`TreeEvent::Lost`].
//! - **Nobody else is hurt**: a process is signalled through a pidfd whose start time was compared, never by a bare pid that
//!   may be somebody else's by now; nothing is done by name; pids 0 and 1 are refused.
//! - **How an end ends**: freeze, list, KILL, look again, for at most [`KILL_BOUND`]; zombies do not count.
//!
//! [`lookup`](lookup()) resolves a program before anything is forked, with the child's own PATH. [`sockets`] tells who listens on
//! a port. What is policy (graces, restarts, probes) lives above, in the supervisor.

mod cgroup;
mod commands;
mod custody;
mod dead_runs;
mod error;
mod exec;
mod family;
mod freeze;
mod guardian;
mod guardian_main;
mod guardian_start;
mod hold;
mod keeper;
mod limits;
mod local;
mod lookup;
mod mark;
mod namespace;
mod orders;
mod pidfile;
mod procfs;
mod signal;
mod socket;
pub mod sockets;
mod spawner;
mod support;
mod sweeper;
mod tag;
mod tree;
mod tty;
mod watcher;
mod wire;

use std::time::Duration;

pub use cgroup::Controllers;
pub use commands::{CommandEnd, Commands, Ended, ShortCommand};
pub use custody::TakenTerminal;
pub use dead_runs::{Swept, sweep_dead_runs};
pub use error::SpawnError;
pub use exec::{stop_group_until_continued, stop_until_continued, survive_file_size_limit};
pub use family::{Relative, family};
pub use guardian::{Guardian, GuardianError, Orphans};
pub use guardian_main::guardian_main;
pub use guardian_start::{GreetedGuardian, GuardianProcess};
pub use hold::Hold;
pub use limits::{clamped, raise_open_files};
pub use local::LocalSpawner;
pub use lookup::lookup;
pub use pidfile::{PidFile, runs_dir};
pub(crate) use procfs::is_ignored;
pub use spawner::{Launch, Member, Order, Spawner, SpawnerLost, TreeEvent, TreeId, TreeSample, Usage};
pub use support::{Fact, facts, limit_facts, tiers};
pub use tty::{Screen, Terminal, resize};

/// How long a KILL may take before what is left is reported as [`TreeEvent::Stuck`].
pub const KILL_BOUND: Duration = Duration::from_secs(2);
