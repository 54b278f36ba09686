//! Standstills of a whole run around processes that do not exist: what is told meanwhile, and who goes away meanwhile.

use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        watch,
    },
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    Journal, Machine, RunHandle, RunParts, Suspended,
    handle::{Asked, Wish},
};
use crate::{
    logs::{Capture, LogStore},
    model::{
        Actor, At, Command, Containment, Event, EventKind, Exit, ProcessId, ProcessSpec, ProcessState, RestartMode, RestartPolicy, Role,
        RunClock, RunSpec,
    },
    process::{Order, Screen, Spawner, SpawnerLost, TreeEvent, TreeId, Usage},
    redact::Redactor,
};

const SOON: Duration = Duration::from_secs(20);
/// The back-off of what fails: it does not end in a test.
const BACKOFF: Duration = Duration::from_mins(10);

/// Says that it has carried out whatever it is told.
struct Pretender {
    events: UnboundedSender<TreeEvent>,
    trees: Mutex<Vec<TreeId>>,
    /// How often it was asked what trees use.
    samples: AtomicUsize,
}

impl Spawner for Pretender {
    fn send(&self, order: Order) -> Result<(), SpawnerLost> {
        let event = match order {
            Order::Spawn { tree, .. } => {
                self.trees.lock().unwrap_or_else(PoisonError::into_inner).push(tree);
                // No pid of this system is as large.
                TreeEvent::Spawned { tree, pid: 1 << 30 }
            }
            Order::AwaitEmpty { tree } | Order::Kill { tree } => TreeEvent::Empty { tree },
            Order::Census { tree } => TreeEvent::Members { tree, members: Vec::new() },
            Order::StandStill => TreeEvent::StandStill,
            Order::Sample { .. } => {
                self.samples.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.events.send(event).map_err(|_| SpawnerLost)
    }

    fn kill_all(&self, _: Duration) -> usize {
        0
    }

    fn containment(&self) -> Containment {
        Containment::Group
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {SOON:?} for {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

fn is_back_off(event: &EventKind) -> bool {
    matches!(event, EventKind::StateChanged { state: ProcessState::Backoff { .. }, .. })
}

/// A run of one task that is restarted when it fails.
struct Stage {
    run: RunHandle,
    task: JoinHandle<RunParts>,
    spawner: Arc<Pretender>,
}

impl Stage {
    async fn with_one_running() -> Self {
        let process = ProcessId::new("p").expect("a name");
        let restart = RestartPolicy { mode: RestartMode::OnFailure, backoff: BACKOFF, max_backoff: BACKOFF, ..RestartPolicy::default() };
        let process = ProcessSpec { role: Role::Task, argv: vec!["true".into()], restart, ..ProcessSpec::new(process) };
        let spec = RunSpec { processes: [(process.id.clone(), Arc::new(process))].into_iter().collect(), ..RunSpec::new("x") };
        let clock = RunClock::start();
        let (events, tree_events) = mpsc::unbounded_channel();
        let spawner = Arc::new(Pretender { events, trees: Mutex::default(), samples: AtomicUsize::new(0) });
        let logs = LogStore::in_memory(&spec.processes.keys().cloned().collect::<Vec<_>>(), clock);
        let redactor = Redactor::new(Vec::<String>::new());
        let (told, capture_events) = mpsc::unbounded_channel();
        let capture = Capture::start(logs.clone(), redactor.clone(), told).expect("a thread");
        let (run, unstarted) = super::prepare(RunParts {
            script: super::ScriptOptions::default(),
            export: None,
            taps: None,
            traffic: Arc::default(),
            info: Machine::describe(&spec, "run", String::new(), Containment::Group),
            spec: Arc::new(spec),
            spawner: spawner.clone(),
            tree_events,
            capture,
            capture_events,
            logs,
            journal: Arc::default(),
            redactor,
            clock,
            end_when_done: false,
            driver: super::Driver::Front,
            timeout: None,
            ours: Vec::new(),
            runs: PathBuf::from("/nowhere"),
            screen: Screen::default(),
            notices: Vec::new(),
        });
        let stage = Self { run, task: unstarted.start(), spawner };
        until("it to run", || stage.events().iter().any(|event| matches!(event.kind, EventKind::Spawned { .. }))).await;
        stage
    }

    /// It ends with 1.
    fn fails(&self) {
        let tree = *self.spawner.trees.lock().unwrap_or_else(PoisonError::into_inner).last().expect("it was started");
        self.spawner.events.send(TreeEvent::Exited { tree, exit: Exit::Code(1), usage: Usage::default() }).expect("the run goes on");
    }

    fn events(&self) -> Vec<Arc<Event>> {
        self.run.journal().from(0)
    }

    /// How long it was up, once that is told; and no back-off that was told until now is longer than it may be.
    async fn lived(&self) -> Duration {
        until("its back-off", || self.events().iter().any(|event| is_back_off(&event.kind))).await;
        let events = self.events();
        for event in &events {
            if let EventKind::StateChanged { state: ProcessState::Backoff { until, .. }, .. } = &event.kind {
                assert!(until.since(event.at) <= BACKOFF, "told at {}: until {until}", event.at);
            }
        }
        let up = events.iter().find_map(|event| if let EventKind::Exited { up, .. } = &event.kind { Some(*up) } else { None });
        up.expect("its end is told before its back-off")
    }

    async fn end(self) {
        let _ = self.run.send(Command::Shutdown { now: true }, Actor::You).done().await;
        drop(self.task.await);
    }
}

#[tokio::test]
async fn t5_what_is_told_while_the_run_stands_still_happened_when_that_began() {
    let stage = Stage::with_one_running().await;
    let clock = stage.run.clock();
    let suspended = stage.run.suspend().await;
    let before = clock.now();
    // Longer than it can have lived.
    while clock.now().since(before) <= before.since(At::START) {
        sleep(Duration::from_millis(1)).await;
    }
    stage.fails();
    assert!(stage.lived().await <= before.since(At::START), "what stood still is no life");
    drop(suspended);
    let back_offs = |stage: &Stage| stage.events().iter().filter(|event| is_back_off(&event.kind)).count();
    until("its back-off to have moved", || back_offs(&stage) == 2).await;
    stage.lived().await;
    stage.end().await;
}

#[tokio::test]
async fn k2_time_in_which_the_loop_could_not_run_is_taken_out_before_what_has_arrived_is_looked_at() {
    let stage = Stage::with_one_running().await;
    // From the next sample on it wakes each second.
    let tick = Duration::from_secs(1);
    let samples = || stage.spawner.samples.load(Ordering::Relaxed);
    let so_far = samples();
    stage.run.observe(true);
    until("a sample", || samples() > so_far).await;
    let before = stage.run.clock().now().since(At::START);
    stage.fails();
    // The loop shares this thread.
    thread::sleep(before + 4 * tick);
    assert!(stage.lived().await <= before + tick, "it was not up while nothing ran");
    stage.end().await;
}

/// A handle of a run that does nothing, and what is asked of it.
fn handle() -> (RunHandle, UnboundedReceiver<Asked>) {
    let (requests, asked) = mpsc::unbounded_channel();
    let clock = RunClock::start();
    let handle = RunHandle {
        requests,
        snapshot: watch::channel(Arc::default()).1,
        journal: Arc::new(Journal::default()),
        logs: LogStore::in_memory(&[], clock),
        traffic: Arc::default(),
        clock,
        observed: Arc::new(watch::channel(false).0),
        late: Arc::default(),
    };
    (handle, asked)
}

fn poll(suspending: &mut Pin<Box<impl Future<Output = Suspended>>>) -> Poll<Suspended> {
    suspending.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn t5_who_gives_up_suspending_lets_the_run_go_on_wherever_that_was() {
    let (run, mut asked) = handle();
    drop(run.suspend());
    assert!(asked.try_recv().is_err(), "nothing was asked for");

    let mut suspending = Box::pin(run.suspend());
    assert!(poll(&mut suspending).is_pending());
    assert!(matches!(asked.try_recv(), Ok(Asked { wish: Wish::StandStill, .. })));
    drop(suspending);
    assert!(matches!(asked.try_recv(), Ok(Asked { wish: Wish::GoOn, .. })), "dropped while it waits");

    let mut suspending = Box::pin(run.suspend());
    assert!(poll(&mut suspending).is_pending());
    let Ok(Asked { wish: Wish::StandStill, answer }) = asked.try_recv() else { panic!("it asks again") };
    answer.send(Ok(())).expect("it waits");
    let Poll::Ready(suspended) = poll(&mut suspending) else { panic!("everything stands still") };
    drop(suspending);
    assert!(asked.try_recv().is_err(), "as long as the guard is held");
    drop(suspended);
    assert!(matches!(asked.try_recv(), Ok(Asked { wish: Wish::GoOn, .. })));
}
