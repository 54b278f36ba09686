//! The guardian's birth: the process is started, and later, when it is known what it is for, greeted.
//!
//! Becoming a process takes it milliseconds in which this side can read the scenario, and answering some more in which the
//! recording's folder can be made. So whoever is certain that there will be a run starts it first, greets it as soon as it is
//! known what for, and asks for its answer last.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{AddressFamily, SockFlag, SockType, socketpair},
};
use tokio::sync::mpsc::UnboundedSender;

use crate::model::Containment;

use super::{
    Guardian, GuardianError, Hold, Orphans, TreeEvent,
    guardian_main::{NAME, VERSION, WORD, branches_off},
    hold::Grip,
    limits,
    socket::{self, Filled, Inbox},
    tag::TagRange,
    wire::{self, Greeting},
};

/// How long a new guardian may take to answer.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// A guardian process that has been started and waits to hear what for. It is gone if this is dropped.
#[derive(Debug)]
pub struct GuardianProcess {
    program: String,
    /// None once it has answered.
    begun: Option<(Child, OwnedFd)>,
}

/// A guardian process that has been told how trees are to be held together, and is about to answer. It is gone if this is
/// dropped.
#[derive(Debug)]
pub struct GreetedGuardian {
    process: GuardianProcess,
    grip: Grip,
    orphans: Orphans,
    tags: TagRange,
}

/// One that has answered as a guardian does.
pub(super) struct Answered {
    pub(super) child: Child,
    pub(super) socket: OwnedFd,
    pub(super) inbox: Inbox,
}

impl GuardianProcess {
    /// Re-executes this program. `main` must begin with [`guardian_main`](super::guardian_main()).
    pub fn start() -> Result<Self, GuardianError> {
        if !branches_off() {
            return Err(GuardianError::NoBranch);
        }
        Self::start_from(Path::new("/proc/self/exe"))
    }

    /// Starts it from `program`: an `e2e-tui` of exactly this version.
    pub fn start_from(program: &Path) -> Result<Self, GuardianError> {
        let path = program.display().to_string();
        let start = |source| GuardianError::Start { path: path.clone(), source };
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC).map_err(|e| start(e.into()))?;
        let child = Command::new(program).arg0(NAME).arg(WORD).stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(start)?;
        Ok(Self { program: path, begun: Some((child, ours)) })
    }

    /// Whether it is an `e2e-tui` of exactly this version: it is greeted, and let go.
    pub fn verify(self) -> Result<(), GuardianError> {
        self.greet(Orphans::Leave, Containment::Group)?.answer().map(drop)
    }

    /// Tells it how trees are to be held together. With [`Orphans::Adopt`] this process becomes a subreaper.
    pub fn greet(self, orphans: Orphans, hold: impl Into<Hold>) -> Result<GreetedGuardian, GuardianError> {
        let grip = hold.into().take()?;
        // Groups and sessions alone: orphans are nobody's in particular.
        let orphans = if grip.containment == Containment::Group { Orphans::Leave } else { orphans };
        if orphans == Orphans::Adopt {
            nix::sys::prctl::set_child_subreaper(true)
                .map_err(|e| GuardianError::Start { path: self.program.clone(), source: e.into() })?;
        }
        let tags = TagRange::reserve();
        if let Some((_, socket)) = &self.begun {
            welcome(socket, &tags, &grip).map_err(|_| no_answer(&self.program, "it closed the connection"))?;
        }
        Ok(GreetedGuardian { process: self, grip, orphans, tags })
    }
}

impl GreetedGuardian {
    /// Waits for its answer: from then on it does what it is told.
    pub fn serve(self, events: UnboundedSender<TreeEvent>) -> Result<Guardian, GuardianError> {
        let inbox = self.answer()?;
        let Self { mut process, grip, orphans, tags } = self;
        let path = process.program.clone();
        let start = |source: io::Error| GuardianError::Start { path: path.clone(), source };
        let (child, socket) = process.begun.take().ok_or_else(|| start(io::ErrorKind::NotConnected.into()))?;
        Guardian::answered(Answered { child, socket, inbox }, orphans, grip, tags, events).map_err(start)
    }

    fn answer(&self) -> Result<Inbox, GuardianError> {
        let Some((_, socket)) = &self.process.begun else { return Err(no_answer(&self.process.program, "it closed the connection")) };
        let mut inbox = Inbox::default();
        hear_answer(socket, &mut inbox, self.grip.containment, &self.process.program)?;
        Ok(inbox)
    }
}

impl Drop for GuardianProcess {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.begun {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

fn no_answer(path: &str, what: &str) -> GuardianError {
    GuardianError::NoAnswer { path: path.to_owned(), what: what.to_owned() }
}

fn welcome(socket: &OwnedFd, tags: &TagRange, grip: &Grip) -> Result<(), rustix::io::Errno> {
    let welcome = Greeting::Welcome {
        version: VERSION.to_owned(),
        open_files: limits::open_files_for_children(),
        tags: tags.values(),
        containment: grip.containment,
        group: grip.group().map(|group| group.path().to_owned()),
    };
    socket::send(socket.as_fd(), &wire::greeting_frame(&welcome), &[])
}

fn hear_answer(socket: &OwnedFd, inbox: &mut Inbox, wanted: Containment, path: &str) -> Result<(), GuardianError> {
    let no_answer = |what| no_answer(path, what);
    let deadline = Instant::now() + HANDSHAKE;
    loop {
        match inbox.frame() {
            Ok(Some(frame)) => {
                return match wire::read_greeting(frame) {
                    Ok(Greeting::Hello { version }) if version == VERSION => Ok(()),
                    Ok(Greeting::Hello { version }) => Err(GuardianError::OtherVersion { path: path.to_owned(), theirs: version }),
                    Ok(Greeting::Refused { why }) => Err(GuardianError::Containment { wanted, why }),
                    _ => Err(no_answer("it said something else")),
                };
            }
            Ok(None) => {}
            Err(_) => return Err(no_answer("it said something else")),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err(no_answer("it said nothing for 5 s")),
            _ if inbox.fill(socket, false) == Filled::End => return Err(no_answer("it ended at once")),
            _ => {}
        }
    }
}
