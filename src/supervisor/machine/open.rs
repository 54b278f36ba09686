//! Runs that a program drives as they go: a test adds processes while the run lives, and says itself how it ended.

use std::sync::Arc;

use super::core::Machine;
use super::types::Goal;
use crate::model::{
    EventKind, ListenPort, Outcome, ProcessId, ProcessInfo, ProcessSpec, Reads, RestartMode, StartCause, StdinMode, Verdict, exit_code,
};
use crate::scenario::{awaited, settings};

/// Who drives a run, and so what ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Driver {
    /// A front: what its scenario says ends it. Past its timeout only a headless run is taken down.
    #[default]
    Front,
    /// A test, around a scenario: past its timeout it is taken down, whatever the verdict was by then.
    TestOfScenario,
    /// A test that adds processes as it goes: nothing that ends in it ends it. Past its timeout it is taken down.
    Test,
}

/// How the test that drives a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestEnd {
    /// It says that it passed: what failed meanwhile was meant to.
    Passed,
    /// It failed, for this reason.
    Failed(String),
    /// Nobody knows; what the processes did decides.
    Unknown,
}

impl Machine {
    /// Says who drives the run: one that a test adds to goes on whatever ends in it, until [`close`](Self::close).
    pub(crate) fn driven_by(&mut self, driver: Driver) {
        self.course.open = driver == Driver::Test;
        self.course.limited = driver != Driver::Front;
    }

    /// What the last attempt of a process at becoming ready has met, if one has failed.
    pub(crate) fn last_trouble(&self, process: &ProcessId) -> Option<&str> {
        self.procs[*self.by_name.get(process)?].last_trouble.as_deref()
    }

    /// A process that was not there before; it starts as soon as what it depends on allows. The ticket resolves when it is up.
    pub(super) fn add(&mut self, spec: Arc<ProcessSpec>, ticket: u64) -> Result<(), String> {
        if self.course.is_stopping() || self.course.is_finished() {
            return Err("the run is being stopped".into());
        }
        if self.by_name.contains_key(&spec.id) {
            return Err(format!("there is a process {} already", spec.id));
        }
        let i = self.procs.len();
        self.emit(EventKind::ProcessAdded { info: describe(&spec) });
        let autostart = spec.autostart;
        self.enlist(spec);
        if autostart {
            self.procs[i].wants_start = Some(StartCause::Run);
            self.expect(i, ticket, Goal::Up);
        } else {
            self.out.push(super::types::Effect::Resolve { ticket, result: Ok(()) });
        }
        Ok(())
    }

    /// The test has ended: from now on the run may end, too.
    pub(super) fn close(&mut self, end: TestEnd, ticket: u64) {
        self.course.open = false;
        self.course.close(end);
        self.out.push(super::types::Effect::Resolve { ticket, result: Ok(()) });
    }

    /// What the test said of itself, which stands before what its processes did.
    pub(super) fn said_by_test(&self) -> Option<Outcome> {
        match self.course.said()? {
            TestEnd::Passed => Some(Outcome::new(
                Verdict::Passed,
                exit_code::PASSED,
                self.script.passed_because().unwrap_or_else(|| "the test passed".into()),
            )),
            TestEnd::Failed(why) => Some(Outcome::new(Verdict::Failed, exit_code::TEST_FAILED, why.clone())),
            TestEnd::Unknown => None,
        }
    }
}

/// What does not change about a process during a run.
pub(super) fn describe(spec: &ProcessSpec) -> ProcessInfo {
    ProcessInfo {
        name: spec.id.clone(),
        role: spec.role,
        kind: spec.kind.clone(),
        stand_in: spec.stand_in,
        listens: spec.listens.iter().map(ListenPort::clone).collect(),
        has_health: spec.health.is_some(),
        waits_for: spec.depends_on.iter().map(|d| format!("{} {}", d.on, d.condition.word())).collect(),
        max_restarts: (spec.restart.mode == RestartMode::OnFailure).then_some(spec.restart.max_attempts),
        argv: spec.argv.iter().map(ToString::to_string).collect(),
        cwd: spec.cwd.display().to_string(),
        taps_pipes: spec.taps_pipes(),
        reads: match (spec.tty, spec.stdin) {
            (true, _) => Reads::Terminal,
            (false, StdinMode::Pipe) => Reads::Pipe,
            (false, StdinMode::Null) => Reads::Nothing,
        },
        awaits: awaited(spec),
        settings: settings(spec),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        ScriptOptions,
        tests::{id, run_of, spec},
        types::{Effect, Input, MachineOptions},
    };
    use super::*;
    use crate::model::{Actor, At, Command, Exit, ProcessState, Request, Role};

    fn open() -> Machine {
        let mut machine = Machine::new(
            &run_of(Vec::new()),
            MachineOptions { end_when_done: false, timeout: None, script: ScriptOptions::default(), seed: 1 },
        );
        machine.driven_by(Driver::Test);
        assert_eq!(machine.step(At(0), Input::Begin), []);
        machine
    }

    fn add(machine: &mut Machine, name: &str, ticket: u64) -> Vec<Effect> {
        machine.step(At(1), Input::Add { spec: Arc::new(spec(name, Role::Service)), ticket })
    }

    fn end(machine: &mut Machine, end: TestEnd) -> Outcome {
        machine.step(At(50), Input::Close { end, ticket: 8 });
        let request = Request { command: Command::Shutdown { now: true }, by: Actor::Library };
        machine.step(At(51), Input::Request { request, ticket: 9 });
        let mut effects = Vec::new();
        if machine.procs[0].has_life() {
            let (process, generation) = (id("a"), 1);
            effects.extend(machine.step(At(52), Input::LeaderExited { process: process.clone(), generation, exit: Exit::Code(0) }));
            effects.extend(machine.step(At(53), Input::TreeEmpty { process: process.clone(), generation }));
            effects.extend(machine.step(At(54), Input::Drained { process, generation, tail: Vec::new() }));
        }
        effects.extend(machine.step(At(55), Input::FinalCensus { leaks: Vec::new() }));
        effects
            .into_iter()
            .find_map(|effect| match effect {
                Effect::Finish { outcome } => Some(outcome),
                _ => None,
            })
            .expect("the run is over")
    }

    fn up(machine: &mut Machine) {
        machine.step(At(2), Input::Spawned { process: id("a"), generation: 1, pid: 100 });
    }

    #[test]
    fn a_process_that_is_added_is_told_first_and_then_started() {
        let mut machine = open();
        let effects = add(&mut machine, "a", 7);
        assert!(matches!(&effects[0], Effect::Emit(EventKind::ProcessAdded { info }) if info.name == id("a")), "{effects:?}");
        assert!(effects.contains(&Effect::Spawn { process: id("a"), generation: 1, unless_done: true }), "{effects:?}");
        let effects = machine.step(At(2), Input::Spawned { process: id("a"), generation: 1, pid: 100 });
        assert!(effects.contains(&Effect::Resolve { ticket: 7, result: Ok(()) }), "{effects:?}");
        let refused = add(&mut machine, "a", 8);
        assert_eq!(refused, [Effect::Resolve { ticket: 8, result: Err("there is a process a already".into()) }]);
    }

    #[test]
    fn a_run_that_is_driven_ends_when_the_test_says_so_and_as_it_says() {
        for (said, exit_code) in [(TestEnd::Passed, 0), (TestEnd::Failed("boom".into()), 1), (TestEnd::Unknown, 0)] {
            let mut machine = open();
            add(&mut machine, "a", 7);
            up(&mut machine);
            assert_eq!(end(&mut machine, said.clone()).exit_code, exit_code, "{said:?}");
        }
    }

    #[test]
    fn what_failed_decides_only_where_the_test_does_not() {
        for (said, exit_code) in [(TestEnd::Passed, 0), (TestEnd::Unknown, 3)] {
            let mut machine = open();
            add(&mut machine, "a", 7);
            up(&mut machine);
            let (process, generation) = (id("a"), 1);
            machine.step(At(3), Input::LeaderExited { process: process.clone(), generation, exit: Exit::Code(101) });
            machine.step(At(4), Input::Drained { process: process.clone(), generation, tail: Vec::new() });
            machine.step(At(5), Input::TreeEmpty { process, generation });
            assert!(matches!(machine.procs[0].state, ProcessState::Failed { .. }));
            assert_eq!(end(&mut machine, said.clone()).exit_code, exit_code, "{said:?}");
        }
    }

    #[test]
    fn nothing_is_added_while_the_run_stops() {
        let mut machine = open();
        add(&mut machine, "a", 7);
        up(&mut machine);
        let request = Request { command: Command::Shutdown { now: false }, by: Actor::Library };
        machine.step(At(3), Input::Request { request, ticket: 9 });
        assert_eq!(add(&mut machine, "b", 10), [Effect::Resolve { ticket: 10, result: Err("the run is being stopped".into()) }]);
    }
}
