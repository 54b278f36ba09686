//! The generations of each process, as its events tell them.

use std::{collections::HashMap, time::Duration};

use crate::model::{Actor, At, Event, EventKind, Exit, Generation, ProcessId, StartCause};

/// One start of a process, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Life {
    pub(crate) generation: Generation,
    pub(crate) pid: u32,
    pub(crate) started: At,
    pub(crate) cause: StartCause,
    /// How long it took to become ready, and what showed it.
    pub(crate) ready: Option<(Duration, String)>,
    pub(crate) end: Option<End>,
}

/// How a generation ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    pub(crate) exit: Exit,
    pub(crate) up: Duration,
    pub(crate) asked: bool,
    /// Whose signal from outside brought it about.
    pub(crate) by: Option<Actor>,
    pub(crate) same_cause: bool,
}

/// So many are kept of a process; older ones are in the timeline.
const KEPT: usize = 20;

/// The last generations of all processes.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    lives: HashMap<ProcessId, Vec<Life>>,
}

impl Lives {
    /// Takes in an event.
    pub(crate) fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Spawned { process, generation, pid, cause, .. } => {
                let lives = self.lives.entry(process.clone()).or_default();
                if lives.len() == KEPT {
                    lives.remove(0);
                }
                let (generation, cause) = (*generation, cause.clone());
                lives.push(Life { generation, pid: *pid, started: event.at, cause, ready: None, end: None });
            }
            EventKind::Ready { process, generation, after, evidence, .. } => {
                if let Some(life) = self.of_generation(process, *generation) {
                    life.ready = Some((*after, evidence.clone()));
                }
            }
            EventKind::Exited { process, generation, exit, asked, by, up, same_cause, .. } => {
                if let Some(life) = self.of_generation(process, *generation) {
                    life.end = Some(End { exit: *exit, up: *up, asked: *asked, by: by.clone(), same_cause: *same_cause });
                }
            }
            _ => {}
        }
    }

    /// The last generations of `process`, oldest first.
    pub(crate) fn of(&self, process: &ProcessId) -> &[Life] {
        self.lives.get(process).map_or(&[], Vec::as_slice)
    }

    fn of_generation(&mut self, process: &ProcessId, generation: Generation) -> Option<&mut Life> {
        self.lives.get_mut(process)?.iter_mut().rev().find(|life| life.generation == generation)
    }
}
