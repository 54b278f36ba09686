//! One line, and one alert, as test suites see them.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    harness::LogLevel,
    logs::{LogLine, Source, plain, present},
    model::{Generation, ProcessId, RunClock},
};

/// Which of its streams a process said something on. One that runs on a terminal of its own has only standard output.
///
/// ```
/// use e2e_tui::harness::LogSource;
///
/// assert_eq!(LogSource::Stderr.to_string(), "err");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogSource {
    /// None: no process has said it.
    fn of(line: &LogLine) -> Option<Self> {
        match line.source {
            Source::Out => Some(Self::Stdout),
            Source::Err => Some(Self::Stderr),
            Source::Lifecycle(_) => None,
        }
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stdout => "out",
            Self::Stderr => "err",
        })
    }
}

/// A line that a process said.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// # let harness = e2e_tui::harness::E2ETestHarness::new().await?;
/// for entry in harness.logs().entries() {
///     println!("{} {:?} {}", entry.process, entry.level, entry.message);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// Who said it.
    pub process: ProcessId,
    /// In which start of it.
    pub generation: Generation,
    /// On which stream.
    pub source: LogSource,
    /// The number of the line in that stream, from 1.
    pub number: u64,
    /// Its place in the order of everything that was said and happened.
    pub seq: u64,
    /// When it came, since the run's start.
    pub at: Duration,
    /// When it came, by the wall clock.
    pub timestamp: SystemTime,
    /// How serious it says it is, if it says so.
    pub level: Option<LogLevel>,
    /// The line, masked, without colour codes; of one that is longer than 64 KiB its beginning.
    pub message: String,
    /// It is longer than `message`: `save_process_logs` writes all of it.
    pub cut: bool,
}

impl LogEntry {
    pub(super) fn of(line: &LogLine, clock: &RunClock) -> Option<Self> {
        let source = LogSource::of(line)?;
        let at = Duration::from_micros(line.at.0);
        Some(Self {
            process: line.process.clone()?,
            generation: line.generation,
            source,
            number: line.number,
            seq: line.seq,
            at,
            timestamp: SystemTime::from(clock.wall()) + at,
            level: present(&line.bytes).level,
            message: plain(&line.bytes),
            cut: line.cut,
        })
    }
}

impl LogEntry {
    /// Whether it is that line.
    pub(super) fn is_of(&self, line: &LogLine) -> bool {
        (self.seq, self.number, Some(self.source)) == (line.seq, line.number, LogSource::of(line))
    }
}

impl fmt::Display for LogEntry {
    /// `   12.402 proxy err | connection refused`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>5}.{:03} {} {} | {}", self.at.as_secs(), self.at.subsec_millis(), self.process, self.source, self.message)
    }
}

/// Lines that matter: a panic, a trace back, a 5xx, or what [`alert`](crate::harness::ProcessConfig::alert) names.
///
/// ```no_run
/// # async fn example(harness: &e2e_tui::E2ETestHarness) {
/// for alert in harness.logs().alerts() {
///     println!("{} said {} lines like {:?}", alert.process, alert.count, alert.message);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogAlert {
    /// Who said them.
    pub process: ProcessId,
    /// In which start of it.
    pub generation: Generation,
    /// How many lines there were.
    pub count: u64,
    /// The number of the first of them in its stream, from 1.
    pub number: u64,
    /// The first of them, capped.
    pub message: String,
    /// When, since the run's start.
    pub at: Duration,
}
