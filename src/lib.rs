//! e2e-tui
pub mod logs;
pub mod model;
pub mod redact;
