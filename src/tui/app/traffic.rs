//! Keys in the list of what went through taps, and in one exchange of it.

use crate::{
    tap::ExchangeId,
    tui::{
        action::Action,
        key::{Code, Key},
        layout::Pane,
        logview::desk::Seek,
        overlay::again,
        traffic,
    },
};

use super::{
    log::Scope,
    overlay::Overlay,
    overlay_keys::{moved, scrolled},
    state::{App, Outcome, World},
};

impl App {
    pub(super) fn traffic_key(&mut self, chosen: Option<ExchangeId>, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        let rows = world.traffic.look(|all| traffic::rows(all, world.moment()));
        let at = traffic::place(&rows, chosen);
        let id = rows.get(at).map(|row| row.id);
        if let (Code::Enter, Some(id)) = (key.code, id) {
            self.overlay = Some(Overlay::Exchange { id, scroll: 0, back: chosen });
            return Vec::new();
        }
        if let (Some(Action::Disturb), Some(row)) = (bound, rows.get(at)) {
            self.overlay = Some(Overlay::Traffic { chosen });
            self.open_faults_of(row.tap.clone(), world);
            return Vec::new();
        }
        let close = bound == Some(Action::Traffic);
        let next = moved(at, rows.len(), bound).filter(|_| !close);
        // On the newest it stays on the newest, whatever comes.
        let pinned = |at: usize| rows.get(at).filter(|_| at + 1 < rows.len()).map(|row| row.id);
        self.overlay = next.map(|at| Overlay::Traffic { chosen: pinned(at) });
        id.map(|id| self.exchange_deed(id, key, bound, world)).unwrap_or_default()
    }

    pub(super) fn exchange_key(
        &mut self,
        id: ExchangeId,
        (scroll, back): (usize, Option<ExchangeId>),
        key: Key,
        bound: Option<Action>,
        world: &World<'_>,
    ) -> Vec<Outcome> {
        let scroll = scrolled(scroll, bound, &[]);
        self.overlay = Some(scroll.map_or(Overlay::Traffic { chosen: back }, |scroll| Overlay::Exchange { id, scroll, back }));
        self.exchange_deed(id, key, bound, world)
    }

    /// What both can do with an exchange.
    fn exchange_deed(&mut self, id: ExchangeId, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        if key.typed() == Some('o') {
            let Some(at) = world.traffic.look(|all| all.get(id).map(|exchange| exchange.at)) else { return Vec::new() };
            self.overlay = None;
            self.focus = Pane::Logs;
            self.log.scope = Scope::All;
            return vec![Outcome::Seek(Seek::Time(at))];
        }
        if bound == Some(Action::Copy) {
            if let Some((text, what)) = again(&world.traffic.notes_of(id)) {
                return vec![Outcome::CopyText { text, what: what.into() }];
            }
            self.complain(world.now, "this exchange is no HTTP, or it is not kept");
        }
        Vec::new()
    }
}
