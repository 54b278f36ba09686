//! A scenario once every name in it is resolved: what the supervisor needs to know, and nothing about files.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{CustomProbe, Expectation, FileSpec, ProcessId, Signal, StepSpec, Text, WatchGlob};

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
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
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// What a process is for; decides what its end means.
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
    /// Whether a recording hop stands in front of what it listens on.
    pub tap: bool,
    /// Files whose change restarts it.
    pub watch: Vec<WatchGlob>,
    /// A task is done where this path exists.
    pub skip_if_exists: Option<PathBuf>,
}

impl ProcessSpec {
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
    /// Its number.
    pub port: u16,
}

/// One dependency of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// On whom.
    pub on: ProcessId,
    /// What must hold of it.
    pub condition: Condition,
}

/// What must hold of a dependency before its dependant starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It was started.
    Started,
    /// It is ready.
    Ready,
    /// Its health check says so.
    Healthy,
    /// It has ended, with any code.
    Completed,
    /// It has ended with code 0.
    Succeeded,
}

impl Condition {
    /// The word in the file: `ready`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Healthy => "healthy",
            Self::Completed => "completed",
            Self::Succeeded => "succeeded",
        }
    }
}

/// A question asked of a process to learn how it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Probe {
    /// An HTTP request and what it must answer.
    Http(HttpProbe),
    /// A TCP connection to `127.0.0.1:PORT` or another address.
    Tcp {
        /// `host:port`.
        addr: Text,
    },
    /// A line of its output that matches. May capture `(?<port>…)`.
    Log {
        /// A Rust regex, on the line without its colour codes.
        pattern: regex::Regex,
    },
    /// A command that exits with 0.
    Exec {
        /// Program and arguments.
        argv: Vec<Text>,
    },
    /// A line sent to its stdin and the answer on its stdout.
    Stdio {
        /// The line to send.
        send: String,
        /// What the answer must match.
        expect: regex::Regex,
    },
    /// A question that the program which drives the run asks by itself.
    Custom(CustomProbe),
}

impl Probe {
    /// The interpolated texts in it.
    pub fn texts(&self) -> Vec<&Text> {
        match self {
            Self::Http(http) => std::iter::once(&http.url).chain(http.headers.iter().map(|(_, v)| v)).chain(&http.body).collect(),
            Self::Tcp { addr } => vec![addr],
            Self::Exec { argv } => argv.iter().collect(),
            Self::Log { .. } | Self::Stdio { .. } | Self::Custom(_) => Vec::new(),
        }
    }

    /// The key in the file: `http`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp { .. } => "tcp",
            Self::Log { .. } => "log",
            Self::Exec { .. } => "exec",
            Self::Stdio { .. } => "stdio",
            Self::Custom(_) => "custom",
        }
    }
}

/// An HTTP probe: no redirects, no proxy, the body read to 10 KiB.
#[derive(Debug, Clone)]
pub struct HttpProbe {
    /// Where.
    pub url: Text,
    /// `GET` unless the file says otherwise.
    pub method: String,
    /// Extra headers.
    pub headers: Vec<(String, Text)>,
    /// What to send.
    pub body: Option<Text>,
    /// Statuses that are well; 200 unless the file says otherwise.
    pub expect: Vec<u16>,
    /// What the body must match.
    pub expect_body: Option<regex::Regex>,
}

/// When a process counts as ready.
#[derive(Debug, Clone)]
pub struct ReadySpec {
    /// What is asked; none: being alive is enough.
    pub probe: Option<Probe>,
    /// How long it may take.
    pub timeout: Duration,
    /// The pause between two attempts.
    pub interval: Duration,
}

impl Default for ReadySpec {
    fn default() -> Self {
        Self { probe: None, timeout: Duration::from_secs(30), interval: Duration::from_millis(100) }
    }
}

/// How health is watched.
#[derive(Debug, Clone)]
pub struct HealthSpec {
    /// What is asked.
    pub probe: Probe,
    /// The pause after one probe's end before the next.
    pub interval: Duration,
    /// The whole time of one probe, from connect to the body's last byte.
    pub timeout: Duration,
    /// Failures in this time after the start do not count.
    pub start_period: Duration,
    /// Failures in a row that make it unhealthy.
    pub failures: u32,
    /// Successes in a row that make it healthy again.
    pub successes: u32,
    /// Slower answers are degraded.
    pub degraded_after: Option<Duration>,
    /// Statuses that are degraded.
    pub degraded: Vec<u16>,
    /// What being unhealthy leads to.
    pub on_unhealthy: OnUnhealthy,
    /// Probe only while somebody looks or waits.
    pub lazy: bool,
}

/// What being unhealthy leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnhealthy {
    /// A restart, where the restart policy allows one.
    #[default]
    Restart,
    /// Nothing but the state.
    None,
}

/// Which exits lead to a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartMode {
    /// None.
    #[default]
    Never,
    /// Any that is not exit 0.
    OnFailure,
    /// All.
    Always,
}

/// The restart policy.
#[derive(Debug, Clone, PartialEq)]
pub struct RestartPolicy {
    /// Which exits count.
    pub mode: RestartMode,
    /// Restarts (not starts) before giving up; `on-failure`.
    pub max_attempts: u32,
    /// The first delay; it doubles.
    pub backoff: Duration,
    /// The longest delay.
    pub max_backoff: Duration,
    /// A share of the delay, 0 to 1, drawn at random on top.
    pub jitter: f64,
    /// Alive this long, it starts counting anew.
    pub reset_after: Duration,
    /// `always`: the delay before each start.
    pub delay: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            mode: RestartMode::Never,
            max_attempts: 3,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            jitter: 0.0,
            reset_after: Duration::from_mins(1),
            delay: Duration::from_secs(1),
        }
    }
}

/// How a process is stopped: its whole tree is, and the stop ends when the tree is empty.
#[derive(Debug, Clone)]
pub struct StopSpec {
    /// What is sent first.
    pub signal: Signal,
    /// How long the tree has before KILL.
    pub grace: Duration,
    /// A command run instead of the signal.
    pub command: Option<Vec<Text>>,
}

impl Default for StopSpec {
    fn default() -> Self {
        Self { signal: Signal::TERM, grace: Duration::from_secs(10), command: None }
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

/// Resource limits; none is set unless the file says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Resident memory of the whole tree, in bytes.
    pub memory: Option<u64>,
    /// Open descriptors of each process.
    pub open_files: Option<u64>,
    /// Processes of the whole tree; where the system holds the user to it, of the user.
    pub processes: Option<u64>,
    /// CPU time of each process.
    pub cpu_time: Option<Duration>,
    /// Cores, where cgroups allow it.
    pub cpu: Option<f64>,
    /// Address space of each process, in bytes.
    pub address_space: Option<u64>,
}

/// How lines of output are taken apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// By what each line looks like.
    #[default]
    Auto,
    /// Not at all.
    Plain,
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// As Rust's tracing prints.
    Tracing,
}

impl LogFormat {
    /// As the file writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Plain => "plain",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Tracing => "tracing",
        }
    }
}

/// How a process's output is read.
#[derive(Debug, Clone)]
pub struct LogSpec {
    /// How lines are taken apart.
    pub format: LogFormat,
    /// Lines that matter, besides the built-in ones.
    pub alert: Vec<regex::Regex>,
    /// Bytes kept on disk; the oldest go first.
    pub max_disk: u64,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self { format: LogFormat::Auto, alert: Vec::new(), max_disk: 4_000_000_000 }
    }
}
