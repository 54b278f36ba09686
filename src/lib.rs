//! e2e-tui
pub mod explain;
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
#[cfg(feature = "tui")]
pub mod tui;
