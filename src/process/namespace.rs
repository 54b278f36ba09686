//! A PID namespace for everything that a guardian starts: the kernel ends it with its first process, whatever happens.
//!
//! ```text
//!   outside   supervisor ── guardian ──┬─ forks ─▶ leaders of trees   (its children, born inside)
//!   ───────────────────────────────────┼──────────────────────────────────────────────────────
//!   inside                             └─ init, pid 1: is given all orphans and reaps them
//! ```
//!
//! - **Where the border lies**: supervisor and guardian stay outside, and every tree is inside. A process inside has a
//!   number out here, too, and that is the one used everywhere: shown, signalled, sampled, in `/proc/net`'s owners, in the
//!   census of leaks, in the file for later starts. What a program says or writes about its own pid (a log line, its pid file) is the inner one;
//!   commands of the run (stop, cleanup, exec probes) are started inside and understand it.
//! - **Who dies with whom**: init gets KILL as its death signal when the guardian dies, and has a socket to it whose end
//!   means the same; the guardian kills it when the supervisor is gone. So a KILL of both in one instant leaves nobody.
//! - **Their own `/proc`** is mounted for them in a mount namespace that differs in nothing else. Each child enters that one
//!   between fork and exec.
//! - **Without privileges** a user namespace comes first, in which there is one user, the same as outside, and no other: files of all
//!   others belong to `nobody`, and programs that are setuid or have capabilities (sudo, ping) run without them.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, unshare},
    sys::{
        prctl::{set_name, set_pdeathsig},
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

use super::{
    exec::{self, Reaped},
    procfs,
    tree::Identity,
};

/// A namespace that the children of this process are born in.
#[derive(Debug)]
pub(crate) struct Namespace {
    /// Its first process.
    init: Identity,
    /// The mounts that go with it.
    mounts: OwnedFd,
    /// Init ends when this does, and sends a byte when it has reaped somebody.
    leash: UnixStream,
}

/// What init says about how far it came: a step, and an error number that is 0 after the last.
type Word = [u8; 5];

/// What init does first, as an error names it.
const STEPS: [&str; 3] = ["a mount namespace", "mounts of its own", "a /proc of its own"];

impl Namespace {
    /// Has all children of this process, which must have one thread, born in a new namespace from now on. `tag` tells init
    /// to whoever looks for what this process has left. The reason why it cannot be names what to do.
    pub(crate) fn enter(tag: Option<u64>) -> Result<Self, String> {
        match unshare(CloneFlags::CLONE_NEWPID) {
            Ok(()) => {}
            Err(Errno::EPERM) => {
                become_a_user_of_its_own()?;
                unshare(CloneFlags::CLONE_NEWPID).map_err(|e| refused("a PID namespace", e))?;
            }
            Err(errno) => return Err(refused("a PID namespace", errno)),
        }
        let (mut leash, theirs) = UnixStream::pair().map_err(|e| format!("no socket for its first process: {e}"))?;
        let pid = exec::fork_only(theirs.as_fd(), || init(tag)).map_err(|e| refused("its first process", e))?;
        drop(theirs);
        let mut word: Word = [0; 5];
        // The first byte says that this process was alive after the death signal had been set.
        let heard = leash.write_all(b"+").and_then(|()| leash.read_exact(&mut word));
        let [step, errno @ ..] = word;
        match (heard, i32::from_le_bytes(errno)) {
            (Err(e), _) => return Err(format!("its first process has ended: {e}")),
            (Ok(()), 0) => {}
            (Ok(()), errno) => {
                let step = STEPS.get(usize::from(step)).copied().unwrap_or("something");
                return Err(refused(step, Errno::from_raw(errno)));
            }
        }
        leash.set_nonblocking(true).map_err(|e| e.to_string())?;
        let mounts = File::open(format!("/proc/{pid}/ns/mnt")).map_err(|e| format!("its mounts cannot be entered: {e}"))?;
        let init = procfs::stat(pid).ok_or("its first process has ended")?.id;
        Ok(Self { init, mounts: mounts.into(), leash })
    }

    pub(crate) fn init(&self) -> Identity {
        self.init
    }

    pub(crate) fn mounts(&self) -> BorrowedFd<'_> {
        self.mounts.as_fd()
    }

    /// Readable when init has reaped somebody.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.leash.as_fd()
    }

    pub(crate) fn silence(&self) {
        let mut bytes = [0; 64];
        while (&self.leash).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}

/// Enters a user namespace in which this user is who it was, and nobody else is anybody.
fn become_a_user_of_its_own() -> Result<(), String> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| refused("a user namespace", e))?;
    // Groups may only be mapped by one who has given up changing them.
    let files = [("setgroups", "deny".to_owned()), ("uid_map", format!("{uid} {uid} 1")), ("gid_map", format!("{gid} {gid} 1"))];
    for (file, text) in files {
        fs::write(format!("/proc/self/{file}"), text).map_err(|e| format!("/proc/self/{file} of a user namespace: {e}"))?;
    }
    Ok(())
}

/// Why it cannot be, and what to do.
fn refused(what: &str, errno: Errno) -> String {
    let hint = match errno {
        Errno::EPERM | Errno::EACCES if what == STEPS[2] => "; in a container /proc is covered in part, and then no other may be mounted",
        Errno::EPERM | Errno::EACCES => {
            "; the system forbids it to users without privileges (kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns, or a filter of the container)"
        }
        Errno::ENOSPC => "; there are as many as the system allows (user.max_user_namespaces, user.max_pid_namespaces)",
        _ => "",
    };
    format!("{what} is refused: {} ({errno:?}){hint}", errno.desc())
}

/// The first process. Its end is the end of all the others.
fn init(tag: Option<u64>) {
    _ = set_name(c"e2e-tui-init");
    _ = set_pdeathsig(Signal::SIGKILL);
    let leash = rustix::stdio::stdin();
    // The guardian may have died before that signal was ordered; it has no number in here to ask for.
    if !matches!(rustix::io::read(leash, &mut [0_u8; 1]), Ok(1)) {
        return;
    }
    if let Some(tag) = tag {
        let hard = getrlimit(Resource::RLIMIT_MSGQUEUE).map_or(tag, |(_, hard)| hard);
        _ = setrlimit(Resource::RLIMIT_MSGQUEUE, tag.min(hard), hard);
    }
    let furnished = furnish();
    let mut word: Word = [0; 5];
    if let Err((step, errno)) = furnished {
        word[0] = step;
        word[1..].copy_from_slice(&(errno as i32).to_le_bytes());
    }
    let said = rustix::io::write(leash, &word).is_ok();
    if furnished.is_ok() && said {
        reap_until_the_end(leash);
    }
}

/// Mounts what is different for those inside.
fn furnish() -> Result<(), (u8, Errno)> {
    const NOTHING: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|e| (0, e))?;
    // What is mounted outside later shows in here, and nothing the other way round.
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_SLAVE, NOTHING).map_err(|e| (1, e))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING).map_err(|e| (2, e))
}

fn reap_until_the_end(leash: BorrowedFd<'_>) {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let Ok(signals) = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK) else { return };
    loop {
        let mut fds = [PollFd::new(leash, PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
        // The guardian sends nothing more: this is its end.
        if fds[0].any() == Some(true) {
            return;
        }
        while matches!(signals.read_signal(), Ok(Some(_))) {}
        let mut reaped = false;
        while let Reaped::Ended(..) = exec::reap_any() {
            reaped = true;
        }
        if reaped {
            // A full socket holds enough bells.
            _ = rustix::net::send(leash, b".", rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL);
        }
    }
}
