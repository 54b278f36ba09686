//! Log lines in the style of the `tracing` crate's default format, without colours and without targets: each part
//! is one program with one voice, and whoever shows its lines names it anyway.
//!
//! A supervisor reads them through a pipe, so each line leaves in a single `write(2)`: lines of several tasks
//! never mix, and none waits in a buffer when the process is killed. A reader that falls behind slows the part
//! down, as it does any program.

use std::{
    fmt,
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details for the author of the part.
    Debug,
    /// The normal course of things.
    Info,
    /// Something failed that a peer may cope with.
    Warn,
    /// Something failed for good.
    Error,
}

impl Level {
    /// Reads `debug`, `info`, `warn` or `error`, in any case; `trace` counts as `debug`.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "trace" | "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => " INFO",
            Self::Warn => " WARN",
            Self::Error => "ERROR",
        }
    }
}

#[derive(Debug, Clone)]
enum Output {
    Stdout,
    Stderr,
    Memory(Arc<Mutex<Vec<String>>>),
}

/// Where a part's log lines go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PartLog {
    output: Output,
    least: Level,
}

impl PartLog {
    /// Lines on stdout.
    pub fn stdout() -> Self {
        Self { output: Output::Stdout, least: Level::Info }
    }

    /// Lines on stderr: for servers, and for whatever speaks the protocol on its stdout.
    pub fn stderr() -> Self {
        Self { output: Output::Stderr, least: Level::Info }
    }

    /// Lines kept in memory, without time stamps: for tests, which read them with [`Self::lines`].
    pub fn memory() -> Self {
        Self { output: Output::Memory(Arc::default()), least: Level::Debug }
    }

    /// The same log without the lines below `least`.
    #[must_use]
    pub fn at_least(self, least: Level) -> Self {
        Self { least, ..self }
    }

    /// The lines of a log kept in memory, each as `LEVEL message`; none for the other kinds.
    pub fn lines(&self) -> Vec<String> {
        match &self.output {
            Output::Memory(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Output::Stdout | Output::Stderr => Vec::new(),
        }
    }

    /// One line for the author of the part.
    pub fn debug(&self, message: impl fmt::Display) {
        self.line(Level::Debug, &message);
    }

    /// One line about the normal course of things.
    pub fn info(&self, message: impl fmt::Display) {
        self.line(Level::Info, &message);
    }

    /// One line about a failure that a peer may cope with.
    pub fn warn(&self, message: impl fmt::Display) {
        self.line(Level::Warn, &message);
    }

    /// One line about a failure for good.
    pub fn error(&self, message: impl fmt::Display) {
        self.line(Level::Error, &message);
    }

    /// A line as it is, with neither time nor level: `##e2e progress 18 of 50 calls`.
    pub fn raw(&self, text: impl fmt::Display) {
        match &self.output {
            Output::Memory(_) => self.keep(text.to_string()),
            Output::Stdout | Output::Stderr => self.write(&format!("{text}\n")),
        }
    }

    fn line(&self, level: Level, message: &dyn fmt::Display) {
        if level < self.least {
            return;
        }
        if matches!(self.output, Output::Memory(_)) {
            self.keep(format!("{} {message}", level.column().trim_start()));
            return;
        }
        self.write(&format!("{:.6} {} {message}\n", Timestamp::now(), level.column()));
    }

    fn keep(&self, line: String) {
        if let Output::Memory(lines) = &self.output {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    fn write(&self, line: &str) {
        match &self.output {
            Output::Stdout => write_whole(&std::io::stdout(), line.as_bytes()),
            Output::Stderr => write_whole(&std::io::stderr(), line.as_bytes()),
            Output::Memory(_) => {}
        }
    }
}

/// Past std's buffers, in one call. A reader that went away is no reason to end: the part's work is elsewhere.
fn write_whole(fd: &impl AsFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match nix::unistd::write(fd, bytes) {
            Ok(0) => return,
            Ok(n) => bytes = &bytes[n..],
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Text from a peer, fit for one line: control characters become `·`, and a long text is cut.
pub(crate) fn clean(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut short: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// A latency as the lines show it: `0.4 ms`, `3 ms`, `1204 ms`.
pub(crate) fn millis(took: std::time::Duration) -> String {
    let ms = took.as_secs_f64() * 1000.0;
    if ms < 0.95 { format!("{:.1} ms", ms.max(0.1)) } else { format!("{ms:.0} ms") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn latencies_are_whole_milliseconds_unless_they_are_tiny() {
        let show = |us| millis(Duration::from_micros(us));
        assert_eq!([show(40), show(420), show(960), show(3_400), show(1_204_000)], ["0.1 ms", "0.4 ms", "1 ms", "3 ms", "1204 ms"]);
    }

    #[test]
    fn what_a_peer_sends_stays_on_one_line() {
        assert_eq!(clean("a\nb\x1b[31mc"), "a·b·[31mc");
        assert_eq!(clean(&"x".repeat(500)).chars().count(), 201);
    }

    #[test]
    fn quiet_levels_are_left_out() {
        let log = PartLog::memory().at_least(Level::Warn);
        log.info("a");
        log.warn("b");
        log.error("c");
        assert_eq!(log.lines(), ["WARN b", "ERROR c"]);
    }
}
