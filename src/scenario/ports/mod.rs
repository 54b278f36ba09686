//! Leased ports: two runs on one machine never share one.
//!
//! Asking the system for a free port and giving it back is a race that is lost about once in a hundred starts. So a run
//! leases: it locks byte N of a file of the user's for port N, with a lock that belongs to the open file (`F_OFD_SETLK`). Such
//! locks hold between processes and between harnesses of one process, and the kernel lets go of them when their holder
//! dies, in whatever way. Numbers come from outside the range from which the system itself gives out ports, and each is
//! tried with `bind` first, since programs that know nothing of leases listen, too.

mod holder;
mod leases;
mod lockfile;

pub use leases::{Lease, LeaseError, Leases, PortRequest};
