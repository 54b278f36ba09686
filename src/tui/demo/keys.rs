//! The last row: the presenter's keys, and for some seconds the last key pressed with what it did.

use ratatui::{buffer::Buffer, layout::Rect};

use super::MARGIN;
use crate::tui::{
    action::Action,
    glyph::Glyph,
    keymap::Context,
    scene::Scene,
    text::{self, Pen},
    theme::Role,
};

/// Draws what keeps it apart from the rest.
pub(crate) fn rule(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = area.width.saturating_sub(2 * MARGIN);
    Pen::new(buf, area.x + MARGIN, area.y, width).fill_to(width, scene.look.glyph(Glyph::Thin), scene.look.style(Role::Rule));
}

/// Draws the row.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.gap(MARGIN);
    if !scene.snapshot.steps.is_empty() {
        let hold = if scene.snapshot.steps_held { "go on" } else { "hold" };
        for (action, label) in [(Action::NextStep, "next"), (Action::RepeatStep, "back"), (Action::HoldSteps, hold)] {
            if let Some(key) = scene.keymap.key_of(Context::Audience, action) {
                pen.text(&key, look.style(Role::Key)).gap(1).text(label, look.style(Role::Dim)).gap(3);
            }
        }
    }
    let Some(cast) = scene.app.cast.as_ref().filter(|cast| scene.now < cast.until) else { return };
    let keys = format!("[ {} ]", cast.keys);
    let room = usize::from(pen.room().saturating_sub(MARGIN + 2)).saturating_sub(text::width(&keys));
    let what = text::fit(&cast.what, room, look.ellipsis());
    let cells = text::width(&keys) + 2 + text::width(&what);
    pen.to(area.width.saturating_sub(cells as u16 + MARGIN));
    pen.text(&keys, look.style(Role::Note)).gap(2).text(&what, look.style(if cast.bad { Role::Warn } else { Role::Strong }));
}
