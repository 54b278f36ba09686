//! How a test's run ended: what is archived, and what is printed where a person looks first.

use std::path::{Path, PathBuf};

use super::{HarnessError, engine::Engine};
use crate::{
    explain::{Closing, closing_block, explain, leaks},
    model::{Leak, Outcome, ProcessId},
    record::archive::export,
};

/// How a test's run ended.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// # let harness = e2e_tui::harness::E2ETestHarness::new().await?;
/// let report = harness.shutdown().await?;
/// assert!(report.leaks.is_empty());
/// println!("recorded in {:?}", report.recording);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestReport {
    /// The verdict, its exit code and its reason.
    pub outcome: Outcome,
    /// What outlived its stop, or held a port: `pid 4711 (sleep 600), left by proxy`.
    pub leaks: Vec<String>,
    /// The folder of the recording.
    pub recording: Option<PathBuf>,
    /// The archive, where one was written.
    pub archive: Option<PathBuf>,
}

impl TestReport {
    pub(super) fn of(engine: &Engine, outcome: Outcome) -> Self {
        Self { outcome, leaks: told(leaks(&engine.run.journal().from(0))), recording: engine.dir.clone(), archive: None }
    }

    /// Itself, unless something leaked.
    pub(super) fn without_leaks(self) -> Result<Self, HarnessError> {
        if self.leaks.is_empty() { Ok(self) } else { Err(HarnessError::Leaked(self.leaks)) }
    }

    /// Writes an archive of the recording into `dir`. What goes wrong is for the text that is printed.
    pub(super) fn archive_in(&mut self, dir: &Path) -> Option<String> {
        let recording = self.recording.as_ref()?;
        let id = recording.file_name()?.to_string_lossy().into_owned();
        let target = dir.join(format!("{id}.tar.zst"));
        let made = std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()));
        match made.and_then(|()| export(recording, &target, false).map_err(|error| error.to_string())) {
            Ok(written) => {
                self.archive = Some(written.path);
                None
            }
            Err(why) => Some(format!("no archive could be written: {why}\n")),
        }
    }

    /// What happened, with the places of recording and archive and how to replay them.
    pub(super) fn text(&self, engine: &Engine) -> String {
        let (events, logs) = (engine.run.journal().from(0), engine.run.logs());
        let explanation = explain(&events, &logs);
        let archives: Vec<String> = self.archive.iter().map(|path| format!("Archive: {}", path.display())).collect();
        let shown = self.archive.as_ref().or(self.recording.as_ref());
        let replay = shown.map(|path| format!("e2e-tui replay {}", path.display()));
        closing_block(&Closing { events: &events, logs: &logs, explanation: explanation.as_ref(), replay, archives: &archives, full: true })
    }
}

fn told(leaks: Vec<(ProcessId, Leak)>) -> Vec<String> {
    leaks
        .into_iter()
        .map(|(process, leak)| match (leak.pid, leak.port) {
            (Some(pid), _) => format!("pid {pid} ({}), left by {process}", leak.command),
            (None, Some(port)) => format!("port {port} of {process}, still bound by {}", leak.command),
            (None, None) => format!("{}, left by {process}", leak.command),
        })
        .collect()
}
