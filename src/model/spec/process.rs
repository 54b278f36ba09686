//! A process, once every name in it is resolved.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    super::{FileSpec, ProcessId, Text, WatchGlob},
    Dependency, HealthSpec, Limits, LogSpec, Probe, ReadySpec, RestartPolicy, StopSpec,
};

/// What a process is for; decides what its end means.
///
/// ```
/// use e2e_tui::harness::{ProcessConfig, Role};
///
/// let seed = ProcessConfig::new("seed", "./seed").role(Role::Task);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs for as long as it is needed.
    #[default]
    Service,
    /// Runs to its end before others start.
    Task,
    /// Its exit code decides the verdict.
    Test,
}

impl Role {
    /// `service`, `task` or `test`.
    ///
    /// ```
    /// assert_eq!(e2e_tui::harness::Role::Task.word(), "task");
    /// ```
    pub fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Task => "task",
            Self::Test => "test",
        }
    }
}

/// A process of the scenario, resolved.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Its name.
    pub id: ProcessId,
    /// What it is for.
    pub role: Role,
    /// Its built-in kind (`mock-upstream`, `shadowcat`, …), if it has one.
    pub kind: Option<String>,
    /// Whether a built-in stand-in runs in place of the real program.
    pub stand_in: bool,
    /// Program and arguments, passed verbatim. A program without a slash is looked up in the child's PATH.
    pub argv: Vec<Text>,
    /// Working directory, absolute.
    pub cwd: PathBuf,
    /// Variables set on top of the inherited environment.
    pub env: IndexMap<String, Text>,
    /// Start from an empty environment instead of the inherited one.
    pub env_clear: bool,
    /// The ports it owns.
    pub listens: Vec<ListenPort>,
    /// Whether it starts with the run.
    pub autostart: bool,
    /// What it waits for.
    pub depends_on: Vec<Dependency>,
    /// When it counts as ready.
    pub ready: ReadySpec,
    /// How its health is watched.
    pub health: Option<HealthSpec>,
    /// What happens after an exit nobody asked for.
    pub restart: RestartPolicy,
    /// How it is stopped.
    pub stop: StopSpec,
    /// Longest life of one generation.
    pub timeout: Option<Duration>,
    /// What its stdin is.
    pub stdin: StdinMode,
    /// Whether it runs on a terminal of its own.
    pub tty: bool,
    /// Resource limits of its tree.
    pub limits: Limits,
    /// How its output is read.
    pub log: LogSpec,
    /// Commands run once at the end of the run, always.
    pub cleanup: Vec<Vec<String>>,
    /// Files rendered before each start.
    pub files: Vec<FileSpec>,
    /// Whether a recording hop stands in front of what it listens on; where that is nothing, whether what goes over its pipes is
    /// recorded.
    pub tap: bool,
    /// Files whose change restarts it.
    pub watch: Vec<WatchGlob>,
    /// A task is done where this path exists.
    pub skip_if_exists: Option<PathBuf>,
}

impl ProcessSpec {
    /// Whether a tap stands in front of a port of its, or on its pipes.
    pub fn is_tapped(&self) -> bool {
        self.taps_pipes() || self.listens.iter().any(|listen| listen.front.is_some())
    }

    /// Whether its pipes are tapped: it listens on nothing. A terminal is no pipe, it echoes.
    pub fn taps_pipes(&self) -> bool {
        self.tap && self.listens.is_empty() && self.stdin == StdinMode::Pipe && !self.tty
    }

    /// A service, with everything as it is where a file says nothing.
    pub fn new(id: ProcessId) -> Self {
        Self {
            id,
            role: Role::Service,
            kind: None,
            stand_in: false,
            argv: Vec::new(),
            cwd: PathBuf::from("/"),
            env: IndexMap::new(),
            env_clear: false,
            listens: Vec::new(),
            autostart: true,
            depends_on: Vec::new(),
            ready: ReadySpec::default(),
            health: None,
            restart: RestartPolicy::default(),
            stop: StopSpec::default(),
            timeout: None,
            stdin: StdinMode::Null,
            tty: false,
            limits: Limits::default(),
            log: LogSpec::default(),
            cleanup: Vec::new(),
            files: Vec::new(),
            tap: false,
            watch: Vec::new(),
            skip_if_exists: None,
        }
    }

    /// The processes whose captured ports its command line, environment or probes need.
    pub fn needs_ports_of(&self) -> BTreeSet<ProcessId> {
        let probes = [self.ready.probe.as_ref(), self.health.as_ref().map(|h| &h.probe)];
        let texts = self.argv.iter().chain(self.env.values()).chain(probes.into_iter().flatten().flat_map(Probe::texts));
        let mut all: BTreeSet<_> = texts.flat_map(Text::ports_of).collect();
        all.remove(&self.id);
        all
    }
}

/// A port that a process owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct ListenPort {
    /// Its name in `[ports]`.
    pub name: String,
    /// Its number, as the process is told it.
    pub port: u16,
    /// The number that everybody else is told, where a tap stands in front of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<u16>,
}

impl ListenPort {
    /// A port without a tap.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), port, front: None }
    }

    /// The number that others are told.
    pub fn told(&self) -> u16 {
        self.front.unwrap_or(self.port)
    }
}

/// What a child's stdin is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StdinMode {
    /// `/dev/null`: reads end at once.
    #[default]
    Null,
    /// A pipe that lines can be sent to.
    Pipe,
}

/// Where what is sent to a process arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reads {
    /// Nowhere: it reads nothing.
    #[default]
    Nothing,
    /// In a pipe, line by line.
    Pipe,
    /// In a terminal of its own, key by key.
    Terminal,
}

impl Reads {
    /// Whether nothing can be sent to it.
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}
