//! `--repeat` and `--until-fail`: many runs of one scenario, told in one line.

use std::{fmt, time::Duration};

use crate::model::human_duration;

/// How runs of a scenario went so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    runs: Vec<(bool, Duration)>,
}

/// Signs in a row before the strip is cut at its beginning.
const STRIP: usize = 60;

impl Tally {
    /// Counts a run.
    pub fn add(&mut self, passed: bool, took: Duration) {
        self.runs.push((passed, took));
    }

    /// How many there were.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The nearest-rank percentile of how long they took.
    fn percentile(&self, share: usize) -> Duration {
        let mut took: Vec<_> = self.runs.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let rank = (took.len() * share).div_ceil(100).max(1);
        took.get(rank - 1).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    /// `✓✓✗✓   3 of 4 passed   p50 1.2 s   p99 3.4 s`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs.len() > STRIP {
            f.write_str("…")?;
        }
        for (passed, _) in &self.runs[self.runs.len().saturating_sub(STRIP)..] {
            f.write_str(if *passed { "✓" } else { "✗" })?;
        }
        let passed = self.runs.iter().filter(|(passed, _)| *passed).count();
        let (p50, p99) = (human_duration(self.percentile(50)), human_duration(self.percentile(99)));
        write!(f, "   {passed} of {} passed   p50 {p50}   p99 {p99}", self.runs.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_runs_are_one_line() {
        let mut tally = Tally::default();
        for (passed, ms) in [(true, 1000), (false, 3400), (true, 1200)] {
            tally.add(passed, Duration::from_millis(ms));
        }
        assert_eq!(tally.to_string(), "✓✗✓   2 of 3 passed   p50 1.2 s   p99 3.4 s");
        for _ in 0..100 {
            tally.add(true, Duration::from_secs(1));
        }
        assert!(tally.to_string().starts_with("…✓✓") && tally.to_string().contains("102 of 103 passed"), "{tally}");
    }
}
