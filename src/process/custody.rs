//! The user's terminal, kept in mind by the guardian: when the dashboard is killed in a way that leaves it no time, the
//! guardian gives the terminal back.
//!
//! It must not do so where it is none of its business: while the supervisor lives, or when somebody else has the terminal by
//! then. A shell that got it back has set its own modes already; from a dashboard's screen it has to be led out all the same.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use rustix::termios::{ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};

use super::procfs;

/// How long a terminal that takes no bytes is waited for.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long after its socket a dying supervisor may be gone; one that takes longer is alive.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// A terminal that a program has taken, and what it takes to give it back.
#[derive(Debug)]
pub struct TakenTerminal {
    pub(super) fd: OwnedFd,
    /// Input, output, control and local modes as they were.
    pub(super) modes: [u32; 4],
    /// What undoes all that was switched on by escape sequences.
    pub(super) leave: Vec<u8>,
    /// The process group that has taken it, and the session it belongs to.
    pub(super) group: u32,
    pub(super) session: u32,
}

impl TakenTerminal {
    /// The terminal `fd`, as it is before it is taken by this process. `leave` will be written to undo what is switched on later.
    /// None if it is no terminal.
    pub fn before_it_is_taken(fd: impl AsFd, leave: &[u8]) -> Option<Self> {
        let modes = tcgetattr(&fd).ok()?;
        let fd = fd.as_fd().try_clone_to_owned().ok()?;
        let group = nix::unistd::getpgrp().as_raw().cast_unsigned();
        let session = nix::unistd::getsid(None).ok()?.as_raw().cast_unsigned();
        let modes = [modes.input_modes.bits(), modes.output_modes.bits(), modes.control_modes.bits(), modes.local_modes.bits()];
        Some(Self { fd, modes, leave: leave.to_vec(), group, session })
    }
}

/// Who has the terminal when its program has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// Nobody: its group is still the one in front, or the whole session is gone.
    Nobody,
    /// The session's leader has taken it back: a shell.
    Shell,
    /// Another program.
    Other,
}

/// A terminal in mind.
#[derive(Debug)]
pub(super) struct Custody {
    terminal: TakenTerminal,
    path: Option<PathBuf>,
    /// Who is to die before it is given back.
    supervisor: u32,
    pidfd: Option<OwnedFd>,
}

impl Custody {
    pub(super) fn of(terminal: TakenTerminal) -> Self {
        let path = rustix::termios::ttyname(&terminal.fd, Vec::new()).ok();
        let path = path.and_then(|path| path.into_string().ok()).map(PathBuf::from);
        let parent = rustix::process::getppid();
        let pidfd = parent.and_then(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok());
        let supervisor = parent.map_or(0, |pid| pid.as_raw_nonzero().get().cast_unsigned());
        Self { terminal, path, supervisor, pidfd }
    }

    /// The supervisor does not answer any more: gives its terminal back, if it has died with it.
    pub(super) fn give_back(self) {
        if !self.supervisor_is_dead() {
            return;
        }
        let whose = whose(self.terminal.group, self.terminal.session);
        if whose == Now::Other {
            return;
        }
        let Some(mut out) = self.open() else { return };
        if whose == Now::Nobody {
            restore_modes(&out, self.terminal.modes);
        }
        write_patiently(&mut out, &self.terminal.leave);
    }

    fn supervisor_is_dead(&self) -> bool {
        // It lets go of its socket before its parent, a shell, hears of its end: so there is time to be first.
        if procfs::is_exiting(self.supervisor) {
            return true;
        }
        let Some(pidfd) = &self.pidfd else { return false };
        let timeout = PollTimeout::try_from(LAST_MOMENT).unwrap_or(PollTimeout::ZERO);
        loop {
            match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout) {
                Err(nix::errno::Errno::EINTR) => {}
                ended => return ended == Ok(1),
            }
        }
    }

    /// The terminal anew: never to wait on it, which set on the descriptor in hand would be so for its other users too, and
    /// since that one is dead where a session's leader has died.
    fn open(&self) -> Option<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
        options.open(self.path.as_ref()?).ok()
    }
}

fn whose(group: u32, session: u32) -> Now {
    let Some(front) = procfs::foreground_group(session) else { return Now::Nobody };
    let shell = procfs::stat(session).map(|stat| stat.group);
    match front {
        front if front == group => Now::Nobody,
        front if Some(front) == shell => Now::Shell,
        _ => Now::Other,
    }
}

fn restore_modes(terminal: &File, [input, output, control, local]: [u32; 4]) {
    // What a raw mode changes besides has no meaning in the others.
    let Ok(mut modes) = tcgetattr(terminal) else { return };
    modes.input_modes = InputModes::from_bits_retain(input);
    modes.output_modes = OutputModes::from_bits_retain(output);
    modes.control_modes = ControlModes::from_bits_retain(control);
    modes.local_modes = LocalModes::from_bits_retain(local);
    _ = tcsetattr(terminal, OptionalActions::Now, &modes);
}

fn write_patiently(out: &mut File, mut bytes: &[u8]) {
    let end = Instant::now() + PATIENCE;
    while !bytes.is_empty() && Instant::now() < end {
        match out.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                _ = poll(&mut [PollFd::new(out.as_fd(), PollFlags::POLLOUT)], PollTimeout::from(10_u16));
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
