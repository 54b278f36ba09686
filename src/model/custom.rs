//! A question that only the program which drives the run can ask.

use std::{fmt, pin::Pin, sync::Arc};

use super::ProbeOutcome;

type Asking = Pin<Box<dyn Future<Output = ProbeOutcome> + Send>>;

/// A probe that is a function of the program which drives the run. A scenario file cannot have one.
#[derive(Clone)]
pub struct CustomProbe {
    name: Arc<str>,
    ask: Arc<dyn Fn() -> Asking + Send + Sync>,
}

impl CustomProbe {
    /// A probe that calls `ask`; `name` stands for it in messages.
    pub fn new<F>(name: &str, ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ProbeOutcome> + Send + 'static,
    {
        Self { name: name.into(), ask: Arc::new(move || Box::pin(ask())) }
    }

    /// What stands for it in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks once.
    pub async fn ask(&self) -> ProbeOutcome {
        (self.ask)().await
    }
}

impl fmt::Debug for CustomProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomProbe").field(&self.name).finish()
    }
}
