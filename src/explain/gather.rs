//! Picks the facts out of the events, then looks up in the log what tells them best: only for those that are left, since
//! a run may have a million alerts and shows a hundred facts.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    Explanation, Fact,
    facts::is_violation,
    first::{FailureLine, telling_line},
    text::essence,
};
use crate::{
    logs::{LogStore, LogView, Selection, Stream},
    model::{
        Actor, At, Event, EventKind, Exit, Generation, Health, Leak, ProbeOutcome, ProcessId, ProcessState, Standing, StartCause, Then,
    },
};

/// A process's alerts this long before its own end belong to that end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// At most so many facts; a chain that needs more explains nothing.
const MAX_FACTS: usize = 100;

/// A fact on its way.
#[derive(Debug)]
struct Draft {
    fact: Fact,
    /// The event it comes from.
    event: u64,
    alert: bool,
    /// Its place is that of its line, which came before the event.
    line_tells: bool,
    /// Its quotation is what the process said last before it.
    last_words: bool,
}

#[derive(Debug, Default)]
pub(super) struct Gathering {
    drafts: Vec<Draft>,
    /// Repetitions, by who says what.
    seen: HashMap<(ProcessId, String), usize>,
    /// Exits that somebody brought about.
    excused: HashSet<u64>,
}

impl Gathering {
    pub(super) fn new(excused: HashSet<u64>) -> Self {
        Self { excused, ..Self::default() }
    }

    /// Takes what is abnormal about `event`.
    pub(super) fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Exited { process, generation, exit, asked: false, then, .. } if !exit.success() || *then == Then::GaveUp => {
                let what = match (then, exit) {
                    (Then::Failed { .. }, exit) if !self.excused.contains(&event.seq) => format!("failed, {exit}"),
                    (_, Exit::Code(code)) => format!("exited {code}"),
                    (_, Exit::Signal(signal)) => format!("killed by {signal}"),
                };
                self.absorb(process, *generation, event.at);
                self.push(event, Some(process), *generation, what, None).last_words = true;
            }
            EventKind::Failed { process, generation, reason, .. } => {
                self.push(event, Some(process), *generation, "failed".into(), Some(reason.to_string()));
            }
            EventKind::GaveUp { process, generation, reason, times, .. } => {
                self.push(event, Some(process), *generation, format!("gave up, {} ×{times}", reason.short()), None);
            }
            EventKind::Spawned { process, generation, pid, cause: StartCause::Policy { attempt, of, .. }, .. } => {
                let count = of.map_or_else(|| attempt.to_string(), |of| format!("{attempt} of {of}"));
                let what = format!("restarted by policy ({count}), generation {generation}, pid {pid}");
                self.push(event, Some(process), *generation, what, None);
            }
            EventKind::HealthChanged { process, generation, health: health @ (Health::Unhealthy | Health::Degraded), detail } => {
                self.push(event, Some(process), *generation, health.word().to_owned(), Some(detail.clone()));
            }
            EventKind::Probed { process, generation, probes } => {
                for probe in probes {
                    if let ProbeOutcome::Failed { why, .. } = &probe.outcome {
                        self.repeat(event, process, *generation, "health probe failed", why, 1);
                    }
                }
            }
            EventKind::Alerted { process, generation, count, line, stream, text } => {
                let new = self.drafts.len();
                self.repeat(event, process, *generation, "said", &essence(text), *count);
                if let Some(draft) = self.drafts.get_mut(new) {
                    (draft.alert, draft.line_tells) = (true, true);
                    draft.fact.line = Some(FailureLine { number: *line, stream: stream.clone(), text: text.clone() });
                }
            }
            EventKind::Signalled { process, generation, signal, by: by @ (Actor::You | Actor::Step(_)), stop: false } => {
                self.push(event, Some(process), *generation, format!("{signal} sent by {by}"), None);
            }
            EventKind::Expected { process, standing: Standing::Violated, what, detail, line, stream, .. } => {
                let quote = (!detail.is_empty()).then(|| detail.clone());
                let draft = self.push(event, Some(process), 0, format!("violated: {what}"), quote);
                draft.line_tells = true;
                draft.fact.line = line.zip(stream.clone()).map(|(number, stream)| FailureLine { number, stream, text: detail.clone() });
            }
            EventKind::Leaked { process, generation, leaks } => {
                for leak in leaks {
                    self.push(event, Some(process), *generation, left_behind(leak), Some(leak.command.clone()));
                }
            }
            _ => {}
        }
    }

    /// Takes the event that the story ends with.
    pub(super) fn take_end(&mut self, event: &Event) {
        if let EventKind::StateChanged { process, generation, state } = &event.kind {
            match state {
                ProcessState::Skipped { because } => {
                    self.push(event, Some(process), *generation, "skipped".into(), Some(because.clone()));
                }
                ProcessState::Stopped { by, .. } => {
                    self.push(event, Some(process), *generation, format!("stopped by {by}"), None);
                }
                _ => {}
            }
        } else {
            self.take(event);
        }
    }

    /// What the run itself came to.
    pub(super) fn end(&mut self, event: &Event, what: String) {
        self.push(event, None, 0, what, None);
    }

    fn push(
        &mut self,
        event: &Event,
        process: Option<&ProcessId>,
        generation: Generation,
        what: String,
        quote: Option<String>,
    ) -> &mut Draft {
        let fact =
            Fact { process: process.cloned(), generation, at: event.at, seq: event.seq, line: None, what, quote, count: 1, after_us: 0 };
        self.drafts.push(Draft { fact, event: event.seq, alert: false, line_tells: false, last_words: false });
        let last = self.drafts.len() - 1;
        &mut self.drafts[last]
    }

    /// Counts what was said before; digits do not make it something new.
    fn repeat(&mut self, event: &Event, process: &ProcessId, generation: Generation, what: &str, quote: &str, count: u64) {
        let key = (process.clone(), quote.chars().filter(|c| !c.is_ascii_digit()).collect());
        if let Some(draft) = self.seen.get(&key).and_then(|&i| self.drafts.get_mut(i)) {
            draft.fact.count += count;
            return;
        }
        self.seen.insert(key, self.drafts.len());
        self.push(event, Some(process), generation, what.to_owned(), Some(quote.to_owned())).fact.count = count;
    }

    /// What a process cried out right before its own end is told by that end.
    fn absorb(&mut self, process: &ProcessId, generation: Generation, end: At) {
        for draft in &mut self.drafts {
            let own = draft.alert && draft.fact.process.as_ref() == Some(process) && draft.fact.generation == generation;
            if own && end.since(draft.fact.at) <= LAST_WORDS {
                draft.fact.count = 0;
            }
        }
    }

    /// The explanation; `failed` is how processes stood at the end, of which what is not told yet is told beside it.
    pub(super) fn finish(mut self, logs: &LogStore, failed: Vec<&Arc<Event>>) -> Explanation {
        let last = self.drafts.len().saturating_sub(1);
        // The failing process's own complaints are what its failure says.
        let failing = self.drafts.last().and_then(|draft| draft.fact.process.clone());
        let mut index = 0;
        self.drafts.retain(|draft| {
            let own = draft.alert && failing.is_some() && draft.fact.process == failing;
            index += 1;
            draft.fact.count > 0 && (index - 1 == last || !own)
        });
        if self.drafts.len() > MAX_FACTS {
            self.drafts.drain(MAX_FACTS / 2..self.drafts.len() - MAX_FACTS / 2);
        }
        let told: HashSet<u64> = self.drafts.iter().map(|draft| draft.event).collect();
        let ended: HashSet<_> = failing.into_iter().collect();
        let mut others = Self::new(std::mem::take(&mut self.excused));
        for event in failed {
            let of_told = event.kind.process().is_some_and(|process| ended.contains(process)) && !is_violation(event);
            let known = told.contains(&event.seq) || of_told;
            if !known && others.drafts.len() < MAX_FACTS {
                others.take(event);
            }
        }
        let mut log = Log::new(logs);
        let mut explanation = Explanation { facts: self.looked_up(&mut log), also_failed: others.looked_up(&mut log) };
        explanation.facts.sort_by_key(|fact| fact.at);
        measure(&mut explanation.facts);
        explanation
    }

    fn looked_up(self, log: &mut Log<'_>) -> Vec<Fact> {
        self.drafts.into_iter().map(|draft| log.look_up(draft)).collect()
    }
}

/// Sets the distances from the first fact.
pub(super) fn measure(facts: &mut [Fact]) {
    let first = facts.first().map_or(At::START, |fact| fact.at);
    for fact in facts {
        fact.after_us = u64::try_from(fact.at.since(first).as_micros()).unwrap_or(u64::MAX);
    }
}

/// `left pid 4711`.
fn left_behind(leak: &Leak) -> String {
    match (leak.pid, leak.port) {
        (Some(pid), None) => format!("left pid {pid} behind"),
        (_, Some(port)) => format!("left port {port} bound"),
        (None, None) => "left something behind".into(),
    }
}

/// The log, with one view a process however often it is asked.
struct Log<'a> {
    store: &'a LogStore,
    views: HashMap<ProcessId, LogView>,
}

impl<'a> Log<'a> {
    fn new(store: &'a LogStore) -> Self {
        Self { store, views: HashMap::new() }
    }

    /// Completes a fact by what the log says about it.
    fn look_up(&mut self, draft: Draft) -> Fact {
        let Draft { mut fact, event, line_tells, last_words, .. } = draft;
        let Some(process) = &fact.process else { return fact };
        if line_tells && let Some((seq, at)) = fact.line.as_ref().and_then(|line| place(self.store, process, line)) {
            // An event about a line is told some time after it.
            (fact.seq, fact.at) = (seq, at);
        }
        if last_words {
            let view = self.views.entry(process.clone()).or_insert_with(|| {
                let mut view = LogView::new(Selection::Some(vec![process.clone()]));
                view.refresh(self.store);
                view
            });
            if let Some(told) = telling_line(self.store, view, fact.generation, event) {
                // Words long before the end are quoted, but where it ended is where its end stands.
                let near = place(self.store, process, &told.line).filter(|(_, at)| fact.at.since(*at) <= LAST_WORDS);
                fact.seq = near.map_or(fact.seq, |(seq, _)| seq);
                (fact.quote, fact.line) = (Some(told.quote), Some(told.line));
            }
        }
        fact
    }
}

#[cfg(test)]
thread_local! {
    /// How often the log was asked, for the test that counts it.
    pub(super) static LOOK_UPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Where a line stands in the run.
fn place(logs: &LogStore, process: &ProcessId, line: &FailureLine) -> Option<(u64, At)> {
    #[cfg(test)]
    LOOK_UPS.with(|count| count.set(count.get() + 1));
    let stream = [Stream::Out, Stream::Err].into_iter().find(|stream| stream.word() == line.stream)?;
    logs.place_of_line(process, stream, line.number).ok()?
}
