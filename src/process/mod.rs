//! Operating-system children: how they are started, how a whole tree of them is known, signalled and ended, and who
//! makes sure that none survives.
//!
//! Everything goes through one seam, the [`Spawner`]: [`Order`]s in, [`TreeEvent`]s out.

mod error;
mod exec;
mod freeze;
mod guardian;
mod guardian_main;
mod keeper;
mod limits;
mod local;
mod lookup;
mod procfs;
mod signal;
mod socket;
pub mod sockets;
mod spawner;
mod sweeper;
mod tag;
mod tree;
mod watcher;
mod wire;

use std::time::Duration;

pub use error::SpawnError;
pub use guardian::{Guardian, GuardianError, Orphans};
pub use guardian_main::guardian_main;
pub use limits::{clamped, raise_open_files};
pub use local::LocalSpawner;
pub use lookup::lookup;
pub use spawner::{Launch, Member, Order, Spawner, SpawnerLost, TreeEvent, TreeId, TreeSample, Usage};

/// How long a KILL may take before what is left is reported as [`TreeEvent::Stuck`].
pub const KILL_BOUND: Duration = Duration::from_secs(2);
