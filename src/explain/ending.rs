//! How a run's story ends: what there is to explain.

use std::{collections::HashSet, sync::Arc};

use crate::model::{Event, EventKind, Failure, Outcome, ProcessState, Role, Snapshot, Standing, Then, Verdict};

/// The part of a run that is told.
#[derive(Debug)]
pub(super) struct Story {
    /// Where it begins: at the run's start, or at the last rerun.
    pub(super) from: usize,
    pub(super) ending: Ending,
}

/// What is explained.
#[derive(Debug)]
pub(super) enum Ending {
    /// This event is the failure.
    Event(usize),
    /// The run itself came to this, at this event.
    Run { at: usize, what: String },
    /// All went well, but something was left behind.
    Leaks,
}

impl Story {
    /// What there is to explain; none if nothing has failed.
    pub(super) fn of(events: &[Arc<Event>]) -> Option<Self> {
        let from = Self::begins(events);
        let reached = |verdict: Verdict| {
            let at = events[from..].iter().position(|event| outcome_of(event).is_some_and(|outcome| outcome.verdict == verdict));
            at.map_or(events.len() - 1, |at| from + at)
        };
        let ending = match events[from..].iter().rev().find_map(|event| outcome_of(event)) {
            // Not judged yet: a test goes on, but the run cannot pass any more.
            None => Ending::Event(from + events[from..].iter().position(|event| is_failure(event))?),
            Some(outcome) => match outcome.verdict {
                Verdict::Passed | Verdict::Stopped => return None,
                Verdict::Leaked => Ending::Leaks,
                Verdict::TimedOut => {
                    let at = reached(Verdict::TimedOut);
                    Ending::Run { at, what: timed_out(&events[..=at], &outcome.reason) }
                }
                verdict @ (Verdict::Failed | Verdict::Error) => failed(events, from, reached(verdict), outcome),
            },
        };
        Some(Self { from, ending })
    }

    /// The last rerun: what was before it is another story.
    pub(super) fn begins(events: &[Arc<Event>]) -> usize {
        events.iter().rposition(|event| matches!(event.kind, EventKind::Rerun { .. })).unwrap_or(0)
    }
}

fn outcome_of(event: &Event) -> Option<&Outcome> {
    match &event.kind {
        EventKind::VerdictReached { outcome } | EventKind::RunEnded { outcome, .. } => Some(outcome),
        _ => None,
    }
}

/// The event by which the process failed that decided the verdict reached at `at`.
fn failed(events: &[Arc<Event>], from: usize, at: usize, outcome: &Outcome) -> Ending {
    let told = &events[from..=at];
    // A verdict's reason begins with the process that it is about.
    let names = events.iter().filter_map(|event| event.kind.process());
    let decided = names.filter(|name| outcome.reason.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with([' ', ':'])));
    let decided = decided.max_by_key(|name| name.as_str().len());
    let its_end = decided.and_then(|name| told.iter().rposition(|event| event.kind.process() == Some(name) && is_end(event)));
    match its_end.or_else(|| told.iter().position(|event| is_failure(event))) {
        Some(end) => Ending::Event(from + end),
        None => Ending::Run { at, what: outcome.reason.clone() },
    }
}

/// `timed out after 2m, waiting for client-a`.
fn timed_out(events: &[Arc<Event>], reason: &str) -> String {
    let then = Snapshot::of(events.iter().map(AsRef::as_ref));
    let tests = then.rows.iter().any(|row| row.info.role == Role::Test);
    let waiting = then.rows.iter().filter(|row| (!tests || row.info.role == Role::Test) && !row.state.is_settled());
    let waiting: Vec<_> = waiting.map(|row| format!("{} ({})", row.id(), row.state.word())).collect();
    if waiting.is_empty() { reason.to_owned() } else { format!("{reason}, waiting for {}", waiting.join(", ")) }
}

/// Whether the run cannot pass any more because of this event.
fn is_failure(event: &Event) -> bool {
    match &event.kind {
        EventKind::Exited { then: Then::Failed { fails_run }, .. } => *fails_run,
        EventKind::Failed { fatal, .. } => *fatal,
        EventKind::GaveUp { reason, .. } => !is_excused(reason),
        EventKind::Expected { standing, .. } => *standing == Standing::Violated,
        _ => false,
    }
}

/// Whether a process may have come to its end by this event, other than well.
fn is_end(event: &Event) -> bool {
    match &event.kind {
        EventKind::Exited { exit, asked: false, .. } => !exit.success(),
        EventKind::Failed { .. } | EventKind::GaveUp { .. } => true,
        EventKind::Expected { standing, .. } => *standing == Standing::Violated,
        EventKind::StateChanged { state, .. } => matches!(state, ProcessState::Skipped { .. } | ProcessState::Stopped { .. }),
        _ => false,
    }
}

/// What somebody killed from outside has not failed.
pub(super) fn is_excused(reason: &Failure) -> bool {
    matches!(reason, Failure::Exited { by: Some(_), .. })
}

/// Whether a process stands as failed, and nobody had a hand in it.
pub(super) fn failed_by_itself(state: &ProcessState) -> bool {
    matches!(state, ProcessState::Failed { reason } | ProcessState::GaveUp { reason, .. } if !is_excused(reason))
}

/// The numbers of the exits that somebody's signal brought about. An exit does not say so; the state that follows does.
pub(super) fn excused(events: &[Arc<Event>]) -> HashSet<u64> {
    let mut last = std::collections::HashMap::new();
    let mut excused = HashSet::new();
    for event in events {
        match &event.kind {
            EventKind::Exited { process, .. } => drop(last.insert(process, event.seq)),
            EventKind::StateChanged { process, state, .. } => {
                let (ProcessState::Failed { reason } | ProcessState::GaveUp { reason, .. } | ProcessState::Backoff { reason, .. }) = state
                else {
                    continue;
                };
                if is_excused(reason) {
                    excused.extend(last.get(process));
                }
            }
            _ => {}
        }
    }
    excused
}
