//! The newest lines of some processes, for who shows them and does nothing else with them.

use crate::{
    logs::Selection,
    model::ProcessId,
    tui::{
        app::log::LogState,
        logview::desk::{Desk, Seek, Window},
    },
};

/// Lines that are read for one that is shown: what repeats is counted.
const AHEAD: u16 = 8;

/// What was said of late.
#[derive(Default)]
pub(crate) struct Spoken {
    whose: Vec<ProcessId>,
    desk: Option<Desk>,
    log: LogState,
    window: Window,
}

impl Spoken {
    /// Reads enough for so many rows, and nothing that was said after `until`.
    pub(crate) fn look(&mut self, whose: Vec<ProcessId>, until: Option<u64>, desk: impl FnOnce() -> Desk, rows: u16) {
        let selection = if whose.is_empty() { Selection::All } else { Selection::Some(whose.clone()) };
        self.whose = whose;
        self.log.until = until;
        let desk = self.desk.get_or_insert_with(desk);
        let height = rows.saturating_mul(AHEAD);
        let one = |_: &_| 1;
        let followed = desk.refresh(&mut self.log, &selection).and_then(|()| desk.seek(&mut self.log, Seek::Follow, height, &one));
        if followed.is_ok() {
            self.window = desk.window(&mut self.log, height, &one);
        }
    }

    /// Who, and what.
    pub(crate) fn shown(&self) -> (&[ProcessId], &Window) {
        (&self.whose, &self.window)
    }
}
