//! The run behind a harness, on a thread and a runtime of its own.
//!
//! A test's own runtime may have one thread and be busy, be paused, or be gone before the harness is; its futures may be
//! dropped at any await. So nothing of the run lives there: the supervisor, its probes and all timers are on this thread,
//! and a test only holds the handle. That is also what lets a guard clean up from `Drop`: it waits for another thread.

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::{oneshot, watch},
};

use super::{
    HarnessError,
    binary::{self, Binary},
    logs::{Bell, LogAggregator},
    timer::Timer,
    trouble::Trouble,
};
use crate::{
    aside::aside_or_here,
    model::{Actor, Command, Outcome, RunSpec},
    process::{Hold, KILL_BOUND, Screen, Spawner},
    record::{Keep, LiveRun, RunRequest, StartError},
    supervisor::{Driver, RunHandle, ScriptOptions, TestEnd},
};

/// How long a killed run may take to be on disk: KILL, what is left in the pipes, the recorder.
pub(super) const END_BOUND: Duration = Duration::from_secs(6);

/// How long a run whose processes were killed past it may take to be on disk.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What to run, and how.
pub(super) struct Plan {
    pub(super) spec: RunSpec,
    pub(super) secrets: Vec<String>,
    pub(super) keep: Keep,
    pub(super) timeout: Option<Duration>,
    pub(super) driver: Driver,
    pub(super) binary: Option<Binary>,
}

/// A run under way, and the thread it lives on.
pub(super) struct Engine {
    pub(super) run: RunHandle,
    pub(super) runtime: Handle,
    pub(super) logs: LogAggregator,
    /// The first error that was handed to the test.
    pub(super) trouble: Trouble,
    /// The folder of the recording.
    pub(super) dir: Option<PathBuf>,
    pub(super) binary: Option<Binary>,
    /// The last resort, for as long as the run lives.
    spawner: Weak<dyn Spawner>,
    over: Arc<Over>,
    thread: thread::ThreadId,
}

/// Tells both tasks and threads that the run is over and on disk.
struct Over {
    tasks: watch::Sender<Option<Outcome>>,
    outcome: Mutex<Option<Outcome>>,
    threads: Condvar,
}

impl Over {
    fn set(&self, outcome: &Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
        self.threads.notify_all();
        self.tasks.send_replace(Some(outcome.clone()));
    }

    fn get(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait(&self, patience: Duration) -> Option<Outcome> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, _) =
            self.threads.wait_timeout_while(outcome, patience, |outcome| outcome.is_none()).unwrap_or_else(PoisonError::into_inner);
        outcome.clone()
    }
}

impl Engine {
    /// Starts the run on a thread of its own.
    pub(super) async fn start(plan: Plan) -> Result<Arc<Self>, HarnessError> {
        let (started, start) = oneshot::channel();
        let thread = thread::Builder::new().name("e2e-tui-harness".to_owned());
        thread.spawn(move || live(plan, started)).map_err(HarnessError::System)?;
        let gone = || HarnessError::System(std::io::Error::other("the harness's thread ended at once"));
        start.await.unwrap_or_else(|_| Err(gone()))
    }

    /// How the run ended, once it is over and on disk.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.over.get()
    }

    /// Waits for the run to be over and on disk.
    pub(super) async fn over(&self) -> Option<Outcome> {
        let mut over = self.over.tasks.subscribe();
        over.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
    }

    /// Asks for the end of the run: in order, or at once.
    pub(super) fn ask_end(&self, end: TestEnd, now: bool) {
        drop(self.run.close(end));
        drop(self.run.send(Command::Shutdown { now }, Actor::Library));
    }

    /// Ends the run, from anywhere and without a runtime: everything is dead when this returns. Returns its outcome, if the
    /// recording could be finished too.
    pub(super) fn end_now(&self, end: TestEnd) -> Option<Outcome> {
        if let Some(outcome) = self.over.get() {
            return Some(outcome);
        }
        self.ask_end(end, true);
        if thread::current().id() == self.thread {
            // The thread that carries it out must not wait for itself.
            return None;
        }
        let ended = self.over.wait(END_BOUND);
        if ended.is_none()
            && let Some(spawner) = self.spawner.upgrade()
        {
            spawner.kill_all(KILL_BOUND);
        }
        ended
    }

    /// When the run does not end by itself: whoever is left is killed past its supervisor. Then it may be over.
    pub(super) async fn last_resort(&self) {
        let Some(spawner) = self.spawner.upgrade() else { return };
        aside_or_here(move || spawner.kill_all(KILL_BOUND)).await;
        tokio::select! {
            _ = self.over() => {}
            () = Timer::start(&self.runtime, LAST_WORDS) => {}
        }
    }

    /// Waits in this thread for something that is awaited on the harness's own. None: it took longer, or the run is over.
    pub(super) fn wait_in_thread<T: Send + 'static>(
        &self,
        what: impl Future<Output = T> + Send + 'static,
        patience: Duration,
    ) -> Option<T> {
        if thread::current().id() == self.thread {
            return None;
        }
        let (done, result) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            let _ = done.send(what.await);
        });
        result.recv_timeout(patience).ok()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end_now(TestEnd::Unknown);
    }
}

/// The thread.
fn live(plan: Plan, started: oneshot::Sender<Result<Arc<Engine>, HarnessError>>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(HarnessError::System(error)))),
    };
    let over = Arc::new(Over { tasks: watch::channel(None).0, outcome: Mutex::new(None), threads: Condvar::new() });
    let told = over.clone();
    runtime.block_on(async move {
        let (live, engine) = match begin(plan, over) {
            Ok(begun) => begun,
            Err(error) => return drop(started.send(Err(error))),
        };
        // Nobody waits any more: with the engine the run is asked to end.
        drop(started.send(Ok(engine)));
        told.set(&live.finish().await);
    });
    // Whoever's future still waits for something here learns that it is over.
    runtime.shutdown_timeout(Duration::from_millis(100));
}

fn begin(plan: Plan, over: Arc<Over>) -> Result<(LiveRun, Arc<Engine>), HarnessError> {
    let Plan { spec, secrets, keep, timeout, driver, binary } = plan;
    let hold = Hold::of(&spec);
    let request = RunRequest {
        spec: Arc::new(spec),
        secrets,
        keep,
        end_when_done: false,
        timeout,
        script: ScriptOptions::default(),
        screen: Screen::default(),
        replace_archives: false,
    };
    let (mut held, mut refused) = (None, None);
    let live = LiveRun::start_under(request, driver, |events| match binary::holder(hold, binary.as_ref(), events) {
        Ok(holder) => {
            held = Some(holder.spawner());
            Ok(holder)
        }
        Err(error) => {
            let told = StartError::Spawner(std::io::Error::other(error.to_string()));
            refused = Some(error);
            Err(told)
        }
    });
    let live = live.map_err(|error| refused.unwrap_or(HarnessError::Start(error)))?;
    let run = live.handle().clone();
    let trouble = Trouble::default();
    let bell = Bell::of(&run.logs());
    let dir = live.dir().map(|dir| dir.path.clone());
    let logs = LogAggregator::new(&run, bell, Handle::current(), trouble.clone(), dir.as_deref());
    let spawner = held
        .map(|spawner| Arc::downgrade(&spawner))
        .ok_or_else(|| HarnessError::System(std::io::Error::other("the run has no spawner")))?;
    let thread = thread::current().id();
    Ok((live, Arc::new(Engine { run, runtime: Handle::current(), logs, trouble, dir, binary, spawner, over, thread })))
}
