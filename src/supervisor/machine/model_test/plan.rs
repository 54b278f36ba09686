//! What is run: processes of every kind that policy tells apart, and a script of a few steps.

use std::time::Duration;

use super::super::tests::{id, run_of, spec};
use crate::model::Signal;
use crate::model::{
    Condition, Dependency, HealthSpec, OnUnhealthy, Probe, ProcessSpec, RestartMode, RestartPolicy, Role, RunSpec, StateOrHealth,
    StepAction, StepSpec, StepWhen, StopSpec,
};

pub(super) const NAMES: [&str; 5] = ["a", "b", "c", "t", "m"];
/// Restarts that the policy of `a` and `b` allows.
pub(super) const ATTEMPTS: u32 = 2;
/// Random bytes, read one at a time; zeros when they are used up.
pub(super) struct Chance<'a>(pub(super) std::slice::Iter<'a, u8>);

impl Chance<'_> {
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % n
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

pub(super) fn processes() -> RunSpec {
    let restart = RestartPolicy { mode: RestartMode::OnFailure, max_attempts: ATTEMPTS, ..RestartPolicy::default() };
    let needs = |on: &str, condition| vec![Dependency { on: id(on), condition }];
    let health = HealthSpec {
        probe: Probe::Tcp { addr: "127.0.0.1:1".into() },
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        start_period: Duration::ZERO,
        failures: 1,
        successes: 1,
        degraded_after: None,
        degraded: Vec::new(),
        on_unhealthy: OnUnhealthy::Restart,
        lazy: true,
    };
    let command = StopSpec { command: Some(vec!["stop-it".into()]), ..StopSpec::default() };
    let always = RestartPolicy { mode: RestartMode::Always, ..RestartPolicy::default() };
    run_of(vec![
        ProcessSpec { restart: restart.clone(), health: Some(health), ..spec("a", Role::Service) },
        ProcessSpec { restart, depends_on: needs("a", Condition::Ready), stop: command, ..spec("b", Role::Service) },
        ProcessSpec { depends_on: needs("a", Condition::Started), ..spec("c", Role::Task) },
        ProcessSpec { depends_on: needs("a", Condition::Healthy), timeout: Some(Duration::from_secs(20)), ..spec("t", Role::Test) },
        ProcessSpec { autostart: false, restart: always, ..spec("m", Role::Service) },
    ])
}

/// A script of a few steps, each as chance will have it.
pub(super) fn script(chance: &mut Chance<'_>) -> Vec<StepSpec> {
    let of = chance.below(5);
    let mut step = |_| {
        let process = id(NAMES[chance.below(NAMES.len())]);
        let state = |word: &str| StateOrHealth::State(word.into());
        let when = match chance.below(8) {
            0 | 1 => StepWhen::AtOnce,
            2 => StepWhen::After(Duration::from_secs(2)),
            3 => StepWhen::Log { processes: vec![process.clone()], pattern: regex::Regex::new("x").expect("a pattern") },
            n => StepWhen::State { processes: vec![process.clone()], is: state(["ready", "stopped", "backoff", "completed"][n - 4]) },
        };
        let action = |n: usize| match n {
            0 => StepAction::Start(process.clone()),
            1 => StepAction::Stop(process.clone()),
            2 => StepAction::Restart(process.clone()),
            3 => StepAction::Kill(process.clone()),
            4 => StepAction::Signal { process: process.clone(), signal: Signal::HUP },
            5 => StepAction::Send { process: process.clone(), text: "x".into() },
            6 => StepAction::RerunTests,
            7 => StepAction::Wait(Duration::from_secs(1)),
            _ => StepAction::Export("x".into()),
        };
        let actions = (0..chance.below(4)).map(|_| action(chance.below(9))).collect();
        StepSpec { when, actions, title: String::new(), note: String::new(), timeout: chance.one_in(3).then_some(Duration::from_secs(3)) }
    };
    (0..of).map(&mut step).collect()
}
