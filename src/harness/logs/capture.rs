//! What one process, some, or all have said.

use std::{
    fmt,
    ops::{ControlFlow, Deref},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use regex::Regex;
use tokio::{runtime, sync::watch};

use crate::{
    logs::{LogStore, Selection},
    model::{EventKind, Generation, ProcessId, ProcessSnapshot, ProcessState, RunClock, Snapshot, human_duration},
    supervisor::{Journal, RunHandle},
};

use super::super::{timer::Timer, trouble::Trouble};
use super::{Bell, LogAlert, LogEntry, LogMetrics, LogPattern, scan::Scan};

/// Lines shown around what an assertion missed.
pub(super) const SHOWN: usize = 12;

/// What was waited for was not said. `{:?}` is the same text as `{}`: it is what a test shows that returns or unwraps it.
///
/// ```no_run
/// # async fn example(harness: &e2e_tui::E2ETestHarness) {
/// use std::time::Duration;
///
/// if let Err(error) = harness.logs().wait_for("ready", Duration::from_secs(5)).await {
///     println!("{}\n{}", error.what, error.processes.join("\n"));
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}{}{}", listed(.lines), listed(.processes), recorded(.recording.as_deref()))]
#[non_exhaustive]
pub struct LogError {
    /// What was wanted, and what came instead.
    pub what: String,
    /// The lines that tell most about it, newest last.
    pub lines: Vec<String>,
    /// How those stand from whom it was wanted: `proxy is failed: exited with 101`.
    pub processes: Vec<String>,
    /// The folder of the recording, if there is one: `e2e-tui replay` opens it.
    pub recording: Option<PathBuf>,
}

impl fmt::Debug for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn recorded(recording: Option<&Path>) -> String {
    recording.map(|path| format!("\n  recorded: {}", path.display())).unwrap_or_default()
}

/// Each on a line of its own, a step in.
pub(in crate::harness) fn listed(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}

/// What a process has said: entries, waits, assertions, measures. Cheap to clone; it stays readable when the run is over.
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// # let harness = e2e_tui::harness::E2ETestHarness::new().await?;
/// # let proxy = harness.start_shadowcat_proxy(e2e_tui::harness::ProxyConfig::default()).await?;
/// let logs = proxy.logs();
/// logs.wait_for("listening on", Duration::from_secs(5)).await?;
/// logs.assert_not_seen("panicked");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LogCapture {
    pub(super) store: Arc<LogStore>,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: RunClock,
    pub(super) selection: Selection,
    /// Lines before this sequence number do not count.
    pub(super) from: u64,
    pub(super) bell: Arc<Bell>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    recording: Option<Arc<Path>>,
    /// Where time passes: a runtime of the caller's may stand still, or not be there at all.
    timers: runtime::Handle,
    trouble: Trouble,
}

impl fmt::Debug for LogCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogCapture").field("selection", &self.selection).field("from", &self.from).finish_non_exhaustive()
    }
}

/// What all processes of a run have said, in one order. Has everything that a [`LogCapture`] has.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// # let harness = e2e_tui::harness::E2ETestHarness::new().await?;
/// let logs = harness.logs();
/// logs.assert_sequence(&["proxy started", "upstream connected", "request served"]);
/// logs.assert_no_errors();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LogAggregator(LogCapture);

impl Deref for LogAggregator {
    type Target = LogCapture;
    fn deref(&self) -> &LogCapture {
        &self.0
    }
}

impl LogAggregator {
    pub(in crate::harness) fn new(
        run: &RunHandle,
        bell: Arc<Bell>,
        timers: runtime::Handle,
        trouble: Trouble,
        recording: Option<&Path>,
    ) -> Self {
        Self(LogCapture {
            store: run.logs(),
            journal: run.journal(),
            clock: run.clock(),
            selection: Selection::All,
            from: 0,
            bell,
            snapshots: run.watch(),
            recording: recording.map(Arc::from),
            timers,
            trouble,
        })
    }

    /// What `process` alone has said.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// for name in harness.process_manager().names() {
    ///     println!("{name}: {} lines", harness.logs().of(&name).entries().len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(&self, process: &ProcessId) -> LogCapture {
        self.of_some(std::slice::from_ref(process))
    }

    /// What some processes have said.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let upstream = harness.start_mcp_validator().await?;
    /// let client = harness.start_test_client(&upstream.url, "ping").await?;
    /// let both = harness.logs().of_some(&[upstream.process_id.clone(), client.process_id.clone()]);
    /// both.assert_no_errors();
    /// # Ok(())
    /// # }
    /// ```
    pub fn of_some(&self, processes: &[ProcessId]) -> LogCapture {
        LogCapture { selection: Selection::Some(processes.to_vec()), ..self.0.clone() }
    }
}

impl LogCapture {
    /// The same, but only what is said from now on.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let later = harness.logs().from_now();
    /// harness.start_mcp_validator().await?;
    /// later.assert_not_seen("retrying");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_now(&self) -> Self {
        Self { from: self.store.stamp(), ..self.clone() }
    }

    /// All lines so far, in the order they were said.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let errors = harness.logs().entries().iter().filter(|entry| entry.source == e2e_tui::harness::LogSource::Stderr).count();
    /// # Ok(())
    /// # }
    /// ```
    pub fn entries(&self) -> Vec<LogEntry> {
        self.scan().entries(&self.store, &self.clock)
    }

    /// The last `count` lines.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// for entry in harness.logs().tail(20) {
    ///     println!("{entry}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn tail(&self, count: usize) -> Vec<LogEntry> {
        let last = self.scan().last(&self.store, count);
        last.iter().filter_map(|line| LogEntry::of(line, &self.clock)).collect()
    }

    /// The first line that matches, if one was said.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = harness.logs().find(r"listening on \S+:\d+").map(|entry| entry.message);
    /// # Ok(())
    /// # }
    /// ```
    pub fn find(&self, pattern: impl Into<LogPattern>) -> Option<LogEntry> {
        self.find_in(&mut self.scan(), &pattern.into())
    }

    /// All lines that match.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(harness.logs().find_all("retrying").len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn find_all(&self, pattern: impl Into<LogPattern>) -> Vec<LogEntry> {
        let pattern = pattern.into();
        let mut all = Vec::new();
        let _: Option<()> = self.scan().visit(&self.store, |line, text| {
            if pattern.matches(text) {
                all.extend(LogEntry::of(line, &self.clock));
            }
            ControlFlow::Continue(())
        });
        all
    }

    /// Waits for a line that matches; lines that were said before count too, see [`from_now`](Self::from_now).
    ///
    /// # Errors
    /// None came in time, or the run ended without one; the error shows the last lines, and how those stand who did not say it.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let line = harness.logs().wait_for("session opened", std::time::Duration::from_secs(5)).await?;
    /// println!("{} opened it", line.process);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for(&self, pattern: impl Into<LogPattern>, timeout: Duration) -> Result<LogEntry, LogError> {
        let pattern = pattern.into();
        let mut scan = self.scan();
        let mut over = Timer::start(&self.timers, timeout);
        let mut last_look = false;
        loop {
            let rung = self.bell.next();
            self.store.arm();
            if let Some(entry) = self.find_in(&mut scan, &pattern) {
                return Ok(entry);
            }
            if last_look {
                let what = format!("{} said `{pattern}` within {}", self.nobody("has", ""), human_duration(timeout));
                let recording = self.recording.as_deref().map(Path::to_owned);
                let error = LogError { what, lines: self.context(), processes: self.standing(), recording };
                self.trouble.note(&error);
                return Err(error);
            }
            tokio::select! {
                () = rung => {}
                // Also when the run is over, and its timers with it.
                () = &mut over => last_look = true,
            }
        }
    }

    /// The numbers that the first group of `pattern` captures (all of it, if it has none) in the lines that match; none if there
    /// are none.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let latency = harness.logs().metrics(r"200 in (\d+) ms").expect("calls were made");
    /// assert!(latency.p95 < 50.0, "{latency}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn metrics(&self, pattern: impl Into<LogPattern>) -> Option<LogMetrics> {
        let pattern = pattern.into();
        let mut numbers = Vec::new();
        let _: Option<()> = self.scan().visit(&self.store, |_, text| {
            for found in pattern.as_regex().captures_iter(text) {
                let number: Option<f64> = found.get(1).or_else(|| found.get(0)).and_then(|group| group.as_str().trim().parse().ok());
                numbers.extend(number);
            }
            ControlFlow::Continue(())
        });
        LogMetrics::of(numbers)
    }

    /// Lines that matter, as the supervisor has noticed them so far, gathered within some milliseconds each.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(harness.logs().alerts().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn alerts(&self) -> Vec<LogAlert> {
        let events = self.journal.from(0);
        let alerts = events.iter().filter_map(|event| match &event.kind {
            EventKind::Alerted { process, generation, count, line, text, .. } if self.selects(process) && event.seq >= self.from => {
                Some(LogAlert {
                    process: process.clone(),
                    generation: *generation,
                    count: *count,
                    number: *line,
                    message: text.clone(),
                    at: Duration::from_micros(event.at.0),
                })
            }
            _ => None,
        });
        alerts.collect()
    }

    /// Whether that start of a process has said a line that matches.
    pub(in crate::harness) fn was_said(&self, pattern: &Regex, generation: Generation) -> bool {
        let found = self.scan().visit(&self.store, |line, text| {
            if line.generation == generation && pattern.is_match(text) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found.is_some()
    }

    pub(super) fn scan(&self) -> Scan {
        Scan::new(self.selection.clone(), &self.store, self.from)
    }

    pub(super) fn find_in(&self, scan: &mut Scan, pattern: &LogPattern) -> Option<LogEntry> {
        self.find_after(scan, pattern, None)
    }

    /// The next line that matches and begins after the line `after`. A line that was not whole yet comes more than once: while it
    /// grows it is still where it begins.
    pub(super) fn find_after(&self, scan: &mut Scan, pattern: &LogPattern, after: Option<&LogEntry>) -> Option<LogEntry> {
        scan.visit(&self.store, |line, text| {
            // Lines of one number come from different streams, and so from different chunks.
            let is_after = after.is_none_or(|after| (line.seq, line.number) > (after.seq, after.number));
            if is_after
                && pattern.matches(text)
                && let Some(entry) = LogEntry::of(line, &self.clock)
            {
                return ControlFlow::Break(entry);
            }
            ControlFlow::Continue(())
        })
    }

    /// The last lines, for messages.
    pub(super) fn context(&self) -> Vec<String> {
        let lines: Vec<_> = self.tail(SHOWN).iter().map(ToString::to_string).collect();
        if lines.is_empty() { vec!["(nothing was said)".to_owned()] } else { lines }
    }

    /// How those stand who are listened to, for messages: `proxy is failed: exited with 101`.
    pub(super) fn standing(&self) -> Vec<String> {
        let snapshot = self.snapshots.borrow().clone();
        let mut rows: Vec<_> = snapshot.rows.iter().filter(|row| self.selects(row.id())).map(|row| in_words(row)).collect();
        if rows.len() > SHOWN {
            let more = rows.len() - SHOWN;
            rows.truncate(SHOWN);
            rows.push(format!("… and {more} more processes"));
        }
        rows
    }

    /// `proxy`, `proxy or upstream`, `some process`.
    pub(super) fn who(&self) -> String {
        match &self.selection {
            Selection::All => "some process".to_owned(),
            Selection::Some(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
        }
    }

    /// `no process should have`, `proxy should not have`.
    pub(super) fn nobody(&self, verb: &str, rest: &str) -> String {
        match &self.selection {
            Selection::All => format!("no process {verb}{rest}"),
            Selection::Some(_) => format!("{} {verb} not{rest}", self.who()),
        }
    }

    fn selects(&self, process: &ProcessId) -> bool {
        match &self.selection {
            Selection::All => true,
            Selection::Some(some) => some.contains(process),
        }
    }
}

fn in_words(row: &ProcessSnapshot) -> String {
    let state = format!("{} is {}", row.id(), row.state.word());
    match (&row.state, row.exits.last()) {
        (ProcessState::Failed { reason } | ProcessState::GaveUp { reason, .. } | ProcessState::Backoff { reason, .. }, _) => {
            format!("{state}: {reason}")
        }
        (ProcessState::Skipped { because }, _) => format!("{state}: {because}"),
        (_, Some(exit)) if !row.state.is_alive() => format!("{state} ({})", exit.exit),
        _ => state,
    }
}
