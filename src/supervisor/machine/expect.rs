//! Expectations: how each stands, and when it is decided.
//!
//! Lines are counted where they are captured; here come the counts. An expectation with `within` is decided when its time is
//! over, any other at the verdict. Before that happens the pipes are read once more ([`Effect::FlushOutput`]): what was
//! said in time counts. And when all tests have ended well, processes that still live get a moment for what they say about
//! the last of it: a server often writes its log after its answer.

use std::time::Duration;

use super::core::Machine;
use super::samples::Samples;
use super::types::{Effect, TimerKind};
use crate::model::{At, Bound, Comparison, EventKind, Expectation, ExpectationInfo, Expected, RunSpec, Standing, Statistic, factor};

/// How long living processes have for their last words about a run whose tests have ended.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long a line that must be seen is waited for after that.
const LATE_LINE: Duration = Duration::from_secs(1);
/// How long the pipes' last reading may take.
const FLUSH: Duration = Duration::from_secs(2);

/// What was counted in one stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Lines that match.
    pub(crate) lines: u64,
    /// The numbers that they name.
    pub(crate) numbers: Vec<f64>,
    /// The first of them: its stream, its number there from 1, its text.
    pub(crate) first: Option<(&'static str, u64, String)>,
}

/// All expectations of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Expectations {
    all: Vec<Watched>,
    stage: Stage,
}

/// How far the decision at the verdict is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// The run goes on.
    #[default]
    Open,
    /// The last words are waited for; late lines until then.
    Waiting { until: At },
    /// The pipes are read once more.
    Flushing { until: At },
    /// All stand as they will.
    Decided,
}

#[derive(Debug, Clone)]
struct Watched {
    spec: Expectation,
    what: String,
    proc: Option<usize>,
    standing: Standing,
    seen: u64,
    samples: Samples,
    /// When its own time is over, once its process has started.
    until: Option<At>,
    /// Its time is over: decided as soon as the pipes were read.
    closing: bool,
    detail: String,
}

impl Expectations {
    pub(super) fn of(spec: &RunSpec) -> Self {
        let watched = |expectation: &Expectation| Watched {
            what: ExpectationInfo::of(expectation).words(),
            proc: spec.processes.get_index_of(&expectation.process),
            spec: expectation.clone(),
            standing: Standing::Open,
            seen: 0,
            samples: Samples::default(),
            until: None,
            closing: false,
            detail: String::new(),
        };
        Self { all: spec.expectations.iter().map(watched).collect(), stage: Stage::Open }
    }

    /// Time stood still for whom they are about.
    pub(super) fn stood_still(&mut self, span: std::time::Duration) {
        self.all.iter_mut().filter_map(|one| one.until.as_mut()).for_each(|until| *until = *until + span);
        if let Stage::Waiting { until } | Stage::Flushing { until } = &mut self.stage {
            *until = *until + span;
        }
    }

    /// How many are met, and all of them.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.all.iter().filter(|one| one.standing == Standing::Met).count(), self.all.len())
    }

    /// Whether a verdict has settled them.
    pub(super) fn are_decided(&self) -> bool {
        self.stage == Stage::Decided
    }

    /// The first that is violated, in words.
    pub(super) fn violated(&self) -> Option<String> {
        let one = self.all.iter().find(|one| one.standing == Standing::Violated)?;
        Some(format!("{}: expectation violated: {}", one.spec.process, one.what))
    }
}

impl Watched {
    /// What the numbers and lines so far make certain.
    fn certain(&self) -> Standing {
        match &self.spec.what {
            Expected::MustNotSee { .. } if self.seen > 0 => Standing::Violated,
            Expected::MustSee { count, .. } => match count.comparison {
                Comparison::AtLeast | Comparison::More if count.holds(self.seen as f64) => Standing::Met,
                Comparison::Less if !count.holds(self.seen as f64) => Standing::Violated,
                Comparison::AtMost | Comparison::Equal if self.seen as f64 > count.value => Standing::Violated,
                _ => Standing::Open,
            },
            Expected::Metric { bounds, .. } if self.is_exceeded(bounds) => Standing::Violated,
            Expected::Metric { .. } | Expected::MustNotSee { .. } => Standing::Open,
        }
    }

    /// Whether the largest number is too large already: that does not get better.
    fn is_exceeded(&self, bounds: &[(Statistic, Bound)]) -> bool {
        let below = |bound: &Bound| matches!(bound.comparison, Comparison::Less | Comparison::AtMost);
        bounds.iter().any(|(statistic, bound)| *statistic == Statistic::Max && below(bound) && self.holds(*statistic, bound) == Some(false))
    }

    /// Whether what the numbers say is within `bound`; none without numbers.
    fn holds(&self, statistic: Statistic, bound: &Bound) -> Option<bool> {
        self.samples.of(statistic).map(|number| bound.holds(number / factor(&bound.unit)))
    }

    /// What it comes to if nothing more is said.
    fn verdict(&self) -> Standing {
        let holds = match &self.spec.what {
            Expected::MustNotSee { .. } => self.seen == 0,
            Expected::MustSee { count, .. } => count.holds(self.seen as f64),
            Expected::Metric { bounds, .. } => bounds.iter().all(|(statistic, bound)| self.holds(*statistic, bound) == Some(true)),
        };
        if holds { Standing::Met } else { Standing::Violated }
    }

    /// Whether one more line could still make it good.
    fn hopes(&self) -> bool {
        matches!(&self.spec.what, Expected::MustSee { .. } | Expected::Metric { .. } if self.verdict() == Standing::Violated)
            && self.certain() == Standing::Open
    }

    /// How it stands, in numbers: `2 of >= 5`, `p95 61ms of 312`.
    fn numbers(&self) -> String {
        match &self.spec.what {
            Expected::MustNotSee { .. } => String::new(),
            Expected::MustSee { count, .. } => format!("{} of {count}", self.seen),
            Expected::Metric { .. } if self.samples.len() == 0 => "no line named a number".into(),
            Expected::Metric { bounds, .. } => {
                let one = |(statistic, bound): &(Statistic, Bound)| {
                    let name = match statistic {
                        Statistic::P50 => "p50",
                        Statistic::P95 => "p95",
                        Statistic::P99 => "p99",
                        Statistic::Max => "max",
                    };
                    let number = self.samples.of(*statistic).unwrap_or_default() / factor(&bound.unit);
                    let rounded = (number * 100.0).round() / 100.0;
                    format!("{name} {rounded}{}", bound.unit)
                };
                format!("{} of {}", bounds.iter().map(one).collect::<Vec<_>>().join(", "), self.samples.len())
            }
        }
    }
}

impl Machine {
    /// Lines were counted.
    pub(super) fn seen(&mut self, index: usize, seen: Seen) {
        let Some(one) = self.expectations.all.get_mut(index) else { return };
        if one.standing != Standing::Open || self.expectations.stage == Stage::Decided {
            return;
        }
        one.seen += seen.lines;
        one.samples.extend(&seen.numbers);
        let standing = one.certain();
        one.standing = standing;
        one.detail = match (&one.spec.what, &seen.first) {
            (Expected::MustNotSee { .. }, Some((_, _, text))) => text.clone(),
            _ => one.numbers(),
        };
        let decided_by = seen.first.filter(|_| standing != Standing::Open);
        self.tell_expectation(index, decided_by.map(|(stream, line, _)| (line, stream)));
    }

    fn tell_expectation(&mut self, index: usize, line: Option<(u64, &'static str)>) {
        let one = &self.expectations.all[index];
        let event = EventKind::Expected {
            process: one.spec.process.clone(),
            expectation: u32::try_from(index).unwrap_or(u32::MAX),
            standing: one.standing,
            seen: one.seen,
            what: one.what.clone(),
            detail: one.detail.clone(),
            line: line.map(|(line, _)| line),
            stream: line.map(|(_, stream)| stream.to_owned()),
        };
        self.emit(event);
    }

    /// Starts the clocks of expectations whose process has just started for the first time.
    pub(super) fn start_windows(&mut self) {
        for index in 0..self.expectations.all.len() {
            let one = &mut self.expectations.all[index];
            let (Some(within), Some(i), None) = (one.spec.within, one.proc, one.until) else { continue };
            if let Some(started) = self.procs[i].first_started {
                let until = started + within;
                one.until = Some(until);
                self.arm_run(TimerKind::Window(index), until);
            }
        }
    }

    /// The time of an expectation is over: what was said in it may still be in a pipe.
    pub(super) fn window_over(&mut self, index: usize) {
        let Some(one) = self.expectations.all.get_mut(index) else { return };
        if one.standing == Standing::Open {
            one.closing = true;
            self.out.push(Effect::FlushOutput);
        }
    }

    /// The pipes were read.
    pub(super) fn flushed(&mut self) {
        for index in 0..self.expectations.all.len() {
            if std::mem::take(&mut self.expectations.all[index].closing) {
                self.decide_one(index);
            }
        }
        let Stage::Flushing { until } = self.expectations.stage else { return };
        let hopes = |one: &Watched| one.standing == Standing::Open && one.hopes() && one.proc.is_some_and(|i| self.procs[i].has_life());
        if self.now < until && self.expectations.all.iter().any(hopes) {
            self.expectations.stage = Stage::Waiting { until };
            self.arm_run(TimerKind::LastWords, self.now + LAST_WORDS);
        } else {
            self.decide_expectations();
        }
    }

    /// Enough was waited.
    pub(super) fn last_words_over(&mut self) {
        match self.expectations.stage {
            Stage::Waiting { until } => {
                self.expectations.stage = Stage::Flushing { until };
                self.out.push(Effect::FlushOutput);
                self.arm_run(TimerKind::LastWords, self.now + FLUSH);
            }
            // The last reading hangs; the verdict must not.
            Stage::Flushing { .. } => self.decide_expectations(),
            Stage::Open | Stage::Decided => {}
        }
    }

    /// Whether all expectations of a run whose tests have ended well are decided; if not, what is needed for that begins.
    pub(super) fn expectations_are_decided(&mut self) -> bool {
        if self.expectations.all.iter().all(|one| one.standing != Standing::Open) {
            self.expectations.stage = Stage::Decided;
        }
        if self.expectations.stage == Stage::Open {
            let open = self.expectations.all.iter().filter(|one| one.standing == Standing::Open);
            // An end is told when all that was said before it is in the log.
            if open.filter_map(|one| one.proc).any(|i| self.procs[i].has_life()) {
                self.expectations.stage = Stage::Waiting { until: self.now + LATE_LINE };
                self.arm_run(TimerKind::LastWords, self.now + LAST_WORDS);
            } else {
                self.decide_expectations();
            }
        }
        self.expectations.stage == Stage::Decided
    }

    /// The run goes on after all.
    pub(super) fn forget_last_words(&mut self) {
        if self.expectations.stage != Stage::Decided {
            self.expectations.stage = Stage::Open;
        }
    }

    /// The verdict is there: what is still open is decided by what was seen.
    pub(super) fn decide_expectations(&mut self) {
        for index in 0..self.expectations.all.len() {
            self.decide_one(index);
        }
        self.expectations.stage = Stage::Decided;
    }

    fn decide_one(&mut self, index: usize) {
        let one = &mut self.expectations.all[index];
        if one.standing == Standing::Open {
            one.standing = one.verdict();
            one.detail = one.numbers();
            self.tell_expectation(index, None);
        }
    }

    /// Tests run again: what a new attempt can make good is open again.
    pub(super) fn reopen_expectations(&mut self) {
        self.expectations.stage = Stage::Open;
        for index in 0..self.expectations.all.len() {
            let one = &mut self.expectations.all[index];
            let lasting = match &one.spec.what {
                Expected::MustSee { count, .. } => matches!(count.comparison, Comparison::AtLeast | Comparison::More),
                Expected::MustNotSee { .. } | Expected::Metric { .. } => false,
            };
            // Its own time is over, or it holds whatever comes.
            if one.standing == Standing::Open
                || one.until.is_some_and(|until| until <= self.now)
                || lasting && one.standing == Standing::Met
            {
                continue;
            }
            if !lasting {
                (one.seen, one.samples) = (0, Samples::default());
            }
            one.standing = Standing::Open;
            one.detail = one.numbers();
            self.tell_expectation(index, None);
        }
    }
}
