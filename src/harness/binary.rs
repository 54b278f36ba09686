//! Where the `e2e-tui` binary is, and who starts processes: its guardian, or without it a thread of this program.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc::UnboundedSender;

use super::{BINARY_VARIABLE, HarnessError};
use crate::{
    model::Containment,
    process::{Guardian, GuardianProcess, Hold, LocalSpawner, Orphans, TreeEvent},
    record::{Holder, StartError},
};

/// The name of the binary.
const NAME: &str = "e2e-tui";

/// A binary, and who named it.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub(super) path: PathBuf,
    named_by: &'static str,
}

impl Binary {
    /// The one that `asked` names, else `E2E_TUI_BIN`, else the one that cargo has built beside this test.
    pub(super) fn find(asked: Option<PathBuf>) -> Option<Self> {
        let variable = || std::env::var_os(BINARY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = asked.map(|path| (path, "`.binary()`")).or_else(|| variable().map(|path| (path, BINARY_VARIABLE)));
        let (path, named_by) = named.or_else(|| beside_this_program().map(|path| (path, "its place beside this program")))?;
        // The processes that it becomes have working directories of their own.
        let path = std::env::current_dir().map(|here| here.join(&path)).unwrap_or(path);
        Some(Self { path, named_by })
    }

    fn refused(&self, source: crate::process::GuardianError) -> HarnessError {
        HarnessError::Binary { named_by: self.named_by, source }
    }
}

/// `target/debug/e2e-tui` as seen from `target/debug/deps/test-1f2e` or `target/debug/examples/x`.
fn beside_this_program() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    let folder = this.parent()?;
    let above = folder.file_name().is_some_and(|name| name == "deps" || name == "examples").then(|| folder.parent()).flatten();
    let found = [Some(folder), above].into_iter().flatten().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    found.filter(|path| *path != this)
}

/// Starts whoever starts processes. Nothing of this program is changed: it becomes no subreaper.
pub(super) fn holder(hold: Hold, binary: Option<&Binary>, events: UnboundedSender<TreeEvent>) -> Result<Holder, HarnessError> {
    if let (Containment::Group, Some(binary)) = (hold.containment, binary) {
        // It is not needed for this, but its parts may be started.
        GuardianProcess::start_from(&binary.path).and_then(GuardianProcess::verify).map_err(|source| binary.refused(source))?;
    }
    match (hold.containment, binary) {
        // A thread of this program and a watcher process. What daemonises itself with an emptied environment gets away.
        (Containment::Group, _) | (Containment::Auto, None) => Ok(LocalSpawner::start(events).map_err(StartError::Spawner)?.into()),
        (_, Some(binary)) => {
            let guardian = Guardian::launch_from(&binary.path, Orphans::Leave, hold, events).map_err(|source| binary.refused(source))?;
            Ok(guardian.into())
        }
        (_, None) => Err(super::ProcessError::NoBinary { process: "the guardian".to_owned() }.into()),
    }
}

/// The path of a binary, where there is one.
pub(super) fn path(binary: Option<&Binary>) -> Option<&Path> {
    binary.map(|binary| binary.path.as_path())
}
