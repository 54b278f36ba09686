//! Short commands, run to their end: health checks by command, clean-up, stop commands.
//!
//! They go through the spawner like everything else, so that nothing they fork survives them, a timeout or the supervisor.
//! Whoever receives the spawner's events hands them to [`Commands::claim`] first, which keeps those about commands.

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::{errno::Errno, fcntl::OFlag, unistd::pipe2};
use tokio::{
    net::unix::pipe::Receiver,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use super::{Launch, Order, SpawnError, Spawner, TreeEvent, TreeId, lookup};
use crate::{
    aside::aside,
    model::{Exit, Limits},
    redact::{Redactor, StreamMask},
};

/// How much of a command's output is kept: its end.
const KEPT: usize = 4 << 10;
/// How long an ended command's last words may take to come through the pipe.
const LAST_WORDS: Duration = Duration::from_millis(50);
/// The trees of commands count down from the top, those of processes up from 1: they never meet.
const FIRST: u64 = u64::MAX / 2;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortCommand {
    /// Program and arguments. A program without a slash is looked up in the PATH of `env`.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory, absolute.
    pub cwd: PathBuf,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandEnd {
    /// How it ended.
    pub how: Ended,
    /// The end of what it said, on either stream, masked.
    pub output: String,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Exited(Exit),
    /// It took too long, and its tree was killed.
    TimedOut,
    /// It never ran.
    NotStarted(SpawnError),
    /// The spawner is gone.
    Lost,
}

/// Runs short commands through a [`Spawner`].
pub struct Commands {
    spawner: Arc<dyn Spawner>,
    redactor: Redactor,
    next: AtomicU64,
    waiting: Mutex<HashMap<TreeId, UnboundedSender<TreeEvent>>>,
}

impl Commands {
    /// Commands that run through `spawner`, and whose output is masked by `redactor`.
    pub fn new(spawner: Arc<dyn Spawner>, redactor: Redactor) -> Arc<Self> {
        Arc::new(Self { spawner, redactor, next: AtomicU64::new(u64::MAX), waiting: Mutex::default() })
    }

    /// Keeps an event that is about a command, and gives back any other.
    pub fn claim(&self, event: TreeEvent) -> Option<TreeEvent> {
        let tree = match &event {
            TreeEvent::Spawned { tree, .. }
            | TreeEvent::SpawnFailed { tree, .. }
            | TreeEvent::Exited { tree, .. }
            | TreeEvent::OutOfMemory { tree, .. }
            | TreeEvent::Empty { tree }
            | TreeEvent::Members { tree, .. }
            | TreeEvent::Stuck { tree, .. }
            | TreeEvent::Unproven { tree, .. }
            | TreeEvent::Notice { tree: Some(tree), .. } => *tree,
            TreeEvent::Lost { .. } => {
                // Nobody will hear of any command again: all who wait are told by the end of their channel.
                self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Some(event);
            }
            _ => return Some(event),
        };
        if tree.0 <= FIRST {
            return Some(event);
        }
        if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get(&tree) {
            _ = waiting.send(event);
        }
        None
    }

    /// Runs a command; kills its whole tree when it has ended, after `within`, or when this future is dropped.
    pub async fn run(self: &Arc<Self>, command: &ShortCommand, within: Duration) -> CommandEnd {
        self.run_until(command, sleep(within)).await
    }

    /// The same, for as long as `patience` lasts once it was started.
    pub async fn run_until(self: &Arc<Self>, command: &ShortCommand, patience: impl Future<Output = ()>) -> CommandEnd {
        let mut output = Tail::new(&self.redactor);
        let how = match self.start(command).await {
            Err(error) => Ended::NotStarted(error),
            Ok((mut tree, mut pipe)) => {
                let ended = tokio::select! {
                    biased;
                    ended = tree.ended(&mut pipe, &mut output) => ended,
                    () = patience => Ended::TimedOut,
                };
                if let Ended::Exited(_) = ended {
                    // A child it has left may hold the pipe: what is there is read, its end is not waited for.
                    _ = timeout(LAST_WORDS, output.read_to_end(&mut pipe)).await;
                }
                ended
            }
        };
        CommandEnd { how, output: output.text() }
    }

    async fn start(self: &Arc<Self>, command: &ShortCommand) -> Result<(Running, Option<Receiver>), SpawnError> {
        let program = look_up(command.clone()).await?;
        let system = |step: &str, errno: Errno| SpawnError::System { program: program.clone(), step: step.into(), errno: errno as i32 };
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|e| system("pipe", e))?;
        let stderr = writer.try_clone().map_err(|e| system("dup", errno_of(&e)))?;
        let receiver = receiver(reader).map_err(|e| system("pipe", errno_of(&e)))?;
        let tree = TreeId(self.next.fetch_sub(1, Ordering::Relaxed));
        let (sender, events) = unbounded_channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(tree, sender);
        let running = Running { commands: self.clone(), tree, events };
        let launch = Launch {
            argv: command.argv.clone(),
            program,
            env: command.env.clone(),
            cwd: command.cwd.clone(),
            stdin: None,
            stdout: writer,
            stderr,
            limits: Limits::default(),
            tty: false,
        };
        // A lost spawner has closed the channel, or will: `ended` sees that.
        if self.spawner.send(Order::Spawn { tree, launch: Box::new(launch) }).is_err() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&tree);
        }
        Ok((running, Some(receiver)))
    }
}

/// Finds the program, off the runtime's threads: a folder of PATH may be slow to answer.
async fn look_up(command: ShortCommand) -> Result<PathBuf, SpawnError> {
    let program = PathBuf::from(command.argv.first().map_or("", String::as_str));
    let search = move || {
        let path = command.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        lookup(command.argv.first().map_or("", String::as_str), path, &command.cwd)
    };
    aside(search).await.unwrap_or_else(|e| Err(SpawnError::System { program, step: "looking it up".into(), errno: errno_of(&e) as i32 }))
}

fn receiver(reader: OwnedFd) -> io::Result<Receiver> {
    rustix::io::ioctl_fionbio(&reader, true)?;
    Receiver::from_owned_fd(reader)
}

fn errno_of(e: &io::Error) -> Errno {
    e.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// A command under way. Dropping it kills its tree, whatever is left of it.
struct Running {
    commands: Arc<Commands>,
    tree: TreeId,
    events: UnboundedReceiver<TreeEvent>,
}

impl Running {
    /// Waits for its end, reading what it says meanwhile.
    async fn ended(&mut self, pipe: &mut Option<Receiver>, output: &mut Tail) -> Ended {
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(TreeEvent::Exited { exit, .. }) => return Ended::Exited(exit),
                    Some(TreeEvent::SpawnFailed { error, .. }) => return Ended::NotStarted(error),
                    Some(_) => {}
                    None => return Ended::Lost,
                },
                () = output.read_to_end(pipe), if pipe.is_some() => *pipe = None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.commands.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tree);
        for order in [Order::Kill { tree: self.tree }, Order::Forget { tree: self.tree }] {
            _ = self.commands.spawner.send(order);
        }
    }
}

/// The last bytes of an output. Masked before they are cut, so that no part of a secret is left at either end.
struct Tail {
    mask: StreamMask,
    kept: VecDeque<u8>,
}

impl Tail {
    fn new(redactor: &Redactor) -> Self {
        Self { mask: redactor.stream(), kept: VecDeque::new() }
    }

    /// Reads until the pipe's end, keeping the last of it. Cancel-safe: what was read is kept.
    async fn read_to_end(&mut self, pipe: &mut Option<Receiver>) {
        let Some(pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        loop {
            if pipe.readable().await.is_err() {
                return;
            }
            match pipe.try_read(&mut buffer) {
                Ok(0) => {
                    let rest = self.mask.flush();
                    return self.keep(&rest);
                }
                Ok(n) => {
                    let mut bytes = buffer[..n].to_vec();
                    self.mask.apply(&mut bytes);
                    self.keep(&bytes);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        let excess = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..excess);
    }

    fn text(mut self) -> String {
        // Held back, and its end was never seen: what begins like a secret is taken for one.
        let open = self.mask.held().len();
        self.kept.extend(std::iter::repeat_n(b'*', open));
        String::from_utf8_lossy(self.kept.make_contiguous()).into_owned()
    }
}
