//! "What happened": the facts from the first abnormal event to the failure, in time order, each with its distance from
//! the first.
//!
//! A fact is something on record: an exit nobody asked for, a failed probe, a line that raised an alert, a restart, a
//! signal from outside. What is left out is repetition (counted) and what another fact already says (a process's own
//! alerts right before its end stand as that end's quotation).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use super::{
    first::{FailureLine, telling_line},
    text::essence,
};
use crate::{
    logs::{LogStore, LogView, Selection, Source},
    model::{Actor, At, Event, EventKind, Exit, Generation, Health, ProbeOutcome, ProcessId, Standing, StartCause, Then},
};

/// A process's alerts this long before its own end belong to that end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// At most so many facts; a chain that needs more explains nothing.
const MAX_FACTS: usize = 100;

/// Something on record that leads to the failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Whom it is about.
    pub process: ProcessId,
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
    /// How often the same happened before the failure.
    pub count: u64,
    /// Since the first fact, in microseconds.
    pub after_us: u64,
}

/// The facts that lead to a failure; the last one is the failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// In time order.
    pub facts: Vec<Fact>,
}

impl Explanation {
    /// Whether nothing abnormal was on record before the failure itself.
    pub fn came_out_of_nothing(&self) -> bool {
        self.facts.len() <= 1
    }
}

/// Explains the first failure of a run; none if nothing has failed.
pub fn explain(events: &[Arc<Event>], logs: &LogStore) -> Option<Explanation> {
    let end = events.iter().position(|event| is_failure(event))?;
    let failing = events[end].kind.process()?.clone();
    let mut gathered = Gathering::default();
    for event in &events[..=end] {
        gathered.take(event, logs);
    }
    Some(gathered.finish(&failing))
}

/// Whether the run cannot pass any more because of this event.
fn is_failure(event: &Event) -> bool {
    match &event.kind {
        EventKind::Exited { then: Then::Failed { fails_run }, .. } => *fails_run,
        EventKind::Failed { fatal, .. } | EventKind::GaveUp { fatal, .. } => *fatal,
        EventKind::Expected { standing, .. } => *standing == Standing::Violated,
        _ => false,
    }
}

#[derive(Default)]
struct Gathering {
    facts: Vec<Fact>,
    /// Which of them is an alert: those may be absorbed.
    alerts: HashSet<usize>,
    /// Repetitions, by who says what.
    seen: HashMap<(ProcessId, String), usize>,
}

impl Gathering {
    fn take(&mut self, event: &Event, logs: &LogStore) {
        match &event.kind {
            EventKind::Exited { process, generation, exit, asked: false, then, .. } if !exit.success() || *then == Then::GaveUp => {
                let what = match (then, exit) {
                    (Then::Failed { .. }, exit) => format!("failed, {exit}"),
                    (_, Exit::Code(code)) => format!("exited {code}"),
                    (_, Exit::Signal(signal)) => format!("killed by {signal}"),
                };
                let told = telling_line(logs, process, *generation, event.seq);
                let seq = told.as_ref().and_then(|told| place(logs, process, &told.line)).map_or(event.seq, |(seq, _)| seq);
                self.absorb(process, *generation, event.at);
                let (quote, line) = told.map(|told| (told.quote, told.line)).unzip();
                self.push(event, process, *generation, what, quote);
                if let Some(fact) = self.facts.last_mut() {
                    (fact.seq, fact.line) = (seq, line);
                }
            }
            EventKind::Failed { process, generation, reason, .. } => {
                self.push(event, process, *generation, "failed".into(), Some(reason.to_string()));
            }
            EventKind::GaveUp { process, generation, reason, times, .. } => {
                self.push(event, process, *generation, format!("gave up, {} ×{times}", reason.short()), None);
            }
            EventKind::Spawned { process, generation, pid, cause: StartCause::Policy { attempt, of, .. }, .. } => {
                let count = of.map_or_else(|| attempt.to_string(), |of| format!("{attempt} of {of}"));
                self.push(event, process, *generation, format!("restarted by policy ({count}), generation {generation}, pid {pid}"), None);
            }
            EventKind::HealthChanged { process, generation, health: health @ (Health::Unhealthy | Health::Degraded), detail } => {
                self.push(event, process, *generation, health.word().to_owned(), Some(detail.clone()));
            }
            EventKind::Probed { process, generation, probes } => {
                for probe in probes {
                    if let ProbeOutcome::Failed { why, .. } = &probe.outcome {
                        self.repeat(event, process, *generation, "health probe failed", why, false);
                    }
                }
            }
            EventKind::Alerted { process, generation, count, line, stream, text } => {
                let line = FailureLine { number: *line, stream: stream.clone(), text: text.clone() };
                let shown = essence(text);
                self.repeat(event, process, *generation, "said", &shown, true);
                let at = self.seen.get(&(process.clone(), key(&shown))).copied();
                if let Some(fact) = at.and_then(|i| self.facts.get_mut(i)) {
                    fact.count += count - 1;
                    if let Some((seq, at)) = place(logs, process, &line).filter(|(seq, _)| *seq < fact.seq) {
                        (fact.seq, fact.at, fact.line) = (seq, at, Some(line));
                    }
                }
            }
            EventKind::Signalled { process, generation, signal, by: by @ (Actor::You | Actor::Step(_)), stop: false } => {
                self.push(event, process, *generation, format!("{signal} sent by {by}"), None);
            }
            EventKind::Expected { process, standing: Standing::Violated, what, detail, line, stream, .. } => {
                let quote = (!detail.is_empty()).then(|| detail.clone());
                self.push(event, process, 0, format!("violated: {what}"), quote);
                let line = line.zip(stream.clone()).map(|(number, stream)| FailureLine { number, stream, text: detail.clone() });
                if let (Some(fact), Some(line)) = (self.facts.last_mut(), line) {
                    if let Some((seq, at)) = place(logs, process, &line) {
                        (fact.seq, fact.at) = (seq, at);
                    }
                    fact.line = Some(line);
                }
            }
            EventKind::Leaked { process, generation, leaks } => {
                let what = leaks.iter().map(|leak| leak.command.clone()).collect::<Vec<_>>().join(", ");
                self.push(event, process, *generation, "leaked".into(), Some(what));
            }
            _ => {}
        }
    }

    fn push(&mut self, event: &Event, process: &ProcessId, generation: Generation, what: String, quote: Option<String>) {
        self.facts.push(Fact {
            process: process.clone(),
            generation,
            at: event.at,
            seq: event.seq,
            line: None,
            what,
            quote,
            count: 1,
            after_us: 0,
        });
    }

    /// Counts what was said before; digits do not make it something new.
    fn repeat(&mut self, event: &Event, process: &ProcessId, generation: Generation, what: &str, quote: &str, alert: bool) {
        let key = (process.clone(), key(quote));
        if let Some(fact) = self.seen.get(&key).and_then(|&i| self.facts.get_mut(i)) {
            fact.count += 1;
            return;
        }
        self.seen.insert(key, self.facts.len());
        if alert {
            self.alerts.insert(self.facts.len());
        }
        self.push(event, process, generation, what.to_owned(), Some(quote.to_owned()));
    }

    /// What a process cried out right before its own end is told by that end.
    fn absorb(&mut self, process: &ProcessId, generation: Generation, end: At) {
        for (i, fact) in self.facts.iter_mut().enumerate() {
            let own = fact.process == *process && fact.generation == generation && self.alerts.contains(&i);
            if own && end.since(fact.at) <= LAST_WORDS {
                fact.count = 0;
            }
        }
    }

    fn finish(self, failing: &ProcessId) -> Explanation {
        let last = self.facts.len().saturating_sub(1);
        let mut facts: Vec<Fact> = self
            .facts
            .into_iter()
            .enumerate()
            // The failing process's own complaints are what its failure says.
            .filter(|(i, fact)| fact.count > 0 && (*i == last || !(fact.process == *failing && self.alerts.contains(i))))
            .map(|(_, fact)| fact)
            .collect();
        facts.sort_by_key(|fact| fact.at);
        if facts.len() > MAX_FACTS {
            facts.drain(MAX_FACTS / 2..facts.len() - MAX_FACTS / 2);
        }
        let first = facts.first().map_or(At::START, |fact| fact.at);
        for fact in &mut facts {
            fact.after_us = u64::try_from(fact.at.since(first).as_micros()).unwrap_or(u64::MAX);
        }
        Explanation { facts }
    }
}

/// The same words with other numbers are the same.
fn key(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Where a line stands in the run.
fn place(logs: &LogStore, process: &ProcessId, line: &FailureLine) -> Option<(u64, At)> {
    let mut view = LogView::new(Selection::Some(vec![process.clone()])).without_lifecycle();
    view.refresh(logs);
    let wanted = |source: &Source| matches!((source, line.stream.as_str()), (Source::Out, "out") | (Source::Err, "err"));
    // Recent lines first: what is explained has just happened.
    let mut end = view.len();
    while end > 0 {
        let from = end.saturating_sub(512);
        let lines = view.window(logs, from, usize::try_from(end - from).ok()?).ok()?;
        if let Some(found) = lines.iter().find(|l| wanted(&l.source) && l.number == line.number) {
            return Some((found.seq, found.at));
        }
        end = from;
    }
    None
}
