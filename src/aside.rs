//! Work that blocks, on a thread beside the caller's runtime.
//!
//! Not tokio's `spawn_blocking`: where the system has no thread left (`ulimit -u`, a child that forks without end) that panics,
//! and the run with it. Here whoever asks is told, and decides.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::oneshot;

/// What `work` gives, done on a thread of its own. When the future is dropped, the work goes on.
///
/// # Errors
/// There is no thread to be had, and nothing was done; or the work panicked.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    begin(move || drop(done.send(work()))).map_err(|(error, _)| error)?;
    result.await.map_err(|_| io::Error::other("it panicked"))
}

/// The same for what must be done: where there is no thread, right here, which holds up the caller. None if it panicked.
pub(crate) async fn aside_or_here<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = oneshot::channel();
    begin_or_here(move || drop(done.send(work())));
    result.await.ok()
}

/// Has `work` done on a thread of its own, or right here where there is none. Nothing tells its end.
pub(crate) fn begin_or_here(work: impl FnOnce() + Send + 'static) {
    if let Err((error, work)) = begin(work) {
        tracing::warn!("no thread for what takes time, so it is done where it is asked for: {error}");
        work();
    }
}

/// Has `work` done on a thread of its own, or gives it back with the reason.
pub(crate) fn begin<W: FnOnce() + Send + 'static>(work: W) -> Result<(), (io::Error, W)> {
    // A closure that is given to a thread is gone when that cannot be made: so it is only lent.
    let held = Arc::new(Mutex::new(Some(work)));
    let take = |held: &Mutex<Option<W>>| held.lock().unwrap_or_else(PoisonError::into_inner).take();
    let lent = held.clone();
    let started = builder().spawn(move || {
        if let Some(work) = take(&lent) {
            work();
        }
    });
    match started {
        Ok(_) => Ok(()),
        Err(error) => take(&held).map_or(Ok(()), |work| Err((error, work))),
    }
}

fn builder() -> thread::Builder {
    let builder = thread::Builder::new().name("e2e-tui-aside".to_owned());
    #[cfg(test)]
    if tests::NO_THREADS.get() {
        // No machine has room for such a stack.
        return builder.stack_size(1 << 60);
    }
    builder
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// On this thread there is no other to be had.
        pub(crate) static NO_THREADS: Cell<bool> = const { Cell::new(false) };
    }

    #[tokio::test]
    async fn p30_work_is_done_beside_the_runtime() {
        let here = thread::current().id();
        assert_ne!(aside(|| thread::current().id()).await.expect("a thread"), here);
        assert_ne!(aside_or_here(|| thread::current().id()).await.expect("a thread"), here);
    }

    #[tokio::test]
    async fn p30_without_a_thread_the_caller_is_told_or_does_it_itself() {
        NO_THREADS.set(true);
        let here = thread::current().id();
        assert!(aside(|| panic!("nobody does it")).await.is_err_and(|e: io::Error| e.to_string() != "it panicked"));
        assert_eq!(aside_or_here(|| thread::current().id()).await, Some(here));
    }
}
