//! What the operating system wants done by hand: between `fork` and `exec`, at the reaping, and with raw signal numbers.
//!
//! This is the one file of the crate that may use `unsafe`. After a `fork` in a program with threads only
//! async-signal-safe calls are allowed: no allocation, no lock, no panic. So everything is prepared in the parent
//! ([`Program`]), and [`child`] is a straight line of system calls.
#![expect(unsafe_code, reason = "fork, exec, wait4 and signal dispositions have no safe form")]

use std::{
    convert::Infallible,
    ffi::{CString, c_char, c_int, c_void},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use nix::{errno::Errno, fcntl::OFlag, libc, unistd::pipe2};

use crate::model::{Exit, Signal};

use super::Usage;

/// A program made ready: nothing is allocated between `fork` and `exec`.
pub(crate) struct Program {
    pub(crate) path: CString,
    pub(crate) argv: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) cwd: CString,
    /// Resource, soft, hard.
    pub(crate) limits: Vec<(u32, u64, u64)>,
    /// Whether the standard output becomes the controlling terminal.
    pub(crate) tty: bool,
    /// Where the child writes its pid, in memory it shares with its parent.
    pub(crate) pid_cell: Option<&'static AtomicU64>,
}

/// Where a child is born, beside this process's own place.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Birthplace<'f> {
    /// The folder of its control group.
    pub(crate) group: Option<BorrowedFd<'f>>,
    /// The mounts of the PID namespace that this process's children are born in: from there it cannot see its parent.
    pub(crate) mounts: Option<BorrowedFd<'f>>,
}

/// How far a child came that could not become its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Session,
    Group,
    Mounts,
    Descriptors,
    Terminal,
    Cwd,
    Limits,
    Exec,
}

impl Step {
    const ALL: [Step; 8] =
        [Step::Session, Step::Group, Step::Mounts, Step::Descriptors, Step::Terminal, Step::Cwd, Step::Limits, Step::Exec];

    /// The system call it stands for.
    pub(crate) fn call(self) -> &'static str {
        match self {
            Step::Session => "setsid",
            Step::Group => "writing cgroup.procs",
            Step::Mounts => "setns",
            Step::Limits => "setrlimit",
            Step::Descriptors => "dup2",
            Step::Terminal => "ioctl TIOCSCTTY",
            Step::Cwd => "chdir",
            Step::Exec => "execve",
        }
    }
}

/// The last word of a child that could not become its program, as it goes through the pipe.
type Verdict = [u8; 5];

/// Reads what came through the verdict pipe until its end: nothing means that `exec` has closed it.
pub(crate) fn verdict(said: &[u8]) -> Result<(), (Step, i32)> {
    let Ok([step, errno @ ..]) = Verdict::try_from(said) else { return Ok(()) };
    let step = Step::ALL.into_iter().find(|s| *s as u8 == step).unwrap_or(Step::Exec);
    Err((step, i32::from_le_bytes(errno)))
}

/// Forks a child that becomes `program`, leads a session of its own, and dies with the calling thread. The pipe tells
/// how it went, see [`verdict`]. All signals must be blocked in the calling thread, so that none is handled in the child
/// before its dispositions are the default ones.
pub(crate) fn start(program: &Program, stdio: [BorrowedFd<'_>; 3], place: Birthplace<'_>) -> Result<(u32, OwnedFd), Errno> {
    let pointers = |all: &[CString]| -> Vec<*const c_char> { all.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect() };
    let (argv, env) = (pointers(&program.argv), pointers(&program.env));
    // What `dup2` reads from must lie above what it writes to: 0 to 2, and 3 for the verdict.
    let mut lifted = Vec::new();
    let mut sources = [0; 3];
    for (source, fd) in sources.iter_mut().zip(stdio) {
        *source = fd.as_raw_fd();
        if *source < 4 {
            let copy = lift(fd)?;
            *source = copy.as_raw_fd();
            lifted.push(copy);
        }
    }
    let (reader, mut writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    if writer.as_raw_fd() < 3 {
        writer = lift(writer.as_fd())?;
    }
    let parent = if place.mounts.is_some() { 0 } else { std::process::id() };
    // SAFETY: the child runs nothing but `child`, which keeps to async-signal-safe calls and never returns.
    let (pid, procs) = unsafe { fork_into(place.group) }?;
    let entry = Entry { procs: procs.as_ref().map(AsRawFd::as_raw_fd), mounts: place.mounts.map(|fd| fd.as_raw_fd()), parent };
    match pid {
        0 => {
            let Err((step, errno)) = unsafe { child(program, &argv, &env, sources, writer.as_raw_fd(), entry) };
            let mut said: Verdict = [step as u8, 0, 0, 0, 0];
            said[1..].copy_from_slice(&(errno as i32).to_le_bytes());
            // SAFETY: plain system calls on memory of this stack frame. The pipe was moved to 3 before anything after
            // `dup2` could fail, and is still where it was before that.
            unsafe {
                let moved = !matches!(step, Step::Session | Step::Group | Step::Mounts | Step::Descriptors);
                let to = if moved { 3 } else { writer.as_raw_fd() };
                libc::write(to, said.as_ptr().cast(), said.len());
                libc::_exit(127);
            }
        }
        pid => Ok((pid.cast_unsigned(), reader)),
    }
}

/// `CLONE_INTO_CGROUP` of the kernel, since 5.7.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks a child that is born in a control group: it never was anywhere else, and nobody has to wait for a move. Where a
/// filter forbids that call the child has to move itself, by writing to the descriptor that is given then.
///
/// # Safety
/// As `fork`: in a program with threads the child may only make async-signal-safe calls.
unsafe fn fork_into(group: Option<BorrowedFd<'_>>) -> Result<(libc::pid_t, Option<OwnedFd>), Errno> {
    let Some(group) = group else {
        // SAFETY: as promised by the caller.
        return Errno::result(unsafe { libc::fork() }).map(|pid| (pid, None));
    };
    // SAFETY: the structure is whole, and without a stack or flags for threads this is a fork.
    let born = unsafe {
        let mut how: libc::clone_args = std::mem::zeroed();
        how.flags = CLONE_INTO_CGROUP;
        how.exit_signal = libc::SIGCHLD as u64;
        how.cgroup = group.as_raw_fd() as u64;
        Errno::result(libc::syscall(libc::SYS_clone3, &raw const how, size_of::<libc::clone_args>()))
    };
    match born {
        Ok(pid) => Ok((pid as libc::pid_t, None)),
        // Some filters say that there is no such call, older ones that it is not permitted.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            let procs = nix::fcntl::openat(group, "cgroup.procs", OFlag::O_WRONLY | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
            // SAFETY: as promised by the caller.
            Errno::result(unsafe { libc::fork() }).map(|pid| (pid, Some(procs)))
        }
        Err(errno) => Err(errno),
    }
}

/// What a child does first, to be where it belongs.
#[derive(Clone, Copy)]
struct Entry {
    /// `cgroup.procs` of its group, if it is not born in there.
    procs: Option<RawFd>,
    mounts: Option<RawFd>,
    /// Its parent, as it sees it.
    parent: u32,
}

/// A copy of a descriptor, out of the way of the standard ones.
fn lift(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let copy = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(4))?;
    // SAFETY: F_DUPFD_CLOEXEC has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The child's way from `fork` to `exec`.
///
/// # Safety
/// To be called in a forked child only. `argv` and `env` are null-terminated and point to C strings.
unsafe fn child(
    program: &Program,
    argv: &[*const c_char],
    env: &[*const c_char],
    stdio: [RawFd; 3],
    verdict: RawFd,
    entry: Entry,
) -> Result<Infallible, (Step, Errno)> {
    let check = |step: Step, result: c_int| if result < 0 { Err((step, Errno::last())) } else { Ok(()) };
    // SAFETY: system calls without any precondition but valid pointers, all of them to memory prepared before the fork.
    unsafe {
        check(Step::Session, libc::setsid())?;
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid().cast_unsigned() != entry.parent {
            // It died before the line above; its death signal will not come any more.
            libc::_exit(127);
        }
        if let Some(cell) = program.pid_cell {
            cell.store(u64::from(libc::getpid().cast_unsigned()), Ordering::Release);
        }
        default_dispositions();
        if let Some(procs) = entry.procs {
            // Zero is whoever writes it.
            check(Step::Group, libc::write(procs, c"0".as_ptr().cast(), 1) as c_int)?;
        }
        if let Some(mounts) = entry.mounts {
            check(Step::Mounts, libc::setns(mounts, libc::CLONE_NEWNS))?;
        }
        for (target, source) in (0..).zip(stdio) {
            check(Step::Descriptors, libc::dup2(source, target))?;
        }
        if verdict != 3 {
            check(Step::Descriptors, libc::dup3(verdict, 3, libc::O_CLOEXEC))?;
        }
        close_from(4);
        if program.tty {
            check(Step::Terminal, libc::ioctl(1, libc::TIOCSCTTY, 0))?;
        }
        check(Step::Cwd, libc::chdir(program.cwd.as_ptr()))?;
        for (resource, soft, hard) in &program.limits {
            let limit = libc::rlimit { rlim_cur: *soft, rlim_max: *hard };
            check(Step::Limits, libc::setrlimit(*resource as _, &raw const limit))?;
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(program.path.as_ptr(), argv.as_ptr(), env.as_ptr());
        Err((Step::Exec, Errno::last()))
    }
}

/// Gives every signal its default disposition: an ignored one would stay ignored in every program started from here.
/// Not through the C library, which leaves out the two it keeps for itself even where somebody had them ignored.
pub(crate) fn default_dispositions() {
    // The kernel's own structure: handler, flags, restorer, mask. All zero is the default.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: installs no handler; KILL and STOP are refused.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null::<c_void>(), 8) };
    }
}

/// From here on a write beyond `RLIMIT_FSIZE` fails with `EFBIG`, as on a full disk, instead of ending this process by XFSZ.
/// Caught, not ignored: a program started from here gets the default disposition back.
pub fn survive_file_size_limit() {
    extern "C" fn nothing(_: c_int) {}
    let handler: extern "C" fn(c_int) = nothing;
    // SAFETY: the structure is whole, and the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGXFSZ, &raw const action, ptr::null_mut());
    }
}

/// Stops this process, as TSTP does, and returns when somebody has let it go on: at once where nobody could, because no shell
/// waits for its group. Whatever handles TSTP here is put aside for that.
pub fn stop_until_continued() {
    // SAFETY: the structures are whole; what was there before is put back.
    unsafe {
        let (mut before, mut default): (libc::sigaction, libc::sigaction) = (std::mem::zeroed(), std::mem::zeroed());
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(libc::SIGTSTP, &raw const default, &raw mut before);
        // To this very thread, so that it stops here.
        libc::raise(libc::SIGTSTP);
        libc::sigaction(libc::SIGTSTP, &raw const before, ptr::null_mut());
    }
}

/// Stops this process and its group, as Ctrl-Z at their terminal would; else like [`stop_until_continued`]. For a front that has
/// taken that key from the terminal. Who is sent TSTP stops alone: whoever else is meant is sent one, too.
pub fn stop_group_until_continued() {
    // SAFETY: the structures are whole; what was there before is put back.
    unsafe {
        let (mut before, mut ignore): (libc::sigaction, libc::sigaction) = (std::mem::zeroed(), std::mem::zeroed());
        ignore.sa_sigaction = libc::SIG_IGN;
        libc::sigaction(libc::SIGTSTP, &raw const ignore, &raw mut before);
        // Whoever runs this program (`cargo run`, `time`) is what the shell waits for.
        libc::kill(0, libc::SIGTSTP);
        libc::sigaction(libc::SIGTSTP, &raw const before, ptr::null_mut());
    }
    stop_until_continued();
}

/// Closes all descriptors from `first` on. Async-signal-safe.
///
/// Callers own every one of them: this is for a fresh child, and for a fresh program that holds none yet.
pub(crate) fn close_from(first: RawFd) {
    // SAFETY: plain system calls; see above for whose the descriptors are.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) == 0 {
            return;
        }
        // Before Linux 5.9.
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        for fd in first..limit.rlim_max.min(1 << 20) as RawFd {
            libc::close(fd);
        }
    }
}

/// What `wait4` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaped {
    /// This child has ended, so, having used that much; it is gone now.
    Ended(u32, Exit, Usage),
    /// It runs, or no child has ended.
    Nothing,
    /// It is no child of ours (any more): somebody else has collected it.
    NoChild,
}

/// Reaps one child, if it has ended, without waiting.
pub(crate) fn reap(pid: u32) -> Reaped {
    match libc::pid_t::try_from(pid) {
        Ok(pid) if pid > 0 => wait4(pid),
        _ => Reaped::NoChild,
    }
}

/// Reaps whichever child has ended. Only for a process all of whose children are its own to reap.
pub(crate) fn reap_any() -> Reaped {
    wait4(-1)
}

fn wait4(pid: libc::pid_t) -> Reaped {
    let mut status = 0;
    // SAFETY: both structures are plain numbers, written by the kernel.
    let (pid, used) = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, libc::WNOHANG | libc::__WALL, &raw mut used), used)
    };
    match pid {
        0 => Reaped::Nothing,
        ..0 if Errno::last() == Errno::EINTR => Reaped::Nothing,
        ..0 => Reaped::NoChild,
        _ => {
            let exit = if libc::WIFSIGNALED(status) {
                Exit::Signal(Signal(libc::WTERMSIG(status)))
            } else {
                Exit::Code(libc::WEXITSTATUS(status))
            };
            let time = |t: libc::timeval| Duration::from_secs(t.tv_sec.cast_unsigned()) + Duration::from_micros(t.tv_usec.cast_unsigned());
            let max_rss = used.ru_maxrss.cast_unsigned() * 1024;
            Reaped::Ended(pid.cast_unsigned(), exit, Usage { user: time(used.ru_utime), system: time(used.ru_stime), max_rss })
        }
    }
}

/// Sends a signal to the process that `pidfd` stands for, real-time signals included.
pub(crate) fn signal_pidfd(pidfd: BorrowedFd<'_>, signal: Signal) -> Result<(), Errno> {
    // SAFETY: numbers and a null pointer.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal.0, ptr::null::<c_void>(), 0) };
    Errno::result(result).map(drop)
}

/// Sends a signal to a process, or with `group` to a whole process group. Refuses numbers that mean "everybody" or "my own group".
pub(crate) fn signal_pid(pid: u32, group: bool, signal: Signal) -> Result<(), Errno> {
    match libc::pid_t::try_from(pid) {
        // SAFETY: numbers.
        Ok(pid) if pid > 1 => Errno::result(unsafe { libc::kill(if group { -pid } else { pid }, signal.0) }).map(drop),
        _ => Err(Errno::EINVAL),
    }
}

/// Numbers in memory that this process shares with the children it forks. Zeroed; lives as long as the process.
pub(crate) fn shared_numbers(count: usize) -> Result<&'static [AtomicU64], Errno> {
    let length = count * size_of::<AtomicU64>();
    // SAFETY: a fresh anonymous mapping, never unmapped; zeroes are valid atomics, and pages are aligned for them.
    unsafe {
        let at = libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0);
        if at == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(std::slice::from_raw_parts(at.cast(), count)) }
    }
}

/// Forks a child that runs `main` and nothing else, in a session of its own, with `keep` as its only descriptor (number 0).
///
/// `main` runs after a fork in what may be a program with threads: it must not allocate, lock or panic.
pub(crate) fn fork_only(keep: BorrowedFd<'_>, main: impl FnOnce()) -> Result<u32, Errno> {
    // SAFETY: the child calls what `main` promises to be, and never returns.
    unsafe {
        match libc::fork() {
            -1 => Err(Errno::last()),
            0 => {
                libc::setsid();
                default_dispositions();
                if keep.as_raw_fd() != 0 {
                    libc::dup2(keep.as_raw_fd(), 0);
                }
                close_from(1);
                main();
                libc::_exit(0);
            }
            pid => Ok(pid.cast_unsigned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_mean_everybody_are_refused() {
        for pid in [0, 1, u32::MAX, u32::MAX - 1, 1 << 31] {
            assert_eq!(signal_pid(pid, false, Signal(0)), Err(Errno::EINVAL));
            assert_eq!(signal_pid(pid, true, Signal(0)), Err(Errno::EINVAL));
            assert!(pid == 1 || reap(pid) == Reaped::NoChild);
        }
    }

    #[test]
    fn verdicts_are_read_back() {
        assert_eq!(verdict(b""), Ok(()));
        for step in Step::ALL {
            let said = [&[step as u8][..], &(Errno::ENOENT as i32).to_le_bytes()].concat();
            assert_eq!(verdict(&said), Err((step, Errno::ENOENT as i32)));
        }
    }

    /// From here on this thread's `clone3` is not permitted.
    fn forbid_clone3() -> Result<(), Errno> {
        let statement = |code: u32, k: u32, jf: u8| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        let mut filter = [
            // The number of the call is the first field.
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
            statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::SYS_clone3 as u32, 1),
            statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0),
            statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
        ];
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: numbers, and a program that lives until the call returns.
        unsafe {
            Errno::result(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            Errno::result(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)).map(drop)
        }
    }

    #[test]
    fn where_a_filter_forbids_clone3_a_child_is_told_to_move_itself() {
        let numbers = shared_numbers(1).expect("memory");
        let dir = tempfile::tempdir().expect("a temp dir");
        std::fs::write(dir.path().join("cgroup.procs"), "").expect("a temp dir");
        let group = std::fs::File::open(dir.path()).expect("it exists");
        // 1: no filter can be set; 2: another error; 3: forked, without a descriptor to move by; 4: as it should be.
        let pid = fork_only(group.as_fd(), || {
            let code = match forbid_clone3() {
                Err(_) => 1,
                // SAFETY: this process has one thread.
                Ok(()) => match unsafe { fork_into(Some(BorrowedFd::borrow_raw(0))) } {
                    // SAFETY: its child has nothing to do.
                    Ok((0, _)) => unsafe { libc::_exit(0) },
                    Ok((_, procs)) => 3 + u64::from(procs.is_some()),
                    Err(_) => 2,
                },
            };
            numbers[0].store(code, Ordering::Release);
        })
        .expect("a fork");
        // SAFETY: a child of ours.
        while unsafe { libc::waitpid(pid.cast_signed(), ptr::null_mut(), 0) } < 0 && Errno::last() == Errno::EINTR {}
        assert_eq!(numbers[0].load(Ordering::Acquire), 4);
    }
}
