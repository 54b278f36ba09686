//! A supervisor for end-to-end tests of many processes, and the dashboard on top of it.
//!
//! A [`scenario`] names processes, what they listen on, what they wait for, how they are probed, restarted and stopped. A
//! [`record::LiveRun`] runs it: everything the processes say and everything that happens to them goes on record, and
//! nothing they start survives the run. Fronts ask with [`model::Command`]s and read [`model::Snapshot`]s, the
//! [`supervisor::Journal`] of events, and windows of the [`logs::LogStore`].
//!
//! ```text
//!   scenario.toml ──scenario──▶ RunSpec ──record──▶ LiveRun
//!                                                     │
//!        process (guardian, trees) ◀─── supervisor ───┤──▶ events.jsonl, logs/
//!        logs (capture) ─────────────▶               ▼
//!        health (probes) ────────────▶     Snapshot, Journal, LogStore ──▶ headless, harness, tui
//! ```
//!
//! The rooms know only those below them: `model` and `redact` at the bottom, then `scenario`, `mcp`, `logs`, `process`,
//! `health`, `supervisor`, `record` and `explain`, and the fronts on top. Without the feature `tui` the library builds no
//! terminal UI.
//!
//! # Running a scenario
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use e2e_tui::{
//!     record::{Keep, LiveRun, RunRequest},
//!     scenario::{Leases, Overrides, Parts, load, locate},
//!     supervisor::ScriptOptions,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let scenario = load(&locate("forward")?, &Overrides::default()).map_err(|mistakes| mistakes.render(false))?;
//! let parts = Parts { exe: "/usr/local/bin/e2e-tui".into() };
//! let resolved = scenario.resolve(&mut Leases::new()?, &parts).map_err(|mistakes| mistakes.render(false))?;
//! let run = LiveRun::start(RunRequest {
//!     spec: Arc::new(resolved.spec),
//!     secrets: resolved.secrets,
//!     keep: Keep::Default,
//!     end_when_done: true,
//!     timeout: None,
//!     screen: e2e_tui::process::Screen::default(),
//!     script: ScriptOptions::default(),
//!     replace_archives: false,
//! })?;
//! let outcome = run.finish().await;
//! println!("{}: {}", outcome.verdict.badge(), outcome.reason);
//! # Ok(())
//! # }
//! ```

mod aside;
pub mod explain;
pub mod harness;
pub mod headless;
pub mod health;
pub mod logs;
pub mod mcp;
pub mod model;
pub mod process;
pub mod record;
pub mod redact;
pub mod scenario;
pub mod supervisor;
pub mod tap;
#[cfg(feature = "tui")]
pub mod tui;
mod watch;

pub use harness::{E2ETestHarness, ProxyConfig, ProxyMode, TestClient};
