//! Control groups, version 2: the kernel keeps the list of a tree's processes, and ends all of them in one call.
//!
//! ```text
//!   own group of the supervisor          (place: found, and may be divided)
//!   ├─ e2e-tui-supervisor-NS-PID-START   where the supervisor goes if it must make room, see `aside`
//!   └─ e2e-tui-NS-PID-START-N            one a run, made by the supervisor
//!      ├─ tree-1                         one a tree, made by the guardian: the child is born in it
//!      └─ tree-2
//! ```
//!
//! A process leaves its group only by being moved, which takes somebody who means to. So membership survives `setsid`,
//! double fork, `env -i` and whatever is done to resource limits, and `cgroup.kill` reaches those who fork meanwhile.
//! All else stays as without groups: the guardian adopts, reaps and sweeps, and so finds those who were moved out.
//!
//! - **Nobody else is hurt**: a group is killed only if this run has made it. Its name holds the supervisor's PID namespace, pid
//!   and start time, and making it fails if there is one of that name.
//! - **None stays**: whoever ends a run removes its groups, the guardian for a supervisor that was killed; the next start
//!   those of both. Removing an empty group of somebody who is dead hurts nobody.
//! - **No controller is needed** for any of that. Where `memory`, `cpu` or `pids` may be had they hold the limits of a
//!   tree, see [`Controllers`].

mod aside;
mod group;
mod limits;
mod names;
mod place;

pub(crate) use group::{RunGroup, TreeGroup};
pub use limits::Controllers;
pub(crate) use place::Place;
