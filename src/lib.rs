//! e2e-tui
pub mod model;
