//! e2e-tui
pub mod logs;
pub mod model;
