//! A scenario once every name in it is resolved: what the supervisor needs to know, and nothing about files.
//!
//! ```text
//!   run ──▶ process ─┬─ depends   what it waits for
//!                    ├─ probe     when it is ready, and how it is
//!                    ├─ policy    restarts, stops, limits
//!                    └─ log       how its output is read
//! ```

mod depends;
mod log;
mod policy;
mod probe;
mod process;
mod run;

pub use depends::{Condition, Dependency};
pub use log::{LogFormat, LogSpec};
pub use policy::{Limits, RestartMode, RestartPolicy, StopSpec};
pub use probe::{HealthSpec, HttpProbe, OnUnhealthy, Probe, ReadySpec};
pub use process::{ListenPort, ProcessSpec, Reads, Role, StdinMode};
pub use run::{Containment, RunSpec};
