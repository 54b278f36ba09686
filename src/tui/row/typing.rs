//! The last row while keys go to a process: that they do, to whom, and how that ends.

use ratatui::{buffer::Buffer, layout::Rect};

use super::status::badge;
use crate::{
    model::ProcessId,
    tui::{
        scene::Scene,
        term::decode::LEAVE,
        text::{self, Pen},
        theme::Role,
    },
};

/// Draws the row. What went wrong takes the place of what is going on, never that of the way out.
pub(crate) fn draw(scene: &Scene<'_>, process: &ProcessId, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let end = format!("{LEAVE} ends");
    let room = area.width.saturating_sub(text::width(&end) as u16 + 2);
    let mut pen = Pen::new(buf, area.x, area.y, room);
    pen.gap(1);
    badge(&mut pen, "TYPING", look.style(Role::BadgeReplay), look);
    pen.gap(1);
    match &scene.app.toast {
        Some(toast) if toast.bad => pen.fitted(&toast.text, look.ellipsis(), look.style(Role::Warn)),
        _ => pen.fitted(&format!("every key goes to {process}"), look.ellipsis(), look.style(Role::Plain)),
    };
    Pen::new(buf, area.x, area.y, area.width).to(room + 1).text(&end, look.style(Role::Key));
}
