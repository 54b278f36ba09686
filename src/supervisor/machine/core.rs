//! The machine itself: all processes, the dispatch of inputs, timers, tickets and invariants.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::expect::Expectations;
use super::script::Script;
use super::starters::Starters;
use super::types::{Effect, Input, MachineOptions, Proc, TimerKind, TimerToken};
use super::verdict::Course;
use crate::model::{
    Actor, At, EventKind, ExpectationInfo, Generation, ProcessId, ProcessSpec, ProcessState, Role, RunInfo, RunSpec, StepInfo,
};

/// All policy of a run.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(super) procs: Vec<Proc>,
    pub(super) by_name: HashMap<ProcessId, usize>,
    /// Which of them are tests, and which have a health check: with a thousand processes, looking at all of them after each
    /// input costs more than what is done about it.
    pub(super) tests: Vec<usize>,
    pub(super) checked: Vec<usize>,
    pub(super) options: MachineOptions,
    pub(super) course: Course,
    pub(super) starters: Starters,
    pub(super) script: Script,
    pub(super) expectations: Expectations,
    /// Whether somebody looks at how processes are.
    pub(super) observed: bool,
    pub(super) now: At,
    /// Armed timers. One that is not here any more was cancelled.
    armed: BTreeMap<TimerToken, (Option<usize>, TimerKind)>,
    next_timer: u64,
    /// State of the xorshift that draws jitter.
    dice: u64,
    /// Effects of the step under way.
    pub(super) out: Vec<Effect>,
}

impl Machine {
    /// A machine for `spec`; nothing happens before [`Input::Begin`].
    pub(crate) fn new(spec: &RunSpec, options: MachineOptions) -> Self {
        // A small seed would make the first numbers drawn small, too.
        let dice = options.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let script = Script::of(spec, options.script);
        let mut machine = Self {
            procs: Vec::new(),
            by_name: HashMap::new(),
            tests: Vec::new(),
            checked: Vec::new(),
            options,
            course: Course::default(),
            starters: Starters::of(spec),
            script,
            expectations: Expectations::of(spec),
            observed: false,
            now: At::START,
            armed: BTreeMap::new(),
            next_timer: 0,
            dice,
            out: Vec::new(),
        };
        spec.processes.values().for_each(|spec| machine.enlist(spec.clone()));
        machine.course.open = machine.script.is_rehearsal();
        machine
    }

    /// One more process.
    pub(super) fn enlist(&mut self, spec: Arc<ProcessSpec>) {
        let i = self.procs.len();
        self.by_name.insert(spec.id.clone(), i);
        self.tests.extend((spec.role == Role::Test).then_some(i));
        self.checked.extend(spec.health.is_some().then_some(i));
        self.procs.push(Proc::new(spec));
    }

    /// What `spec` looks like as the first event of a run.
    pub(crate) fn describe(spec: &RunSpec, run: &str, started: String, containment: crate::model::Containment) -> RunInfo {
        RunInfo {
            run: run.to_owned(),
            scenario: spec.name.clone(),
            description: spec.description.clone(),
            origin: spec.origin.clone(),
            started,
            containment,
            timeout_ms: spec.timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
            processes: spec.processes.values().map(|process| super::open::describe(process)).collect(),
            expectations: spec.expectations.iter().map(ExpectationInfo::of).collect(),
            steps: spec.steps.iter().map(StepInfo::of).collect(),
        }
    }

    /// Takes one input and says what to do about it.
    pub(crate) fn step(&mut self, now: At, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        self.dispatch(input);
        self.settle();
        #[cfg(debug_assertions)]
        self.check_invariants();
        std::mem::take(&mut self.out)
    }

    fn dispatch(&mut self, input: Input) {
        match input {
            Input::Begin => self.begin(),
            Input::Request { request, ticket } => self.request(request, ticket),
            Input::Spawned { process, generation, pid } => self.on(&process, generation, |m, i| m.spawned(i, pid)),
            Input::SpawnFailed { process, generation, reason } => self.on(&process, generation, |m, i| m.spawn_failed(i, reason)),
            Input::AlreadyDone { process, generation, path } => self.on(&process, generation, |m, i| m.already_done(i, path)),
            Input::FaultOver { process } => self.fault_is_over(process),
            Input::Changed { process, file, more } => self.file_changed(&process, file, more),
            Input::LeaderExited { process, generation, exit } => self.on(&process, generation, |m, i| m.leader_exited(i, exit)),
            Input::Drained { process, generation, tail } => self.on(&process, generation, |m, i| m.drained(i, tail)),
            Input::TreeEmpty { process, generation } => self.on(&process, generation, Self::tree_is_empty),
            Input::LeftAlone { process, generation, leak } => self.on(&process, generation, |m, i| m.tell_leak(i, vec![leak])),
            Input::Members { process, generation, leaks } => self.on(&process, generation, |m, i| m.members(i, leaks)),
            Input::Stuck { process, generation, pids, why } => self.on(&process, generation, |m, i| m.stuck(i, pids, &why)),
            Input::Ready { process, generation, report } => self.on(&process, generation, |m, i| m.ready_report(i, report)),
            Input::Probed { process, generation, record } => self.on(&process, generation, |m, i| m.probed(i, &record)),
            Input::Progress { process, generation, text } => self.on(&process, generation, |m, i| {
                m.procs[i].progress = Some(text.clone());
                let process = m.procs[i].id().clone();
                m.emit(EventKind::Progress { process, text });
            }),
            Input::Seen { expectation, seen } => self.seen(expectation, seen),
            Input::Said { step } => self.said(step),
            Input::Carried { ticket, result } => self.carried(ticket, result),
            Input::StopCommandFailed { process, generation } => self.on(&process, generation, Self::signal_instead),
            Input::Flushed => self.flushed(),
            Input::LimitHit { process, generation, what } => self.on(&process, generation, |m, i| m.limit_hit(i, what)),
            Input::StoodStill { span } => self.stood_still(span),
            Input::Timer(token) => self.timer(token),
            Input::SpawnerLost { why } => self.spawner_lost(why),
            Input::Observed { looking } => self.observed = looking,
            Input::FinalCensus { leaks } => self.final_census(leaks),
            Input::Add { spec, ticket } => {
                if let Err(why) = self.add(spec, ticket) {
                    self.out.push(Effect::Resolve { ticket, result: Err(why) });
                }
            }
            Input::Close { end, ticket } => self.close(end, ticket),
        }
    }

    fn on(&mut self, process: &ProcessId, generation: Generation, act: impl FnOnce(&mut Self, usize)) {
        if let Some(&i) = self.by_name.get(process)
            && self.procs[i].generation == generation
        {
            act(self, i);
        }
    }

    fn timer(&mut self, token: TimerToken) {
        let Some((proc, kind)) = self.armed.remove(&token) else { return };
        let Some(i) = proc else {
            return match kind {
                TimerKind::CensusDeadline => self.final_census(Vec::new()),
                TimerKind::Window(index) => self.window_over(index),
                TimerKind::LastWords => self.last_words_over(),
                TimerKind::Script(stretch, alarm) => self.script_alarm(stretch, alarm),
                _ => self.run_timed_out(),
            };
        };
        self.procs[i].timers.remove(&kind);
        match kind {
            TimerKind::ReadyDeadline => self.never_ready(i),
            TimerKind::Grace => self.grace_over(i),
            TimerKind::KillDeadline => self.kill_overdue(i),
            TimerKind::Backoff => self.backoff_over(i),
            TimerKind::LeakCheck => self.look_for_leaks(i),
            TimerKind::Lifetime => self.lived_too_long(i),
            TimerKind::RunTimeout | TimerKind::CensusDeadline | TimerKind::Window(_) | TimerKind::LastWords | TimerKind::Script(..) => {}
        }
    }

    /// Arms `kind` for process `i`, in place of the one that may be armed.
    pub(super) fn arm(&mut self, i: usize, kind: TimerKind, at: At) {
        self.cancel(i, kind);
        let timer = self.token(Some(i), kind, at);
        self.procs[i].timers.insert(kind, timer);
    }

    /// Arms a timer of the run itself.
    pub(super) fn arm_run(&mut self, kind: TimerKind, at: At) {
        self.token(None, kind, at);
    }

    fn token(&mut self, proc: Option<usize>, kind: TimerKind, at: At) -> TimerToken {
        let timer = TimerToken(self.next_timer);
        self.next_timer += 1;
        self.armed.insert(timer, (proc, kind));
        self.out.push(Effect::Arm { timer, at });
        timer
    }

    pub(super) fn cancel(&mut self, i: usize, kind: TimerKind) {
        if let Some(token) = self.procs[i].timers.remove(&kind) {
            self.armed.remove(&token);
        }
    }

    pub(super) fn cancel_all(&mut self, i: usize) {
        for token in std::mem::take(&mut self.procs[i].timers).into_values() {
            self.armed.remove(&token);
        }
    }

    pub(super) fn emit(&mut self, kind: EventKind) {
        self.out.push(Effect::Emit(kind));
    }

    /// A number in `0.0..1.0`, the same for the same seed.
    pub(super) fn draw(&mut self) -> f64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts process `i` in `state`, on record only if that changes anything, and resolves who waited for it.
    pub(super) fn set_state(&mut self, i: usize, state: ProcessState) {
        let proc = &mut self.procs[i];
        if proc.state != state {
            proc.state = state.clone();
            proc.since = self.now;
            let (process, generation) = (proc.id().clone(), proc.generation);
            self.emit(EventKind::StateChanged { process, generation, state });
        }
        self.resolve_tickets(i);
    }

    /// What must hold after every step, derived from scratch.
    #[cfg(debug_assertions)]
    fn check_invariants(&self) {
        use super::types::{Life, Tree};
        let mut armed = vec![0; self.procs.len()];
        self.armed.values().filter_map(|(i, _)| *i).for_each(|i| armed[i] += 1);
        for (i, proc) in self.procs.iter().enumerate() {
            let id = proc.id();
            let (alive, lives) = (proc.state.is_alive(), matches!(proc.life, Life::Up { .. } | Life::Stopping(_)));
            assert!(!lives || alive, "{id}: alive, but shown as {}", proc.state.word());
            let ending = matches!(proc.life, Life::Ending { .. });
            assert!(lives || !alive || ending, "{id}: shown as {}, but nothing lives", proc.state.word());
            let outlive = [TimerKind::Backoff, TimerKind::LeakCheck, TimerKind::KillDeadline];
            assert!(proc.has_life() || proc.timers.keys().all(|k| outlive.contains(k)), "{id}: a timer outlived it");
            assert_eq!(
                matches!(proc.state, ProcessState::Backoff { .. }) && !proc.has_life(),
                proc.timers.contains_key(&TimerKind::Backoff),
                "{id}: back-off without its timer, or the other way round"
            );
            let led = matches!(proc.life, Life::Spawning { .. } | Life::Up { .. });
            assert!(!led || proc.tree == Tree::Led, "{id}: led, but its tree is {:?}", proc.tree);
            assert!(led || matches!(proc.life, Life::Stopping(_)) || proc.tree != Tree::Led, "{id}: nobody leads its tree");
            let checked = matches!(proc.tree, Tree::Checking { .. });
            assert_eq!(checked, proc.timers.contains_key(&TimerKind::LeakCheck), "{id}: its leftovers are never looked at");
            assert!(proc.tree != Tree::Killing || proc.timers.contains_key(&TimerKind::KillDeadline), "{id}: KILL without a deadline");
            let starts = proc.wants_start.is_some() || matches!(proc.state, ProcessState::Backoff { .. });
            assert!(!self.course.is_stopping() || !starts, "{id}: would start while the run stops");
            assert_eq!(armed[i], proc.timers.len(), "{id}: timers out of step");
            assert!(!self.course.is_stopping() || self.script.is_idle(), "{id}: a step goes on while the run stops");
        }
    }

    /// The index of a process, or why there is none.
    pub(super) fn find(&self, process: &ProcessId) -> Result<usize, String> {
        self.by_name.get(process).copied().ok_or_else(|| format!("there is no process {process}"))
    }

    /// Whether `by` is the kind of actor whose signals count as coming from outside.
    pub(super) fn is_outsider(by: &Actor) -> bool {
        matches!(by, Actor::You | Actor::Step(_) | Actor::Library)
    }
}
