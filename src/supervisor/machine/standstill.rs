//! A suspension of the run: what is counted in time moves by the time that stood still.

use std::time::Duration;

use super::core::Machine;
use super::types::{Life, Proc, Stopping};
use crate::model::ProcessState;

impl Machine {
    /// Moves every moment that something is counted from or to. Timers are the runtime's, and were moved there.
    pub(super) fn stood_still(&mut self, span: Duration) {
        self.expectations.stood_still(span);
        self.script.stood_still(span);
        for i in 0..self.procs.len() {
            self.procs[i].stood_still(span);
            let mut state = self.procs[i].state.clone();
            match &mut state {
                ProcessState::Starting { deadline: until, .. } | ProcessState::Backoff { until, .. } => *until = *until + span,
                ProcessState::Stopping { kill_at, .. } if *kill_at > self.procs[i].since => *kill_at = *kill_at + span,
                _ => {}
            }
            self.set_state(i, state);
        }
    }
}

impl Proc {
    fn stood_still(&mut self, span: Duration) {
        self.ledger.stood_still(span);
        self.started = self.started + span;
        match &mut self.life {
            Life::Up { since, .. } => *since = *since + span,
            Life::Ending { since, ended, .. } => (*since, *ended) = (*since + span, *ended + span),
            Life::Stopping(Stopping { since, started, .. }) => (*since, *started) = (*since + span, *started + span),
            Life::None | Life::Spawning { .. } | Life::Clearing { .. } => {}
        }
    }
}
