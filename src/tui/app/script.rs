//! The steps of the scenario: what keys ask of them, and what they want to be seen.

use crate::{
    model::{Command, StepStage, View},
    tui::{
        action::Action,
        key::{Code, Key},
        layout::Pane,
        logview::query,
    },
};

use super::{
    overlay::Overlay,
    overlay_keys::moved,
    state::{App, Outcome, World},
};

impl App {
    /// Carries out a step, or holds them all.
    pub(super) fn on_script(&mut self, action: Action, world: &World<'_>) -> Vec<Outcome> {
        let steps = &world.snapshot.steps;
        if !world.abilities.live {
            self.complain(world.now, "this is a recording: its steps have been carried out");
            return Vec::new();
        }
        if self.is_in_the_past(world) {
            return Vec::new();
        }
        if steps.is_empty() {
            self.complain(world.now, "this scenario has no steps: [[step]] adds one");
            return Vec::new();
        }
        let command = match action {
            Action::HoldSteps => {
                let held = !world.snapshot.steps_held;
                self.say(world.now, if held { "the steps wait until they are released" } else { "the steps go on" });
                Command::HoldSteps { held }
            }
            Action::RepeatStep => {
                let last = steps.iter().enumerate().filter(|(_, step)| matches!(step.stage, StepStage::Done | StepStage::Failed));
                // The last that was carried out need not be the last of the file.
                let Some((index, step)) = last.max_by_key(|(_, step)| step.at) else {
                    self.complain(world.now, "no step has been carried out yet");
                    return Vec::new();
                };
                self.say(world.now, format!("step {} again: {}", index + 1, step.info.title()));
                Command::RunStep { step: u32::try_from(index + 1).ok() }
            }
            _ => Command::RunStep { step: None },
        };
        vec![Outcome::Send(command)]
    }

    /// Carries out the step at this place of the file, whatever it waits for.
    pub(super) fn carry_out_step(&mut self, at: usize, world: &World<'_>) -> Vec<Outcome> {
        let Some(step) = world.snapshot.steps.get(at) else { return Vec::new() };
        if !world.abilities.live {
            return self.on_script(Action::NextStep, world);
        }
        if self.is_in_the_past(world) {
            return Vec::new();
        }
        self.say(world.now, format!("step {} now: {}", at + 1, step.info.title()));
        vec![Outcome::Send(Command::RunStep { step: u32::try_from(at + 1).ok() })]
    }

    /// A key in the list of steps.
    pub(super) fn steps_key(&mut self, chosen: usize, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        self.overlay = Some(Overlay::Steps { chosen });
        match key.code {
            Code::Enter => return self.carry_out_step(chosen, world),
            Code::Char('.') => return self.on_script(Action::HoldSteps, world),
            _ => {}
        }
        let close = bound == Some(Action::Steps);
        let moved = moved(chosen, world.snapshot.steps.len(), bound).filter(|_| !close);
        self.panes.step = moved.unwrap_or(chosen);
        self.overlay = moved.map(|chosen| Overlay::Steps { chosen });
        Vec::new()
    }

    /// Shows what a step wants to be seen.
    pub(crate) fn show(&mut self, view: &View, world: &World<'_>) {
        match view {
            View::Layout(name) => match world.layouts.iter().position(|layout| layout.name() == name) {
                Some(layout) => self.layout = layout,
                None => self.complain(world.now, format!("a step wants the layout {name}, and there is none of that name")),
            },
            View::Focus(process) => {
                if let Some(row) = world.snapshot.rows.iter().position(|row| row.id() == process) {
                    self.table.selected = row;
                    self.focus = Pane::Processes;
                }
            }
            View::Filter(typed) => self.log.within = query::pattern(typed),
        }
    }
}
