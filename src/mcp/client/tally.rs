//! What a test has seen so far.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indexmap::IndexMap;

use super::{
    super::{PartLog, log::millis},
    pace::Pace,
    stats::Latencies,
};

/// Progress lines come no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// Different failures that a soak tells apart.
const MOST_KINDS: usize = 32;

/// Counts and latencies of all callers of a test.
#[derive(Debug)]
pub(super) struct Tally {
    log: PartLog,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    passed: u32,
    latencies: Latencies,
    failed: IndexMap<String, u32>,
    said: Option<Instant>,
}

impl Tally {
    pub(super) fn new(log: PartLog) -> Self {
        Self { log, counts: Mutex::default() }
    }

    /// A call passed. A progress line goes out if it is time for one, or `at_once`.
    pub(super) fn passed(&self, took: Duration, pace: &Pace, at_once: bool) {
        let mut counts = self.lock();
        counts.passed += 1;
        counts.latencies.add(took);
        let due = counts.said.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if due || at_once || pace.is_last(counts.passed) {
            counts.said = Some(Instant::now());
            self.log.raw(format_args!("##e2e progress {}", pace.progress(counts.passed)));
        }
    }

    /// A call failed for good, and the test goes on.
    pub(super) fn failed(&self, why: String) {
        let mut counts = self.lock();
        let why = if counts.failed.len() < MOST_KINDS || counts.failed.contains_key(&why) { why } else { "others".to_owned() };
        *counts.failed.entry(why).or_default() += 1;
    }

    /// Says how it goes.
    pub(super) fn report(&self, pace: &Pace) {
        let failures = self.failures().unwrap_or_else(|| "0 failed".to_owned());
        self.log.info(format_args!("{}, {failures}, {}", pace.progress(self.count()), self.percentiles()));
    }

    /// How many calls passed.
    pub(super) fn count(&self) -> u32 {
        self.lock().passed
    }

    /// How many calls failed.
    pub(super) fn fail_count(&self) -> u32 {
        self.lock().failed.values().sum()
    }

    /// How many calls failed, and why: `3 of 1203 calls failed: HTTP 502, wanted 200 ×3`. None if none did.
    pub(super) fn failures(&self) -> Option<String> {
        let counts = self.lock();
        let failed: u32 = counts.failed.values().sum();
        let kinds: Vec<String> = counts.failed.iter().map(|(why, times)| format!("{why} ×{times}")).collect();
        (failed > 0).then(|| format!("{failed} of {} calls failed: {}", counts.passed + failed, kinds.join(", ")))
    }

    /// `p50 4 ms, p99 6 ms`.
    pub(super) fn percentiles(&self) -> String {
        let counts = self.lock();
        let [p50, p99] = [50, 99].map(|percent| millis(counts.latencies.percentile(percent)));
        format!("p50 {p50}, p99 {p99}")
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
