//! What one process, some, or all have said.

use std::{fmt, ops::ControlFlow, ops::Deref, sync::Arc, time::Duration};

use tokio::runtime;

use crate::{
    logs::{LogStore, Selection},
    model::{EventKind, ProcessId, RunClock, human_duration},
    supervisor::Journal,
};

use super::super::{timer::Timer, trouble::Trouble};
use super::{Bell, LogAlert, LogEntry, LogMetrics, LogPattern, scan::Scan};

/// Lines shown around what an assertion missed.
pub(super) const SHOWN: usize = 12;

/// What was waited for was not said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", listed(.lines))]
#[non_exhaustive]
pub struct LogError {
    /// What was wanted, and what came instead.
    pub what: String,
    /// The lines that tell most about it, newest last.
    pub lines: Vec<String>,
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
        store: Arc<LogStore>,
        journal: Arc<Journal>,
        clock: RunClock,
        bell: Arc<Bell>,
        timers: runtime::Handle,
        trouble: Trouble,
    ) -> Self {
        Self(LogCapture { store, journal, clock, selection: Selection::All, from: 0, bell, timers, trouble })
    }

    /// What `process` alone has said.
    pub fn of(&self, process: &ProcessId) -> LogCapture {
        self.of_some(std::slice::from_ref(process))
    }

    /// What some processes have said.
    pub fn of_some(&self, processes: &[ProcessId]) -> LogCapture {
        LogCapture { selection: Selection::Some(processes.to_vec()), ..self.0.clone() }
    }
}

impl LogCapture {
    /// The same, but only what is said from now on.
    #[must_use]
    pub fn from_now(&self) -> Self {
        Self { from: self.store.stamp(), ..self.clone() }
    }

    /// All lines so far, in the order they were said.
    pub fn entries(&self) -> Vec<LogEntry> {
        self.scan().entries(&self.store, &self.clock)
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> Vec<LogEntry> {
        let mut last = std::collections::VecDeque::with_capacity(count + 1);
        let _: Option<()> = self.scan().visit(&self.store, |line, _| {
            last.push_back(line.clone());
            if last.len() > count {
                last.pop_front();
            }
            ControlFlow::Continue(())
        });
        last.iter().filter_map(|line| LogEntry::of(line, &self.clock)).collect()
    }

    /// The first line that matches, if one was said.
    pub fn find(&self, pattern: impl Into<LogPattern>) -> Option<LogEntry> {
        self.find_in(&mut self.scan(), &pattern.into())
    }

    /// All lines that match.
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
    /// None came in time, or the run ended without one; the error shows the last lines.
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
                let what = format!("{} has not said `{pattern}` within {}", self.who(), human_duration(timeout));
                let error = LogError { what, lines: self.context() };
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
    pub fn metrics(&self, pattern: impl Into<LogPattern>) -> Option<LogMetrics> {
        let pattern = pattern.into();
        let mut numbers = Vec::new();
        let _: Option<()> = self.scan().visit(&self.store, |_, text| {
            for found in pattern.regex().captures_iter(text) {
                let number: Option<f64> = found.get(1).or_else(|| found.get(0)).and_then(|group| group.as_str().trim().parse().ok());
                numbers.extend(number);
            }
            ControlFlow::Continue(())
        });
        LogMetrics::of(numbers)
    }

    /// Lines that matter, as the supervisor has noticed them so far, gathered within some milliseconds each.
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

    pub(super) fn scan(&self) -> Scan {
        Scan::new(self.selection.clone(), &self.store, self.from)
    }

    pub(super) fn find_in(&self, scan: &mut Scan, pattern: &LogPattern) -> Option<LogEntry> {
        scan.visit(&self.store, |line, text| {
            if pattern.matches(text)
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

    /// `proxy`, `proxy and upstream`, `anybody`.
    pub(super) fn who(&self) -> String {
        match &self.selection {
            Selection::All => "any process".to_owned(),
            Selection::Some(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
        }
    }

    fn selects(&self, process: &ProcessId) -> bool {
        match &self.selection {
            Selection::All => true,
            Selection::Some(some) => some.contains(process),
        }
    }
}
