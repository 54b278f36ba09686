//! e2e-tui

pub mod mcp;
