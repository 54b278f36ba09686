//! What the scenario expects of logs, and what its steps wait for in them, as capture counts it and as the machine is told.

use super::machine::{Input, Seen};
use crate::{
    logs::{Counted, Stream, Wanted},
    model::{Expected, ProcessId, RunSpec, StepWhen},
};

/// What to count in the output of `process`.
pub(super) fn wanted(spec: &RunSpec, process: &ProcessId) -> Vec<Wanted> {
    let own = (0..).zip(&spec.expectations).filter(|(_, expectation)| expectation.process == *process);
    let wanted = own.map(|(number, expectation)| match &expectation.what {
        Expected::MustSee { pattern, .. } | Expected::MustNotSee { pattern } => Wanted::lines(number, pattern),
        // All bounds of a metric are about the same numbers, so the first one's unit is theirs.
        Expected::Metric { pattern, bounds } => {
            Wanted::numbers(number, pattern, bounds.first().map_or("", |(_, bound)| bound.unit.as_str()))
        }
    });
    let steps = (spec.expectations.len()..).zip(&spec.steps).filter_map(|(number, step)| match &step.when {
        StepWhen::Log { processes, pattern } if processes.contains(process) => {
            Some(Wanted::lines(u32::try_from(number).unwrap_or(u32::MAX), pattern))
        }
        _ => None,
    });
    wanted.chain(steps).collect()
}

/// What was counted, for the machine. What steps wait for is numbered behind the expectations.
pub(super) fn seen(spec: &RunSpec, expectation: u32, stream: Stream, counted: Counted) -> Input {
    if let Some(step) = (expectation as usize).checked_sub(spec.expectations.len()) {
        return Input::Said { step };
    }
    let Counted { lines, first, numbers } = counted;
    let first = first.map(|(line, text)| (stream.word(), line, text));
    Input::Seen { expectation: expectation as usize, seen: Seen { lines, numbers, first } }
}
