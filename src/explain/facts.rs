//! "What happened": the facts from the first abnormal event to the end of the story, in time order, each with its
//! distance from the first.
//!
//! A fact is something on record: an exit nobody asked for, a failed probe, a line that raised an alert, a restart, a
//! signal from outside. What is left out is repetition (counted) and what another fact already says (a process's own
//! alerts right before its end stand as that end's quotation).

use std::sync::Arc;

use serde::Serialize;

use super::{
    ending::{Ending, Story, excused},
    first::FailureLine,
    gather::Gathering,
};
use crate::{
    logs::LogStore,
    model::{At, Event, EventKind, Generation, Phase, ProcessId, Snapshot, Standing},
};

/// Something on record that leads to the end of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Whom it is about; none: the run itself.
    pub process: Option<ProcessId>,
    /// Which start of it.
    pub generation: Generation,
    /// When.
    #[serde(rename = "at_us")]
    pub at: At,
    /// Its place in the order of events and output: where the log is parked to look at it.
    pub seq: u64,
    /// The line that tells it best: where exactly to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<FailureLine>,
    /// What happened: `exited 101`.
    pub what: String,
    /// The words of the process that tell it best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// How often the same happened before the end.
    pub count: u64,
    /// Since the first fact, in microseconds.
    pub after_us: u64,
}

impl Fact {
    /// Whom it is about, in a word; the run goes by the name it has in the log.
    pub fn who(&self) -> &str {
        self.process.as_ref().map_or("e2e-tui", ProcessId::as_str)
    }
}

/// The facts that lead to the end of the story; the last one is that end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// In time order.
    pub facts: Vec<Fact>,
    /// What else had failed when the run was taken down, in time order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_failed: Vec<Fact>,
}

impl Explanation {
    /// Whether nothing abnormal was on record before the end itself.
    pub fn came_out_of_nothing(&self) -> bool {
        self.facts.len() <= 1
    }
}

/// Explains why a run did not pass: its first failure, what it left behind, why it ended. None if there is nothing to
/// explain.
pub fn explain(events: &[Arc<Event>], logs: &LogStore) -> Option<Explanation> {
    let story = Story::of(events)?;
    let mut told = Gathering::new(excused(events));
    match &story.ending {
        Ending::Event(end) => {
            events[story.from..*end].iter().for_each(|event| told.take(event));
            told.take_end(&events[*end]);
        }
        Ending::Run { at, what } => {
            events[story.from..*at].iter().for_each(|event| told.take(event));
            told.end(&events[*at], what.clone());
        }
        Ending::Leaks => {
            let leaks = events[story.from..].iter().filter(|event| matches!(event.kind, EventKind::Leaked { .. }));
            leaks.for_each(|event| told.take(event));
        }
    }
    Some(told.finish(logs, also_failed(&events[story.from..])))
}

/// Explains a recording that nobody brought to its end: what had happened, and where it breaks off.
pub fn explain_broken_off(events: &[Arc<Event>], logs: &LogStore) -> Option<Explanation> {
    let last = events.last()?;
    let before = explain(events, logs);
    let said = logs.processes().iter().filter_map(|process| logs.last_line_at(process)).max().unwrap_or(At::START);
    let end = Snapshot::of(events.iter().map(AsRef::as_ref));
    if end.phase == Phase::Ended {
        return before;
    }
    let alive: Vec<_> = end.rows.iter().filter(|row| row.pid.is_some()).map(|row| row.id().as_str()).collect();
    let alive = if alive.is_empty() { String::new() } else { format!("; alive then: {}", alive.join(", ")) };
    let what = format!("the recording breaks off: the supervisor was killed or the machine died{alive}");
    let mut told = Gathering::new(excused(events));
    let earlier = before.unwrap_or_else(|| {
        let from = Story::begins(events);
        events[from..].iter().for_each(|event| told.take(event));
        std::mem::take(&mut told).finish(logs, Vec::new())
    });
    told.end(&Event { at: last.at.max(said), ..Event::clone(last) }, what);
    let cut = told.finish(logs, Vec::new());
    let mut all = Explanation { facts: [earlier.facts, cut.facts].concat(), also_failed: earlier.also_failed };
    super::gather::measure(&mut all.facts);
    Some(all)
}

/// The events by which processes had failed when the run was taken down: the last of each.
fn also_failed(events: &[Arc<Event>]) -> Vec<&Arc<Event>> {
    let live = events.iter().take_while(|event| !matches!(event.kind, EventKind::StoppingRun { .. }));
    let mut failed: Vec<&Arc<Event>> = Vec::new();
    // What a process said stays said, however it ends or begins again.
    let same = |one: &Event, other: &Event| one.kind.process() == other.kind.process() && !is_violation(other);
    let mut states = std::collections::HashMap::new();
    for event in live {
        match &event.kind {
            EventKind::Spawned { .. } => failed.retain(|other| !same(event, other)),
            EventKind::Exited { asked: false, exit, .. } if !exit.success() => {
                failed.retain(|other| !same(event, other));
                failed.push(event);
            }
            EventKind::Failed { .. } | EventKind::GaveUp { .. } => {
                failed.retain(|other| !same(event, other));
                failed.push(event);
            }
            _ if is_violation(event) => failed.push(event),
            EventKind::Rerun { process: None, .. } => failed.retain(|other| !is_violation(other)),
            EventKind::StateChanged { process, state, .. } => drop(states.insert(process, state)),
            _ => {}
        }
    }
    failed.retain(|event| {
        let state = event.kind.process().and_then(|process| states.get(process));
        is_violation(event) || state.is_none_or(|state| super::ending::failed_by_itself(state))
    });
    failed
}

/// Whether an expectation was violated.
pub(super) fn is_violation(event: &Event) -> bool {
    matches!(event.kind, EventKind::Expected { standing: Standing::Violated, .. })
}
