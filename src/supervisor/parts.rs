//! What a run is made of, whoever starts it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{
    Journal,
    machine::{Driver, ScriptOptions},
    taps::RunTaps,
};
use crate::{
    logs::{Capture, CaptureEvent, LogStore},
    model::{EventKind, RunClock, RunInfo, RunSpec},
    process::{Screen, Spawner, TreeEvent},
    redact::Redactor,
    tap::TrafficStore,
};

/// Everything a run needs besides its scenario.
pub struct RunParts {
    /// What to run.
    pub spec: Arc<RunSpec>,
    /// What the run's first event tells.
    pub info: RunInfo,
    /// Who starts and ends processes.
    pub spawner: Arc<dyn Spawner>,
    /// What the spawner says.
    pub tree_events: mpsc::UnboundedReceiver<TreeEvent>,
    /// Who reads their output.
    pub capture: Capture,
    /// What it finds in it.
    pub capture_events: mpsc::UnboundedReceiver<CaptureEvent>,
    /// Where the output goes.
    pub logs: Arc<LogStore>,
    /// Where events go.
    pub journal: Arc<Journal>,
    /// Masks events.
    pub redactor: Redactor,
    /// The run's clock.
    pub clock: RunClock,
    /// End the run once there is nothing to wait for (headless).
    pub end_when_done: bool,
    /// Who drives the run.
    pub driver: Driver,
    /// How long a headless run may take.
    pub timeout: Option<Duration>,
    /// Folders that the run itself writes to: no change in them restarts anything.
    pub ours: Vec<PathBuf>,
    /// How the run takes the steps of its scenario.
    pub script: ScriptOptions,
    /// What stands in front of processes with a tap; none: no process has one.
    pub taps: Option<RunTaps>,
    /// What went through them.
    pub traffic: Arc<TrafficStore>,
    /// Packs the run, as far as it is, into an archive at this path, and says what came of it; none: it is not recorded.
    /// Called on a thread of its own.
    pub export: Option<Export>,
    /// Where runs leave word of themselves: what dead ones have left alive is ended, and told.
    pub runs: PathBuf,
    /// How big a terminal of a process is at first.
    pub screen: Screen,
    /// What is to be said about the run right after it began.
    pub notices: Vec<EventKind>,
}

/// Writes an archive, and says in one line what came of it.
pub type Export = Arc<dyn Fn(&std::path::Path) -> Result<String, String> + Send + Sync>;
