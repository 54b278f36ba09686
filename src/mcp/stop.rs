//! The wish to end, told to every task of a part at once.

use tokio::sync::watch;

/// Tells all its [`Stop`]s to end. Dropping it tells them too.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<bool>);

/// Waits for the wish to end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A new pair: one side asks, the other (and its clones) hears.
pub fn stop_pair() -> (StopHandle, Stop) {
    let (ask, hear) = watch::channel(false);
    (StopHandle(ask), Stop(hear))
}

impl StopHandle {
    /// Asks all tasks to end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Resolves once the end is wanted; at once if it already is. Cancel-safe.
    pub async fn requested(&mut self) {
        // A dropped handle is the error case, and means the same.
        let _ = self.0.wait_for(|wanted| *wanted).await;
    }
}
