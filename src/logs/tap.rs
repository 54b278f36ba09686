//! Lines of a stream for whoever listens, as they come and unmasked: the answers that a probe waits for.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is passed on of a line; an answer is shorter.
const LONGEST: usize = 64 << 10;

/// A place to listen at. Costs one look at a flag a chunk while nobody does. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct LineTap(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    heard: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    listeners: Vec<UnboundedSender<String>>,
    /// The stream has ended: nobody will hear anything any more.
    closed: bool,
}

impl LineTap {
    /// The lines from now on, without their ends; of a line under way, what comes of it from now on. The channel ends with the
    /// stream.
    pub fn lines(&self) -> UnboundedReceiver<String> {
        let (sender, lines) = unbounded_channel();
        let mut inner = self.lock();
        if !inner.closed {
            inner.listeners.push(sender);
            self.0.heard.store(true, Ordering::Release);
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing is half done in here at a panic.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a tap that the reader of a stream holds.
#[derive(Debug)]
pub(super) struct Tapped {
    tap: LineTap,
    begun: Vec<u8>,
}

impl Tapped {
    pub(super) fn new(tap: LineTap) -> Self {
        Self { tap, begun: Vec::new() }
    }

    /// What was read just now.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if !self.tap.0.heard.load(Ordering::Acquire) {
            return self.begun.clear();
        }
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.begin(&rest[..end]);
            self.tell();
            rest = &rest[end + 1..];
        }
        self.begin(rest);
    }

    fn begin(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn tell(&mut self) {
        let line = self.begun.strip_suffix(b"\r").unwrap_or(&self.begun);
        let line = String::from_utf8_lossy(line).into_owned();
        self.begun.clear();
        let mut inner = self.tap.lock();
        inner.listeners.retain(|listener| listener.send(line.clone()).is_ok());
        self.tap.0.heard.store(!inner.listeners.is_empty(), Ordering::Release);
    }
}

impl Drop for Tapped {
    /// The stream has ended; its last line may have no end.
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.tell();
        }
        let mut inner = self.tap.lock();
        inner.closed = true;
        inner.listeners.clear();
        self.tap.0.heard.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &mut UnboundedReceiver<String>) -> Vec<String> {
        std::iter::from_fn(|| lines.try_recv().ok()).collect()
    }

    #[test]
    fn who_listens_hears_whole_lines_from_then_on() {
        let tap = LineTap::default();
        let mut reader = Tapped::new(tap.clone());
        reader.feed(b"before\nhalf of ");
        let mut lines = tap.lines();
        reader.feed(b"a line\nsecond\r\nthi");
        reader.feed(b"rd\nno end");
        assert_eq!(heard(&mut lines), ["a line", "second", "third"]);
        drop(reader);
        assert_eq!(heard(&mut lines), ["no end"]);
        assert!(lines.is_closed() && tap.lines().is_closed());
    }

    #[test]
    fn a_listener_that_has_gone_and_a_line_without_end_cost_nothing() {
        let tap = LineTap::default();
        let mut reader = Tapped::new(tap.clone());
        drop(tap.lines());
        reader.feed(b"one\ntwo");
        reader.feed(b"three");
        assert!(reader.begun.is_empty() && tap.lock().listeners.is_empty());
        let mut lines = tap.lines();
        for _ in 0..100 {
            reader.feed(&[b'x'; 4096]);
        }
        assert_eq!(reader.begun.len(), LONGEST);
        reader.feed(b"\n");
        assert_eq!(heard(&mut lines).first().map(String::len), Some(LONGEST));
    }
}
