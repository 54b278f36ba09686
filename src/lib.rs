//! e2e-tui
