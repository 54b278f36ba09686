//! Time for futures that may be polled anywhere: it passes on the harness's own runtime. The caller's may be paused, as in
//! `#[tokio::test(start_paused = true)]`, or not be there at all.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle};

/// Resolves after a while, or at once when the runtime that counts it is gone.
#[derive(Debug)]
pub(super) struct Timer(JoinHandle<()>);

impl Timer {
    /// A timer that `runtime` counts.
    pub(super) fn start(runtime: &Handle, after: Duration) -> Self {
        // Made there, too: a sleep belongs to the clock of the runtime that it is made in.
        Self(runtime.spawn(async move { tokio::time::sleep(after).await }))
    }
}

impl Future for Timer {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
