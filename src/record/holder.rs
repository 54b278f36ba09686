//! Who holds a run's processes together.

use std::{io, path::Path, sync::Arc};

use crate::process::{Guardian, LocalSpawner, PidFile, Spawner};

/// Who holds a run's processes together, and kills them when the program is gone.
#[derive(Clone)]
pub enum Holder {
    /// A guardian process.
    Guardian(Arc<Guardian>),
    /// A thread of this very program, and its watcher.
    Local(Arc<LocalSpawner>),
}

impl Holder {
    /// As the supervisor knows it.
    pub fn spawner(&self) -> Arc<dyn Spawner> {
        match self {
            Self::Guardian(guardian) => guardian.clone(),
            Self::Local(local) => local.clone(),
        }
    }

    /// Word of the run for later ones, should this program and its guardian be killed at once. A local spawner leaves none.
    pub(super) fn pid_file(&self, runs: &Path, run: &str) -> io::Result<Option<PidFile>> {
        match self {
            Self::Guardian(guardian) => PidFile::create(runs, run, guardian).map(Some),
            Self::Local(_) => Ok(None),
        }
    }
}

impl From<Guardian> for Holder {
    fn from(guardian: Guardian) -> Self {
        Self::Guardian(Arc::new(guardian))
    }
}

impl From<LocalSpawner> for Holder {
    fn from(local: LocalSpawner) -> Self {
        Self::Local(Arc::new(local))
    }
}
