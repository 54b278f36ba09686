//! Signals to processes that are not our children: to exactly the one meant, or to nobody.

use nix::errno::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::model::Signal;

use super::{exec, procfs, tree::Identity};

/// Sends `signal` to `whom` unless it is gone. A process that got its pid since is left alone: the pidfd is opened first
/// and the start time compared after, so that both speak of the same process.
pub(crate) fn send(whom: Identity, signal: Signal) -> Result<(), Errno> {
    let pid = i32::try_from(whom.pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw).ok_or(Errno::EINVAL)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty());
    if procfs::stat(whom.pid).is_none_or(|stat| stat.id != whom) {
        return Err(Errno::ESRCH);
    }
    match pidfd {
        Ok(pidfd) => match exec::signal_pidfd(std::os::fd::AsFd::as_fd(&pidfd), signal) {
            Err(Errno::ENOSYS) => exec::signal_pid(whom.pid, false, signal),
            result => result,
        },
        // Before Linux 5.3, or out of descriptors: the start time was right a moment ago.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::PERM) => {
            exec::signal_pid(whom.pid, false, signal)
        }
        Err(errno) => Err(Errno::from_raw(errno.raw_os_error())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p26_a_process_that_got_the_pid_later_is_never_signalled() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep exists");
        let real = procfs::stat(child.id()).expect("it runs").id;
        let before = Identity { start: real.start - 1, ..real };
        assert_eq!(send(before, Signal::KILL), Err(Errno::ESRCH));
        assert!(procfs::stat(real.pid).expect("it runs on").is_alive());
        assert_eq!(send(real, Signal::KILL), Ok(()));
        let status = child.wait().expect("it is ours");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert_eq!(send(real, Signal::KILL), Err(Errno::ESRCH));
        assert_eq!(send(Identity { pid: 1, start: 0 }, Signal(0)), Err(Errno::EINVAL));
        assert_eq!(send(Identity { pid: 0, start: 0 }, Signal(0)), Err(Errno::EINVAL));
    }
}
