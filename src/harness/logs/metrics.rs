//! Numbers that processes print, as a distribution.

use std::fmt;

/// How the numbers are spread that lines of a pattern hold.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// # let harness = e2e_tui::harness::E2ETestHarness::new().await?;
/// let latency = harness.logs().metrics(r"200 in (\d+) ms").expect("calls were made");
/// assert!(latency.p95 < 50.0, "{latency}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LogMetrics {
    /// How many numbers there were.
    pub count: usize,
    /// The least.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// Half are at most this (nearest rank, as all percentiles here).
    pub p50: f64,
    /// 95 of a hundred are at most this.
    pub p95: f64,
    /// 99 of a hundred are at most this.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl LogMetrics {
    /// Of `numbers`; none if there are none.
    pub(super) fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.retain(|number| number.is_finite());
        numbers.sort_by(f64::total_cmp);
        let count = numbers.len();
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        let rank = |percent: usize| numbers[(count * percent).div_ceil(100).clamp(1, count) - 1];
        let mean = numbers.iter().sum::<f64>() / count as f64;
        Some(Self { count, min, mean, p50: rank(50), p95: rank(95), p99: rank(99), max })
    }
}

impl fmt::Display for LogMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, min, mean, p50, p95, p99, max } = self;
        write!(f, "{count} numbers: min {min}, mean {mean:.2}, p50 {p50}, p95 {p95}, p99 {p99}, max {max}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numbers_that_were_there() {
        let metrics = LogMetrics::of((1..=200).rev().map(f64::from).collect()).expect("there are some");
        assert_eq!(
            (metrics.min, metrics.p50, metrics.p95, metrics.p99, metrics.max, metrics.count),
            (1.0, 100.0, 190.0, 198.0, 200.0, 200)
        );
        assert!((metrics.mean - 100.5).abs() < 1e-9);
        let one = LogMetrics::of(vec![3.0]).expect("one");
        assert_eq!((one.p50, one.p99), (3.0, 3.0));
        assert_eq!(LogMetrics::of(Vec::new()), None);
    }
}
