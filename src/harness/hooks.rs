//! Clean-up hooks: closures that are called once when everything is down.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use crate::aside::aside_or_here;

/// How long one hook may take before the next is called.
const BUDGET: Duration = Duration::from_secs(10);

type Hook = Box<dyn FnOnce() + Send>;

/// Hooks in the order in which they were added; none once they were called.
pub(super) struct Hooks(Mutex<Option<Vec<Hook>>>);

impl Default for Hooks {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

impl Hooks {
    /// Adds a hook. When all were called, it is called at once.
    pub(super) fn add(&self, hook: impl FnOnce() + Send + 'static) {
        let hook: Hook = Box::new(hook);
        let late = match &mut *self.lock() {
            Some(hooks) => {
                hooks.push(hook);
                None
            }
            None => Some(hook),
        };
        call(late.into_iter().collect());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Hook>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Hook> {
        self.lock().take().unwrap_or_default()
    }

    /// Calls all that were not called yet. Each has a thread of its own, so that one which hangs or panics costs only itself.
    pub(super) fn run(&self) {
        call(self.take());
    }

    /// The same, without holding up the caller's runtime.
    pub(super) async fn run_from_task(&self) {
        let hooks = self.take();
        if !hooks.is_empty() {
            aside_or_here(move || call(hooks)).await;
        }
    }
}

fn call(hooks: Vec<Hook>) {
    for hook in hooks {
        let (done, called) = mpsc::channel();
        let spawned = thread::Builder::new().name("e2e-tui-hook".to_owned()).spawn(move || {
            // A hook's panic is printed by the host's own panic hook, and ends here.
            let _ = catch_unwind(AssertUnwindSafe(hook));
            let _ = done.send(());
        });
        if spawned.is_ok() {
            let _ = called.recv_timeout(BUDGET);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[test]
    fn hooks_are_called_once_and_in_order_whatever_one_of_them_does() {
        let (hooks, count) = (Hooks::default(), Arc::new(AtomicU32::new(0)));
        let counted = |expected: u32| {
            let count = count.clone();
            move || assert_eq!(count.fetch_add(1, Ordering::SeqCst), expected)
        };
        hooks.add(counted(0));
        hooks.add(|| std::panic::resume_unwind(Box::new("this hook fails")));
        hooks.add(counted(1));
        hooks.run();
        hooks.run();
        assert_eq!(count.load(Ordering::SeqCst), 2);
        hooks.add(counted(2));
        assert_eq!(count.load(Ordering::SeqCst), 3, "nothing is up that it would have to wait for");
    }
}
