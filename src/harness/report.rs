//! How a test's run ended: what is archived, and what is printed where a person looks first.

use std::path::{Path, PathBuf};

use super::engine::Engine;
use crate::{
    explain::{Closing, closing_block, explain, leaks},
    model::{EventKind, Leak, Outcome, ProcessId},
    record::archive::{ExportError, export},
};

/// How many archives of one name there may be in a folder.
const MOST_NAMESAKES: usize = 1000;

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

    /// Writes an archive of the recording into `dir`, under a name that no other has there: the archives of tests that record into
    /// different folders meet in one. What goes wrong is for the text that is printed.
    pub(super) fn archive_in(&mut self, engine: &Engine, dir: &Path) -> Option<String> {
        let failed = |why: String| Some(format!("no archive could be written: {why}\n"));
        let Some(recording) = &self.recording else { return failed(unrecorded(engine)) };
        if let Err(error) = std::fs::create_dir_all(dir) {
            return failed(format!("{}: {error}", dir.display()));
        }
        let id = recording.file_name().unwrap_or_default().to_string_lossy();
        let names = (1..).map(|n| if n == 1 { format!("{id}.tar.zst") } else { format!("{id}-{n}.tar.zst") });
        for name in names.take(MOST_NAMESAKES) {
            match export(recording, &dir.join(name), false) {
                Ok(written) => {
                    self.archive = Some(written.path);
                    return None;
                }
                Err(ExportError::Exists(_)) => {}
                Err(why) => return failed(why.to_string()),
            }
        }
        failed(format!("{}: {MOST_NAMESAKES} archives there are called {id}", dir.display()))
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

/// Why there is no recording, as the run's first notice has it.
fn unrecorded(engine: &Engine) -> String {
    let events = engine.run.journal().from(0);
    let notice = events.iter().find_map(|event| match &event.kind {
        EventKind::Notice { text, .. } => Some(text.clone()),
        _ => None,
    });
    notice.unwrap_or_else(|| "the run was not recorded".to_owned())
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
