//! A whole run, and how its trees are held together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    super::{Expectation, ProcessId, StepSpec},
    ProcessSpec,
};

/// A whole run, resolved.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// The scenario's name.
    pub name: String,
    /// One line about it; empty if the file has none.
    pub description: String,
    /// Headless: the run ends with exit code 4 after this long.
    pub timeout: Option<Duration>,
    /// The folder of the scenario file: where relative paths start.
    pub dir: PathBuf,
    /// What a user calls the file: its path, or `bundled forward.toml`.
    pub origin: String,
    /// The file as it was read, for the recording. Masked before it is written.
    pub source: String,
    /// All processes, in file order.
    pub processes: IndexMap<ProcessId, Arc<ProcessSpec>>,
    /// The ports leased for the run, by name.
    pub ports: IndexMap<String, u16>,
    /// How trees are held together.
    pub containment: Containment,
    /// Commands run once at the end, always.
    pub cleanup: Vec<Vec<String>>,
    /// Assertions on logs, part of the verdict.
    pub expectations: Vec<Expectation>,
    /// The script, for demos and chaos runs.
    pub steps: Vec<StepSpec>,
    /// Bytes kept of the run; the oldest output goes first.
    pub recording_max_disk: u64,
}

impl RunSpec {
    /// A run of nothing, with everything as it is where a file says nothing.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            timeout: None,
            dir: PathBuf::from("/"),
            origin: name.to_owned(),
            source: String::new(),
            processes: IndexMap::new(),
            ports: IndexMap::new(),
            containment: Containment::Auto,
            cleanup: Vec::new(),
            expectations: Vec::new(),
            steps: Vec::new(),
            recording_max_disk: 10_000_000_000,
        }
    }
}

/// How the trees of children are held together so that none escapes a stop.
///
/// ```
/// use e2e_tui::harness::Containment;
///
/// assert_eq!(Containment::default(), Containment::Auto);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Containment {
    /// The best that this machine offers.
    #[default]
    Auto,
    /// A PID namespace.
    Pidns,
    /// A cgroup v2 with `cgroup.kill`.
    Cgroup,
    /// Guardian and subreapers with a sweep of /proc.
    Subreaper,
    /// Process groups and sessions alone.
    Group,
}

impl Containment {
    /// All of them, in the order of the scenario's words.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Pidns, Self::Cgroup, Self::Subreaper, Self::Group];

    /// As a scenario writes it: `cgroup`.
    ///
    /// ```
    /// assert_eq!(e2e_tui::harness::Containment::Cgroup.word(), "cgroup");
    /// ```
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pidns => "pidns",
            Self::Cgroup => "cgroup",
            Self::Subreaper => "subreaper",
            Self::Group => "group",
        }
    }

    /// The one that is written so.
    ///
    /// ```
    /// use e2e_tui::harness::Containment;
    ///
    /// assert_eq!(Containment::named("group"), Some(Containment::Group));
    /// ```
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}
