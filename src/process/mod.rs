//! Operating-system children: how they are started, how a whole tree of them is known, signalled and ended, and who
//! makes sure that none survives.
//!
//! Everything goes through one seam, the [`Spawner`]: [`Order`]s in, [`TreeEvent`]s out.

mod error;
mod lookup;
mod procfs;
pub mod sockets;
mod spawner;
mod tree;

use std::time::Duration;

pub use error::SpawnError;
pub use lookup::lookup;
pub use spawner::{Launch, Member, Order, Spawner, SpawnerLost, TreeEvent, TreeId, TreeSample, Usage};

/// How long a KILL may take before what is left is reported as [`TreeEvent::Stuck`].
pub const KILL_BOUND: Duration = Duration::from_secs(2);
