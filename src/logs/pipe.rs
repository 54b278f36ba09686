//! The pipes that children write to.

use std::{io, os::fd::OwnedFd};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    unistd::pipe2,
};

/// What a pipe may hold, where the system allows it: a child that prints a lot is woken less often.
const PIPE_SIZE: usize = 256 << 10;

/// A pipe for a child's output: the reading end non-blocking, both closed on exec, as large as the system allows.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    set_nonblocking(&read)?;
    // A user's pages for large pipes are limited; a small one works too.
    let _ = rustix::pipe::fcntl_setpipe_size(&read, PIPE_SIZE);
    Ok((read, write))
}

/// Makes reads of `fd` return at once.
pub(super) fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
