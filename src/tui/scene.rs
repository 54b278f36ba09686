//! All that a frame is drawn from. Panes read it and change nothing.

use ratatui::layout::Position;

use crate::{
    explain::Fact,
    model::{At, ProcessId, RunClock, Snapshot},
    process::Relative,
};

use super::{
    app::{Abilities, App},
    events::Events,
    keymap::Keymap,
    layout::{Areas, Pane},
    logview::desk::Window,
    look::Look,
    meter::Meter,
    names::Names,
    past::Instant,
};

/// What a frame shows.
pub(crate) struct Scene<'a> {
    pub(crate) app: &'a App,
    /// The run as it is shown.
    pub(crate) snapshot: &'a Snapshot,
    /// The run as it stands now.
    pub(crate) present: &'a Snapshot,
    /// The instant that is shown; none: it is now.
    pub(crate) past: Option<Instant>,
    /// The moment that is shown.
    pub(crate) now: At,
    pub(crate) clock: RunClock,
    pub(crate) areas: &'a Areas,
    pub(crate) look: &'a Look,
    pub(crate) keymap: &'a Keymap,
    pub(crate) window: &'a Window,
    /// Logs side by side, if they are.
    pub(crate) side: &'a [(ProcessId, Window)],
    /// How many more there would be if there were room.
    pub(crate) beside: usize,
    pub(crate) meter: &'a Meter,
    pub(crate) names: &'a Names,
    /// The family of the selected process, while its details are shown.
    pub(crate) kin: &'a [Relative],
    pub(crate) events: Events<'a>,
    pub(crate) facts: &'a [Fact],
    /// Whether all this is being recorded.
    pub(crate) recording: bool,
    pub(crate) abilities: Abilities,
}

/// What drawing found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// Where the terminal's cursor belongs, while something is typed.
    pub(crate) cursor: Option<Position>,
    /// How far an overlay can be scrolled.
    pub(crate) scroll_end: Option<usize>,
    /// How far the pane of details can be scrolled, if it is shown.
    pub(crate) details_end: Option<usize>,
}

impl Scene<'_> {
    /// The number of what the log's cursor is on, for the panes that share its moment. None while it follows, and where
    /// the log was parked at the first abnormal line: what came of that is told by the newest events.
    pub(crate) fn moment(&self) -> Option<u64> {
        if self.app.log.follows() {
            return None;
        }
        let row = self.window.cursor.and_then(|i| self.window.rows.get(i)).map(|row| row.line.seq);
        let moment = self.app.panes.event.or(row)?;
        let parked = self.facts.first().is_some_and(|fact| fact.seq == moment) && self.app.focus != Pane::Events;
        Some(moment).filter(|_| !parked)
    }

    /// Whether processes live that can be acted on, and the screen shows how they stand.
    pub(crate) fn is_live(&self) -> bool {
        self.abilities.live && self.past.is_none()
    }

    /// The row of a process, for its colour.
    pub(crate) fn index_of(&self, process: &ProcessId) -> Option<usize> {
        self.snapshot.rows.iter().position(|row| row.id() == process)
    }
}
