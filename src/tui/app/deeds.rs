//! What keys ask of processes: only where it is clear of which.

use crate::{
    model::{Command, ProcessId, ProcessSnapshot, ProcessState, Reads},
    tui::{action::Action, layout::Pane, logview::desk::Seek},
};

use super::{
    overlay::{Overlay, PromptKind, Typing},
    state::{App, Outcome, World},
};

impl App {
    /// Sends a command about the process that the focused pane is about.
    pub(super) fn on_process(&mut self, action: Action, world: &World<'_>, command: impl FnOnce(ProcessId) -> Command) -> Vec<Outcome> {
        let Some(process) = self.process_for(action, world) else { return Vec::new() };
        self.say(world.now, told(action, &process));
        vec![Outcome::Send(command(process))]
    }

    /// Asks something more about the process that the focused pane is about.
    pub(super) fn about_process(&mut self, action: Action, world: &World<'_>, overlay: impl FnOnce(ProcessId) -> Overlay) {
        if let Some(process) = self.process_for(action, world) {
            self.overlay = Some(overlay(process));
        }
    }

    /// Leaves a process alone, for a debugger, or no longer.
    pub(super) fn hold(&mut self, world: &World<'_>) -> Vec<Outcome> {
        let Some(process) = self.process_for(Action::Hold, world) else { return Vec::new() };
        let held = world.snapshot.row(process.as_str()).is_some_and(|row| row.held);
        self.say(
            world.now,
            if held {
                format!("{process} is released: probes, deadlines and its policy act on it again")
            } else {
                format!("holding {process}: no probe, deadline or policy acts on it; :hold {process} again releases it")
            },
        );
        vec![Outcome::Send(Command::Hold { process, held: !held })]
    }

    /// Lets the user type to the process that the focused pane is about: a line to a pipe; to a terminal every key, while its log
    /// shows what it says.
    pub(super) fn talk_to(&mut self, action: Action, world: &World<'_>) -> Vec<Outcome> {
        let Some(process) = self.process_for(action, world) else { return Vec::new() };
        if world.snapshot.row(process.as_str()).is_some_and(|row| row.info.reads == Reads::Terminal) {
            if self.focus != Pane::Logs {
                self.open(world);
            }
            self.overlay = Some(Overlay::Type { process });
            return vec![Outcome::Seek(Seek::Follow)];
        }
        self.overlay = Some(Overlay::Prompt { kind: PromptKind::SendLine(process), typing: Typing::default() });
        Vec::new()
    }

    /// What was typed, for the process that is typed to.
    pub(crate) fn typed(&mut self, bytes: Vec<u8>) -> Vec<Outcome> {
        let Some(Overlay::Type { process }) = &self.overlay else { return Vec::new() };
        self.toast = None;
        vec![Outcome::Send(Command::Type { process: process.clone(), bytes })]
    }

    /// New attempts of all tests.
    pub(super) fn rerun(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if !world.abilities.live {
            self.complain(world.now, "this is a recording: nothing can be run in it");
            return Vec::new();
        }
        if self.is_in_the_past(world) {
            return Vec::new();
        }
        self.say(world.now, "running the tests again; services stay");
        vec![Outcome::Send(Command::RerunTests)]
    }

    /// The process to act on; none if that is not clear or would do nothing, and then it is said why.
    fn process_for(&mut self, action: Action, world: &World<'_>) -> Option<ProcessId> {
        if !world.abilities.live {
            self.complain(world.now, "this is a recording: nothing can be started or stopped in it");
            return None;
        }
        if self.is_in_the_past(world) {
            return None;
        }
        let Some(row) = self.target(world.snapshot) else {
            let key = world.keymap.key_of(self.context(), action).unwrap_or_else(|| format!(":{}", action.name()));
            self.complain(world.now, format!("{key} acts on one process: choose it in the table (Tab), or open its log there (Enter)"));
            return None;
        };
        let process = row.id().clone();
        if let Some(why) = refusal(action, row) {
            self.complain(world.now, why);
            return None;
        }
        Some(process)
    }
}

/// What is being done, in words that name the process.
fn told(action: Action, process: &ProcessId) -> String {
    match action {
        Action::Restart => format!("restarting {process}"),
        Action::RestartNow => format!("killing and restarting {process}"),
        Action::Stop => format!("stopping {process} and all it started; it stays down"),
        Action::StopNow => format!("killing {process} and all it started; it stays down"),
        _ => format!("starting {process}"),
    }
}

/// Why a command would do nothing, in words.
fn refusal(action: Action, row: &ProcessSnapshot) -> Option<String> {
    let id = row.id();
    match action {
        // What is being stopped is started again once it is down.
        Action::Start if row.state.is_alive() && !matches!(row.state, ProcessState::Stopping { .. }) => {
            Some(format!("{id} runs already: r restarts it"))
        }
        Action::Stop | Action::StopNow if row.state.is_settled() && row.leaks.is_empty() => {
            Some(format!("{id} is down already ({})", row.state.word()))
        }
        Action::Stop if matches!(row.state, ProcessState::Stopping { .. }) => Some(format!("{id} is being stopped; X kills it now")),
        Action::SendSignal | Action::SendLine if row.pid.is_none() => Some(format!("{id} does not run")),
        Action::SendLine if row.info.reads.is_nothing() => Some(format!("{id} reads nothing: give it `stdin = \"pipe\"` or `tty = true`")),
        _ => None,
    }
}
