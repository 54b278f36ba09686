//! What the scenario expects of logs, as capture counts it and as the machine is told.

use super::machine::{Input, Seen};
use crate::{
    logs::{Counted, Stream, Wanted},
    model::{Expected, ProcessId, RunSpec},
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
    wanted.collect()
}

/// What was counted, for the machine.
pub(super) fn seen(expectation: u32, stream: Stream, counted: Counted) -> Input {
    let Counted { lines, first, numbers } = counted;
    let first = first.map(|(line, text)| (stream.word(), line, text));
    Input::Seen { expectation: expectation as usize, seen: Seen { lines, numbers, first } }
}
