//! What is run.

use std::path::{Path, PathBuf};

/// The program of a process.
///
/// ```no_run
/// use e2e_tui::harness::{ProcessConfig, Program};
///
/// let own: Program = "./target/debug/api".into();
/// let api = ProcessConfig::new("api", own);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// A path, or a name that is looked up in the process's own PATH. A relative path counts from the working directory.
    Path(PathBuf),
    /// The `e2e-tui` binary, which has the built-in parts; see [`BINARY_VARIABLE`](crate::harness::BINARY_VARIABLE).
    BuiltIn,
}

impl From<&str> for Program {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<String> for Program {
    fn from(path: String) -> Self {
        Self::Path(path.into())
    }
}

impl From<&Path> for Program {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

impl From<PathBuf> for Program {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}
