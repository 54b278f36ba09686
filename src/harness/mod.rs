//! The library for test suites: processes that live for one test, in anybody's `#[tokio::test]`.
//!
//! ```text
//!   #[tokio::test] ── E2ETestHarness ── ProcessManager ── RunHandle ─┐        (the test's thread and runtime)
//!        │                 │  ProcessHandle, ProcessGuard            │
//!        │                 └─ LogAggregator ── LogStore              ▼
//!   TestClient ──HTTP──▶ processes ◀── guardian ◀──── supervisor, probes, timers, recorder   (a thread of its own)
//! ```
//!
//! Everything here is a thin face of the machinery that runs scenarios: the same supervisor decides, the same guardian starts
//! and kills, the same capture reads, the same recorder writes. What is added is the shape that tests need:
//!
//! - [`E2ETestHarness`] starts processes and waits until they are ready ([`HarnessBuilder`] sets it up, [`ProcessType`] knows
//!   the parts of a proxy chain); [`ProcessManager`] is the same without a harness around it.
//! - [`ProcessHandle`], [`ServerHandle`] and [`ProcessGuard`] end their process when they are dropped. Nothing survives: not a
//!   dropped handle or future, a panic, `exit`, `abort`, a runtime that is gone, or a KILL of the test program.
//! - [`LogAggregator`] and [`LogCapture`] wait for lines and assert on them; failures show the lines that tell why.
//! - [`TestClient`] sends MCP requests and gives back whatever came, a 502 as well as a result.
//! - [`ProcessError`] and [`HarnessError`] carry evidence: how it ended, what it said last, where the recording is.
//!
//! Nothing global is touched in the host program: no panic hook, signal handler, tracing subscriber, limit or subreaper. The
//! guide is in `docs/testing.md`.

mod binary;
mod builder;
mod client;
mod config;
mod ending;
mod engine;
mod error;
mod guard;
mod handles;
#[expect(clippy::module_inception, reason = "the topic and its main type have one name")]
mod harness;
mod health;
mod hooks;
mod kinds;
mod logs;
mod managed;
mod manager;
mod pool;
mod ports;
mod report;
mod standing;
mod timer;
mod trouble;

pub use builder::HarnessBuilder;
pub use client::{ClientError, McpResponse, TestClient, ToolResult};
pub use config::{ProcessConfig, Program, RestartPolicy};
pub use error::{BINARY_VARIABLE, Evidence, HarnessError, ProcessError};
pub use guard::ProcessGuard;
pub use handles::{ProcessHandle, ProxyHandle, ServerHandle};
pub use harness::E2ETestHarness;
pub use health::{
    BoxFuture, ExecHealthCheck, HealthCheck, HealthError, HealthStatus, HttpHealthCheck, LogHealthCheck, StdioHealthCheck, TcpHealthCheck,
};
pub use kinds::{ProcessType, ProxyConfig, ProxyMode};
pub use logs::{LogAggregator, LogAlert, LogCapture, LogEntry, LogError, LogMetrics, LogPattern, LogSource};
pub use managed::ManagedProcess;
pub use manager::ProcessManager;
pub use pool::{PooledProcess, ProcessPool};
pub use ports::PortAllocator;
pub use report::TestReport;

pub use crate::{
    logs::Level as LogLevel,
    model::{Containment, Exit, Limits as ResourceLimits, ProcessId, Role, Signal},
};
