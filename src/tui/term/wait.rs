//! Waiting for a key, for room in the terminal, or for somebody who has something new: one `poll`, no thread besides.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

/// Wakes the front from any thread. Cheap to clone; many calls wake once.
#[derive(Debug, Clone)]
pub(crate) struct Waker(Arc<EventFd>);

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)))
    }

    /// Wakes the front.
    pub(crate) fn wake(&self) {
        // It fails only while so many calls wait that one more adds nothing.
        let _ = self.0.write(1);
    }

    /// Takes the calls so far as heard.
    pub(crate) fn clear(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The terminal has bytes.
    pub(crate) input: bool,
    /// The terminal takes bytes.
    pub(crate) output: bool,
    /// The bell has something: of a [`Waker`], that somebody called [`Waker::wake`].
    pub(crate) woken: bool,
    /// There is no terminal any more.
    pub(crate) gone: bool,
}

/// Waits for any of them, or until `patience` is over.
pub(crate) fn wait(
    input: BorrowedFd<'_>,
    output: Option<BorrowedFd<'_>>,
    bell: impl AsFd,
    patience: Option<Duration>,
) -> io::Result<Ready> {
    wait_for(PollFd::new(input, PollFlags::POLLIN), output, bell.as_fd(), patience)
}

/// The same while the terminal is somebody else's: what is typed is not for us.
pub(crate) fn wait_away(terminal: BorrowedFd<'_>, bell: impl AsFd, patience: Duration) -> io::Result<Ready> {
    wait_for(PollFd::new(terminal, PollFlags::empty()), None, bell.as_fd(), Some(patience))
}

fn wait_for(input: PollFd<'_>, output: Option<BorrowedFd<'_>>, bell: BorrowedFd<'_>, patience: Option<Duration>) -> io::Result<Ready> {
    let mut fds = vec![input, PollFd::new(bell, PollFlags::POLLIN)];
    if let Some(output) = output {
        fds.push(PollFd::new(output, PollFlags::POLLOUT));
    }
    // Rounded up: a deadline must have passed when the wait is over, or the caller would spin.
    let millis = patience.map(|p| u16::try_from(p.as_micros().div_ceil(1000)).unwrap_or(u16::MAX));
    match poll(&mut fds, millis.map_or(PollTimeout::NONE, PollTimeout::from)) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Ready::default()),
        Err(errno) => return Err(errno.into()),
    }
    let flags = |i: usize| fds.get(i).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
    let dead = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Ok(Ready {
        input: flags(0).contains(PollFlags::POLLIN),
        output: flags(2).contains(PollFlags::POLLOUT),
        woken: flags(1).contains(PollFlags::POLLIN),
        gone: flags(0).intersects(dead) || flags(2).intersects(dead),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn it_wakes_for_bytes_for_others_and_for_the_end() {
        let waker = Waker::new().expect("an eventfd");
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let look = |patience| wait(ours.as_fd(), None, &waker, Some(patience)).expect("poll");
        assert_eq!(look(Duration::ZERO), Ready::default());
        waker.wake();
        waker.wake();
        assert!(look(Duration::from_secs(10)).woken);
        waker.clear();
        assert_eq!(look(Duration::from_micros(1)), Ready::default());
        nix::unistd::write(&theirs, b"x").expect("a byte");
        assert!(look(Duration::from_secs(10)).input);
        let away = |patience| wait_away(ours.as_fd(), &waker, patience).expect("poll");
        assert_eq!(away(Duration::from_micros(1)), Ready::default(), "bytes are somebody else's");
        drop(theirs);
        assert!(look(Duration::from_secs(10)).gone);
        assert!(away(Duration::from_secs(10)).gone);
    }
}
