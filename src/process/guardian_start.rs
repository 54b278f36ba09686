//! The guardian's birth: the process is started, and later, when it is known what it is for, greeted.
//!
//! Becoming a process takes it milliseconds in which this side can read the scenario and make the recording's folder. So
//! whoever is certain that there will be a run starts it first, and asks for its answer last.

use std::{
    io,
    ops::Range,
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
        let Some((_, socket)) = &self.begun else { return Ok(()) };
        let grip = Hold::from(Containment::Group).take()?;
        shake_hands(socket, &mut Inbox::default(), TagRange::reserve().values(), &grip, &self.program)
    }

    /// Tells it how trees are to be held together, and waits for its answer. With [`Orphans::Adopt`] this process becomes
    /// a subreaper.
    pub fn serve(mut self, orphans: Orphans, hold: impl Into<Hold>, events: UnboundedSender<TreeEvent>) -> Result<Guardian, GuardianError> {
        let path = self.program.clone();
        let start = |source: io::Error| GuardianError::Start { path: path.clone(), source };
        let grip = hold.into().take()?;
        // Groups and sessions alone: orphans are nobody's in particular.
        let orphans = if grip.containment == Containment::Group { Orphans::Leave } else { orphans };
        if orphans == Orphans::Adopt {
            nix::sys::prctl::set_child_subreaper(true).map_err(|e| start(e.into()))?;
        }
        let tags = TagRange::reserve();
        let mut inbox = Inbox::default();
        if let Some((_, socket)) = &self.begun {
            shake_hands(socket, &mut inbox, tags.values(), &grip, &path)?;
        }
        let begun = self.begun.take().ok_or_else(|| start(io::ErrorKind::NotConnected.into()))?;
        let answered = Answered { child: begun.0, socket: begun.1, inbox };
        Guardian::answered(answered, orphans, grip, tags, events).map_err(start)
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

fn shake_hands(socket: &OwnedFd, inbox: &mut Inbox, tags: Range<u64>, grip: &Grip, path: &str) -> Result<(), GuardianError> {
    let no_answer = |what: &str| GuardianError::NoAnswer { path: path.to_owned(), what: what.to_owned() };
    let welcome = Greeting::Welcome {
        version: VERSION.to_owned(),
        open_files: limits::open_files_for_children(),
        tags,
        containment: grip.containment,
        group: grip.group().map(|group| group.path().to_owned()),
    };
    socket::send(socket.as_fd(), &wire::greeting_frame(&welcome), &[]).map_err(|_| no_answer("it closed the connection"))?;
    let deadline = Instant::now() + HANDSHAKE;
    loop {
        match inbox.frame() {
            Ok(Some(frame)) => {
                return match wire::read_greeting(frame) {
                    Ok(Greeting::Hello { version }) if version == VERSION => Ok(()),
                    Ok(Greeting::Hello { version }) => Err(GuardianError::OtherVersion { path: path.to_owned(), theirs: version }),
                    Ok(Greeting::Refused { why }) => Err(GuardianError::Containment { wanted: grip.containment, why }),
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
