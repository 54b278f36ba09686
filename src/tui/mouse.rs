//! The mouse: a click chooses, the wheel scrolls what it points at, and drawing over text copies it.
//!
//! In the log a draw along one line takes the text between its ends, and one over several takes these lines whole, as they
//! were written. Everywhere else what is drawn over is taken as it is shown.

use ratatui::layout::{Position, Rect};

use super::{
    action::Action,
    app::{Outcome, overlay::Overlay},
    event_loop::EventLoop,
    ids,
    key::{Code, Key},
    layout::Pane,
    logview::{desk::Seek, query},
    selection::Selection,
    term::decode::{Mouse, MouseKind},
    units::counted,
};

/// Lines that a turn of the wheel scrolls.
const WHEEL: i64 = 3;

impl EventLoop {
    /// Takes a report of the mouse.
    pub(super) fn mouse(&mut self, mouse: Mouse) -> Vec<Outcome> {
        if !self.stage.app.mouse {
            return Vec::new();
        }
        let at = Position::new(mouse.x, mouse.y);
        match mouse.kind {
            MouseKind::WheelUp => self.wheel(at, -1),
            MouseKind::WheelDown => self.wheel(at, 1),
            MouseKind::Down => self.press(at),
            MouseKind::Drag => self.draw_over(at),
            MouseKind::Up => self.release(),
            MouseKind::Other => Vec::new(),
        }
    }

    fn key(&mut self, code: Code) -> Vec<Outcome> {
        let now = self.stage.now();
        self.stage.with_world(now, |app, world| app.key(Key::plain(code), world))
    }

    fn wheel(&mut self, at: Position, way: i64) -> Vec<Outcome> {
        if let Some(overlay) = self.stage.app.overlay.as_ref().filter(|overlay| !matches!(overlay, Overlay::Type { .. })) {
            let scrolls = !matches!(overlay, Overlay::Prompt { .. } | Overlay::AskQuit);
            return if scrolls { self.key(if way < 0 { Code::Up } else { Code::Down }) } else { Vec::new() };
        }
        let now = self.stage.now();
        match self.stage.areas.at(at.x, at.y) {
            Some((Pane::Logs, _)) => vec![Outcome::Seek(Seek::Lines(way * WHEEL))],
            Some((pane, _)) => self.stage.with_world(now, |app, world| app.scroll(pane, way, world)),
            None => Vec::new(),
        }
    }

    fn press(&mut self, at: Position) -> Vec<Outcome> {
        let overlay = self.stage.app.overlay.is_some().then_some(self.stage.areas.stage).filter(|stage| stage.contains(at));
        let part = match overlay {
            Some(stage) => Some(stage),
            None => self.stage.part_at(at),
        };
        self.stage.app.drawn = part.map(|part| Selection::begin(part, at));
        self.stage.app.draws_lines = false;
        if self.stage.app.overlay.is_some() {
            return Vec::new();
        }
        let Some((pane, area)) = self.stage.areas.at(at.x, at.y) else { return Vec::new() };
        self.stage.app.focus = pane;
        match pane {
            Pane::Processes => {
                if let Some(index) = self.stage.process_at(area, at.y - area.y) {
                    self.stage.app.table.selected = index;
                }
            }
            Pane::Logs => {
                self.stage.app.log.select_from = None;
                return self.stage.log_place_at(at).map(Outcome::Seek).into_iter().collect();
            }
            Pane::Happened => {
                let facts = self.stage.facts();
                let fact = usize::from(at.y - area.y).checked_sub(1).and_then(|i| facts.get(i)).map(Seek::fact);
                return fact.map(Outcome::Seek).into_iter().collect();
            }
            Pane::Events
            | Pane::Alerts
            | Pane::Details
            | Pane::Expectations
            | Pane::Steps
            | Pane::Chain
            | Pane::Note
            | Pane::Traffic
            | Pane::Said => {}
        }
        Vec::new()
    }

    fn draw_over(&mut self, at: Position) -> Vec<Outcome> {
        let Some(mut drawn) = self.stage.app.drawn else { return Vec::new() };
        let in_log = self.stage.app.overlay.is_none()
            && !self.stage.app.is_tiled()
            && self.stage.areas.at(drawn.from().x, drawn.from().y).is_some_and(|(pane, _)| pane == Pane::Logs);
        let mut outcomes = Vec::new();
        if in_log && (at.y != drawn.from().y || self.stage.app.draws_lines) {
            drawn.collapse();
            self.stage.app.draws_lines = true;
            let cursor = self.stage.app.log.cursor();
            self.stage.app.log.select_from.get_or_insert(cursor);
            let area = drawn.area();
            let seek = match at.y {
                y if y < area.top() => Some(Seek::Lines(-1)),
                y if y >= area.bottom() => Some(Seek::Lines(1)),
                _ => self.stage.log_place_at(Position { x: area.x, ..at }),
            };
            outcomes.extend(seek.map(Outcome::Seek));
        } else {
            drawn.extend(at);
        }
        self.stage.app.drawn = Some(drawn);
        outcomes
    }

    fn release(&mut self) -> Vec<Outcome> {
        let now = self.stage.now();
        let Some(drawn) = self.stage.app.drawn.take() else { return Vec::new() };
        if std::mem::take(&mut self.stage.app.draws_lines) {
            return self.stage.with_world(now, |app, world| app.act(Action::Copy, world));
        }
        if drawn.is_empty() {
            return Vec::new();
        }
        let text = drawn.text(self.screen.shown());
        // What was written in place of what is shown, as far as one line of the log tells.
        let written = self.stage.log_row_at(drawn.from()).map(|row| query::text_of(&row.line));
        let text = written.map_or(text.clone(), |written| ids::lengthen(&text, &written, self.stage.options.look.ellipsis()));
        if text.trim().is_empty() {
            return Vec::new();
        }
        vec![Outcome::CopyText { what: counted(text.chars().count() as u64, "character"), text }]
    }
}

/// The part of a pane that holds its text: all but its title.
pub(super) fn body(pane: Pane, area: Rect) -> Rect {
    match pane {
        Pane::Processes | Pane::Chain | Pane::Note | Pane::Traffic | Pane::Said => area,
        Pane::Happened | Pane::Logs | Pane::Events | Pane::Alerts | Pane::Details | Pane::Expectations | Pane::Steps => {
            Rect { y: area.y + area.height.min(1), height: area.height.saturating_sub(1), ..area }
        }
    }
}
