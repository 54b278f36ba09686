//! A run that is being recorded: what every front starts.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    holder::Holder,
    manifest::Manifest,
    place::{PlaceError, RunDir, default_dir},
    recorder::Recorder,
    shelf,
    step_archives::StepArchives,
};
use crate::{
    aside::aside_or_here,
    logs::{Capture, LogStore},
    model::{EventKind, NoticeLevel, Outcome, ProcessId, RunClock, RunSpec},
    process::{
        GuardianError, GuardianProcess, Hold, KILL_BOUND, Order, Orphans, PidFile, Screen, Spawner, TakenTerminal, TreeEvent, runs_dir,
    },
    redact::{self, Redactor},
    supervisor::{self, Driver, Export, Journal, Machine, RunHandle, RunParts, RunTaps, ScriptOptions, UnstartedRun},
    tap::{SETTLED, TapError, TrafficStore},
};

/// What went through taps, in the folder of a recording.
pub(super) const TRAFFIC: &str = "traffic.jsonl";
/// Secrets from the environment are at least this long; shorter values would mask half of every log.
const MIN_ENV_SECRET: usize = 8;

/// Where the recording goes.
#[derive(Debug, Clone, Default)]
pub enum Keep {
    /// Below [`default_dir`]; if that cannot be written, a notice says so and the run goes on in memory.
    #[default]
    Default,
    /// Below this folder; if it cannot be written, nothing starts.
    In(PathBuf),
}

/// A run to start.
#[derive(Debug)]
pub struct RunRequest {
    /// What to run.
    pub spec: Arc<RunSpec>,
    /// Values that are masked everywhere.
    pub secrets: Vec<String>,
    /// Where the recording goes.
    pub keep: Keep,
    /// End the run once there is nothing to wait for (headless).
    pub end_when_done: bool,
    /// How long it may take; the dashboard only gives notice.
    pub timeout: Option<Duration>,
    /// How big the terminals are at first that processes have of their own.
    pub screen: Screen,
    /// How it takes the steps of its scenario.
    pub script: ScriptOptions,
    /// Whether the archives of its steps replace any file; else only archives of the same scenario.
    pub replace_archives: bool,
}

/// Why a run did not start. Nothing of it exists then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The folder that was asked for cannot be written.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// There is no guardian.
    #[error(transparent)]
    Guardian(#[from] GuardianError),
    /// A limit of a process cannot be held here.
    #[error("process {process}: {source}")]
    Limit {
        /// Which.
        process: ProcessId,
        /// Why.
        source: GuardianError,
    },
    /// The port of a tap cannot be had.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// Nobody can start processes.
    #[error("the thread that starts processes could not be started: {0}")]
    Spawner(#[source] std::io::Error),
    /// The thread that reads output could not be started.
    #[error("the capture thread could not be started: {0}")]
    Capture(#[source] std::io::Error),
}

/// A run that is ready to start: its folder is there and its guardian has answered, so nothing can refuse it any more. A front
/// can show already what is about to start. Dropped, it never was.
pub struct PreparedRun {
    kept: Kept,
    dir: HalfMade,
    unstarted: UnstartedRun,
}

/// A run under way, with its recording.
pub struct LiveRun {
    kept: Kept,
    task: JoinHandle<RunParts>,
}

/// What is kept of a run from its preparation to its end.
struct Kept {
    handle: RunHandle,
    dir: Option<RunDir>,
    manifest: Manifest,
    recorder: Option<Recorder>,
    step_archives: Option<Arc<StepArchives>>,
    spawner: Arc<dyn Spawner>,
    pid_file: Option<PidFile>,
    /// Whether old recordings go when this one is done: only where nobody named a place of his own.
    tidy: bool,
}

/// The folder of a run that is still to begin: it goes if the run does not.
struct HalfMade(Option<RunDir>);

impl HalfMade {
    fn remove(&mut self) {
        if let Some(dir) = self.0.take() {
            let _ = std::fs::remove_dir_all(&dir.path);
        }
    }
}

impl Drop for HalfMade {
    fn drop(&mut self) {
        self.remove();
    }
}

impl PreparedRun {
    /// Prepares a run under a guardian that was started before, so that it is there by now. Must be called within a tokio
    /// runtime.
    pub fn new(request: RunRequest, guardian: GuardianProcess) -> Result<Self, StartError> {
        let hold = Hold::of(&request.spec);
        let limited = request.spec.processes.values().find(|process| process.limits.cpu.is_some()).map(|process| process.id.clone());
        // It answers while the folder is made.
        let guardian = match (guardian.greet(Orphans::Adopt, hold), limited) {
            (Err(source @ GuardianError::CpuLimit { .. }), Some(process)) => return Err(StartError::Limit { process, source }),
            (guardian, _) => guardian?,
        };
        Self::under(request, Driver::Front, move |events| Ok(guardian.serve(events)?.into()))
    }

    fn under(
        request: RunRequest,
        driver: Driver,
        launch: impl FnOnce(mpsc::UnboundedSender<TreeEvent>) -> Result<Holder, StartError>,
    ) -> Result<Self, StartError> {
        let RunRequest { spec, secrets, keep, end_when_done, timeout, script, screen, replace_archives } = request;
        let clock = RunClock::start();
        let redactor = Redactor::new(secrets.into_iter().chain(secrets_of_environment()));
        let (dir, mut trouble) = place(&keep, &spec.name, clock)?;
        let mut dir = HalfMade(dir);
        let (tree_sender, tree_events) = mpsc::unbounded_channel();
        let holder = launch(tree_sender)?;
        let spawner = holder.spawner();
        let id = dir.0.as_ref().map_or_else(|| format!("unrecorded-{}", spec.name), |dir| dir.id.clone());
        let runs = runs_dir();
        let (pid_file, no_pid_file) = match holder.pid_file(&runs, &id) {
            Ok(file) => (file, None),
            Err(e) => (
                None,
                Some(format!("{}: {e}: if this program and its guardian are killed at once, no later run cleans up", runs.display())),
            ),
        };
        let info = Machine::describe(&spec, &id, rfc3339(&clock), spawner.containment());
        let journal = Arc::new(Journal::default());
        let names: Vec<ProcessId> = spec.processes.keys().cloned().collect();
        let manifest = Manifest::begin(&info).with_logs_of(&spec, &redactor);
        let kept = dir.0.as_ref().map(|dir| keep_in(dir, &spec, &redactor, &manifest, &names, clock, &journal));
        let (logs, recorder, traffic) = match kept {
            Some(Ok((logs, recorder, traffic))) => (logs, Some(recorder), traffic),
            Some(Err(source)) => {
                let path = dir.0.as_ref().map(|dir| dir.path.clone()).unwrap_or_default();
                if let Keep::In(_) = keep {
                    return Err(PlaceError { dir: path, source }.into());
                }
                trouble = Some(format!("{}: {source}: the recording is kept in memory only", path.display()));
                dir.remove();
                (LogStore::in_memory(&names, clock), None, TrafficStore::default())
            }
            None => (LogStore::in_memory(&names, clock), None, TrafficStore::default()),
        };
        let traffic = Arc::new(traffic);
        for process in spec.processes.values() {
            logs.set_manner(&process.id, process.log.format, &process.log.alert);
        }
        let taps = RunTaps::start(&spec, &redactor, clock, &traffic)?;
        let ours = dir.0.as_ref().map(own_folders).unwrap_or_default();
        let (capture_sender, capture_events) = mpsc::unbounded_channel();
        let capture = Capture::start(logs.clone(), redactor.clone(), capture_sender).map_err(StartError::Capture)?;
        let step_archives = dir.0.as_ref().map(|dir| StepArchives::new(dir.path.clone(), spec.name.clone(), replace_archives));
        let step_archives = step_archives.map(Arc::new);
        let (handle, unstarted) = supervisor::prepare(RunParts {
            spec,
            info,
            spawner: spawner.clone(),
            tree_events,
            capture,
            capture_events,
            logs,
            journal,
            redactor,
            clock,
            end_when_done,
            driver,
            timeout,
            script,
            taps,
            export: step_archives.clone().map(|archives| export_with(archives, traffic.clone())),
            traffic,
            runs,
            ours,
            screen,
            notices: [trouble, no_pid_file]
                .into_iter()
                .flatten()
                .map(|text| EventKind::Notice { level: NoticeLevel::Warning, text })
                .collect(),
        });
        let tidy = matches!(keep, Keep::Default);
        Ok(Self { kept: Kept { handle, dir: None, manifest, recorder, step_archives, spawner, pid_file, tidy }, dir, unstarted })
    }

    /// The handle to ask and read through. What is asked for waits until the run starts.
    pub fn handle(&self) -> &RunHandle {
        &self.kept.handle
    }

    /// The folder of the recording, if it could be made.
    pub fn dir(&self) -> Option<&RunDir> {
        self.dir.0.as_ref()
    }

    /// Who is to be told when the terminal is taken, and when it is given back: should this program be killed in between, its
    /// guardian gives it back.
    pub fn terminal_keeper(&self) -> impl Fn(Option<TakenTerminal>) + Send + Sync + 'static {
        let spawner = Arc::downgrade(&self.kept.spawner);
        move |taken| {
            if let Some(spawner) = spawner.upgrade() {
                // Without a guardian the run is over, and this program gives its terminal back itself.
                let _ = spawner.send(Order::Terminal { taken });
            }
        }
    }

    /// Starts the run. Must be called within a tokio runtime.
    pub fn start(mut self) -> LiveRun {
        LiveRun { task: self.unstarted.start(), kept: Kept { dir: self.dir.0.take(), ..self.kept } }
    }
}

impl LiveRun {
    /// Starts the run. Must be called within a tokio runtime.
    pub fn start(request: RunRequest) -> Result<Self, StartError> {
        PreparedRun::new(request, GuardianProcess::start()?).map(PreparedRun::start)
    }

    /// Starts the run under whom `launch` makes; `driver` says what ends it. Must be called within a tokio runtime.
    pub fn start_under(
        request: RunRequest,
        driver: Driver,
        launch: impl FnOnce(mpsc::UnboundedSender<TreeEvent>) -> Result<Holder, StartError>,
    ) -> Result<Self, StartError> {
        PreparedRun::under(request, driver, launch).map(PreparedRun::start)
    }

    /// The handle to ask and read through.
    pub fn handle(&self) -> &RunHandle {
        &self.kept.handle
    }

    /// The folder of the recording, if it could be made.
    pub fn dir(&self) -> Option<&RunDir> {
        self.kept.dir.as_ref()
    }

    /// Waits for the end of the run, then until all of it is on disk.
    pub async fn finish(self) -> Outcome {
        let Kept { handle, dir, manifest, recorder, step_archives, spawner, pid_file, tidy } = self.kept;
        let outcome = handle.ended().await;
        if let Some(archives) = step_archives {
            aside_or_here(move || archives.give_up()).await;
        }
        if let Ok(parts) = self.task.await {
            // The spawner goes first: what it kills may still say something, and that is read.
            let capture = parts.capture;
            drop(parts.spawner);
            aside_or_here(move || {
                spawner.kill_all(KILL_BOUND);
                drop((spawner, capture));
            })
            .await;
            // The taps end with what is left of the parts; then all that they saw is written.
            drop(parts.taps);
            let traffic = parts.traffic;
            aside_or_here(move || traffic.finish()).await;
            // Nothing is left that a later run would have to look for.
            drop(pid_file);
        }
        if let Some(recorder) = recorder
            && let Some(Some(e)) = aside_or_here(move || recorder.finish()).await
        {
            tracing::warn!("events.jsonl is not complete: {e}");
        }
        if let Some(dir) = &dir {
            let duration_ms = Some(handle.snapshot().at.millis());
            let processes = handle.snapshot().rows.iter().map(|row| row.id().clone()).collect();
            let manifest = Manifest { outcome: Some(outcome.clone()), duration_ms, processes, ..manifest };
            if let Err(e) = dir.write("manifest.json", &manifest.to_json()) {
                tracing::warn!("manifest.json still says that the run goes on: {e}");
            }
            if let Some(base) = dir.path.parent().filter(|_| tidy).map(Path::to_owned) {
                aside_or_here(move || shelf::prune(&base, &shelf::AUTOMATIC)).await;
            }
        }
        outcome
    }
}

/// The folder of the recording, and that of all recordings: what is written there is the run's own doing.
fn own_folders(dir: &RunDir) -> Vec<PathBuf> {
    let own = dir.path.canonicalize().ok();
    own.iter().flat_map(|own| own.ancestors().take(2)).map(Path::to_owned).collect()
}

/// A folder for the run; none, with the reason, if the default place cannot be written.
fn place(keep: &Keep, scenario: &str, clock: RunClock) -> Result<(Option<RunDir>, Option<String>), PlaceError> {
    match keep {
        Keep::In(base) => RunDir::create(base, scenario, clock.wall()).map(|dir| (Some(dir), None)),
        Keep::Default => Ok(match RunDir::create(&default_dir(), scenario, clock.wall()) {
            Ok(dir) => (Some(dir), None),
            Err(e) => (None, Some(format!("{e}: the recording is kept in memory only"))),
        }),
    }
}

/// Archives of steps hold what went through taps until then.
fn export_with(archives: Arc<StepArchives>, traffic: Arc<TrafficStore>) -> Export {
    Arc::new(move |target: &Path| {
        traffic.settle(SETTLED);
        archives.write(target)
    })
}

fn keep_in(
    dir: &RunDir,
    spec: &RunSpec,
    redactor: &Redactor,
    manifest: &Manifest,
    names: &[ProcessId],
    clock: RunClock,
    journal: &Arc<Journal>,
) -> std::io::Result<(Arc<LogStore>, Recorder, TrafficStore)> {
    dir.write_first("manifest.json", &manifest.to_json())?;
    dir.write_first("scenario.toml", redactor.mask(&spec.source).as_bytes())?;
    let logs = LogStore::create(dir.logs(), names, clock)?;
    for process in spec.processes.values() {
        logs.cap(&process.id, process.log.max_disk);
    }
    logs.cap_all(spec.recording_max_disk);
    let tapped = spec.processes.values().any(|process| process.is_tapped());
    let traffic = if tapped { TrafficStore::create(&dir.path.join(TRAFFIC))? } else { TrafficStore::default() };
    let recorder = Recorder::start(&dir.path.join("events.jsonl"), journal.clone())?;
    Ok((logs, recorder, traffic))
}

fn secrets_of_environment() -> impl Iterator<Item = String> {
    // What is no UTF-8 cannot be looked for in text, and must not stop the run either.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| value.len() >= MIN_ENV_SECRET && redact::looks_secret(name))
        .map(|(_, value)| value)
}

/// The run's start, RFC 3339 with microseconds.
fn rfc3339(clock: &RunClock) -> String {
    clock.wall().round(jiff::Unit::Microsecond).map_or_else(|_| clock.wall().to_string(), |t| format!("{t:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_half_made_goes_with_the_run_that_did_not_begin() {
        let base = tempfile::tempdir().expect("a folder");
        let clock = RunClock::start();
        let dir = RunDir::create(base.path(), "x", clock.wall()).expect("a free name");
        dir.write("manifest.json", b"{}").expect("a disk");
        drop(HalfMade(Some(dir)));
        assert_eq!(std::fs::read_dir(base.path()).expect("readable").count(), 0);
    }
}
