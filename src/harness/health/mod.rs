//! Health checks: what a program asks a process to learn whether it is ready, and whether it is still well.
//!
//! The [built-in](built_in) ones are questions that the supervisor knows how to ask; any other is a type of the test suite's own
//! that implements [`HealthCheck`], asked on a thread [beside](ask) the supervisor's. Thresholds and what follows are the
//! supervisor's.

mod ask;
mod built_in;
mod check;
mod http;

pub(super) use ask::{ask_custom, probe_of, status};
pub use built_in::{ExecHealthCheck, LogHealthCheck, StdioHealthCheck, TcpHealthCheck};
pub use check::{BoxFuture, HealthCheck, HealthError, HealthStatus};
use check::{INTERVAL, TIMEOUT};
pub use http::HttpHealthCheck;
