//! Expectations of a run under way: what events and reports tell of them, and how they stand.

use std::{fmt::Write, time::Duration};

use serde::{Deserialize, Serialize};

use super::{At, Bound, Expectation, Expected, ProcessId, Statistic};

/// How an expectation stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Not decided yet.
    #[default]
    Open,
    /// It holds, and will.
    Met,
    /// It does not hold, and will not.
    Violated,
}

/// An expectation as reports and a run's first event tell it: the keys of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct ExpectationInfo {
    /// Whose log.
    pub process: ProcessId,
    /// The pattern that lines must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_see: Option<String>,
    /// How many of them, if the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// The pattern that no line may match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_not_see: Option<String>,
    /// The pattern that captures numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Their median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<String>,
    /// What nineteen of twenty are at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<String>,
    /// What ninety-nine of a hundred are at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<String>,
    /// The largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// From the process's first start, in milliseconds; none: until the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

/// How an expectation stands in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectationSnapshot {
    /// What is expected.
    pub info: ExpectationInfo,
    /// How it stands.
    pub standing: Standing,
    /// Lines that matched so far.
    pub seen: u64,
    /// How it came to stand so: `2 of >= 5`, `p95 61ms`, the line that must not be there.
    pub detail: String,
    /// When it was decided, if a line decided it.
    pub at: Option<At>,
}

impl ExpectationInfo {
    /// What `expectation` says.
    pub fn of(expectation: &Expectation) -> Self {
        let mut info = Self {
            process: expectation.process.clone(),
            must_see: None,
            count: None,
            must_not_see: None,
            metric: None,
            p50: None,
            p95: None,
            p99: None,
            max: None,
            within_ms: expectation.within.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX)),
        };
        match &expectation.what {
            Expected::MustSee { pattern, count } => {
                info.must_see = Some(pattern.as_str().to_owned());
                info.count = (*count != Bound::at_least_once()).then(|| count.to_string());
            }
            Expected::MustNotSee { pattern } => info.must_not_see = Some(pattern.as_str().to_owned()),
            Expected::Metric { pattern, bounds } => {
                info.metric = Some(pattern.as_str().to_owned());
                for (statistic, bound) in bounds {
                    let place = match statistic {
                        Statistic::P50 => &mut info.p50,
                        Statistic::P95 => &mut info.p95,
                        Statistic::P99 => &mut info.p99,
                        Statistic::Max => &mut info.max,
                    };
                    *place = Some(bound.to_string());
                }
            }
        }
        info
    }

    /// In words: `must see "ready"`, `must not see " 5\d\d "`, `took (\d+) ms: p95 <= 50ms`.
    pub fn words(&self) -> String {
        let mut words = match (&self.must_see, &self.must_not_see, &self.metric) {
            (Some(pattern), _, _) => format!("must see \"{pattern}\""),
            (_, Some(pattern), _) => format!("must not see \"{pattern}\""),
            (_, _, Some(pattern)) => {
                let bounds = [("p50", &self.p50), ("p95", &self.p95), ("p99", &self.p99), ("max", &self.max)];
                let bounds = bounds.into_iter().filter_map(|(name, bound)| Some(format!("{name} {}", bound.as_ref()?)));
                format!("\"{pattern}\": {}", bounds.collect::<Vec<_>>().join(", "))
            }
            _ => String::new(),
        };
        if let Some(count) = &self.count {
            let _ = write!(words, ", {count} times");
        }
        if let Some(within) = self.within_ms {
            let _ = write!(words, ", within {}", super::human_duration(Duration::from_millis(within)));
        }
        words
    }

    /// Hands every free text of it to `visit`.
    pub(crate) fn each_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
        let Self { must_see, must_not_see, metric, count, p50, p95, p99, max, process: _, within_ms: _ } = self;
        [must_see, must_not_see, metric, count, p50, p95, p99, max].into_iter().flatten().for_each(visit);
    }
}

/// The number in `text`, in the smallest unit of its kind; without a unit of its own it is in `unit`. None: it is no number.
pub fn measure(text: &str, unit: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || ".-+_".contains(c))).unwrap_or(text.len());
    let (number, own) = text.split_at(end);
    let number: f64 = number.replace('_', "").parse().ok()?;
    let own = own.trim();
    Some(number * factor(if own.is_empty() { unit } else { own }))
}

/// How many of the smallest unit of its kind one of `unit` is: nanoseconds, bytes. What is no known unit counts by itself.
pub fn factor(unit: &str) -> f64 {
    match unit {
        "us" | "µs" | "μs" | "kB" | "KB" => 1e3,
        "ms" | "MB" => 1e6,
        "s" | "sec" | "secs" | "GB" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_bring_their_unit_or_take_the_bound_s() {
        let same = |a: Option<f64>, b: f64| assert!((a.expect("a number") - b).abs() < 1e-6, "{a:?} {b}");
        same(measure("61", "ms"), 61e6);
        same(measure("1.5s", "ms"), 1.5e9);
        same(measure("300 us", "ms"), 3e5);
        same(measure("2MiB", "KiB"), 2_097_152.0);
        same(measure("7", ""), 7.0);
        same(measure("7 calls", "calls"), 7.0);
        assert_eq!(measure("fast", "ms"), None);
    }

    #[test]
    fn an_expectation_reads_as_it_was_written() {
        let pattern = |p: &str| regex::Regex::new(p).expect("a pattern");
        let process = ProcessId::new("nginx").expect("a name");
        let what = Expected::MustNotSee { pattern: pattern(r" 5\d\d ") };
        let info = ExpectationInfo::of(&Expectation { process: process.clone(), what, within: None });
        assert_eq!(info.words(), r#"must not see " 5\d\d ""#);
        assert_eq!(serde_json::to_string(&info).expect("plain data"), r#"{"process":"nginx","must_not_see":" 5\\d\\d "}"#);
        let count = Bound { comparison: super::super::Comparison::AtLeast, value: 300.0, unit: String::new() };
        let what = Expected::MustSee { pattern: pattern("call"), count: count.clone() };
        let info = ExpectationInfo::of(&Expectation { process: process.clone(), what, within: Some(Duration::from_secs(5)) });
        assert_eq!(info.words(), r#"must see "call", >= 300 times, within 5 s"#);
        let bound = Bound { comparison: super::super::Comparison::AtMost, value: 50.0, unit: "ms".into() };
        let what = Expected::Metric { pattern: pattern(r"took (\d+) ms"), bounds: vec![(Statistic::P95, bound)] };
        let info = ExpectationInfo::of(&Expectation { process, what, within: None });
        assert_eq!(info.words(), r#""took (\d+) ms": p95 <= 50ms"#);
    }
}
