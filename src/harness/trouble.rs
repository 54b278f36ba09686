//! The first error that was handed to the test: a test that then returns it, panics nowhere.

use std::{
    fmt::Display,
    sync::{Arc, OnceLock},
};

/// Remembers the first error.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<OnceLock<String>>);

impl Trouble {
    pub(super) fn note(&self, error: &impl Display) {
        let _ = self.0.get_or_init(|| error.to_string());
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
