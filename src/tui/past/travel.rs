//! Going there and back.

use std::sync::Arc;

use super::{Instant, Past, Stops};
use crate::{
    explain::{Explanation, Fact},
    model::At,
    tui::{
        action::Action,
        app::{App, Outcome, World, log::Place, overlay::Overlay},
        events::Events,
        layout::Pane,
        logview::desk::Way,
        stage::Stage,
    },
};

impl App {
    /// To the next of the stops: from the instant that is shown, else from the line under the log's cursor, else from now.
    pub(in crate::tui) fn travel(&mut self, of: Stops, way: Way, world: &World<'_>) -> Vec<Outcome> {
        let stops = match of {
            Stops::Events => world.events,
            Stops::Failures => world.turns,
        };
        let (earlier, later) = if let Some(past) = world.past {
            (stops.partition_point(|seq| *seq < past.seq), stops.partition_point(|seq| *seq <= past.seq))
        } else {
            let here = stops.partition_point(|seq| *seq <= world.here);
            (here, here)
        };
        let found = match way {
            Way::Previous => earlier.checked_sub(1).and_then(|at| stops.get(at)),
            Way::Next => stops.get(later),
        };
        if let Some(seq) = found {
            return vec![Outcome::Travel(Some(*seq))];
        }
        let back = world.keymap.key_of(self.context(), Action::PreviousEvent).unwrap_or_default();
        match (way, of, world.past) {
            (Way::Next, Stops::Events, Some(_)) => return self.back_to_now(world),
            (Way::Next, Stops::Events, None) => self.complain(world.now, format!("this is now; {back} goes back in time")),
            (Way::Next, Stops::Failures, _) => self.complain(world.now, "no failure or restart after this"),
            (Way::Previous, Stops::Events, _) => self.complain(world.now, "nothing happened before this"),
            (Way::Previous, Stops::Failures, _) => self.complain(world.now, "no failure or restart before this"),
        }
        Vec::new()
    }

    /// Back to how the run stands now.
    pub(in crate::tui) fn back_to_now(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if world.past.is_none() {
            self.say(world.now, "this is now");
            return Vec::new();
        }
        self.say(world.now, if world.abilities.live { "back to now" } else { "back to the recording's end" });
        vec![Outcome::Travel(None)]
    }

    /// Says that the past cannot be changed, if that is what is shown.
    pub(in crate::tui) fn is_in_the_past(&mut self, world: &World<'_>) -> bool {
        let Some(past) = world.past else { return false };
        let key = world.keymap.key_of(self.context(), Action::Now).unwrap_or_default();
        self.complain(world.now, format!("the screen shows {} s, which is past: {key} goes back to now", past.snapshot.at.seconds()));
        true
    }
}

/// The last event or piece of output that is shown.
pub(crate) fn until(past: Option<&Past>) -> u64 {
    past.map_or(u64::MAX, Past::until)
}

/// The facts that had come about by then.
pub(crate) fn facts_until<'e>(explanation: Option<&'e Explanation>, past: Option<&Past>) -> &'e [Fact] {
    let all = explanation.map_or(&[][..], |explanation| &explanation.facts);
    let later = |fact: &Fact| past.is_some_and(|past| fact.seq > past.until() || fact.at > past.snapshot.at);
    &all[..all.iter().position(later).unwrap_or(all.len())]
}

impl Stage {
    /// Shows the run as it stood behind an event; without one, as it stands now.
    pub(crate) fn travel(&mut self, to: Option<u64>, now: At) {
        self.history.refresh(&self.sources.journal);
        self.past = to.map(|seq| Past { seq, snapshot: Arc::new(self.history.at(&self.sources.journal, seq)) });
        self.app.log.until = self.past.as_ref().map(Past::until);
        self.app.log.place = Place::Follow;
        self.app.log.select_from = None;
        self.app.panes.event = None;
        self.wanted = None;
        self.went = true;
        self.show();
        self.show_views(now);
        if self.past.is_none() {
            // What came to be known meanwhile opens now.
            for outcome in self.with_world(now, App::explain) {
                if let Outcome::Seek(seek) = outcome {
                    self.seek(seek, now);
                }
            }
        }
    }

    /// Chooses the snapshot that is shown.
    pub(in crate::tui) fn show(&mut self) {
        self.snapshot = self.past.as_ref().map_or(&self.present, |past| &past.snapshot).clone();
        self.names.update(&self.snapshot, &self.options.look);
        self.app.table.selected = self.app.table.selected.min(self.snapshot.rows.len().saturating_sub(1));
    }

    /// The events that had happened by the instant that is shown.
    pub(in crate::tui) fn events(&self) -> Events<'_> {
        self.events.until(until(self.past.as_ref()))
    }

    /// The facts of "What happened", up to the instant that is shown.
    pub(crate) fn facts(&self) -> &[Fact] {
        facts_until(self.explanation.as_deref(), self.past.as_ref())
    }

    /// Where the instant that is shown stands; none: it is now.
    pub(in crate::tui) fn instant(&self, now: At) -> Option<Instant> {
        let past = self.past.as_ref()?;
        let details = matches!(self.app.overlay, Some(Overlay::Details { .. })) || self.areas.of(Pane::Details).is_some();
        let selected = self.app.selected(&self.snapshot).filter(|_| details);
        Some(Instant {
            at: past.snapshot.at,
            place: (self.events.place_of(past.seq), self.events.len()),
            now,
            lines: selected.map_or(0, |row| past.lines(&self.sources.logs, row.id())),
        })
    }
}
