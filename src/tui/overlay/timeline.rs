//! All events with their times; the chosen one opens the log at its moment.

use ratatui::{buffer::Buffer, layout::Rect};

use super::draw::open;
use crate::tui::{
    pane::events,
    scene::{Drawn, Scene},
    text::Pen,
    theme::Role,
};

/// Draws the list; `chosen` counts from the newest, which stands last.
pub(super) fn draw(scene: &Scene<'_>, chosen: usize, stage: Rect, buf: &mut Buffer) -> Drawn {
    let all = scene.events.all().len();
    let at = all.saturating_sub(1).saturating_sub(chosen);
    let body = open(scene, "Timeline", &format!("{} of {all}", if all == 0 { 0 } else { at + 1 }), stage, buf);
    let room = usize::from(body.height);
    let first = at.saturating_sub(room / 2).min(all.saturating_sub(room));
    for (y, (i, (event, told))) in (body.top()..body.bottom()).zip((first..).zip(scene.events.all().window(first, first + room))) {
        events::row(scene, event, &told, &mut Pen::new(buf, body.x, y, body.width), i == at);
    }
    if all == 0 && !body.is_empty() {
        Pen::new(buf, body.x, body.y, body.width).gap(2).text("nothing has happened yet", scene.look.style(Role::Dim));
    }
    Drawn::default()
}
