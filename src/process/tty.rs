//! Terminals of their own for processes that want one: colours, line buffering, typing.

use std::{io, os::fd::OwnedFd};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};

/// How big a terminal is, in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

impl Default for Screen {
    /// One that nobody looks at: wide, so that programs break few lines.
    fn default() -> Self {
        Self { rows: 40, columns: 120 }
    }
}

/// A terminal that is nobody's yet.
///
/// The process gets copies of `process_end` as stdin, stdout and stderr, with [`Launch::tty`](super::Launch::tty) set; ours must be
/// closed once it was started, or the end of its output will never be seen. What it prints is read from `our_end`, what is
/// typed is written there. Its end shows as `EIO`, not as an end of file; everything written before is read first.
#[derive(Debug)]
pub struct Terminal {
    /// Where we read and write.
    pub our_end: OwnedFd,
    /// What the process gets.
    pub process_end: OwnedFd,
}

impl Terminal {
    /// Opens one of that size. Neither end is inherited by anybody by accident.
    pub fn open(screen: Screen) -> io::Result<Self> {
        let our_end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&our_end)?;
        unlockpt(&our_end)?;
        resize(&our_end, screen)?;
        let process_end = ioctl_tiocgptpeer(&our_end, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        // Lines end as the process ends them, not with the carriage return that a real screen wants.
        let mut modes = tcgetattr(&process_end)?;
        modes.output_modes.remove(OutputModes::ONLCR);
        tcsetattr(&process_end, OptionalActions::Now, &modes)?;
        let flags = rustix::fs::fcntl_getfl(&our_end)?;
        rustix::fs::fcntl_setfl(&our_end, flags | OFlags::NONBLOCK)?;
        Ok(Self { our_end, process_end })
    }
}

/// Tells a terminal, by our end, how big it is; its foreground processes get WINCH. A size of nothing becomes one cell.
pub fn resize(our_end: &OwnedFd, Screen { rows, columns }: Screen) -> io::Result<()> {
    let size = Winsize { ws_row: rows.max(1), ws_col: columns.max(1), ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(our_end, size)?)
}
