//! Signals sent to the program that runs a scenario. Never used inside somebody else's test process.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::RunHandle;
use crate::model::{Actor, Command, Signal};

/// INT, TERM, HUP and QUIT: the first stops the run in order, a second kills at once, a third leaves without waiting.
/// Runs until it is dropped.
pub async fn obey_signals(run: RunHandle) {
    let kinds = [
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::hangup(), Signal::HUP),
        (SignalKind::quit(), Signal::QUIT),
    ];
    let (sender, mut caught) = mpsc::unbounded_channel();
    for (kind, name) in kinds {
        let Ok(mut stream) = signal(kind) else { continue };
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if sender.send(name).is_err() {
                    break;
                }
            }
        });
    }
    let mut count = 0;
    while let Some(name) = caught.recv().await {
        count += 1;
        if count > 2 {
            // The guardian kills everything as soon as this process is gone.
            std::process::exit(128 + name.0);
        }
        drop(run.send(Command::Shutdown { now: count == 2 }, Actor::Signal(name)));
    }
}
