//! e2e-tui
pub mod explain;
pub mod logs;
pub mod model;
pub mod process;
pub mod record;
pub mod redact;
pub mod supervisor;
