//! Work that blocks, beside the caller's runtime.

use std::thread;

use tokio::sync::oneshot;

/// What `work` gives, done on a thread of its own: the caller's runtime may have no other thread than this one. None if there is
/// no thread to be had, or it panicked. When the future is dropped, the work goes on.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = oneshot::channel();
    let thread = thread::Builder::new().name("e2e-tui-aside".to_owned());
    thread.spawn(move || drop(done.send(work()))).ok()?;
    result.await.ok()
}
