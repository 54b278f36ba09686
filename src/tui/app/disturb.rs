//! The menu of faults: what can be done to the traffic that goes through a tap.

use std::time::Duration;

use crate::{
    model::{Command, FaultKind, FaultSpec, ProcessId, Snapshot},
    tui::{
        action::Action,
        key::{Code, Key},
    },
};

use super::{
    overlay::Overlay,
    overlay_keys::moved,
    state::{App, Outcome, World},
};

/// The faults that are offered for a process, with a tap in front of its port or on its pipes, each with what comes of it; their places are their digits.
pub(crate) fn faults(at: &ProcessId, snapshot: &Snapshot) -> Vec<(FaultSpec, &'static str)> {
    let fault = |kind| FaultSpec { at: at.clone(), kind, delay: None, status: None, method: None, count: None };
    let delayed = |kind, ms| FaultSpec { delay: Some(Duration::from_millis(ms)), ..fault(kind) };
    let once = |kind| FaultSpec { count: Some(1), ..fault(kind) };
    let on_pipes = snapshot.row(at.as_str()).is_some_and(|row| row.info.taps_pipes);
    let mut all = vec![
        (fault(FaultKind::None), "let it be again"),
        (delayed(FaultKind::Delay, 1000), "every request waits before it goes on"),
        (delayed(FaultKind::Jitter, 500), "every request waits, none as long as the other"),
        (FaultSpec { status: Some(503), ..fault(FaultKind::Status) }, "every request is answered in its place"),
        (FaultSpec { status: Some(503), ..once(FaultKind::Status) }, "the next request is answered in its place"),
        (once(FaultKind::Drop), "the next request goes nowhere and gets no answer"),
        (once(FaultKind::Reset), "the connection of the next request is reset"),
        (once(FaultKind::HalfClose), "the next request goes on, and the way back is closed"),
        (delayed(FaultKind::SlowBody, 100), "bodies of answers come 16 bytes at a time"),
        (once(FaultKind::Truncate), "the next answer ends in the middle"),
    ];
    all.retain(|(fault, _)| !on_pipes || fault.kind.is_for_pipes());
    all
}

impl App {
    /// Opens the menu for this tap.
    pub(super) fn open_faults_of(&mut self, process: ProcessId, world: &World<'_>) {
        if self.may_disturb(world) {
            self.overlay = Some(Overlay::Disturb { process, chosen: 1 });
        }
    }

    fn may_disturb(&mut self, world: &World<'_>) -> bool {
        if !world.abilities.live {
            self.complain(world.now, "this is a recording: nothing can be disturbed in it");
        }
        world.abilities.live && !self.is_in_the_past(world)
    }

    /// Opens the menu for the chosen process, or for the only one that has a tap.
    pub(super) fn open_faults(&mut self, world: &World<'_>) {
        if !self.may_disturb(world) {
            return;
        }
        let mut tapped = world.snapshot.rows.iter().filter(|row| row.info.is_tapped()).map(|row| row.id().clone());
        let chosen = self.target(world.snapshot).filter(|row| row.info.is_tapped()).map(|row| row.id().clone());
        match (chosen, tapped.next(), tapped.next()) {
            (Some(process), ..) | (None, Some(process), None) => self.overlay = Some(Overlay::Disturb { process, chosen: 1 }),
            (None, None, _) => {
                self.complain(world.now, "no process has a tap: add `tap = true` to one that listens or reads a pipe");
            }
            (None, Some(_), Some(_)) => self.complain(world.now, "choose one that has a tap: several do"),
        }
    }

    pub(super) fn faults_key(
        &mut self,
        process: ProcessId,
        chosen: usize,
        key: Key,
        bound: Option<Action>,
        world: &World<'_>,
    ) -> Vec<Outcome> {
        let faults = faults(&process, world.snapshot);
        let digit = key.typed().and_then(|c| c.to_digit(10)).and_then(|digit| faults.get(digit as usize));
        let fault = match (digit, key.code, bound) {
            (Some((fault, _)), ..) => Some(fault.clone()),
            (None, Code::Enter, _) => faults.get(chosen).map(|(fault, _)| fault.clone()),
            (None, _, Some(Action::Disturb)) => self.panes.fault.clone().map(|fault| FaultSpec { at: process.clone(), ..fault }),
            _ => {
                self.overlay = moved(chosen, faults.len(), bound).map(|chosen| Overlay::Disturb { process, chosen });
                return Vec::new();
            }
        };
        let Some(fault) = fault else {
            self.complain(world.now, "there is no fault yet that could be repeated");
            return Vec::new();
        };
        if fault.kind == FaultKind::None {
            self.say(world.now, format!("{process} is not disturbed any more"));
        } else {
            self.say(world.now, format!("disturbing {process}: {}   D 0 lets it be", fault.effect()));
            self.panes.fault = Some(fault.clone());
        }
        vec![Outcome::Send(Command::Disturb { fault })]
    }
}
