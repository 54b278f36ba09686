//! All steps of the script, in the order of the file; Enter carries out the chosen one.

use ratatui::{buffer::Buffer, layout::Rect};

use super::draw::open;
use crate::tui::{
    pane::steps::{NONE, counts, first_shown, row},
    scene::{Drawn, Scene},
    text::Pen,
    theme::Role,
};

/// Draws the list.
pub(super) fn draw(scene: &Scene<'_>, chosen: usize, stage: Rect, buf: &mut Buffer) -> Drawn {
    let all = scene.snapshot.steps.len();
    let mode = if all == 0 { String::new() } else { counts(scene.snapshot) };
    let body = open(scene, "Steps", &mode, stage, buf);
    let chosen = chosen.min(all.saturating_sub(1));
    let first = first_shown(chosen, usize::from(body.height), all);
    for (y, at) in (body.top()..body.bottom()).zip(first..all) {
        row(scene, at, &mut Pen::new(buf, body.x, y, body.width), at == chosen);
    }
    if all == 0 && !body.is_empty() {
        Pen::new(buf, body.x, body.y, body.width).gap(2).fitted(NONE, scene.look.ellipsis(), scene.look.style(Role::Dim));
    }
    Drawn::default()
}
