//! All events of a run, in order, for everybody who reads along: fronts, recorder, tests.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    model::{At, Event, EventKind, ProbeOutcome, make_one_line},
    redact::Redactor,
};

/// Samples and well-behaved probes kept in memory, the newest. They come for as long as a run lasts; what views show of
/// them is in the snapshots, and all of them are in `events.jsonl`.
const SAMPLES: usize = 4096;
/// Failed probes kept: they are facts of an explanation.
const FAILED_PROBES: usize = 8192;

/// Stands in the place of an event that memory does not hold any more.
static FORGOTTEN: LazyLock<Arc<Event>> = LazyLock::new(|| Arc::new(Event { seq: 0, at: At::START, kind: EventKind::Unknown }));

/// An append-only list of events that many can read while one writes. Of samples and probes it keeps the newest; in the
/// place of older ones it hands out [`EventKind::Unknown`], so that positions stay.
#[derive(Debug, Default)]
pub struct Journal {
    inner: Mutex<Inner>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// Each with its position.
    events: VecDeque<(usize, Arc<Event>)>,
    /// Positions so far.
    len: usize,
    /// The positions of those that may be forgotten, oldest first.
    samples: VecDeque<usize>,
    failed_probes: VecDeque<usize>,
    /// Up to where they are on disk; none: nobody writes them there.
    written: Option<usize>,
    closed: bool,
}

impl Inner {
    fn push(&mut self, event: Event) {
        match &event.kind {
            EventKind::Sampled { .. } => self.samples.push_back(self.len),
            EventKind::Probed { probes, .. } => {
                let failed = probes.iter().any(|probe| matches!(probe.outcome, ProbeOutcome::Failed { .. }));
                if failed { &mut self.failed_probes } else { &mut self.samples }.push_back(self.len);
            }
            _ => {}
        }
        self.events.push_back((self.len, Arc::new(event)));
        self.len += 1;
        // In batches: each takes a walk over what is kept.
        if self.samples.len() >= SAMPLES * 2 || self.failed_probes.len() >= FAILED_PROBES * 2 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let written = self.written.unwrap_or(usize::MAX);
        let mut gone = std::collections::HashSet::new();
        for (old, most) in [(&mut self.samples, SAMPLES), (&mut self.failed_probes, FAILED_PROBES)] {
            while old.len() > most && old.front().is_some_and(|at| *at < written) {
                gone.extend(old.pop_front());
            }
        }
        if !gone.is_empty() {
            self.events.retain(|(at, _)| !gone.contains(at));
        }
    }

    fn between(&self, from: usize, to: usize) -> Vec<Arc<Event>> {
        let to = to.min(self.len);
        let kept = self.events.iter().skip(self.events.partition_point(|(at, _)| *at < from));
        let mut events = Vec::with_capacity(to.saturating_sub(from));
        for (at, event) in kept.take_while(|(at, _)| *at < to) {
            events.resize(at - from, FORGOTTEN.clone());
            events.push(event.clone());
        }
        events.resize(to.saturating_sub(from), FORGOTTEN.clone());
        events
    }
}

impl Journal {
    /// A journal of a run that is over.
    pub fn of(events: Vec<Event>) -> Self {
        let len = events.len();
        let events = events.into_iter().map(Arc::new).enumerate().collect();
        Self { inner: Mutex::new(Inner { events, len, closed: true, ..Inner::default() }), more: Condvar::new() }
    }

    /// Appends `event`, whose number is above all before it.
    pub(crate) fn push(&self, event: Event) {
        self.lock().push(event);
        self.more.notify_all();
    }

    /// The first `count` events are on disk; from the first call on, nothing is forgotten before it is there.
    pub(crate) fn written(&self, count: usize) {
        self.lock().written = Some(count);
    }

    /// No more events will come.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events from index `from` on.
    pub fn from(&self, from: usize) -> Vec<Arc<Event>> {
        self.between(from, usize::MAX)
    }

    /// The events from index `from` on, up to but without index `to`.
    pub fn between(&self, from: usize, to: usize) -> Vec<Arc<Event>> {
        self.lock().between(from, to)
    }

    /// The same, but waits for the first of them, at most `patience`; the flag says that none will come after them.
    pub fn wait_from(&self, from: usize, patience: Duration) -> (Vec<Arc<Event>>, bool) {
        let waiting = self.more.wait_timeout_while(self.lock(), patience, |inner| inner.len <= from && !inner.closed);
        let (inner, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        (inner.between(from, usize::MAX), inner.closed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A reader that panicked has changed nothing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Secrets in the texts of an event are masked; its names are left alone. Each text becomes one line that may be shown
/// anywhere, but for those of the run's beginning: scripts in command lines keep their lines.
pub(crate) fn fit_for_record(mut kind: EventKind, redactor: &Redactor) -> EventKind {
    let keeps_lines = matches!(kind, EventKind::RunStarted(_));
    kind.each_text(&mut |text| {
        redactor.mask_in(text);
        if !keeps_lines {
            make_one_line(text);
        }
    });
    kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessId;

    fn sampled(seq: u64) -> Event {
        Event { seq, at: At(seq), kind: EventKind::Sampled { samples: Vec::new() } }
    }

    fn marked(seq: u64) -> Event {
        let by = crate::model::Actor::You;
        Event { seq, at: At(seq), kind: EventKind::Marked { process: ProcessId::new("x").ok(), text: String::new(), by } }
    }

    #[test]
    fn a_day_of_samples_takes_no_more_memory_than_an_hour() {
        let journal = Journal::default();
        for seq in 1..=100_000 {
            journal.push(if seq % 1000 == 0 { marked(seq) } else { sampled(seq) });
        }
        assert!(journal.lock().events.len() < SAMPLES * 2 + 101);
        assert_eq!(journal.len(), 100_000);
        let all = journal.from(0);
        assert_eq!(all.len(), 100_000, "positions stay");
        assert_eq!(all.iter().filter(|event| matches!(event.kind, EventKind::Marked { .. })).count(), 100);
        assert!(all[..1000].iter().all(|event| !matches!(event.kind, EventKind::Sampled { .. })));
        assert!(all[100_000 - SAMPLES..].iter().all(|event| event.kind != EventKind::Unknown), "the newest are there");
        let newest = journal.from(99_998);
        assert_eq!(newest.iter().map(|event| event.seq).collect::<Vec<_>>(), [99_999, 100_000]);
        assert!(journal.from(100_000).is_empty() && journal.from(200_000).is_empty());
    }

    #[test]
    fn nothing_is_forgotten_before_it_is_on_disk() {
        let journal = Journal::default();
        journal.written(0);
        (1..=50_000).for_each(|seq| journal.push(sampled(seq)));
        assert!(journal.from(0).iter().all(|event| event.kind != EventKind::Unknown));
        journal.written(50_000);
        (50_001..=50_001 + SAMPLES as u64).for_each(|seq| journal.push(sampled(seq)));
        assert!(journal.lock().events.len() <= SAMPLES * 2);
    }
}
