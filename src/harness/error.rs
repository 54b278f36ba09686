//! What can go wrong, each with the evidence that a person needs: how it ended, what it said last, where all of it is.

use std::{fmt, path::PathBuf, time::Duration};

use crate::{
    model::{Exit, ProcessId, human_duration},
    process::GuardianError,
    record::StartError,
    scenario::{LeaseError, LocateError},
};

/// Names the `e2e-tui` binary whose parts a harness starts and which watches over its processes.
///
/// ```no_run
/// println!("{} = {:?}", e2e_tui::harness::BINARY_VARIABLE, std::env::var_os(e2e_tui::harness::BINARY_VARIABLE));
/// ```
pub const BINARY_VARIABLE: &str = "E2E_TUI_BIN";

/// What is known of a process that failed.
///
/// ```
/// let evidence = e2e_tui::harness::Evidence::default();
/// assert!(evidence.last_lines.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// Its name.
    pub process: String,
    /// Its state, in the contract's word: `failed`.
    pub state: String,
    /// How its newest generation ended, if it did.
    pub exit: Option<Exit>,
    /// Its last lines, newest last; of its standard error, if it said anything there.
    pub last_lines: Vec<String>,
    /// The folder of the recording, if there is one: `e2e-tui replay` opens it.
    pub recording: Option<PathBuf>,
}

impl fmt::Display for Evidence {
    /// One line for each of the last lines, each on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.last_lines {
            write!(f, "\n  {} | {line}", self.process)?;
        }
        match &self.recording {
            Some(path) => write!(f, "\n  recorded: {}", path.display()),
            None => Ok(()),
        }
    }
}

/// A process did not do what was asked of it. `{:?}` is the same text as `{}`: it is what a test shows that returns or unwraps it.
///
/// ```
/// use e2e_tui::harness::ProcessError;
///
/// fn exit_code(error: &ProcessError) -> Option<i32> {
///     match error {
///         ProcessError::UnexpectedExit { exit, .. } => exit.code(),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It could not be started.
    #[error("{} could not be started: {reason}{evidence}", .evidence.process)]
    SpawnFailed {
        /// The whole story: path, PATH searched, working directory, the system's words.
        reason: String,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// It was started, but did not become ready in its time, or somebody else answers in its place.
    #[error("{} was not ready within {}: {last}{}{evidence}", .evidence.process, human_duration(*.within), expected(awaited))]
    NeverReady {
        /// What it had to show: `GET http://127.0.0.1:20001/health answers 200`. Empty where being alive is enough.
        awaited: String,
        /// What the last attempt met: `connect 127.0.0.1:20001: Connection refused`.
        last: String,
        /// How long it was given.
        within: Duration,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// It was ready once, and its health check has failed too often.
    #[error("{} is not well: {last}{evidence}", .evidence.process)]
    HealthCheckFailed {
        /// What the last attempt met.
        last: String,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// It used more than one of its limits allows, or lived longer than its timeout, and was ended for that.
    #[error("{} went beyond a limit: {what}{evidence}", .evidence.process)]
    LimitExceeded {
        /// Which, and by how much: `memory 612 MiB of 500 MiB`, `timed out after 30 s`.
        what: String,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// It ended although nobody had asked for that.
    #[error("{} {} after {}{evidence}", .evidence.process, ended(*exit), human_duration(*.after))]
    UnexpectedExit {
        /// How it ended.
        exit: Exit,
        /// How long it lived.
        after: Duration,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// It ended more often than its restart policy allows.
    #[error("{} gave up after {times} attempts: {last}{evidence}", .evidence.process)]
    RestartLimitExceeded {
        /// How often it ended in a row.
        times: u32,
        /// How it ended last.
        last: String,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// Something of its tree still lives after its KILL, or the stop has taken longer than it may.
    #[error("{} is not stopped after {}: {left}{evidence}", .evidence.process, human_duration(*.after))]
    ShutdownTimeout {
        /// How long was waited.
        after: Duration,
        /// What still lives.
        left: String,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// It lives, but what was asked of it cannot be done: a line for one that reads nothing.
    #[error("{}: {reason}{evidence}", .evidence.process)]
    Refused {
        /// What it lacks, and what to do.
        reason: String,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// What was asked needs it alive, and it is not.
    #[error("{} is not running: {reason}{evidence}", .evidence.process)]
    NotRunning {
        /// `stopped by the test`, `skipped: upstream failed`.
        reason: String,
        /// What is known.
        evidence: Box<Evidence>,
    },
    /// There is no process of that name.
    #[error("there is no process {name:?}; there are {}", list(.known))]
    Unknown {
        /// As asked.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The name is none.
    #[error("{0:?} is not a name: use 1 to 64 of A-Z a-z 0-9 _ -")]
    InvalidName(String),
    /// It is a built-in part, and the binary which has it was not found.
    #[error(
        "{process} is a built-in part of e2e-tui, and there is no e2e-tui binary: set {BINARY_VARIABLE} to its path \
         (`cargo install e2e-tui --version {} --locked`), or name it with `.binary(path)`", env!("CARGO_PKG_VERSION")
    )]
    NoBinary {
        /// Its name.
        process: String,
    },
    /// The run is over, and all its processes with it.
    #[error("the run has ended: {reason}")]
    RunEnded {
        /// Why.
        reason: String,
    },
}

impl fmt::Debug for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ProcessError {
    /// What is known of the process, where it was there at all.
    ///
    /// ```no_run
    /// # async fn example(error: &e2e_tui::harness::ProcessError) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(evidence) = error.evidence() {
    ///     println!("{evidence:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::SpawnFailed { evidence, .. }
            | Self::NeverReady { evidence, .. }
            | Self::HealthCheckFailed { evidence, .. }
            | Self::LimitExceeded { evidence, .. }
            | Self::UnexpectedExit { evidence, .. }
            | Self::RestartLimitExceeded { evidence, .. }
            | Self::ShutdownTimeout { evidence, .. }
            | Self::Refused { evidence, .. }
            | Self::NotRunning { evidence, .. } => Some(evidence),
            Self::Unknown { .. } | Self::InvalidName(_) | Self::NoBinary { .. } | Self::RunEnded { .. } => None,
        }
    }
}

/// A harness could not do what was asked of it. `{:?}` is the same text as `{}`: it is what a test shows that returns or unwraps it.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// use e2e_tui::harness::{E2ETestHarness, HarnessError, ProcessConfig, ProcessError};
///
/// let harness = E2ETestHarness::new().await?;
/// match harness.start_process(ProcessConfig::new("server", "./no-such-program")).await {
///     Err(HarnessError::Process(ProcessError::SpawnFailed { reason, .. })) => println!("{reason}"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HarnessError {
    /// A process did not do what was asked of it.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The run could not be started: nowhere to record it, no thread to be had.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The binary that was found cannot be used; another version, for one.
    #[error("{source}\n  it was named by {named_by}; set {BINARY_VARIABLE} to an e2e-tui {}", env!("CARGO_PKG_VERSION"))]
    Binary {
        /// `E2E_TUI_BIN`, `.binary()`, …
        named_by: &'static str,
        /// What is wrong with it.
        source: GuardianError,
    },
    /// What was waited for was not said.
    #[error(transparent)]
    Log(#[from] super::LogError),
    /// No port could be leased.
    #[error(transparent)]
    Port(#[from] LeaseError),
    /// There is no such scenario.
    #[error(transparent)]
    NoScenario(#[from] LocateError),
    /// The scenario has mistakes; all of them are in the text.
    #[error("{0}")]
    Scenario(String),
    /// The process has no port, and so no URL.
    #[error("{process} listens on no port: {hint}")]
    NoPort {
        /// Which process.
        process: ProcessId,
        /// What to do.
        hint: &'static str,
    },
    /// A thread or runtime could not be had.
    #[error("the harness could not be started: {0}")]
    System(#[source] std::io::Error),
    /// A value that is to be masked is shorter than four bytes.
    #[error("a secret of {0} bytes cannot be masked: it takes four, or half of every line would be hidden")]
    ShortSecret(usize),
    /// The run did not pass: it had timed out, had lost its guardian, or was said to have failed.
    #[error("the run did not pass: {} (exit code {})", .0.outcome.reason, .0.outcome.exit_code)]
    NotPassed(Box<super::TestReport>),
    /// Something that the test had started outlived its stop, or held a port.
    #[error("{} leaked:{}", if .0.len() == 1 { "a process or port".to_owned() } else { format!("{} processes or ports", .0.len()) },
        super::logs::listed(.0))]
    Leaked(Vec<String>),
}

fn ended(exit: Exit) -> String {
    match exit {
        // No program exits with it: its end was somebody else's to see.
        Exit::Code(-1) => "ended, and how was not seen: something in this program waits for every child, or ignores SIGCHLD".to_owned(),
        Exit::Code(code) => format!("exited with {code}"),
        Exit::Signal(signal) => format!("was killed by {signal}"),
    }
}

/// `; awaited: …`, or nothing.
fn expected(awaited: &str) -> String {
    if awaited.is_empty() { String::new() } else { format!("; awaited: {awaited}") }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_who_how_and_what_it_said_last() {
        let evidence = Evidence {
            process: "proxy".into(),
            state: "failed".into(),
            exit: Some(Exit::Code(101)),
            last_lines: vec!["starting".into(), "panicked at 'boom'".into()],
            recording: Some("/tmp/r".into()),
        };
        let error = ProcessError::UnexpectedExit { exit: Exit::Code(101), after: Duration::from_millis(35), evidence: Box::new(evidence) };
        assert_eq!(
            error.to_string(),
            "proxy exited with 101 after 35 ms\n  proxy | starting\n  proxy | panicked at 'boom'\n  recorded: /tmp/r"
        );
        assert_eq!(error.evidence().and_then(|e| e.exit), Some(Exit::Code(101)));
        assert_eq!(format!("{error:?}"), error.to_string(), "what a test shows that returns it");
    }

    #[test]
    fn an_end_that_somebody_else_has_seen_is_no_exit_code() {
        let evidence = Box::new(Evidence { process: "proxy".into(), ..Evidence::default() });
        let error = ProcessError::UnexpectedExit { exit: Exit::Code(-1), after: Duration::from_millis(35), evidence }.to_string();
        assert!(error.starts_with("proxy ended, and how was not seen: "), "{error}");
    }

    #[test]
    fn without_the_binary_the_message_names_the_variable() {
        let error = ProcessError::NoBinary { process: "validator".into() }.to_string();
        assert!(error.contains("E2E_TUI_BIN") && error.contains(".binary(path)") && error.contains(env!("CARGO_PKG_VERSION")), "{error}");
    }
}
