//! Latencies in bounded memory, and the percentiles of them.

use std::time::Duration;

/// Buckets per doubling: values are kept to within 1/32 of themselves.
const STEPS: u64 = 32;
/// Values below this many microseconds have a bucket each.
const EXACT: u64 = STEPS;
/// Doublings above that: the last bucket holds anything over ten hours.
const DOUBLINGS: usize = 31;

/// A histogram of durations, as fine as a person can read and of fixed size however long a soak runs.
#[derive(Debug, Clone)]
pub(super) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: vec![0; EXACT as usize + DOUBLINGS * STEPS as usize], count: 0 }
    }
}

impl Latencies {
    /// Adds one.
    pub(super) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = bucket(micros).min(self.buckets.len() - 1);
        self.buckets[at] += 1;
        self.count += 1;
    }

    /// The duration that `percent` of all stay at or below; zero if there are none.
    pub(super) fn percentile(&self, percent: u64) -> Duration {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(middle(at as u64));
            }
        }
        Duration::ZERO
    }
}

fn bucket(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    let doubling = u64::from(micros.ilog2() - EXACT.ilog2());
    // The bits below the leading one, cut to the resolution.
    let step = (micros >> doubling) - STEPS;
    (EXACT + doubling * STEPS + step) as usize
}

fn middle(bucket: u64) -> u64 {
    if bucket < EXACT {
        return bucket;
    }
    let (doubling, step) = ((bucket - EXACT) / STEPS, (bucket - EXACT) % STEPS);
    ((STEPS + step) << doubling) + ((1 << doubling) >> 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_of_one_to_a_hundred_milliseconds() {
        let mut latencies = Latencies::default();
        (1..=100).for_each(|ms| latencies.add(Duration::from_millis(ms)));
        let near = |percent, ms: f64| {
            let got = latencies.percentile(percent).as_secs_f64() * 1000.0;
            assert!((got - ms).abs() / ms < 1.0 / 32.0, "p{percent} is {got}, wanted about {ms}");
        };
        near(50, 50.0);
        near(99, 99.0);
        near(100, 100.0);
        assert_eq!(Latencies::default().percentile(50), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_bucket_is_near_what_it_holds(micros in 0..36_000_000_000_u64) {
            let shown = middle(bucket(micros) as u64);
            prop_assert!(shown.abs_diff(micros) <= micros / 32, "{micros} is shown as {shown}");
        }
    }

    #[test]
    fn the_longest_wait_has_a_bucket_too() {
        let mut latencies = Latencies::default();
        latencies.add(Duration::MAX);
        assert!(latencies.percentile(50) > Duration::from_hours(10));
    }
}
