//! The numbers of a metric, in bounded memory.

use std::collections::BTreeMap;

use crate::model::Statistic;

/// Up to here every number is kept.
const EXACT: usize = 1 << 16;

/// Beyond that, numbers that are closer to each other than this are one.
const RATIO: f64 = 1.001;

/// Numbers, and what can be said of all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    exact: Vec<f64>,
    /// How many lie in each bucket: the numbers between `RATIO` to the n-th power and the next. None while `exact` holds all.
    buckets: Option<Box<Buckets>>,
    max: Option<f64>,
}

#[derive(Debug, Clone, Default)]
struct Buckets {
    /// Zero and what is below.
    small: u64,
    by_power: BTreeMap<i32, u64>,
}

impl Buckets {
    fn add(&mut self, number: f64) {
        if number <= f64::MIN_POSITIVE {
            self.small += 1;
        } else {
            *self.by_power.entry((number.ln() / RATIO.ln()).floor() as i32).or_default() += 1;
        }
    }

    /// A number of the bucket that holds the `rank`-th smallest, from 1.
    fn at(&self, rank: u64) -> f64 {
        let mut left = rank.saturating_sub(self.small);
        if left == 0 {
            return 0.0;
        }
        for (power, count) in &self.by_power {
            if left <= *count {
                return RATIO.powf(f64::from(*power) + 0.5);
            }
            left -= count;
        }
        f64::INFINITY
    }
}

impl Samples {
    /// Takes numbers in. What is none (`NaN`) is left out.
    pub(super) fn extend(&mut self, numbers: &[f64]) {
        for &number in numbers.iter().filter(|number| !number.is_nan()) {
            self.max = Some(self.max.map_or(number, |max| max.max(number)));
            match &mut self.buckets {
                Some(buckets) => buckets.add(number),
                None => self.exact.push(number),
            }
            if self.exact.len() > EXACT {
                let mut buckets = Buckets::default();
                for number in std::mem::take(&mut self.exact) {
                    buckets.add(number);
                }
                self.buckets = Some(Box::new(buckets));
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.buckets.as_ref().map_or(self.exact.len() as u64, |buckets| buckets.small + buckets.by_power.values().sum::<u64>())
    }

    /// What of the numbers `statistic` names, by nearest rank; none if there are no numbers.
    pub(super) fn of(&self, statistic: Statistic) -> Option<f64> {
        let max = self.max?;
        let share = match statistic {
            Statistic::P50 => 50,
            Statistic::P95 => 95,
            Statistic::P99 => 99,
            Statistic::Max => return Some(max),
        };
        let rank = (self.len() * share).div_ceil(100).max(1);
        Some(if let Some(buckets) = &self.buckets {
            buckets.at(rank).min(max)
        } else {
            let mut exact = self.exact.clone();
            let (_, number, _) = exact.select_nth_unstable_by(rank as usize - 1, f64::total_cmp);
            *number
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numbers_that_were_seen() {
        let mut samples = Samples::default();
        assert_eq!(samples.of(Statistic::P50), None);
        samples.extend(&(1..=200).rev().map(f64::from).collect::<Vec<_>>());
        let of = |statistic| samples.of(statistic).expect("there are some");
        let all = [of(Statistic::P50), of(Statistic::P95), of(Statistic::P99), of(Statistic::Max)];
        assert_eq!(all.map(|n| n as u32), [100, 190, 198, 200]);
    }

    #[test]
    fn millions_of_numbers_cost_little_and_stay_true() {
        let mut samples = Samples::default();
        for n in 0..300_000_u32 {
            samples.extend(&[f64::from(n % 10_000)]);
        }
        assert_eq!(samples.len(), 300_000);
        assert!(samples.exact.is_empty() && samples.buckets.as_ref().is_some_and(|b| b.by_power.len() < 10_000));
        for (statistic, wanted) in [(Statistic::P50, 5000.0), (Statistic::P99, 9900.0), (Statistic::Max, 9999.0)] {
            let found = samples.of(statistic).expect("there are some");
            assert!((found / wanted - 1.0_f64).abs() < 0.002, "{statistic:?}: {found}");
        }
    }
}
