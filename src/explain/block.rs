//! What stays in the terminal when a run is over: the same block after the dashboard and after `run`.

use std::{collections::HashMap, fmt::Write, sync::Arc, time::Duration};

use crate::{
    logs::{LogStore, plain},
    model::{
        Event, EventKind, Failure, Leak, Outcome, ProcessId, ProcessSnapshot, ProcessState, Role, Snapshot, Verdict, human_duration,
        one_line,
    },
};

use super::{Explanation, ending::failed_by_itself, explanation_text};

/// How much of each thing the block tells; what is folded is counted.
#[derive(Debug, Clone, Copy)]
struct Most {
    facts: usize,
    /// Failed processes that the facts do not name.
    failed: usize,
    /// Failed processes whose last lines are repeated, and how many of them.
    tails: usize,
    tail: usize,
    leaks: usize,
}

/// About six lines: the rest was on the screen a moment ago.
const SHORT: Most = Most { facts: 3, failed: 1, tails: 0, tail: 0, leaks: 2 };
/// What `run` leaves in a CI log.
const FULL: Most = Most { facts: 12, failed: 20, tails: 8, tail: 5, leaks: 20 };

/// What the block is made from.
#[derive(Debug)]
pub struct Closing<'a> {
    /// All that happened.
    pub events: &'a [Arc<Event>],
    /// All that was said.
    pub logs: &'a LogStore,
    /// What happened from the first abnormal event to the failure.
    pub explanation: Option<&'a Explanation>,
    /// The command that replays the recording, if there is one.
    pub replay: Option<String>,
    /// What became of the archives that were wanted, a line each.
    pub archives: &'a [String],
    /// With the last lines of failed processes (`run`), or without, since they were on screen (dashboard).
    pub full: bool,
}

/// The command that shows the recording `id` again, kept in `dir` if that is not the default place.
pub fn replay_command(id: &str, dir: Option<&std::path::Path>) -> String {
    let Some(dir) = dir else { return format!("e2e-tui replay {id}") };
    let dir = dir.to_string_lossy();
    let plain = !dir.is_empty() && dir.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c));
    let quoted = if plain { dir.into_owned() } else { format!("'{}'", dir.replace('\'', r"'\''")) };
    format!("e2e-tui replay {id} --recordings-dir {quoted}")
}

/// Who of what leaked has gone since, and whether it was killed for it.
fn ended_leaks(events: &[Arc<Event>]) -> HashMap<(&ProcessId, u32), bool> {
    let ended = events.iter().filter_map(|event| match &event.kind {
        EventKind::LeaksEnded { process, pids, killed, .. } => Some(pids.iter().map(move |pid| ((process, *pid), *killed))),
        _ => None,
    });
    ended.flatten().collect()
}

/// All that leaked in a run, each once. A snapshot knows only what the newest generations left.
pub fn leaks(events: &[Arc<Event>]) -> Vec<(ProcessId, Leak)> {
    let mut all: Vec<(ProcessId, Leak)> = Vec::new();
    for event in events {
        let EventKind::Leaked { process, leaks, .. } = &event.kind else { continue };
        for leak in leaks {
            if !all.iter().any(|(of, known)| of == process && known == leak) {
                all.push((process.clone(), leak.clone()));
            }
        }
    }
    all
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
    let (end, verdict) = (Snapshot::of(closing.events.iter().map(AsRef::as_ref)), at_verdict(closing.events));
    let most = if closing.full { FULL } else { SHORT };
    let mut block = String::new();
    let Some(outcome) = &end.outcome else { return block };
    let name = end.run.as_ref().map_or("run", |run| run.scenario.as_str());
    let lasted = verdict_time(&end);
    let short = in_short(&verdict, outcome);
    let _ = write!(block, "{name}: {} (exit {}) after {lasted}   {short}", outcome.verdict.badge(), outcome.exit_code);
    let tests = TestCounts::of(&end);
    if tests.all > 0 {
        let _ = write!(block, "   {tests}   checks {}/{}", end.checks.0, end.checks.1);
    }
    block.push('\n');
    if let Some(untried) = untried(&end, outcome) {
        let _ = writeln!(block, "{untried}");
    }
    failures(closing, &verdict, most, &mut block);
    block.push_str(&take_down(&end, &leaks(closing.events), &ended_leaks(closing.events), most.leaks));
    for archive in closing.archives {
        let _ = writeln!(block, "{}", one_line(archive));
    }
    if let Some(replay) = &closing.replay {
        let _ = writeln!(block, "Recorded: {replay}");
    }
    // Command lines, paths and reasons are of other people's making.
    block.lines().flat_map(|line| [one_line(line), "\n".into()]).collect()
}

/// Who reads PASSED takes the tests for run: that none was is said.
fn untried(end: &Snapshot, outcome: &Outcome) -> Option<String> {
    let tests: Vec<_> = end.rows.iter().filter(|row| row.info.role == Role::Test).collect();
    let none = !tests.is_empty() && tests.iter().all(|row| row.generation == 0) && outcome.verdict == Verdict::Passed;
    let names = tests.iter().map(|row| row.id().as_str()).collect::<Vec<_>>().join(", ");
    none.then(|| format!("No test was run: nothing has started {names} (autostart = false)."))
}

/// `client-a exit 1`: the process that decided it, as the table showed it; else the reason.
fn in_short(verdict: &Snapshot, outcome: &Outcome) -> String {
    let decided = verdict.rows.iter().find_map(|row| match &row.state {
        ProcessState::Failed { reason } | ProcessState::GaveUp { reason, .. }
            if outcome.reason.split_once(' ').is_some_and(|(first, _)| first == row.id().as_str()) =>
        {
            Some(format!("{} {}", row.id(), reason.short()))
        }
        _ => None,
    });
    clip(&decided.unwrap_or_else(|| outcome.reason.clone()), 200)
}

fn verdict_time(end: &Snapshot) -> String {
    let took = end.take_down.map_or(Duration::ZERO, |(_, _, took)| took);
    human_duration(Duration::from_micros(end.at.0).saturating_sub(took))
}

/// What happened, and who else failed; then where they are wanted the last lines of every failed process.
fn failures(closing: &Closing<'_>, verdict: &Snapshot, most: Most, block: &mut String) {
    if let Some(explanation) = closing.explanation {
        let text = explanation_text(explanation, "");
        let lines: Vec<&str> = text.lines().collect();
        let (facts, others) = lines.split_at(explanation.facts.len());
        block.push_str(&folded(facts, most.facts));
        others.iter().take(most.failed).for_each(|line| block.extend([line, "\n"]));
        if others.len() > most.failed {
            let _ = writeln!(block, "{:>9}  … {} more failed", "", others.len() - most.failed);
        }
    }
    let width = verdict.rows.iter().map(|row| row.id().as_str().len()).max().unwrap_or(0);
    for row in verdict.rows.iter().filter(|row| failed_by_itself(&row.state)).take(most.tails) {
        last_lines(row, closing.logs, width, most.tail, block);
    }
}

fn last_lines(row: &ProcessSnapshot, logs: &LogStore, width: usize, most: usize, block: &mut String) {
    if let ProcessState::Failed { reason: Failure::NotStarted { error, .. } } = &row.state {
        // It never said a word, so this is all there is, and it names what to install: once, whole.
        let whole = clip(error, 160);
        if !block.contains(&whole) {
            let _ = writeln!(block, "{:>9}  {:width$} | {whole}", "", row.id());
        }
        return;
    }
    let tail = row.exits.last().filter(|exit| exit.generation == row.generation).map_or(&[][..], |exit| &exit.tail);
    let shown = &tail[tail.len().saturating_sub(most)..];
    let all = logs.lines(row.id());
    let before = all.saturating_sub(shown.len() as u64);
    if before > 0 && !shown.is_empty() {
        let lines = if before == 1 { "line" } else { "lines" };
        let _ = writeln!(block, "{:>9}  {:width$} … {before} more {lines} in its log", "", row.id());
    }
    for line in shown {
        let _ = writeln!(block, "{:>9}  {:width$} | {}", "", row.id(), clip(line, 160));
    }
}

/// At most `most` of the lines: the first ones and the last, and how many are between.
fn folded(lines: &[&str], most: usize) -> String {
    if lines.len() <= most {
        return lines.iter().fold(String::new(), |text, line| text + line + "\n");
    }
    let between = lines.len() - (most - 1);
    let (head, last) = (&lines[..most - 2], &lines[lines.len() - 1..]);
    let note = format!("{:>9}  … {between} more in between", "");
    let all = head.iter().copied().chain([note.as_str()]).chain(last.iter().copied());
    all.fold(String::new(), |text, line| text + line + "\n")
}

/// Clean-up that took less is nobody's concern.
const TOLD_FROM: Duration = Duration::from_secs(1);

/// `Stopped 4 processes in 0.3 s, none needed SIGKILL, no process or port left.`
fn take_down(end: &Snapshot, leaks: &[(ProcessId, Leak)], ended: &HashMap<(&ProcessId, u32), bool>, most: usize) -> String {
    let mut line = match end.take_down {
        Some((0, _, _)) | None => "Nothing was left to stop".to_owned(),
        Some((stopped, killed, took)) => {
            let processes = if stopped == 1 { "process" } else { "processes" };
            let needed = if killed == 0 { "none needed SIGKILL".to_owned() } else { format!("{killed} needed SIGKILL") };
            let stopping = seconds(took.saturating_sub(end.clean_up));
            let clean_up = if end.clean_up < TOLD_FROM { String::new() } else { format!(", cleaned up in {}", seconds(end.clean_up)) };
            format!("Stopped {stopped} {processes} in {stopping}, {needed}{clean_up}")
        }
    };
    if leaks.is_empty() {
        line.push_str(", no process or port left.\n");
        return line;
    }
    line.push_str(".\n");
    for (process, leak) in leaks.iter().take(most) {
        let command = clip(&leak.command, 120);
        let what = match (leak.pid, leak.port) {
            (Some(pid), None) => format!("pid {pid} ({command})"),
            (Some(pid), Some(port)) => format!("port {port}, still bound by pid {pid} ({command})"),
            (None, Some(port)) => format!("port {port}, still bound by {command}"),
            (None, None) => command,
        };
        let fate = match leak.pid.and_then(|pid| ended.get(&(process, pid))) {
            Some(true) => ", killed",
            Some(false) => ", gone since",
            None => "",
        };
        let _ = writeln!(line, "Leaked by {process}: {}{fate}", one_line(&what));
    }
    if leaks.len() > most {
        let _ = writeln!(line, "… and {} more leaks", leaks.len() - most);
    }
    if leaks.iter().all(|(process, leak)| leak.pid.is_some_and(|pid| ended.contains_key(&(process, pid)))) {
        line.push_str("No process or port left.\n");
    }
    line
}

/// `0.3 s`: a take-down is told in seconds whatever it took.
fn seconds(d: Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

/// A line fit for a terminal: no control characters, at most `max` characters.
fn clip(text: &str, max: usize) -> String {
    let text = text.lines().map(|line| plain(line.as_bytes()).trim().to_owned()).collect::<Vec<_>>().join(" ");
    if text.chars().count() <= max { text } else { text.chars().take(max - 1).chain(['…']).collect() }
}
