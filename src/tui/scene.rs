//! All that a frame is drawn from. Panes read it and change nothing.

use ratatui::layout::Position;

use crate::{
    explain::Fact,
    model::{At, ProcessId, RunClock, Snapshot},
    process::Relative,
    tap::{Exchange, ExchangeId, Note, Traffic, TrafficStore},
};

use super::{
    app::{Abilities, App},
    demo::chain::is_call,
    events::Events,
    keymap::Keymap,
    layout::{Areas, Pane},
    logview::desk::Window,
    look::Look,
    meter::Meter,
    names::Names,
    past::Instant,
    traffic,
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
    /// What went through taps.
    pub(crate) traffic: &'a TrafficStore,
    /// What those in the middle of the chain say, for an audience.
    pub(crate) spoken: (&'a [ProcessId], &'a Window),
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
    /// What had gone through taps by the moment that is shown.
    pub(crate) fn traffic(&self) -> Vec<traffic::Row> {
        self.traffic.look(|all| traffic::rows(all, self.now))
    }

    /// The newest calls that had begun by then, each for itself, oldest first.
    pub(crate) fn calls(&self, most: usize) -> Vec<traffic::Row> {
        self.traffic.look(|all| traffic::each(all, self.now, most, is_call))
    }

    /// Looks at all of it.
    pub(crate) fn look_at_traffic<T>(&self, look: impl FnOnce(&Traffic) -> T) -> T {
        self.traffic.look(look)
    }

    /// How many exchanges there were in all.
    pub(crate) fn traffic_count(&self) -> u64 {
        self.traffic.look(Traffic::count)
    }

    /// How many notes of them are not kept.
    pub(crate) fn traffic_lost(&self) -> u64 {
        self.traffic.lost()
    }

    /// One exchange.
    pub(crate) fn exchange(&self, id: ExchangeId) -> Option<Exchange> {
        self.traffic.look(|all| all.get(id).cloned())
    }

    /// All that is kept of it, as far as it had happened.
    pub(crate) fn notes_of(&self, id: ExchangeId) -> Vec<Note> {
        self.traffic.notes_of(id)
    }

    /// Whether a process has a tap.
    pub(crate) fn is_tapped(&self) -> bool {
        self.snapshot.rows.iter().any(|row| row.info.is_tapped())
    }

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
