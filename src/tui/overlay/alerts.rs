//! All alerts with their times; the chosen one opens the log at its line.

use ratatui::{buffer::Buffer, layout::Rect};

use super::draw::open;
use crate::tui::{
    pane::alerts::{NONE, row},
    scene::{Drawn, Scene},
    text::Pen,
    theme::Role,
};

/// Draws the list; `chosen` counts from the newest, which stands last.
pub(super) fn draw(scene: &Scene<'_>, chosen: usize, stage: Rect, buf: &mut Buffer) -> Drawn {
    let all = scene.events.alerts();
    let at = all.len().saturating_sub(1).saturating_sub(chosen);
    let body = open(scene, "Alerts", &format!("{} of {}", if all.is_empty() { 0 } else { at + 1 }, all.len()), stage, buf);
    let room = usize::from(body.height);
    let first = at.saturating_sub(room / 2).min(all.len().saturating_sub(room));
    for (y, (i, event)) in (body.top()..body.bottom()).zip(all.iter().enumerate().skip(first)) {
        row(scene, event, &mut Pen::new(buf, body.x, y, body.width), i == at);
    }
    if all.is_empty() && !body.is_empty() {
        Pen::new(buf, body.x, body.y, body.width).gap(2).fitted(NONE, scene.look.ellipsis(), scene.look.style(Role::Dim));
    }
    Drawn::default()
}
