//! The events that tell something, as the events pane and the timeline list them.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{At, Event, EventKind, Narration, ProcessId, Verdict, narrate},
    supervisor::Journal,
};

use super::lives::{Life, Lives};

/// More than anybody writes into a scenario.
const MOST_EXPECTATIONS: usize = 10_000;

/// What follows so soon is a consequence.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Events with words, oldest first. They are shared with the journal; words are made when they are shown.
#[derive(Debug, Default)]
pub(crate) struct EventList {
    read: usize,
    told: Vec<Arc<Event>>,
    /// Places in `told` of those for the pane: a restart is one row there, not two.
    newest: Vec<usize>,
    /// The numbers of those.
    listed: Vec<u64>,
    /// How each expectation stood last, by its place.
    expected: Vec<Option<Arc<Event>>>,
    seqs: Vec<u64>,
    marks: Vec<u64>,
    lives: Lives,
    alerts: Vec<Arc<Event>>,
}

impl EventList {
    /// Takes in what the journal has got since. True if that changed the list.
    pub(crate) fn refresh(&mut self, journal: &Journal) -> bool {
        let before = self.told.len();
        if journal.len() > self.read {
            self.extend(journal.from(self.read));
        }
        self.told.len() > before
    }

    /// Takes in events.
    pub(crate) fn extend(&mut self, events: Vec<Arc<Event>>) {
        self.read += events.len();
        for event in events {
            self.lives.take(&event);
            if matches!(event.kind, EventKind::Alerted { .. }) {
                self.alerts.push(event.clone());
            }
            if let EventKind::Expected { expectation, .. } = event.kind {
                self.expect(expectation, event.clone());
            }
            if let Some(told) = narrate(&event) {
                if let Some(process) = &told.process {
                    self.lives.told(process, event.seq);
                }
                self.seqs.push(event.seq);
                if matches!(event.kind, EventKind::Marked { .. }) {
                    self.marks.push(event.seq);
                }
                if !self.is_told_already(&event) {
                    self.newest.push(self.told.len());
                    self.listed.push(event.seq);
                }
                self.told.push(event);
            }
        }
    }

    fn expect(&mut self, expectation: u32, event: Arc<Event>) {
        let at = expectation as usize;
        // A recording may come from anybody.
        if at >= self.expected.len() && at < MOST_EXPECTATIONS {
            self.expected.resize(at + 1, None);
        }
        if let Some(place) = self.expected.get_mut(at) {
            *place = Some(event);
        }
    }

    /// Whether the pane lists it already, as part of another event.
    fn is_told_already(&self, event: &Event) -> bool {
        match &event.kind {
            // Its restart says so.
            EventKind::Ready { generation: 2.., .. } => true,
            // What failed says that the run has, too.
            EventKind::VerdictReached { outcome } => {
                outcome.verdict == Verdict::Failed && self.told.last().is_some_and(|before| event.at.since(before.at) < AT_ONCE)
            }
            _ => false,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.told.len()
    }

    /// Their numbers, in order.
    pub(crate) fn seqs(&self) -> &[u64] {
        &self.seqs
    }

    /// The numbers of those that are marks.
    pub(crate) fn marks(&self) -> &[u64] {
        &self.marks
    }

    /// The last generations of a process, oldest first.
    pub(crate) fn lives(&self, process: &ProcessId) -> &[Life] {
        self.lives.of(process)
    }

    /// The newest event about a process, with its words.
    pub(crate) fn newest_of(&self, process: &ProcessId) -> Option<(&Event, Narration)> {
        let seq = self.lives.newest(process)?;
        let event = self.told.get(self.seqs.binary_search(&seq).ok()?)?;
        Some((event, narrate(event)?))
    }

    /// The place of the last event at or before a time, counted from the newest.
    pub(crate) fn back_to(&self, at: At) -> usize {
        let until = self.told.partition_point(|event| event.at <= at);
        self.told.len().saturating_sub(until.max(1))
    }

    /// Bursts of alert lines, oldest first.
    pub(crate) fn alerts(&self) -> &[Arc<Event>] {
        &self.alerts
    }

    /// How an expectation came to stand as it does, by its place in the file.
    pub(crate) fn expected(&self, expectation: u32) -> Option<&Event> {
        self.expected.get(expectation as usize)?.as_deref()
    }

    /// The numbers of those that the pane lists, in order.
    pub(crate) fn listed_seqs(&self) -> &[u64] {
        &self.listed
    }

    /// Those of the pane from `first` on, with their words.
    pub(crate) fn listed_window(&self, first: usize, count: usize) -> impl Iterator<Item = (&Event, Narration)> {
        let places = self.newest.iter().skip(first).take(count);
        places.filter_map(|at| self.told.get(*at)).filter_map(|event| Some((&**event, narrate(event)?)))
    }

    /// How many the pane lists.
    pub(crate) fn listed(&self) -> usize {
        self.newest.len()
    }

    /// Events `from..to` with their words.
    pub(crate) fn window(&self, from: usize, to: usize) -> impl Iterator<Item = (&Event, Narration)> {
        let to = to.min(self.told.len());
        self.told.get(from.min(to)..to).unwrap_or_default().iter().filter_map(|event| Some((&**event, narrate(event)?)))
    }
}
