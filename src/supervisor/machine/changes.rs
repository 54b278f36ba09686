//! What a changed file leads to.
//!
//! A change restarts what is up, and starts at once what backs off: there is a new program to try. Of the restart policy it
//! resets nothing, and it is none of its restarts. What has come to rest by itself (completed, failed, given up) is started as
//! by hand: a new attempt, and the verdict is by what comes of it. What has failed while alive is started so once it is stopped.
//! What somebody stopped stays down, what never started goes on waiting, and what is being stopped or started because somebody
//! wants it has the change already, or is meant to be gone.

use std::time::Duration;

use super::backoff::Decision;
use super::core::Machine;
use super::types::{After, Fallen, Life, Proc, StopOrder, Stopping};
use crate::model::{Actor, EventKind, NoticeLevel, ProcessId, ProcessState, StartCause};

/// Nobody saves this often within [`OFTEN_WITHIN`]: it is probably the process itself that writes what it watches.
const OFTEN: usize = 10;
/// See [`OFTEN`].
const OFTEN_WITHIN: Duration = Duration::from_mins(1);

impl Machine {
    pub(super) fn file_changed(&mut self, process: &ProcessId, file: String, more: u32) {
        let Some(&i) = self.by_name.get(process) else { return };
        if self.course.is_stopping() || self.course.is_finished() || !self.procs[i].takes_changes() {
            return;
        }
        self.remark_if_often(i, &file);
        self.emit(EventKind::FileChanged { process: process.clone(), file, more });
        self.procs[i].unfinished = true;
        if self.procs[i].has_come_to_rest() {
            self.new_attempt(i, &Actor::Watch);
        }
        let after = After::Start(StartCause::Asked { by: Actor::Watch });
        self.begin_stop(i, StopOrder { by: Actor::Watch, now: false, after });
    }
}

impl Machine {
    /// A process that writes what it watches is restarted for ever, which its author should be told.
    fn remark_if_often(&mut self, i: usize, file: &str) {
        let now = self.now;
        let proc = &mut self.procs[i];
        proc.changes.retain(|at| now.since(*at) < OFTEN_WITHIN);
        proc.changes.push(now);
        if proc.changes.len() >= OFTEN {
            proc.changes.clear();
            let id = proc.id().clone();
            let text = format!(
                "{id} was restarted {OFTEN} times in a minute for changed files, now {file}: if it writes that itself, leave it out (watch = […, \"!{file}\"])"
            );
            self.emit(EventKind::Notice { level: NoticeLevel::Warning, text });
        }
    }
}

impl Proc {
    fn takes_changes(&self) -> bool {
        if self.held_by.is_some() {
            return false;
        }
        match &self.life {
            Life::Up { .. } | Life::Spawning { stop: None } | Life::Ending { stop: None, .. } => true,
            Life::None => self.has_come_to_rest() || matches!(self.state, ProcessState::Backoff { .. }),
            Life::Stopping(Stopping { order, .. }) => matches!(order.after, After::Policy),
            Life::Spawning { .. } | Life::Ending { .. } | Life::Clearing { .. } => false,
        }
    }

    /// Whether it ended or failed by itself, and stays so.
    fn has_come_to_rest(&self) -> bool {
        if let Life::Stopping(Stopping { fallen: Some(Fallen { decision, .. }), .. }) = &self.life {
            return !matches!(decision, Decision::Restart { .. });
        }
        let by_itself = matches!(self.state, ProcessState::Completed | ProcessState::Failed { .. } | ProcessState::GaveUp { .. });
        by_itself && self.is_down()
    }
}
