//! The process manager of the design, as a face of the supervisor.

use std::{
    collections::{HashMap, HashSet},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    HarnessBuilder, HarnessError, HealthError, HealthStatus, LogAggregator, ManagedProcess, ProcessConfig, ProcessError, ProcessGuard,
    binary,
    engine::Engine,
    hooks::Hooks,
    standing::{Standing, evidence, failed, run_ended, standing},
    timer::Timer,
};
use crate::{
    logs::{LogView, Selection, Source},
    model::{Actor, Command, ProcessId, ProcessSnapshot, RestartMode, Signal, Snapshot, StopRecord},
    record::write_private,
    supervisor::{TestEnd, Ticket},
};

/// What a KILL may take beyond the time that a stop was given.
const KILL_SLACK: Duration = Duration::from_secs(5);

/// Starts, watches, restarts and ends processes for a program. Dropping the last copy ends them all, at once and with everything
/// they have started.
///
/// ```no_run
/// use std::time::Duration;
///
/// use e2e_tui::harness::{ProcessConfig, ProcessManager};
///
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// let manager = ProcessManager::new().await?;
/// let id = manager.spawn_process(ProcessConfig::new("server", "./server").port(20_100)).await?;
/// manager.wait_for_ready(&id, Duration::from_secs(10)).await?;
/// manager.shutdown_all(Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ProcessManager {
    pub(super) inner: Arc<Inner>,
}

impl std::fmt::Debug for ProcessManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessManager").field("processes", &self.names()).finish_non_exhaustive()
    }
}

/// What managers, handles and guards share.
pub(super) struct Inner {
    pub(super) engine: Arc<Engine>,
    pub(super) hooks: Hooks,
    names: Mutex<HashSet<ProcessId>>,
    pub(super) configs: Mutex<HashMap<ProcessId, ProcessConfig>>,
    /// Processes of a scenario whose policy restarts them.
    restarting: HashSet<ProcessId>,
}

impl ProcessManager {
    /// A manager with a run and a recording of its own.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = e2e_tui::harness::ProcessManager::new().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn new() -> Result<Self, HarnessError> {
        HarnessBuilder::default().process_manager().await
    }

    pub(super) fn of(engine: Arc<Engine>, spec: &crate::model::RunSpec) -> Self {
        let restarting = spec.processes.values().filter(|p| p.restart.mode != RestartMode::Never).map(|p| p.id.clone()).collect();
        let inner = Inner {
            engine,
            hooks: Hooks::default(),
            names: Mutex::new(spec.processes.keys().cloned().collect()),
            configs: Mutex::default(),
            restarting,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Starts a process and waits until it runs; whether it is ready is another question, see [`wait_for_ready`](Self::wait_for_ready).
    /// Dropping this future before it is done ends the process, too.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = manager.spawn_process(ProcessConfig::new("api", "./api")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn spawn_process(&self, config: ProcessConfig) -> Result<ProcessId, ProcessError> {
        let begun = self.begin(config)?;
        let id = begun.id.clone();
        self.alive(begun).await?.disarm();
        Ok(id)
    }

    /// Adds a process to the run. From here on it has an owner.
    pub(super) fn begin(&self, config: ProcessConfig) -> Result<Begun, ProcessError> {
        let id = self.reserve(&config.name)?;
        let spec = config.to_spec(id.clone(), binary::path(self.inner.engine.binary.as_ref()))?;
        self.lock_configs().insert(id.clone(), config);
        let guard = ProcessGuard::new(&self.inner, &id);
        let ticket = self.inner.engine.run.add(spec);
        Ok(Begun { id, ticket, guard })
    }

    /// Waits until what was begun is alive, and gives its guard.
    pub(super) async fn alive(&self, begun: Begun) -> Result<ProcessGuard, ProcessError> {
        match begun.ticket.done().await {
            Ok(()) => Ok(begun.guard),
            Err(why) => {
                let error = match self.inner.engine.run.snapshot().row(begun.id.as_str()) {
                    Some(row) => failed(&self.inner.engine, row),
                    None => ProcessError::RunEnded { reason: why },
                };
                self.inner.engine.trouble.note(&error);
                Err(error)
            }
        }
    }

    /// `name`, or the first of `name-2`, `name-3`, … that nobody has.
    fn reserve(&self, name: &str) -> Result<ProcessId, ProcessError> {
        let invalid = |_| ProcessError::InvalidName(name.chars().take(80).collect());
        let mut names = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut id = ProcessId::new(name).map_err(invalid)?;
        for n in 2.. {
            if names.insert(id.clone()) {
                break;
            }
            id = ProcessId::new(&format!("{name}-{n}")).map_err(invalid)?;
        }
        Ok(id)
    }

    /// Waits until a process is ready: its check answers, it is alive a moment later, and the listener on its port is its own.
    ///
    /// # Errors
    /// As soon as it has ended (with how, and its last lines), could not be started, or gave up; or when `timeout` is over. A
    /// death that its restart policy answers with a restart is waited out.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.wait_for_ready("api", std::time::Duration::from_secs(10)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_ready(&self, process: impl AsRef<str>, timeout: Duration) -> Result<(), ProcessError> {
        let id = self.find(process.as_ref())?;
        let ready = self.ready(&id, timeout).await;
        ready.inspect_err(|error| self.inner.engine.trouble.note(error))
    }

    async fn ready(&self, id: &ProcessId, timeout: Duration) -> Result<(), ProcessError> {
        let restarts = self.restarts(id);
        let engine = &self.inner.engine;
        let mut snapshots = engine.run.watch();
        let mut over = Timer::start(&engine.runtime, timeout);
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            match standing(engine, &snapshot, id, restarts) {
                Standing::Ready => return Ok(()),
                Standing::Never(error) => return Err(*error),
                Standing::Waiting => {}
            }
            tokio::select! {
                changed = snapshots.changed() => if changed.is_err() { return Err(run_ended(&snapshot)) },
                () = &mut over => return Err(self.not_ready(id, timeout)),
            }
        }
    }

    fn not_ready(&self, id: &ProcessId, timeout: Duration) -> ProcessError {
        let snapshot = self.inner.engine.run.snapshot();
        let Some(row) = snapshot.row(id.as_str()) else { return run_ended(&snapshot) };
        let within = crate::model::human_duration(timeout);
        let last = match row.exits.last() {
            Some(exit) => format!("not ready within {within}; it is {} after {}", row.state.word(), exit.exit),
            None => format!("not ready within {within}; it is {}", row.state.word()),
        };
        ProcessError::HealthCheckFailed { last, evidence: Box::new(evidence(&self.inner.engine, row)) }
    }

    fn restarts(&self, id: &ProcessId) -> bool {
        let by_config = self.lock_configs().get(id).is_some_and(|config| config.restart_policy != super::RestartPolicy::Never);
        by_config || self.inner.restarting.contains(id)
    }

    /// Stops a process and starts it anew. Returns when it runs again.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.restart_process("api").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn restart_process(&self, process: impl AsRef<str>) -> Result<(), ProcessError> {
        let id = self.find(process.as_ref())?;
        self.carried_out(&id, Command::Restart { process: id.clone(), now: false }).await
    }

    /// Starts a process that is down.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.start_process_again("api").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_process_again(&self, process: impl AsRef<str>) -> Result<(), ProcessError> {
        let id = self.find(process.as_ref())?;
        self.carried_out(&id, Command::Start { process: id.clone() }).await
    }

    /// Sends a signal to a process's tree, as if from outside: its restart policy reacts to what follows.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.signal_process("api", e2e_tui::harness::Signal::HUP).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn signal_process(&self, process: impl AsRef<str>, signal: Signal) -> Result<(), ProcessError> {
        let id = self.find(process.as_ref())?;
        self.carried_out(&id, Command::Signal { process: id.clone(), signal }).await
    }

    /// Writes a line to a process's stdin, which must be a pipe.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.send_line("shell", "exit").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_line(&self, process: impl AsRef<str>, text: impl Into<String>) -> Result<(), ProcessError> {
        let id = self.find(process.as_ref())?;
        self.carried_out(&id, Command::SendLine { process: id.clone(), text: text.into() }).await
    }

    async fn carried_out(&self, id: &ProcessId, command: Command) -> Result<(), ProcessError> {
        let engine = &self.inner.engine;
        let Err(why) = engine.run.send(command, Actor::Library).done().await else { return Ok(()) };
        let snapshot = engine.run.snapshot();
        Err(match snapshot.row(id.as_str()) {
            Some(row) if row.state.is_settled() && engine.outcome().is_none() => failed(engine, row),
            Some(row) if engine.outcome().is_none() => ProcessError::NotRunning { reason: why, evidence: Box::new(evidence(engine, row)) },
            _ => ProcessError::RunEnded { reason: why },
        })
    }

    /// Stops a process and all it has started: its stop signal, then KILL when its grace or `timeout` is over, whichever comes
    /// first. Returns when nothing of it lives, and says how the stop went. It stays down. Dropping this future changes
    /// nothing: the stop goes on.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.shutdown_process("api", std::time::Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown_process(&self, process: impl AsRef<str>, timeout: Duration) -> Result<Option<StopRecord>, ProcessError> {
        let id = self.find(process.as_ref())?;
        let engine = &self.inner.engine;
        let stop = |now| engine.run.send(Command::Stop { process: id.clone(), now }, Actor::Library).done();
        let mut stopped = Box::pin(stop(false));
        let in_time = tokio::select! {
            done = &mut stopped => Some(done),
            () = Timer::start(&engine.runtime, timeout) => None,
        };
        let done = if in_time.is_some() {
            in_time
        } else {
            tokio::select! {
                done = stop(true) => Some(done),
                () = Timer::start(&engine.runtime, KILL_SLACK) => None,
            }
        };
        let snapshot = engine.run.snapshot();
        let row = snapshot.row(id.as_str());
        match (done, row) {
            (Some(_), Some(row)) if !row.state.is_alive() => Ok(row.stop),
            (_, Some(row)) if row.state.is_alive() => Err(ProcessError::ShutdownTimeout {
                after: timeout + KILL_SLACK,
                left: format!("pid {}", row.pid.unwrap_or_default()),
                evidence: Box::new(evidence(engine, row)),
            }),
            // The run has ended meanwhile, and the process with it.
            (_, row) => Ok(row.and_then(|row| row.stop)),
        }
    }

    /// Ends the run: all processes at once in reverse order of their dependencies, with their stop signals and graces; what is
    /// left after `timeout` is killed. Then the clean-up hooks run. Nothing can be started afterwards.
    ///
    /// # Errors
    /// [`ProcessError::ShutdownTimeout`] if something still lives, which is told in the recording.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.shutdown_all(std::time::Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown_all(&self, timeout: Duration) -> Result<(), ProcessError> {
        self.end_in_order(TestEnd::Unknown, timeout).await
    }

    pub(super) async fn end_in_order(&self, end: TestEnd, timeout: Duration) -> Result<(), ProcessError> {
        let engine = &self.inner.engine;
        if engine.outcome().is_none() {
            engine.ask_end(end.clone(), false);
            tokio::select! {
                _ = engine.over() => {}
                () = Timer::start(&engine.runtime, timeout) => engine.ask_end(end, true),
            }
            tokio::select! {
                _ = engine.over() => {}
                () = Timer::start(&engine.runtime, KILL_SLACK) => {}
            }
        }
        self.inner.hooks.run_from_task().await;
        let snapshot = engine.run.snapshot();
        let stuck = snapshot.rows.iter().find(|row| matches!(row.failure, Some(crate::model::Failure::CannotBeKilled { .. })));
        stuck.map_or(Ok(()), |row| Err(failed(engine, row)))
    }

    /// Kills all processes, with everything they have started, and runs the clean-up hooks. Needs no runtime and does not
    /// return before it is done. Nothing can be started afterwards.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.force_kill_all();
    /// # Ok(())
    /// # }
    /// ```
    pub fn force_kill_all(&self) {
        self.inner.engine.end_now(TestEnd::Unknown);
        self.inner.hooks.run();
    }

    /// Has `hook` called once when everything is down, in whatever way that came about. A hook that panics or takes longer than
    /// ten seconds does not keep the others from being called.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.on_shutdown(|| drop(std::fs::remove_file("target/test.db")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_shutdown(&self, hook: impl FnOnce() + Send + 'static) {
        self.inner.hooks.add(hook);
    }

    /// Asks for a process's health now, whatever its interval, on the harness's own runtime.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", manager.check_health("api").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_health(&self, process: impl AsRef<str>) -> Result<HealthStatus, HealthError> {
        let id = self.find(process.as_ref()).map_err(|error| HealthError(error.to_string()))?;
        let check = self.lock_configs().get(&id).and_then(|config| config.health_check.clone());
        let Some(check) = check else { return Err(HealthError(format!("{id} has no health check"))) };
        let limit = check.timeout();
        let asked = self.inner.engine.runtime.spawn(async move { tokio::time::timeout(limit, check.check()).await });
        match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Ok(HealthStatus::Unhealthy { why: format!("no answer within {}", crate::model::human_duration(limit)) }),
            Err(_) => Err(HealthError("the check panicked, or the run has ended".to_owned())),
        }
    }

    /// Writes what a process has said to `NAME.out` and `NAME.err` in `dir`, as it came but masked, and gives the two paths.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let [out, err] = manager.save_process_logs("api", "target/logs")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_process_logs(&self, process: impl AsRef<str>, dir: impl AsRef<Path>) -> io::Result<[PathBuf; 2]> {
        let id = self.find(process.as_ref()).map_err(|error| io::Error::new(io::ErrorKind::NotFound, error.to_string()))?;
        let store = self.inner.engine.run.logs();
        let mut view = LogView::new(Selection::Some(vec![id.clone()])).without_lifecycle();
        view.refresh(&store);
        let mut said = [Vec::new(), Vec::new()];
        let mut row = 0;
        while row < view.len() {
            let lines = view.batch(&store, row)?;
            for line in &lines {
                let into = &mut said[usize::from(line.source == Source::Err)];
                view.each_part(&store, line, &mut |part| {
                    into.extend_from_slice(part);
                    Ok(ControlFlow::Continue(()))
                })?;
                into.push(b'\n');
            }
            row += lines.len().max(1) as u64;
        }
        std::fs::create_dir_all(&dir)?;
        let paths = ["out", "err"].map(|stream| dir.as_ref().join(format!("{id}.{stream}")));
        for (path, bytes) in paths.iter().zip(&said) {
            write_private(path, bytes)?;
        }
        Ok(paths)
    }

    /// What all processes say.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// manager.logs().assert_no_errors();
    /// # Ok(())
    /// # }
    /// ```
    pub fn logs(&self) -> LogAggregator {
        self.inner.engine.logs.clone()
    }

    /// The names of all processes, in the order they were added.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", manager.names());
    /// # Ok(())
    /// # }
    /// ```
    pub fn names(&self) -> Vec<ProcessId> {
        self.inner.engine.run.snapshot().rows.iter().map(|row| row.id().clone()).collect()
    }

    /// How all processes stand.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let alive = manager.processes().iter().filter(|process| process.state().is_alive()).count();
    /// # Ok(())
    /// # }
    /// ```
    pub fn processes(&self) -> Vec<ManagedProcess> {
        self.snapshot().rows.iter().map(|row| ManagedProcess::of(row, self.inner.engine.run.clock())).collect()
    }

    /// How a process stands.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(manager.process("api")?.restart_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn process(&self, process: impl AsRef<str>) -> Result<ManagedProcess, ProcessError> {
        let snapshot = self.snapshot();
        let row = snapshot.row(process.as_ref()).ok_or_else(|| self.unknown(process.as_ref()))?;
        Ok(ManagedProcess::of(row, self.inner.engine.run.clock()))
    }

    /// A guard for a process: dropping it ends the process.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = manager.spawn_process(ProcessConfig::new("api", "./api")).await?;
    /// let guard = manager.guard(&id);     // it ends when this is dropped
    /// # Ok(())
    /// # }
    /// ```
    pub fn guard(&self, process: &ProcessId) -> ProcessGuard {
        ProcessGuard::new(&self.inner, process)
    }

    /// The folder of the recording, if it could be made.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", manager.recording());
    /// # Ok(())
    /// # }
    /// ```
    pub fn recording(&self) -> Option<&Path> {
        self.inner.engine.dir.as_deref()
    }

    /// How the whole run stands.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(manager.snapshot().rows.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.engine.run.snapshot()
    }

    /// The supervisor's own handle of the run, which knows more than this face shows.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let events = manager.run().journal().from(0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(&self) -> &crate::supervisor::RunHandle {
        &self.inner.engine.run
    }

    /// Waits until `met` holds of a process, or says of what is known that it will not.
    pub(super) async fn watch<T>(&self, id: &ProcessId, mut met: impl FnMut(&ProcessSnapshot) -> Option<T>) -> Result<T, ProcessError> {
        let mut snapshots = self.inner.engine.run.watch();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if let Some(found) = snapshot.row(id.as_str()).and_then(&mut met) {
                return Ok(found);
            }
            if snapshot.phase == crate::model::Phase::Ended || snapshots.changed().await.is_err() {
                return Err(run_ended(&snapshot));
            }
        }
    }

    /// Why a process that should be there is not.
    pub(super) fn why_not(&self, id: &ProcessId) -> ProcessError {
        let snapshot = self.snapshot();
        snapshot.row(id.as_str()).map_or_else(|| self.unknown(id.as_str()), |row| failed(&self.inner.engine, row))
    }

    /// A process that was added, though perhaps not told of yet.
    pub(super) fn find(&self, name: &str) -> Result<ProcessId, ProcessError> {
        let names = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(name).cloned().ok_or_else(|| {
            drop(names);
            self.unknown(name)
        })
    }

    fn unknown(&self, name: &str) -> ProcessError {
        ProcessError::Unknown { name: name.chars().take(80).collect(), known: self.names().iter().map(ToString::to_string).collect() }
    }

    fn lock_configs(&self) -> std::sync::MutexGuard<'_, HashMap<ProcessId, ProcessConfig>> {
        self.inner.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that was added and may not be alive yet. Dropping it ends the process.
pub(super) struct Begun {
    pub(super) id: ProcessId,
    ticket: Ticket,
    guard: ProcessGuard,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.engine.end_now(TestEnd::Unknown);
        self.hooks.run();
    }
}
