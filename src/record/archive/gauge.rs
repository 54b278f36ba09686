//! How far an export is, and whether it is still wanted.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
};

use crate::record::Recording;

/// Whoever watches is told so often.
const EVERY: u64 = 1 << 20;

/// The error of an export that was not wanted any more.
#[derive(Debug)]
pub(super) struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("given up")
    }
}

impl std::error::Error for GivenUp {}

impl GivenUp {
    /// Whether `error` is that.
    pub(super) fn is(error: &io::Error) -> bool {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()).is_some()
    }
}

/// Bytes that were read so far, of all that will be.
pub(super) struct Gauge<'w> {
    done: Cell<u64>,
    told: Cell<u64>,
    all: u64,
    watch: &'w dyn Fn(f64) -> bool,
}

impl<'w> Gauge<'w> {
    /// A gauge for an export of `recording`: what was said is read twice, line by line and as it is.
    pub(super) fn new(recording: &Recording, watch: &'w dyn Fn(f64) -> bool) -> Self {
        let all = recording.logs.total_bytes().saturating_mul(2).max(1);
        Self { done: Cell::new(0), told: Cell::new(0), all, watch }
    }

    /// So many more bytes are done. An error if nobody wants the rest.
    pub(super) fn pass(&self, bytes: u64) -> io::Result<()> {
        self.done.set(self.done.get() + bytes);
        if self.done.get() < self.told.get() {
            return Ok(());
        }
        self.told.set(self.done.get() + EVERY);
        let share = (self.done.get() as f64 / self.all as f64).min(1.0);
        if (self.watch)(share) { Ok(()) } else { Err(io::Error::other(GivenUp)) }
    }
}

/// Something that is read under the eyes of a gauge.
pub(super) struct Watched<'g, R> {
    pub(super) content: R,
    pub(super) gauge: &'g Gauge<'g>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(into)?;
        self.gauge.pass(read as u64)?;
        Ok(read)
    }
}
