//! Reading what children print, on one OS thread of its own, so that neither a slow disk nor a busy screen nor one
//! chatty child delays anybody else.
//!
//! Streams are handed over with [`Capture::add`]; what is noticed in them comes back as [`CaptureEvent`]s. A stream is
//! read until its writers are gone, and never closed before: a child that prints must not die of it.

use std::{io, sync::Arc, thread::JoinHandle, time::Duration};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    heard::{CaptureEvent, CaptureStream},
    orders::{Order, Orders},
    reader::Reader,
    store::LogStore,
};
use crate::{
    model::{Generation, ProcessId},
    redact::Redactor,
};

/// The capture thread. Dropping it reads what is there once more and ends the thread.
#[derive(Debug)]
pub struct Capture {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts the thread. What it reads goes to `store`, masked by `redactor`.
    pub fn start(store: Arc<LogStore>, redactor: Redactor, events: UnboundedSender<CaptureEvent>) -> io::Result<Self> {
        let orders = Arc::new(Orders::new()?);
        let mut reader = Reader::new(store, redactor, events, orders.clone())?;
        let thread = std::thread::Builder::new().name("capture".into()).spawn(move || reader.run())?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Reads a stream from now on.
    pub fn add(&self, stream: CaptureStream) {
        self.orders.give(Order::Add(Box::new(stream)));
    }

    /// The generation has ended: reads what it left in its pipes, waits at most `linger` for other holders of them to
    /// let go, and then sends [`CaptureEvent::Drained`].
    pub fn drain(&self, process: &ProcessId, generation: Generation, linger: Duration) {
        self.orders.give(Order::Drain { process: process.clone(), generation, linger });
    }

    /// Reads what is in all pipes at this moment, tells what was found in it, and then sends [`CaptureEvent::Flushed`].
    pub fn flush(&self) {
        self.orders.give(Order::Flush);
    }

    /// Reads what is there once more, tells what is still to tell, and ends the thread.
    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.orders.give(Order::Stop);
            // A panic of the thread was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
    }
}
