//! e2e-tui
pub mod model;
#[cfg(feature = "tui")]
pub mod tui;
