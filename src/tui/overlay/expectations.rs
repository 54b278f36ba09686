//! All expectations of the run, in the order of the file; Enter opens the log at the line that decided the chosen one.

use ratatui::{buffer::Buffer, layout::Rect};

use super::draw::open;
use crate::tui::{
    pane::expectations::{NONE, counts, row},
    scene::{Drawn, Scene},
    text::Pen,
    theme::Role,
};

/// Draws the list.
pub(super) fn draw(scene: &Scene<'_>, chosen: usize, stage: Rect, buf: &mut Buffer) -> Drawn {
    let all = scene.snapshot.expectations.len();
    let body = open(scene, "Expectations", &counts(&scene.snapshot.expectations), stage, buf);
    let room = usize::from(body.height);
    let chosen = chosen.min(all.saturating_sub(1));
    let first = chosen.saturating_sub(room / 2).min(all.saturating_sub(room));
    for (y, at) in (body.top()..body.bottom()).zip(first..all) {
        row(scene, at, &mut Pen::new(buf, body.x, y, body.width), at == chosen);
    }
    if all == 0 && !body.is_empty() {
        Pen::new(buf, body.x, body.y, body.width).gap(2).fitted(NONE, scene.look.ellipsis(), scene.look.style(Role::Dim));
    }
    Drawn::default()
}
