//! Who can start what does not start by itself.
//!
//! A process with `autostart = false` waits: for a person at the dashboard, for a test that drives the run, for a step. What
//! depends on it waits with it, as compose and its like would not: there, a dependency is started along, here the file has
//! said that it is not, and a step that starts it later is what that is for. In a headless run nobody is there but the
//! steps. What no step starts is never started, so that
//!
//! - a test with `autostart = false` has no part in the verdict, nor in the count of checks, until somebody starts it;
//! - what depends on such a process is skipped, saying why; a test skipped so ends the run with 3, as any that cannot start.

use std::collections::BTreeMap;

use crate::model::{ProcessId, Role, RunSpec, StepAction};

/// Who can start what, besides people.
#[derive(Debug, Clone, Default)]
pub(super) struct Starters {
    /// The first step to come, from 1, that starts a process.
    pub(super) steps: BTreeMap<ProcessId, usize>,
    /// All that steps start, by step.
    all: Vec<(usize, ProcessId)>,
}

impl Starters {
    pub(super) fn of(spec: &RunSpec) -> Self {
        let mut all = Vec::new();
        for (number, step) in (1..).zip(&spec.steps) {
            for action in &step.actions {
                let started: Vec<_> = match action {
                    StepAction::Start(process) | StepAction::Restart(process) => vec![process.clone()],
                    StepAction::RerunTests => {
                        spec.processes.values().filter(|p| p.role == Role::Test && p.autostart).map(|p| p.id.clone()).collect()
                    }
                    _ => Vec::new(),
                };
                all.extend(started.into_iter().map(|process| (number, process)));
            }
        }
        let mut starters = Self { steps: BTreeMap::new(), all };
        starters.passed(0);
        starters
    }

    /// The first `count` steps are over: they start nothing more.
    pub(super) fn passed(&mut self, count: usize) {
        self.steps.clear();
        for (number, process) in self.all.iter().filter(|(number, _)| *number > count) {
            self.steps.entry(process.clone()).or_insert(*number);
        }
    }

    /// What a process that does not start by itself waits for.
    pub(super) fn waits_for(&self, process: &ProcessId) -> String {
        self.steps.get(process).map_or_else(|| "a start by hand".to_owned(), |step| format!("step {step}"))
    }
}
