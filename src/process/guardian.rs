//! The supervisor's side of the guardian: launching it, talking to it, and cleaning up after it should it die.

use std::{
    cell::RefCell,
    collections::{HashSet, VecDeque},
    io,
    ops::Range,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::mpsc::UnboundedSender;

use crate::model::{Containment, Signal};

use super::{
    Controllers, Hold, KILL_BOUND, Order, Spawner, SpawnerLost, TreeEvent,
    cgroup::RunGroup,
    exec,
    guardian_main::VERSION,
    guardian_start::{Answered, GuardianProcess},
    hold::Grip,
    mark::{self, Doubts},
    orders::Orders,
    procfs,
    socket::{Filled, Inbox},
    sweeper::{self, Among, Claim},
    tag::TagRange,
    tree::{Identity, Stat},
    wire::{self, Said},
};

/// How long one whose socket has ended may take to be gone.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// The guardian could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardianError {
    /// Re-executing this program would start the program itself, not a guardian.
    #[error("this program cannot be its own guardian: its main does not begin with `e2e_tui::process::guardian_main()`")]
    NoBranch,
    /// The system refused.
    #[error("the guardian process could not be started from {path}: {source}")]
    Start {
        /// The binary.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It did not answer as a guardian does.
    #[error("{path} did not answer as a guardian: {what}")]
    NoAnswer {
        /// The binary.
        path: String,
        /// What it did instead.
        what: String,
    },
    /// What holds trees together was asked for by name, and this machine cannot do it.
    #[error("containment = {:?} cannot be had: {why} (without that line the best there is gets taken; `e2e-tui doctor` lists them)", wanted.word())]
    Containment {
        /// What was asked for.
        wanted: Containment,
        /// What stands in its way, and what to do.
        why: String,
    },
    /// A limit on CPU time was asked for, and this machine cannot set any.
    #[error("`limits.cpu` cannot be held: {why}; `cpu_time` limits how much a process may use in all")]
    CpuLimit {
        /// What stands in its way.
        why: String,
    },
    /// It is another version.
    #[error("{path} is version {theirs}, but this is version {VERSION}: both must be the same")]
    OtherVersion {
        /// The binary.
        path: String,
        /// Its version.
        theirs: String,
    },
}

/// What this process does about those who lose their parent when the guardian dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// It becomes a subreaper, and they its children: for a program that is nothing but a supervisor. It adopts, and must
    /// not mind as zombies, the orphans of everything else it starts, too.
    Adopt,
    /// They go to whomever the system gives them, and are found there by tag and marker: for a host that has other things to
    /// do. One that has also cleared its environment is not found.
    Leave,
}

/// A [`Spawner`] whose children belong to a process of their own, which outlives this one just long enough to kill them.
///
/// Either of the two may die at any instant, by any means: the other one sees the end of their socket and kills whatever is
/// left. Both are subreapers, so that nobody's children go anywhere else.
pub struct Guardian {
    orders: Orders,
    shared: Arc<Shared>,
    reader: Mutex<Option<thread::JoinHandle<()>>>,
}

/// What the handle and the thread that reads have in common.
struct Shared {
    socket: Arc<OwnedFd>,
    id: Identity,
    /// The guardian, so that a KILL meant for it cannot reach another; none before Linux 5.3.
    pidfd: Option<OwnedFd>,
    tags: TagRange,
    marker: String,
    orphans: Orphans,
    grip: Grip,
    /// The end was asked for: nothing is lost then.
    ending: AtomicBool,
    /// It takes no orders any more.
    gone: AtomicBool,
    /// Once the guardian is gone: who could not be killed.
    over: Mutex<Option<Vec<u32>>>,
    told: Condvar,
}

impl Guardian {
    /// Re-executes this program as its guardian. `main` must begin with [`guardian_main`](super::guardian_main()). This process
    /// becomes a subreaper.
    pub fn launch(hold: impl Into<Hold>, events: UnboundedSender<TreeEvent>) -> Result<Self, GuardianError> {
        GuardianProcess::start()?.greet(Orphans::Adopt, hold)?.serve(events)
    }

    /// Starts the guardian from `program`: an `e2e-tui` of exactly this version.
    pub fn launch_from(
        program: &Path,
        orphans: Orphans,
        hold: impl Into<Hold>,
        events: UnboundedSender<TreeEvent>,
    ) -> Result<Self, GuardianError> {
        GuardianProcess::start_from(program)?.greet(orphans, hold)?.serve(events)
    }

    /// The guardian that has answered, and the thread that hears it.
    pub(super) fn answered(
        answered: Answered,
        orphans: Orphans,
        grip: Grip,
        tags: TagRange,
        events: UnboundedSender<TreeEvent>,
    ) -> io::Result<Self> {
        let Answered { child, socket, inbox } = answered;
        // It is not reaped yet, so its start time is its own even if it has just ended.
        let id = Identity { pid: child.id(), start: procfs::stat(child.id()).map_or(0, |stat| stat.id.start) };
        let raw_pid = rustix::process::Pid::from_raw(child.id().cast_signed());
        let shared = Arc::new(Shared {
            id,
            pidfd: raw_pid.and_then(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()),
            marker: mark::marker(id, 0),
            socket: Arc::new(socket),
            orphans,
            grip,
            tags,
            ending: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            over: Mutex::new(None),
            told: Condvar::new(),
        });
        let reader = {
            let shared = shared.clone();
            move || read_events(&shared, inbox, child, &events)
        };
        let reader = thread::Builder::new().name("guardian-events".into()).spawn(reader)?;
        Ok(Self { orders: Orders::new(shared.socket.clone()), shared, reader: Mutex::new(Some(reader)) })
    }

    /// The guardian's pid.
    pub fn pid(&self) -> u32 {
        self.shared.id.pid
    }

    /// How this run's processes are known to whoever comes later.
    pub(crate) fn traces(&self) -> Traces {
        let Shared { id, marker, tags, grip, .. } = &*self.shared;
        let group = grip.group().map(|group| group.path().to_owned());
        let mut tags = tags.values();
        if grip.containment == Containment::Pidns {
            // The first is that of the namespace's init, which dies by itself.
            tags.next();
        }
        Traces { guardian: *id, marker: marker.clone(), tags, group }
    }
}

impl Spawner for Guardian {
    fn send(&self, order: Order) -> Result<(), SpawnerLost> {
        if self.shared.gone.load(Ordering::SeqCst) {
            return Err(SpawnerLost);
        }
        self.orders.send(order)
    }

    fn kill_all(&self, within: Duration) -> usize {
        self.shared.ending.store(true, Ordering::SeqCst);
        // The guardian sees the end of its orders, and does the rest; one that was stopped has to go on for that.
        if let Some(pidfd) = &self.shared.pidfd {
            _ = exec::signal_pidfd(pidfd.as_fd(), Signal::CONT);
        }
        self.orders.close();
        if let Some(left) = self.shared.wait_until_over(within) {
            return left;
        }
        // It is frozen, or swamped. Its death leaves everything to this process, which the reader sees to.
        self.shared.kill_guardian();
        self.shared.wait_until_over(LAST_MOMENT).unwrap_or_else(|| self.shared.kill_orphans(Duration::ZERO).len())
    }

    fn containment(&self) -> Containment {
        self.shared.grip.containment
    }

    fn controllers(&self) -> Controllers {
        self.shared.grip.group().map_or_else(Controllers::default, RunGroup::controllers)
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.kill_all(KILL_BOUND + LAST_MOMENT);
        if let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take()
            && self.shared.wait_until_over(Duration::ZERO).is_some()
        {
            _ = reader.join();
        }
    }
}

impl Shared {
    fn wait_until_over(&self, within: Duration) -> Option<usize> {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, _) = self.told.wait_timeout_while(over, within, |over| over.is_none()).unwrap_or_else(PoisonError::into_inner);
        over.as_ref().map(Vec::len)
    }

    fn kill_guardian(&self) {
        if let Some(pidfd) = &self.pidfd {
            _ = exec::signal_pidfd(pidfd.as_fd(), Signal::KILL);
        }
    }

    /// Kills what the guardian had started and it cannot kill any more. Says who is left.
    fn kill_orphans(&self, within: Duration) -> Vec<u32> {
        if let Some(group) = self.grip.group() {
            group.kill();
        }
        let mut left = self.sweep_orphans(within);
        if let Some(group) = self.grip.group() {
            left.extend(group.end(within).into_iter().filter(|pid| !left.contains(pid)).collect::<Vec<_>>());
        }
        left
    }

    fn sweep_orphans(&self, within: Duration) -> Vec<u32> {
        let me = procfs::myself();
        let tagged = |stat: &Stat| procfs::message_queue_limit(stat.id.pid).is_some_and(|tag| self.tags.values().contains(&tag));
        let marked = |stat: &Stat| procfs::environment_contains(stat.id.pid, self.marker.as_bytes());
        let other = |stat: &Stat| stat.id.pid != self.id.pid && stat.id.start >= me.start;
        match self.orphans {
            Orphans::Adopt => {
                let ours = |stat: &Stat| stat.ppid == me.pid && other(stat) && (tagged(stat) || marked(stat));
                sweeper::kill(Among::Descendants, within, |stat| ours(stat).into())
            }
            // Another program's trees may have the same tag.
            Orphans::Leave => {
                let doubts = RefCell::new(Doubts::default());
                sweeper::kill(Among::Everybody, within, |stat| {
                    if other(stat) && tagged(stat) {
                        doubts.borrow_mut().settle(stat.id, self.marker.as_bytes()).into()
                    } else {
                        Claim::Not
                    }
                })
            }
        }
    }
}

/// How a run's processes are known to whoever comes later.
pub(crate) struct Traces {
    pub(crate) guardian: Identity,
    pub(crate) marker: String,
    pub(crate) tags: Range<u64>,
    /// The folder of its control group.
    pub(crate) group: Option<PathBuf>,
}

/// The thread that reads; and at the end, whoever caused it, makes sure that nothing is left.
fn read_events(shared: &Shared, mut inbox: Inbox, mut child: Child, events: &UnboundedSender<TreeEvent>) {
    let mut last_words = None;
    let mut ended = false;
    while !ended {
        let mut said = VecDeque::new();
        loop {
            match inbox.frame().and_then(|frame| frame.map(wire::read_said).transpose()) {
                Ok(Some(frame)) => said.push_back(frame),
                Ok(None) => break,
                Err(garbled) => {
                    last_words = Some(garbled.to_string());
                    ended = true;
                    break;
                }
            }
        }
        for said in said {
            match said {
                Said::Event(event) => _ = events.send(event),
                Said::LastWords(words) => last_words = Some(words),
            }
        }
        if std::process::id() == 1 {
            while_first_process(shared);
        }
        ended = ended || inbox.fill(&shared.socket, true) == Filled::End;
    }
    shared.gone.store(true, Ordering::SeqCst);
    let status = await_end(shared, &mut child);
    let left = shared.kill_orphans(KILL_BOUND);
    shared.grip.let_go();
    if !shared.ending.load(Ordering::SeqCst) {
        let why = obituary(shared.id.pid, status, last_words, &left);
        _ = events.send(TreeEvent::Lost { why, left: left.clone() });
    }
    *shared.over.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    shared.told.notify_all();
}

/// The first process of a container is given everybody's orphans. Reaps them until there is something to read.
fn while_first_process(shared: &Shared) {
    let mut seen = HashSet::new();
    let second = PollTimeout::from(1000_u16);
    while poll(&mut [PollFd::new(shared.socket.as_fd(), PollFlags::POLLIN)], second) == Ok(0) {
        sweeper::reap_strays(&mut seen);
    }
}

/// Waits for the guardian's end, which its socket has announced, and helps where that takes too long.
fn await_end(shared: &Shared, child: &mut Child) -> Option<ExitStatus> {
    if let Some(pidfd) = &shared.pidfd {
        let timeout = PollTimeout::try_from(LAST_MOMENT).unwrap_or(PollTimeout::ZERO);
        while poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout) == Err(nix::errno::Errno::EINTR) {}
    }
    child.try_wait().ok().flatten().or_else(|| {
        _ = child.kill();
        child.wait().ok()
    })
}

fn obituary(pid: u32, status: Option<ExitStatus>, last_words: Option<String>, left: &[u32]) -> String {
    let how = match status {
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (_, Some(signal)) => format!("was killed by {}", Signal(signal)),
            _ => "ended".to_owned(),
        },
        None => "ended".to_owned(),
    };
    let words = last_words.map_or(String::new(), |words| format!(": {words}"));
    let rest = if left.is_empty() { "everything it had started was killed".to_owned() } else { format!("could not be killed: {left:?}") };
    format!("the guardian process (pid {pid}) {how}{words}; {rest}")
}
