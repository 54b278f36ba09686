//! What is written to processes: lines by keys, steps and probes, to a pipe or to a terminal of their own.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
    time::sleep,
};

use crate::{
    health::Exchange,
    logs::LineTap,
    process::{self, Screen},
    tap::{PipeEnds, PipeFault},
};

/// The pauses between two attempts to write what a process does not take.
const SHORTEST: Duration = Duration::from_millis(1);
/// See [`SHORTEST`].
const LONGEST: Duration = Duration::from_millis(50);
/// What may wait for a process to read it, in bytes.
const MOST_WAITING: usize = 1 << 20;

/// What the other end of a stdin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Pipe,
    Terminal,
}

/// The stdin of one generation. Never waits: what the process does not take at once is written by a task, in order.
#[derive(Debug)]
pub(super) struct Stdin {
    end: End,
    inner: Mutex<Inner>,
    /// Bytes that the task has still to write.
    waiting: Arc<AtomicUsize>,
    /// Who is given a copy of what is written, and may disturb it.
    pipes: Option<Arc<PipeEnds>>,
}

#[derive(Debug)]
struct Inner {
    fd: Arc<OwnedFd>,
    task: Option<(UnboundedSender<Later>, AbortHandle)>,
    used: bool,
}

/// What is written by the task.
#[derive(Debug)]
struct Later {
    /// After so long.
    delay: Duration,
    bytes: Vec<u8>,
}

impl Stdin {
    /// Writes to `fd`, which does not block. `pipes` is the tap on it, if there is one.
    pub(super) fn new(fd: OwnedFd, end: End, pipes: Option<Arc<PipeEnds>>) -> Self {
        Self { end, inner: Mutex::new(Inner { fd: Arc::new(fd), task: None, used: false }), waiting: Arc::default(), pipes }
    }

    /// The tap on it.
    pub(super) fn pipes(&self) -> Option<&Arc<PipeEnds>> {
        self.pipes.as_ref()
    }

    /// Whether anything was ever written to it.
    pub(super) fn is_used(&self) -> bool {
        self.lock().used
    }

    /// Writes a line: to a terminal with the byte that its Enter key sends. Must be called within the runtime.
    pub(super) fn send_line(&self, text: &str) -> io::Result<()> {
        let mut line = text.as_bytes().to_vec();
        line.push(if self.end == End::Terminal { b'\r' } else { b'\n' });
        self.send(line)
    }

    /// Tells a terminal how big it is, and those in front of it by WINCH. A pipe has no size.
    pub(super) fn resize(&self, screen: Screen) {
        if self.end == End::Terminal
            && let Err(e) = process::resize(&self.lock().fd, screen)
        {
            tracing::debug!("a terminal keeps its size: {e}");
        }
    }

    /// Writes bytes as they are. Must be called within the runtime.
    pub(super) fn send(&self, mut line: Vec<u8>) -> io::Result<()> {
        let mut inner = self.lock();
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting + line.len() > MOST_WAITING {
            return Err(io::Error::other(format!("{waiting} bytes wait for that already")));
        }
        let delay = match self.pipes.as_ref().and_then(|pipes| pipes.writes(&line)) {
            None => Duration::ZERO,
            Some(PipeFault::Wait(delay)) => delay,
            Some(PipeFault::Drop) => return Ok(()),
        };
        let at_once = waiting == 0 && delay.is_zero();
        let written = if at_once { write_some(&inner.fd, &line)? } else { 0 };
        inner.used = true;
        let rest = line.split_off(written);
        if rest.is_empty() {
            return Ok(());
        }
        self.waiting.fetch_add(rest.len(), Ordering::AcqRel);
        let fd = inner.fd.clone();
        let (queue, _) = inner.task.get_or_insert_with(|| {
            let (queue, rest) = unbounded_channel();
            (queue, tokio::spawn(write_rest(fd, rest, self.waiting.clone())).abort_handle())
        });
        // The task ends only with a broken pipe: nobody reads any more.
        queue.send(Later { delay, bytes: rest }).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Nothing is half done in here at a panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if let Some((_, task)) = self.lock().task.take() {
            task.abort();
        }
    }
}

/// Writes what goes in now, and says how much that was.
fn write_some(fd: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::write(fd, &bytes[written..]) {
            Ok(count) => written += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(written)
}

async fn write_rest(fd: Arc<OwnedFd>, mut rest: UnboundedReceiver<Later>, waiting: Arc<AtomicUsize>) -> io::Result<()> {
    while let Some(Later { delay, bytes }) = rest.recv().await {
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let (mut written, mut pause) = (0, SHORTEST);
        while written < bytes.len() {
            // Asked again, more and more seldom: a terminal cannot be waited for as a pipe can, and this is rare.
            match write_some(&fd, &bytes[written..])? {
                0 => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
                count => {
                    written += count;
                    pause = SHORTEST;
                }
            }
        }
        waiting.fetch_sub(bytes.len(), Ordering::AcqRel);
    }
    Ok(())
}

/// Stdin and stdout of one generation, for probes that talk to it.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    pub(super) stdin: Arc<Stdin>,
    pub(super) tap: LineTap,
}

impl Exchange for Talk {
    fn lines(&self) -> UnboundedReceiver<String> {
        self.tap.lines()
    }

    fn send_line(&self, line: &str) -> io::Result<()> {
        self.stdin.send_line(line)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::aside::aside;

    fn pipe() -> (std::io::PipeReader, Stdin) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let writer = OwnedFd::from(writer);
        rustix::io::ioctl_fionbio(&writer, true).expect("a pipe can be made so");
        (reader, Stdin::new(writer, End::Pipe, None))
    }

    #[tokio::test]
    async fn lines_arrive_whole_and_in_order_however_slow_the_reader_is() {
        let (mut reader, stdin) = pipe();
        assert!(!stdin.is_used());
        let long = "x".repeat(300_000);
        for text in [long.as_str(), "second", "third"] {
            stdin.send_line(text).expect("there is room for it");
        }
        assert!(stdin.is_used());
        let read = aside(move || {
            let mut read = vec![0; 300_000 + 1 + 7 + 6];
            reader.read_exact(&mut read).map(|()| read)
        });
        let read = read.await.expect("a thread").expect("all of it comes");
        assert_eq!(read, format!("{long}\nsecond\nthird\n").into_bytes());
        while stdin.waiting.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_does_not_read_is_told_of_and_who_is_gone_too() {
        let (reader, stdin) = pipe();
        let block = "x".repeat(200_000);
        let refused = (0..10).find_map(|_| stdin.send_line(&block).err()).expect("there is an end to patience");
        assert!(refused.to_string().contains("wait for that already"), "{refused}");
        drop((reader, stdin));
        let (reader, stdin) = pipe();
        drop(reader);
        assert_eq!(stdin.send_line("x").map_err(|e| e.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
