//! The guardian process: the keeper on its own, re-executed from the same binary before anything else of it has run.
//!
//! It holds one descriptor, the socket to the supervisor. It is deaf to signals, in a session of its own, and (unless trees
//! are held by groups alone) a subreaper: what its children leave behind becomes its own. When the socket ends, in whatever way the supervisor died, it kills
//! everything below itself and exits.

use std::{
    ffi::OsStr,
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::{
    errno::Errno,
    sys::signal::{SigSet, Signal},
    unistd::setsid,
};

use crate::model::Containment;

use super::{
    Order, SpawnError, TreeEvent,
    cgroup::RunGroup,
    exec,
    keeper::{Household, Keeper, Mail, Post, Setup},
    mark,
    namespace::Namespace,
    procfs,
    socket::{self, Filled, Inbox},
    sweeper::{self, Claim},
    wire,
};

/// How the guardian is called, so that `ps` says what it is.
pub(super) const NAME: &str = "e2e-tui-guardian";
/// As much of that as the kernel keeps.
pub(super) const COMM: &str = "e2e-tui-guardia";
/// Its first argument: no scenario and no command is called so.
pub(super) const WORD: &str = "--be-the-guardian-of-my-parent";
/// What both sides must be, exactly.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bytes of events that are worth a call.
const OUTBOX: usize = 32 << 10;

/// Whether this program's main begins with [`guardian_main`], so that re-executing it makes a guardian and not another run.
static BRANCHES_OFF: AtomicBool = AtomicBool::new(false);

/// The first line of `main` in a program that uses [`Guardian::launch`](super::Guardian::launch): becomes the guardian if that
/// is what this process was started as, and returns its exit code; else returns none at once.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     if let Some(code) = e2e_tui::process::guardian_main() {
///         return code;
///     }
///     // the program itself
/// #   std::process::ExitCode::SUCCESS
/// }
/// ```
pub fn guardian_main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next().is_none_or(|name| name != NAME) || arguments.next().is_none_or(|word| word != OsStr::new(WORD)) {
        BRANCHES_OFF.store(true, Ordering::Relaxed);
        return None;
    }
    Some(match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(errno) => ExitCode::from(u8::try_from(errno as i32).unwrap_or(1)),
    })
}

pub(super) fn branches_off() -> bool {
    BRANCHES_OFF.load(Ordering::Relaxed)
}

fn serve() -> Result<(), Errno> {
    SigSet::all().thread_block()?;
    exec::default_dispositions();
    // Whatever the supervisor had inherited without knowing (pipes of the shell, descriptors of CI) must not live on here.
    exec::close_from(3);
    let stdin = rustix::stdio::stdin();
    let socket: OwnedFd = rustix::io::fcntl_dupfd_cloexec(stdin, 3).map_err(errno)?;
    let null = File::open("/dev/null").map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)))?;
    rustix::stdio::dup2_stdin(&null).map_err(errno)?;
    drop(null);
    // Should somebody have stopped it, it goes on when the supervisor dies, and sees to the rest.
    _ = nix::sys::prctl::set_pdeathsig(Signal::SIGCONT);
    // Fails only for one who leads a process group already.
    _ = setsid();
    _ = nix::sys::prctl::set_name(c"e2e-tui-guardia");
    _ = nix::unistd::chdir("/");

    let mut inbox = Inbox::default();
    let (open_files, mut tags, containment, group) = loop {
        match inbox.frame().map(|frame| frame.map(wire::read_greeting)) {
            Ok(Some(Ok(wire::Greeting::Welcome { version, open_files, tags, containment, group }))) if version == VERSION => {
                break (open_files, tags, containment, group.and_then(RunGroup::known));
            }
            Ok(Some(_)) | Err(_) => {
                let hello = wire::Greeting::Hello { version: VERSION.to_owned() };
                _ = socket::send(socket.as_fd(), &wire::greeting_frame(&hello), &[]);
                return Err(Errno::EPROTO);
            }
            Ok(None) if inbox.fill(&socket, true) == Filled::End => return Ok(()),
            Ok(None) => {}
        }
    };
    let adopts = containment != Containment::Group;
    if adopts {
        nix::sys::prctl::set_child_subreaper(true)?;
    }
    let namespace = match containment {
        Containment::Pidns => match Namespace::enter(tags.next()) {
            Ok(namespace) => Some(namespace),
            Err(why) => {
                _ = socket::send(socket.as_fd(), &wire::greeting_frame(&wire::Greeting::Refused { why }), &[]);
                return Err(Errno::EPERM);
            }
        },
        _ => None,
    };
    let post = SocketPost { socket, inbox, ended: false, outbox: Vec::new() };
    let place = group.as_ref().and_then(RunGroup::place);
    let setup = Setup { household: Household::Own, marker: mark::marker(procfs::myself(), 0), tags, open_files, group, namespace, adopts };
    let mut keeper = Keeper::new(post, setup)?;
    let hello = wire::Greeting::Hello { version: VERSION.to_owned() };
    keeper.post().say(&wire::greeting_frame(&hello));
    keep(&mut keeper);
    // Should the supervisor have been killed it is too late for it to do so.
    if let Some(place) = place {
        place.step_back();
    }
    Ok(())
}

/// Runs the keeper. Should it panic, its last words are sent and everything is killed all the same.
fn keep(keeper: &mut Keeper<SocketPost>) {
    static LAST_WORDS: Mutex<String> = Mutex::new(String::new());
    std::panic::set_hook(Box::new(|panic| *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string()));
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| keeper.run()));
    let panicked = || LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(words) = ran.map_or_else(|_| Some(panicked()), |_| keeper.trouble()) {
        keeper.post().flush();
        keeper.post().say(&wire::last_words_frame(&words));
        sweeper::kill(sweeper::Among::Descendants, super::KILL_BOUND, |_| Claim::Ours);
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

/// The guardian's end of the socket.
struct SocketPost {
    socket: OwnedFd,
    inbox: Inbox,
    ended: bool,
    /// Events that go out together at the next flush: a call for each would cost more than what they tell of.
    outbox: Vec<u8>,
}

impl SocketPost {
    /// A supervisor that does not hear any more is none to wait for; its death shows at the next read.
    fn say(&mut self, frame: &[u8]) {
        _ = socket::send(self.socket.as_fd(), frame, &[]);
    }

    /// The next order that has arrived; an unreadable one counts as the end.
    fn next(&mut self) -> Option<Result<Order, TreeEvent>> {
        let frame = match self.inbox.frame() {
            Ok(Some(frame)) => frame.to_vec(),
            Ok(None) => return None,
            Err(_) => {
                self.ended = true;
                return None;
            }
        };
        let mut fds = Vec::new();
        if let Some((tree, expected)) = wire::expects_descriptors(&frame) {
            fds = self.inbox.descriptors();
            if fds.len() < expected {
                let error = SpawnError::System { program: "it".into(), step: "receiving its pipes".into(), errno: Errno::EMFILE as i32 };
                return Some(Err(TreeEvent::SpawnFailed { tree, error }));
            }
        }
        let order = wire::read_order(&frame, fds).ok();
        self.ended = order.is_none();
        order.map(Ok)
    }
}

impl Post for SocketPost {
    fn ready(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn take(&mut self, most: usize, orders: &mut Vec<Order>) -> Mail {
        while orders.len() < most {
            match self.next() {
                Some(Ok(order)) => orders.push(order),
                Some(Err(event)) => self.send(event),
                None if self.ended => return Mail::Closed,
                None => match self.inbox.fill(&self.socket, false) {
                    Filled::Some => {}
                    Filled::Nothing => return Mail::Taken,
                    Filled::End => self.ended = true,
                },
            }
        }
        Mail::More
    }

    fn send(&mut self, event: TreeEvent) {
        self.outbox.extend_from_slice(&wire::event_frame(&event));
        if self.outbox.len() > OUTBOX {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let frames = std::mem::take(&mut self.outbox);
        self.say(&frames);
    }
}
