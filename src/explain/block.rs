//! What stays in the terminal when a run is over: the same block after the dashboard and after `run`.

use std::{fmt::Write, sync::Arc, time::Duration};

use crate::{
    logs::plain,
    model::{Event, EventKind, Outcome, ProcessState, Role, Snapshot, human_duration, one_line},
};

use super::{Explanation, explanation_text, text::essence};

/// How many of a failed process's last lines the block of `run` repeats.
const LAST_LINES: usize = 5;

/// What the block is made from.
#[derive(Debug)]
pub struct Closing<'a> {
    /// The end of the run.
    pub end: &'a Snapshot,
    /// The run at its verdict, before the take-down.
    pub verdict: &'a Snapshot,
    /// What happened from the first abnormal event to the failure.
    pub explanation: Option<&'a Explanation>,
    /// How the recording is named to the user, if there is one.
    pub recorded: Option<String>,
    /// Whether failed processes' last lines are repeated (`run`), or were on screen (dashboard).
    pub last_lines: bool,
}

/// The run at the moment of its verdict, before the take-down.
pub fn at_verdict(events: &[Arc<Event>]) -> Snapshot {
    let before = events.iter().take_while(|event| !matches!(event.kind, EventKind::StoppingRun { .. }));
    Snapshot::of(before.map(AsRef::as_ref))
}

/// How a run's tests stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TestCounts {
    /// All tests.
    pub all: usize,
    /// Completed with exit 0.
    pub passed: usize,
    /// Failed or gave up.
    pub failed: usize,
    /// Stopped by somebody, or with the run.
    pub stopped: usize,
    /// Never started, since what they depend on is not there.
    pub skipped: usize,
}

impl TestCounts {
    /// Counts the tests of `snapshot`.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut counts = Self::default();
        for row in snapshot.rows.iter().filter(|row| row.info.role == Role::Test) {
            counts.all += 1;
            match row.state {
                ProcessState::Completed => counts.passed += 1,
                ProcessState::Failed { .. } | ProcessState::GaveUp { .. } => counts.failed += 1,
                ProcessState::Stopped { .. } => counts.stopped += 1,
                ProcessState::Skipped { .. } => counts.skipped += 1,
                _ => {}
            }
        }
        counts
    }
}

impl std::fmt::Display for TestCounts {
    /// `2 tests: 1 failed, 1 stopped`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tests = if self.all == 1 { "test" } else { "tests" };
        write!(f, "{} {tests}", self.all)?;
        let parts = [(self.passed, "passed"), (self.failed, "failed"), (self.stopped, "stopped"), (self.skipped, "skipped")];
        let mut separator = ": ";
        for (count, word) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {word}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// The block, each line ended.
pub fn closing_block(closing: &Closing<'_>) -> String {
    let end = closing.end;
    let mut block = String::new();
    let Some(outcome) = &end.outcome else { return block };
    let name = end.run.as_ref().map_or("run", |run| run.scenario.as_str());
    let lasted = verdict_time(end);
    let _ =
        write!(block, "{name}: {} (exit {}) after {lasted}   {}", outcome.verdict.badge(), outcome.exit_code, in_short(closing, outcome));
    let tests = TestCounts::of(end);
    if tests.all > 0 {
        let _ = write!(block, "   {tests}   checks {}/{}", end.checks.0, end.checks.1);
    }
    block.push('\n');
    failures(closing, &mut block);
    block.push_str(&take_down(end));
    if let Some(recorded) = &closing.recorded {
        let _ = writeln!(block, "Recorded: {}", one_line(recorded));
    }
    // Command lines, paths and reasons are of other people's making.
    block.lines().flat_map(|line| [one_line(line), "\n".into()]).collect()
}

/// `client-a exit 1`: the process that decided it, as the table showed it; else the reason.
fn in_short(closing: &Closing<'_>, outcome: &Outcome) -> String {
    let decided = closing.verdict.rows.iter().find_map(|row| match &row.state {
        ProcessState::Failed { reason } | ProcessState::GaveUp { reason, .. } if outcome.reason.starts_with(row.id().as_str()) => {
            Some(format!("{} {}", row.id(), reason.short()))
        }
        _ => None,
    });
    one_line(&decided.unwrap_or_else(|| outcome.reason.clone())).into_owned()
}

fn verdict_time(end: &Snapshot) -> String {
    let took = end.take_down.map_or(Duration::ZERO, |(_, _, took)| took);
    human_duration(Duration::from_micros(end.at.0).saturating_sub(took))
}

/// What happened, then every failed process that it does not name, with its last lines where they are wanted.
fn failures(closing: &Closing<'_>, block: &mut String) {
    let facts = closing.explanation.map_or(&[][..], |explanation| &explanation.facts);
    if let Some(explanation) = closing.explanation {
        block.push_str(&explanation_text(explanation, ""));
    }
    let width = closing.end.rows.iter().map(|row| row.id().as_str().len()).max().unwrap_or(0);
    for row in &closing.verdict.rows {
        let (ProcessState::Failed { reason } | ProcessState::GaveUp { reason, .. }) = &row.state else { continue };
        let last = row.exits.last();
        if !facts.iter().any(|fact| fact.process == *row.id() && fact.generation == row.generation) {
            let at = last.map_or(closing.verdict.at, |exit| exit.at);
            let words =
                last.and_then(|exit| exit.tail.last()).map_or(String::new(), |words| format!("  \"{}\"", clip(&essence(words), 70)));
            let _ = writeln!(block, "{:>9}  {:width$}  {}, {}{words}", at.seconds(), row.id(), row.state.word(), reason.short());
        }
        if closing.last_lines {
            let tail = last.map_or(&[][..], |exit| &exit.tail);
            for line in &tail[tail.len().saturating_sub(LAST_LINES)..] {
                let _ = writeln!(block, "{:>9}  {:width$} | {}", "", row.id(), clip(line, 160));
            }
        }
    }
}

/// `Stopped 4 processes in 0.3 s, none needed SIGKILL, no process or port left.`
fn take_down(end: &Snapshot) -> String {
    let leaks: Vec<_> = end.rows.iter().flat_map(|row| row.leaks.iter().map(move |leak| (row.id(), leak))).collect();
    let mut line = match end.take_down {
        Some((0, _, _)) | None => "Nothing was left to stop".to_owned(),
        Some((stopped, killed, took)) => {
            let processes = if stopped == 1 { "process" } else { "processes" };
            let needed = if killed == 0 { "none needed SIGKILL".to_owned() } else { format!("{killed} needed SIGKILL") };
            format!("Stopped {stopped} {processes} in {}, {needed}", seconds(took))
        }
    };
    if leaks.is_empty() {
        line.push_str(", no process or port left.\n");
        return line;
    }
    line.push_str(".\n");
    for (process, leak) in leaks {
        let what = match (leak.pid, leak.port) {
            (Some(pid), _) => format!("pid {pid} ({})", leak.command),
            (None, Some(port)) => format!("port {port}, still bound by {}", leak.command),
            (None, None) => leak.command.clone(),
        };
        let _ = writeln!(line, "Leaked by {process}: {}", one_line(&what));
    }
    line
}

/// `0.3 s`: a take-down is told in seconds whatever it took.
fn seconds(d: Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

/// A line fit for a terminal: no control characters, at most `max` characters.
fn clip(text: &str, max: usize) -> String {
    let text = plain(text.as_bytes());
    let text = text.trim();
    if text.chars().count() <= max { text.to_owned() } else { text.chars().take(max - 1).chain(['…']).collect() }
}
