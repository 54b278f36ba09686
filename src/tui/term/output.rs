//! Bytes on their way to the terminal. A terminal that takes none (a stalled reader, a frozen window) must not hold up
//! keys, so nothing here waits: what is not taken stays here, and no new frame is made before it is gone.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    time::{Duration, Instant},
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::guard::turn_to_draw;

/// The way to the terminal.
#[derive(Debug)]
pub(crate) struct Output {
    tty: File,
    waiting: Vec<u8>,
    sent: usize,
}

impl Output {
    /// Opens a way that is this one's own.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { tty: own_way()?, waiting: Vec::new(), sent: 0 })
    }

    /// Whether bytes still wait.
    pub(crate) fn is_behind(&self) -> bool {
        self.sent < self.waiting.len()
    }

    /// Where to wait for room.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.tty.as_fd()
    }

    /// Takes bytes, and sends what the terminal takes at once.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        self.send()
    }

    /// Sends what the terminal takes.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        let Some(_turn) = turn_to_draw() else {
            self.waiting.clear();
            self.sent = 0;
            return Ok(());
        };
        while self.is_behind() {
            match self.tty.write(&self.waiting[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.waiting.clear();
        self.sent = 0;
        // One huge frame must not be held for ever.
        self.waiting.shrink_to(256 << 10);
        Ok(())
    }

    /// Sends everything, but gives up after `patience`.
    pub(crate) fn finish(&mut self, patience: Duration) -> io::Result<()> {
        let end = Instant::now() + patience;
        self.send()?;
        while self.is_behind() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut fds = [PollFd::new(self.tty.as_fd(), PollFlags::POLLOUT)];
            let millis = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
            poll(&mut fds, PollTimeout::from(millis)).ok();
            self.send()?;
        }
        Ok(())
    }
}

/// Opens the terminal behind stdout a second time: then not waiting is a property of this way only, and not of the
/// stdout that children and the shell share.
fn own_way() -> io::Result<File> {
    let own = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open("/proc/self/fd/1");
    match own {
        Ok(tty) => Ok(tty),
        Err(_) => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
    }
}

/// Writes to the terminal until it has taken nothing for `patience`: what does not fit then is lost. For last words, which
/// are nobody's turn.
pub(super) fn write_patiently(mut bytes: &[u8], patience: Duration) {
    let Ok(mut tty) = own_way() else { return };
    let mut end = Instant::now() + patience;
    while !bytes.is_empty() {
        match tty.write(bytes) {
            Ok(0) => return,
            Ok(n) => (bytes, end) = (&bytes[n..], Instant::now() + patience),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                let millis = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
                poll(&mut [PollFd::new(tty.as_fd(), PollFlags::POLLOUT)], PollTimeout::from(millis)).ok();
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
