//! A question that only the program which drives the run can ask.

use std::{any::Any, fmt, panic::AssertUnwindSafe, pin::Pin, sync::Arc};

use futures_util::FutureExt;

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

    /// Asks once. Should the program's function panic, that is a bad answer, and the next question is asked as ever.
    pub async fn ask(&self) -> ProbeOutcome {
        let asking = AssertUnwindSafe(async { (self.ask)().await });
        asking.catch_unwind().await.unwrap_or_else(|panic| ProbeOutcome::Failed {
            short: "panicked".to_owned(),
            why: format!("{} panicked: {}", self.name, words_of(&*panic)),
        })
    }
}

impl fmt::Debug for CustomProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CustomProbe").field(&self.name).finish()
    }
}

/// What a panic said.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    panic.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("without a word")
}
