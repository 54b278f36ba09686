//! The events that tell something, as the events pane and the timeline list them.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use crate::{
    model::{At, Event, EventKind, Narration, ProcessId, Verdict, View, narrate},
    supervisor::Journal,
};

use super::{
    lives::{Life, Lives},
    past::is_turn,
};

/// More than anybody writes into a scenario.
const MOST_EXPECTATIONS: usize = 10_000;

/// What follows so soon is a consequence.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Events about a process that hold more generations than are shown.
const RECENT: usize = 400;

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
    turns: Vec<u64>,
    /// Places in `told` of those about a process.
    about: HashMap<ProcessId, Vec<usize>>,
    lives: Lives,
    alerts: Vec<Arc<Event>>,
    /// What steps want to be seen, and nobody has shown yet.
    views: Vec<View>,
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
            if let EventKind::Viewed { view, .. } = &event.kind {
                self.views.push(view.clone());
            }
            if let EventKind::Expected { expectation, .. } = event.kind {
                self.expect(expectation, event.clone());
            }
            if let Some(told) = narrate(&event) {
                if let Some(process) = &told.process {
                    self.about.entry(process.clone()).or_default().push(self.told.len());
                }
                self.seqs.push(event.seq);
                if matches!(event.kind, EventKind::Marked { .. }) {
                    self.marks.push(event.seq);
                }
                if is_turn(&event.kind) {
                    self.turns.push(event.seq);
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

    /// What steps want to be seen, oldest first; told once.
    pub(crate) fn take_views(&mut self) -> Vec<View> {
        std::mem::take(&mut self.views)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.told.len()
    }

    /// Their numbers, in order.
    pub(crate) fn seqs(&self) -> &[u64] {
        &self.seqs
    }

    /// The numbers of failures and restarts.
    pub(crate) fn turns(&self) -> &[u64] {
        &self.turns
    }

    /// The place of the last event at or before a time, counted from the newest.
    pub(crate) fn back_to(&self, at: At) -> usize {
        let until = self.told.partition_point(|event| event.at <= at);
        self.told.len().saturating_sub(until.max(1))
    }

    /// How many there are up to event `seq`.
    pub(crate) fn place_of(&self, seq: u64) -> usize {
        self.seqs.partition_point(|told| *told <= seq)
    }

    /// Events `from..to` with their words.
    pub(crate) fn window(&self, from: usize, to: usize) -> impl Iterator<Item = (&Event, Narration)> {
        let to = to.min(self.told.len());
        self.told.get(from.min(to)..to).unwrap_or_default().iter().filter_map(|event| Some((&**event, narrate(event)?)))
    }
}

/// The list as it stood behind an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Events<'a> {
    list: &'a EventList,
    /// Events with higher numbers have not happened yet.
    until: u64,
}

impl EventList {
    /// The list as it stood behind event `until`.
    pub(crate) fn until(&self, until: u64) -> Events<'_> {
        Events { list: self, until }
    }
}

impl<'a> Events<'a> {
    /// All events, whenever they happen.
    pub(crate) fn all(&self) -> &'a EventList {
        self.list
    }

    /// The numbers of those that are marks.
    pub(crate) fn marks(&self) -> &'a [u64] {
        &self.list.marks[..self.list.marks.partition_point(|seq| *seq <= self.until)]
    }

    /// Bursts of alert lines, oldest first.
    pub(crate) fn alerts(&self) -> &'a [Arc<Event>] {
        &self.list.alerts[..self.list.alerts.partition_point(|event| event.seq <= self.until)]
    }

    /// How an expectation came to stand as it does, by its place in the file.
    pub(crate) fn expected(&self, expectation: u32) -> Option<&'a Event> {
        self.list.expected.get(expectation as usize)?.as_deref().filter(|event| event.seq <= self.until)
    }

    /// The numbers of those that the pane lists, in order.
    pub(crate) fn listed_seqs(&self) -> &'a [u64] {
        &self.list.listed[..self.listed()]
    }

    /// Those of the pane from `first` on, with their words.
    pub(crate) fn listed_window(&self, first: usize, count: usize) -> impl Iterator<Item = (&'a Event, Narration)> + use<'a> {
        let list = self.list;
        let places = list.newest[..self.listed()].iter().skip(first).take(count);
        places.filter_map(|at| list.told.get(*at)).filter_map(|event| Some((&**event, narrate(event)?)))
    }

    /// How many the pane lists.
    pub(crate) fn listed(&self) -> usize {
        self.list.listed.partition_point(|seq| *seq <= self.until)
    }

    /// The newest event of all, with its words.
    pub(crate) fn last(&self) -> Option<(&'a Event, Narration)> {
        let event = self.list.told.get(self.list.place_of(self.until).checked_sub(1)?)?;
        Some((event, narrate(event)?))
    }

    /// The newest event about a process, with its words.
    pub(crate) fn newest_of(&self, process: &ProcessId) -> Option<(&'a Event, Narration)> {
        let event = self.list.told.get(*self.about(process).last()?)?;
        Some((event, narrate(event)?))
    }

    /// The last generations of a process, oldest first.
    pub(crate) fn lives(&self, process: &ProcessId) -> Cow<'a, [Life]> {
        if self.until == u64::MAX {
            return Cow::Borrowed(self.list.lives.of(process));
        }
        let about = self.about(process);
        let mut lives = Lives::default();
        about[about.len().saturating_sub(RECENT)..].iter().for_each(|at| lives.take(&self.list.told[*at]));
        Cow::Owned(lives.of(process).to_vec())
    }

    /// Places of the events about a process.
    fn about(&self, process: &ProcessId) -> &'a [usize] {
        let about = self.list.about.get(process).map_or(&[][..], Vec::as_slice);
        &about[..about.partition_point(|at| self.list.seqs[*at] <= self.until)]
    }
}
