//! The loop around the machine: facts in, effects out.
//!
//! One task owns everything and awaits only its channels and the next timer, so nothing here can stall anything else.
//! Whatever takes time or touches a disk (probes, clean-up commands, preparing a start, the last census) runs in tasks and
//! threads that report back as [`News`].

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use super::{
    RunParts,
    arrivals::Arrival,
    census::CpuTime,
    errand::{Errands, Purpose},
    handle::{Asked, RunHandle},
    journal::fit_for_record,
    launch::{Ends, Preparation},
    launcher::Launcher,
    machine::{Effect, Input, Machine, MachineOptions, TimerToken},
    stdin::Talk,
    suspend::Suspension,
};
use crate::{
    model::{At, Event, EventKind, Failure, Generation, ProcessId, Snapshot, narrate},
    process::{Commands, Order, Screen, TreeId},
    watch::Watcher,
};

/// News from the tasks that the runtime started.
#[derive(Debug)]
pub(super) enum News {
    /// For the machine.
    Input(Input),
    /// A start can be carried out, or cannot.
    Prepared { process: ProcessId, generation: Generation, prepared: Result<Preparation, Failure> },
    /// A watched file has changed.
    Changed { process: ProcessId, file: PathBuf, more: usize },
    /// Something to be told.
    Notice(String),
    /// An archive that a step wanted is there, or cannot be written.
    Exported { ticket: u64, result: Result<String, String> },
    /// A stop or clean-up command is over.
    ErrandEnded { purpose: Purpose, failed: bool, report: Option<String> },
}

/// By then what starts at once has been started.
const SETTLED: At = At(250_000);

/// What the loop has woken for.
enum Woken {
    /// A timer is due.
    Timer,
    /// Trees are to be sampled.
    Sample,
    /// Somebody looks at the run, or no longer.
    Looking,
    /// Something has arrived.
    Arrival(Arrival),
}

/// A run under way.
pub(super) struct Runtime {
    pub(super) parts: RunParts,
    pub(super) machine: Machine,
    snapshot: Snapshot,
    published: watch::Sender<Arc<Snapshot>>,
    pub(super) timers: BinaryHeap<Reverse<(At, TimerToken)>>,
    pub(super) suspension: Suspension,
    pub(super) trees: HashMap<TreeId, (ProcessId, Generation)>,
    pub(super) tree_of: HashMap<(ProcessId, Generation), TreeId>,
    next_tree: u64,
    /// Our ends of the pipes of those whose start is not on record yet.
    pub(super) unheard: HashMap<TreeId, Ends>,
    pub(super) launcher: Launcher,
    /// Starts that are being prepared.
    pub(super) in_preparation: HashSet<(ProcessId, Generation)>,
    pub(super) commands: Arc<Commands>,
    pub(super) probes: HashMap<ProcessId, Vec<AbortHandle>>,
    /// Who can be written and talked to.
    pub(super) inputs: HashMap<ProcessId, Talk>,
    /// How big a terminal of a process is.
    pub(super) screen: Screen,
    pub(super) tickets: HashMap<u64, oneshot::Sender<Result<(), String>>>,
    pub(super) next_ticket: u64,
    pub(super) news: mpsc::UnboundedSender<News>,
    pub(super) errands: Errands,
    /// Who watches files for processes.
    pub(super) watchers: Vec<Watcher>,
    /// When all trees were sampled last.
    pub(super) sampled_all: Option<At>,
    /// CPU time at the last sample, by tree.
    pub(super) cpu_before: HashMap<TreeId, CpuTime>,
    /// What could not be put on record any more.
    pub(super) late: Arc<Mutex<Vec<String>>>,
    finished: bool,
}

/// A run of which nothing has been started yet. Its handle shows already what it is about to start, and what is asked for
/// waits.
pub struct UnstartedRun {
    runtime: Runtime,
    asked: mpsc::UnboundedReceiver<Asked>,
    heard: mpsc::UnboundedReceiver<News>,
    looking: watch::Receiver<bool>,
}

impl UnstartedRun {
    /// Starts it on the current tokio runtime.
    pub fn start(self) -> tokio::task::JoinHandle<RunParts> {
        tokio::spawn(self.runtime.run(self.asked, self.heard, self.looking))
    }
}

/// Puts the run's beginning on record; it starts with [`UnstartedRun::start`].
pub fn prepare(parts: RunParts) -> (RunHandle, UnstartedRun) {
    let (requests, asked) = mpsc::unbounded_channel();
    let (published, snapshot) = watch::channel(Arc::default());
    let (news, heard) = mpsc::unbounded_channel();
    let (observed, looking) = watch::channel(false);
    let handle = RunHandle {
        requests,
        snapshot,
        journal: parts.journal.clone(),
        logs: parts.logs.clone(),
        traffic: parts.traffic.clone(),
        clock: parts.clock,
        observed: Arc::new(observed),
        late: Arc::default(),
    };
    if let Some(taps) = &parts.taps {
        taps.attach(handle.snapshot.clone(), news.clone());
    }
    let options = MachineOptions {
        end_when_done: parts.end_when_done,
        timeout: parts.timeout,
        script: parts.script,
        seed: parts.clock.wall().as_nanosecond() as u64,
    };
    let mut machine = Machine::new(&parts.spec, options);
    machine.driven_by(parts.driver);
    let commands = Commands::new(parts.spawner.clone(), parts.redactor.clone());
    let mut runtime = Runtime {
        screen: parts.screen,
        machine,
        parts,
        snapshot: Snapshot::default(),
        published,
        timers: BinaryHeap::new(),
        suspension: Suspension::default(),
        trees: HashMap::new(),
        tree_of: HashMap::new(),
        next_tree: 1,
        unheard: HashMap::new(),
        launcher: Launcher::start(news.clone()),
        in_preparation: HashSet::new(),
        commands,
        probes: HashMap::new(),
        inputs: HashMap::new(),
        tickets: HashMap::new(),
        next_ticket: 1,
        news,
        errands: Errands::default(),
        watchers: Vec::new(),
        sampled_all: None,
        cpu_before: HashMap::new(),
        late: handle.late.clone(),
        finished: false,
    };
    runtime.tell_beginning();
    (handle, UnstartedRun { runtime, asked, heard, looking })
}

impl Runtime {
    /// What is known of the run before anything of it starts.
    fn tell_beginning(&mut self) {
        let info = self.parts.info.clone();
        self.emit(EventKind::RunStarted(info));
        for notice in std::mem::take(&mut self.parts.notices) {
            self.emit(notice);
        }
        self.tell_what_is_not_granted();
        self.publish();
    }

    async fn run(
        mut self,
        mut asked: mpsc::UnboundedReceiver<Asked>,
        mut heard: mpsc::UnboundedReceiver<News>,
        mut looking: watch::Receiver<bool>,
    ) -> RunParts {
        let all: Vec<_> = self.parts.spec.processes.values().cloned().collect();
        self.watch_files(&all);
        self.feed(Input::Begin);
        self.publish();
        let (mut swept, mut sweep) = (false, None);
        let mut sample_at = Instant::now() + Duration::from_millis(300);
        while !self.finished {
            match self.wake(&mut asked, &mut heard, &mut looking, sample_at).await {
                Woken::Timer => {}
                Woken::Sample => {
                    super::wanted::panic_if_a_test_wants_it("actor");
                    // Not while everything starts: that is what somebody waits for.
                    if !swept && self.parts.clock.now() >= SETTLED {
                        swept = true;
                        sweep = self.sweep_dead_runs();
                    }
                    let looked_at = *looking.borrow_and_update();
                    sample_at = Instant::now() + self.sample(looked_at);
                    self.look_after_starts();
                }
                Woken::Looking => {
                    sample_at = Instant::now();
                    let looking = *looking.borrow_and_update();
                    self.feed(Input::Observed { looking });
                }
                Woken::Arrival(arrival) => self.take(arrival),
            }
            self.drain_channels(&mut asked, &mut heard);
            self.fire_timers();
            self.publish();
        }
        self.sweep_dead_runs_at_the_end(sweep, &mut heard).await;
        self.parts.journal.close();
        self.publish();
        self.parts
    }

    /// Waits for something to do. Time in which this program could not run is taken out before any of that is done.
    async fn wake(
        &mut self,
        asked: &mut mpsc::UnboundedReceiver<Asked>,
        heard: &mut mpsc::UnboundedReceiver<News>,
        looking: &mut watch::Receiver<bool>,
        sample_at: Instant,
    ) -> Woken {
        let timer = self.timers.peek().map(|Reverse((at, _))| Instant::from_std(self.parts.clock.instant(*at)));
        let runs = !self.suspension.is_on();
        let meant = timer.map_or(sample_at, |timer| timer.min(sample_at)).max(Instant::now());
        let woken = tokio::select! {
            biased;
            () = sleep_until(timer.unwrap_or(sample_at)), if timer.is_some() && runs => Woken::Timer,
            Some(event) = self.parts.tree_events.recv() => Woken::Arrival(Arrival::Tree(event)),
            Some(event) = self.parts.capture_events.recv() => Woken::Arrival(Arrival::Capture(event)),
            Some(news) = heard.recv() => Woken::Arrival(Arrival::News(news)),
            Some(request) = asked.recv() => Woken::Arrival(Arrival::Request(request)),
            Ok(()) = looking.changed() => Woken::Looking,
            () = sleep_until(sample_at), if runs => Woken::Sample,
        };
        self.woke_up(meant);
        woken
    }

    /// Takes what else has arrived, so that one snapshot tells it all.
    fn drain_channels(&mut self, asked: &mut mpsc::UnboundedReceiver<Asked>, heard: &mut mpsc::UnboundedReceiver<News>) {
        // Bounded, so that a storm of one kind cannot keep the snapshot back.
        for _ in 0..1000 {
            let arrival = (self.parts.tree_events.try_recv().map(Arrival::Tree))
                .or_else(|_| self.parts.capture_events.try_recv().map(Arrival::Capture))
                .or_else(|_| heard.try_recv().map(Arrival::News))
                .or_else(|_| asked.try_recv().map(Arrival::Request));
            let Ok(arrival) = arrival else { break };
            self.take(arrival);
        }
    }

    fn fire_timers(&mut self) {
        let now = self.parts.clock.now();
        while let Some(Reverse((at, timer))) = self.timers.peek().copied() {
            if at > now || self.suspension.is_on() {
                break;
            }
            self.timers.pop();
            self.feed(Input::Timer(timer));
        }
    }

    pub(super) fn publish(&mut self) {
        if self.published.borrow().seq != self.snapshot.seq {
            self.published.send_replace(Arc::new(self.snapshot.clone()));
        }
    }

    /// Steps the machine with `input` and carries out what follows.
    pub(super) fn feed(&mut self, input: Input) {
        let mut answers = Vec::new();
        for effect in self.machine.step(self.time(), input) {
            match effect {
                // Who asked looks next: all that was done is seen by then.
                Effect::Resolve { ticket, result } => answers.push((ticket, result)),
                effect => self.carry_out(effect),
            }
        }
        for (ticket, result) in answers {
            self.resolve(ticket, result);
        }
    }

    /// Puts an event on record: masked, numbered, folded, told.
    pub(super) fn emit(&mut self, kind: EventKind) {
        let kind = fit_for_record(kind, &self.parts.redactor);
        let at = self.parts.clock.now();
        let mut event = Event { seq: 0, at, kind };
        event.seq = match narrate(&event) {
            Some(narration) if narration.in_log.is_some() => self.parts.logs.note(at, narration),
            _ => self.parts.logs.stamp(),
        };
        self.snapshot.fold(&event);
        self.parts.journal.push(event);
    }

    /// Who a tree is.
    pub(super) fn new_tree(&mut self, process: ProcessId, generation: Generation) -> TreeId {
        let tree = TreeId(self.next_tree);
        self.next_tree += 1;
        // Of the generation before the last nothing more will be heard.
        if let Some(old) = generation.checked_sub(2).and_then(|old| self.tree_of.remove(&(process.clone(), old))) {
            self.trees.remove(&old);
            self.cpu_before.remove(&old);
        }
        self.trees.insert(tree, (process.clone(), generation));
        self.tree_of.insert((process, generation), tree);
        tree
    }

    /// Hands an order to the spawner; a lost one has said so itself.
    pub(super) fn order(&self, order: Order) {
        let _ = self.parts.spawner.send(order);
    }

    pub(super) fn arm(&mut self, timer: TimerToken, at: At) {
        self.timers.push(Reverse((at, timer)));
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}
