//! What the front itself counts: lines a second, and which output has not been seen.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::model::{At, ProcessId};

#[derive(Debug, Clone, Default)]
struct Counter {
    lines: u64,
    rate: u64,
    sampled: u64,
    seen: u64,
    alerts: u64,
    /// The last samples, oldest first.
    history: VecDeque<Rates>,
}

/// What a process said in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) lines: u64,
    pub(crate) alerts: u64,
}

/// What a process has said so far.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) process: ProcessId,
    pub(crate) lines: u64,
    pub(crate) alerts: u64,
}

/// So many samples are remembered: a minute.
const HISTORY: usize = 60;

/// Counters of all processes.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    counters: HashMap<ProcessId, Counter>,
    sampled_at: At,
}

/// Rates are those of the last whole second or more.
const SAMPLE: Duration = Duration::from_secs(1);

impl Meter {
    /// Takes in what each process has said by `now`.
    pub(crate) fn update(&mut self, now: At, said: impl IntoIterator<Item = Said>) {
        let since = now.since(self.sampled_at);
        let sample = since >= SAMPLE;
        let per_second = |n: u64| (n as f64 / since.as_secs_f64()).round() as u64;
        for Said { process, lines, alerts } in said {
            let counter = self.counters.entry(process).or_default();
            counter.lines = lines;
            if sample {
                counter.rate = per_second(lines.saturating_sub(counter.sampled));
                // A single alert in a long pause between two frames is still one.
                let alerted = alerts.saturating_sub(counter.alerts);
                let alerted = per_second(alerted).max(u64::from(alerted > 0));
                (counter.sampled, counter.alerts) = (lines, alerts);
                if counter.history.len() == HISTORY {
                    counter.history.pop_front();
                }
                counter.history.push_back(Rates { lines: counter.rate, alerts: alerted });
            }
        }
        if sample {
            self.sampled_at = now;
        }
    }

    /// All that `process` has said so far was on the screen, or could have been.
    pub(crate) fn saw(&mut self, process: &ProcessId) {
        if let Some(counter) = self.counters.get_mut(process) {
            counter.seen = counter.lines;
        }
    }

    /// Lines a second.
    pub(crate) fn rate(&self, process: &ProcessId) -> u64 {
        self.counters.get(process).map_or(0, |counter| counter.rate)
    }

    /// How many lines it has said.
    pub(crate) fn lines(&self, process: &ProcessId) -> u64 {
        self.counters.get(process).map_or(0, |counter| counter.lines)
    }

    /// What it said in each of the last `samples` seconds, oldest first.
    pub(crate) fn recent(&self, process: &ProcessId, samples: usize) -> impl Iterator<Item = Rates> {
        let history = self.counters.get(process).map(|counter| &counter.history);
        let skip = history.map_or(0, |history| history.len().saturating_sub(samples));
        history.into_iter().flatten().skip(skip).copied()
    }

    /// Whether it said something that was not on the screen.
    pub(crate) fn is_unseen(&self, process: &ProcessId) -> bool {
        self.counters.get(process).is_some_and(|counter| counter.lines > counter.seen)
    }

    /// Whether a rate shown will change without anything happening.
    pub(crate) fn is_settling(&self) -> bool {
        self.counters.values().any(|counter| counter.rate > 0 || counter.lines > counter.sampled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_and_fall_to_zero() {
        let id = ProcessId::new("a").expect("a name");
        let mut meter = Meter::default();
        let mut at = |ms: u64, lines| {
            meter.update(At(ms * 1000), [Said { process: id.clone(), lines, alerts: 0 }]);
            (meter.rate(&id), meter.is_settling())
        };
        assert_eq!(at(100, 5), (0, true));
        assert_eq!(at(2000, 20), (10, true));
        assert_eq!(at(2500, 99), (10, true));
        assert_eq!(at(4000, 99), (40, true));
        assert_eq!(at(5000, 99), (0, false));
    }

    #[test]
    fn alerts_are_counted_a_second_and_a_single_one_is_never_rounded_away() {
        let process = ProcessId::new("a").expect("a name");
        let mut meter = Meter::default();
        for (s, lines, alerts) in [(1u64, 10, 0), (2, 20, 4), (5, 20, 5)] {
            meter.update(At(s * 1_000_000), [Said { process: process.clone(), lines, alerts }]);
        }
        let recent: Vec<_> = meter.recent(&process, 2).map(|rates| (rates.lines, rates.alerts)).collect();
        assert_eq!(recent, [(10, 4), (0, 1)]);
    }

    #[test]
    fn output_is_unseen_until_it_was_on_the_screen() {
        let id = ProcessId::new("a").expect("a name");
        let mut meter = Meter::default();
        meter.update(At(0), [Said { process: id.clone(), lines: 1, alerts: 0 }]);
        assert!(meter.is_unseen(&id));
        meter.saw(&id);
        assert!(!meter.is_unseen(&id));
    }
}
