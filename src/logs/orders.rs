//! How the capture thread is spoken to.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::heard::CaptureStream;
use crate::model::{Generation, ProcessId};

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Read this.
    Add(Box<CaptureStream>),
    /// A generation has ended: read what it left, and wait at most so long for others to let go.
    Drain { process: ProcessId, generation: Generation, linger: Duration },
    /// Read what is in all pipes, and tell everything.
    Flush,
    /// Read what is there, and end.
    Stop,
}

/// Orders that wait, and what wakes the thread for them.
#[derive(Debug)]
pub(super) struct Orders {
    waiting: Mutex<Vec<Order>>,
    pub(super) wake: EventFd,
}

impl Orders {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { waiting: Mutex::default(), wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)? })
    }

    pub(super) fn give(&self, order: Order) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        // It only fails when the counter is full, and then the thread wakes up anyway.
        let _ = self.wake.write(1);
    }

    pub(super) fn take(&self) -> Vec<Order> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
