//! The spawner for test programs that use this crate without its binary: a keeper on a thread of their own process.
//!
//! It must leave its host alone: no subreaper, no signal handler, no limit of the host's is touched, and only pids it has
//! started are reaped. That costs it the last bit of certainty: a daemon that has also emptied its environment cannot be
//! told from a stranger's, so it is left alone. Should the host be killed, its children die by their death signal, which
//! follows the keeper's thread, and the rest by the watcher.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::{
    eventfd::{EfdFlags, EventFd},
    signal::SigSet,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::model::Containment;

use super::{
    KILL_BOUND, Order, Spawner, SpawnerLost, TreeEvent,
    exec::{self, Reaped},
    keeper::{Household, Keeper, Mail, Post, Setup},
    limits, mark, procfs,
    tag::TagRange,
    watcher::{self, Board},
};

/// A [`Spawner`] in this very process. Dropping it kills all that it started.
pub struct LocalSpawner {
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Shared {
    /// Wakes the keeper.
    bell: EventFd,
    board: Board,
    marker: String,
    /// Once the keeper has ended: who could not be killed.
    over: Mutex<Option<Vec<u32>>>,
    told: Condvar,
}

impl LocalSpawner {
    /// Starts the keeper's thread, and the watcher process that outlives this one by a moment.
    pub fn start(events: UnboundedSender<TreeEvent>) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let shared = Arc::new(Shared {
            bell: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
            board: Board::new()?,
            marker: mark::marker(procfs::myself(), COUNT.fetch_add(1, Ordering::Relaxed)),
            over: Mutex::new(None),
            told: Condvar::new(),
        });
        let (orders, queue) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let thread = {
            let shared = shared.clone();
            thread::Builder::new().name("e2e-tui-keeper".to_owned()).spawn(move || live(&shared, queue, &events, &started))?
        };
        start.recv().unwrap_or_else(|_| Err(io::Error::other("the keeper's thread ended at once")))?;
        Ok(Self { orders: Mutex::new(Some(orders)), shared, thread: Mutex::new(Some(thread)) })
    }
}

impl Spawner for LocalSpawner {
    fn send(&self, order: Order) -> Result<(), SpawnerLost> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.as_ref().ok_or(SpawnerLost)?.send(order).map_err(|_| SpawnerLost)?;
        _ = self.shared.bell.write(1);
        Ok(())
    }

    fn kill_all(&self, within: Duration) -> usize {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).take();
        _ = self.shared.bell.write(1);
        self.shared.wait_until_over(within).unwrap_or_else(|| watcher::kill_all_on(self.shared.board, self.shared.marker.as_bytes()).killed)
    }

    fn containment(&self) -> Containment {
        Containment::Group
    }
}

impl Drop for LocalSpawner {
    fn drop(&mut self) {
        self.kill_all(KILL_BOUND + Duration::from_millis(500));
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
            && self.shared.wait_until_over(Duration::ZERO).is_some()
        {
            _ = thread.join();
        }
    }
}

impl Shared {
    fn wait_until_over(&self, within: Duration) -> Option<usize> {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, _) = self.told.wait_timeout_while(over, within, |over| over.is_none()).unwrap_or_else(PoisonError::into_inner);
        over.as_ref().map(Vec::len)
    }
}

/// The keeper's thread. It lasts as long as the spawner: the death signal of every child hangs on it.
fn live(shared: &Arc<Shared>, queue: mpsc::Receiver<Order>, events: &UnboundedSender<TreeEvent>, started: &mpsc::Sender<io::Result<()>>) {
    let post = ChannelPost { shared: shared.clone(), queue, events: events.clone() };
    let tags = TagRange::reserve();
    let setup = Setup {
        household: Household::Guest(shared.board),
        marker: shared.marker.clone(),
        tags: tags.values(),
        open_files: limits::open_files_for_children(),
        group: None,
        namespace: None,
        adopts: false,
    };
    let prepared = SigSet::all().thread_block().and_then(|()| watcher::watch(shared.board, &shared.marker)).and_then(|watch| {
        let keeper = Keeper::new(post, setup)?;
        Ok((watch, keeper))
    });
    let ((watcher, leash), mut keeper) = match prepared {
        Ok(prepared) => prepared,
        Err(errno) => {
            _ = started.send(Err(errno.into()));
            return;
        }
    };
    _ = started.send(Ok(()));
    let left = std::panic::catch_unwind(AssertUnwindSafe(|| keeper.run())).unwrap_or_else(|_| {
        watcher::kill_all_on(shared.board, shared.marker.as_bytes());
        let why = "the keeper's thread has panicked; everything it had started was killed".to_owned();
        _ = events.send(TreeEvent::Lost { why, left: Vec::new() });
        Vec::new()
    });
    *shared.over.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    shared.told.notify_all();
    dismiss(watcher, leash);
}

/// Ends the watcher, which finds nothing left to do, and reaps it.
fn dismiss(watcher: u32, leash: OwnedFd) {
    drop(leash);
    let deadline = Instant::now() + watcher::PATIENCE;
    while exec::reap(watcher) == Reaped::Nothing && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

struct ChannelPost {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Order>,
    events: UnboundedSender<TreeEvent>,
}

impl Post for ChannelPost {
    fn ready(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }

    fn take(&mut self, most: usize, orders: &mut Vec<Order>) -> Mail {
        // The bell is silenced before the queue is emptied, so that an order given meanwhile rings it again.
        _ = self.shared.bell.read();
        while orders.len() < most {
            match self.queue.try_recv() {
                Ok(order) => orders.push(order),
                Err(TryRecvError::Empty) => return Mail::Taken,
                Err(TryRecvError::Disconnected) => return Mail::Closed,
            }
        }
        Mail::More
    }

    fn send(&mut self, event: TreeEvent) {
        _ = self.events.send(event);
    }
}
