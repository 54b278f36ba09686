//! What went wrong in the test: the first error that was handed to it (a test that then returns it, panics nowhere), and what
//! the test itself says it has failed for.

use std::{
    fmt::Display,
    sync::{Arc, OnceLock},
};

/// Remembers the first of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    handed: OnceLock<String>,
    failed: OnceLock<String>,
}

impl Trouble {
    /// An error was handed to the test.
    pub(super) fn note(&self, error: &impl Display) {
        let _ = self.0.handed.get_or_init(|| error.to_string());
    }

    /// Notes the error of a result that is handed to the test.
    pub(super) fn noted<T, E: Display>(&self, result: Result<T, E>) -> Result<T, E> {
        result.inspect_err(|error| self.note(error))
    }

    /// The test has failed.
    pub(super) fn fail(&self, error: &impl Display) {
        let _ = self.0.failed.get_or_init(|| error.to_string());
    }

    /// The first error that was handed to the test.
    pub(super) fn first(&self) -> Option<&str> {
        self.0.handed.get().map(String::as_str)
    }

    /// Why the test says it has failed, in one line.
    pub(super) fn failure(&self) -> Option<String> {
        let why = self.0.failed.get()?;
        Some(format!("the test failed: {}", why.lines().next().unwrap_or_default()))
    }
}
