//! `--rehearse`: each step of the script, how it went and how long it took.

use std::fmt::Write;

use crate::model::{Snapshot, StepStage, human_duration, one_line};

/// The steps of a rehearsal that is over, a line each. Those before `from_step` were never meant to be carried out.
pub(super) fn rehearsal(end: &Snapshot, from_step: u32) -> String {
    let left_out = (from_step.saturating_sub(1) as usize).min(end.steps.len());
    let (before, wanted) = end.steps.split_at(left_out);
    let done = wanted.iter().filter(|step| step.stage == StepStage::Done).count();
    let steps = if wanted.len() == 1 { "step" } else { "steps" };
    let mut text = format!("Rehearsal: {done} of {} {steps} passed", wanted.len());
    if !before.is_empty() {
        let _ = write!(text, ", {} left out by --from-step", before.len());
    }
    text.push('\n');
    for (number, step) in (1..).zip(&end.steps) {
        let word = match step.stage {
            StepStage::Done => "passed",
            // The run ended while it waited or was carried out.
            StepStage::Waiting | StepStage::Started => "cut off",
            stage => stage.word(),
        };
        let took = step.took.map_or_else(|| "-".to_owned(), human_duration);
        let _ = write!(text, "  {number:>2}  {word:<7}  {took:>8}   {}", one_line(step.info.title()));
        if !step.detail.is_empty() && step.stage != StepStage::Done {
            let _ = write!(text, "   {}", one_line(&step.detail));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::model::{StepInfo, StepSnapshot};

    #[test]
    fn each_step_has_its_line() {
        let step = |what: &str, stage, took, detail: &str| {
            let info = StepInfo { when: String::new(), what: what.into(), note: String::new(), title: String::new(), idle: false };
            Arc::new(StepSnapshot { stage, took, detail: detail.into(), ..StepSnapshot::new(info) })
        };
        let steps = vec![
            step("kill upstream", StepStage::Done, Some(Duration::from_millis(1412)), ""),
            step("start b", StepStage::Failed, Some(Duration::from_secs(5)), "waited 5 s for a ready: it is backoff"),
            step("stop b", StepStage::Skipped, None, "the run ended before it was done"),
        ];
        let end = Snapshot { steps, ..Snapshot::default() };
        let text = rehearsal(&end, 1);
        let wanted = "Rehearsal: 1 of 3 steps passed\n\
                      \u{20}  1  passed      1.4 s   kill upstream\n\
                      \u{20}  2  failed        5 s   start b   waited 5 s for a ready: it is backoff\n\
                      \u{20}  3  skipped         -   stop b   the run ended before it was done\n";
        assert_eq!(text, wanted);
        assert!(rehearsal(&end, 2).starts_with("Rehearsal: 0 of 2 steps passed, 1 left out by --from-step\n"));
        assert!(rehearsal(&end, 3).starts_with("Rehearsal: 0 of 1 step passed, 2 left out by --from-step\n"));
    }
}
