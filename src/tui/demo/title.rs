//! Row 0: what the run is about, how it stands, how long it has been going on.

use ratatui::{buffer::Buffer, layout::Rect};

use super::MARGIN;
use crate::{
    model::Phase,
    tui::{
        row::status::standing,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
    },
};

/// From this width on the scenario's name has room.
const WIDE: u16 = 120;
/// Cells that badge and time take.
const RIGHT: u16 = 32;

/// Draws the row.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let run = scene.snapshot.run.as_ref();
    let name = run.map_or("e2e-tui", |run| &run.scenario);
    let about = run.map(|run| run.description.as_str()).filter(|text| !text.is_empty()).unwrap_or(name);
    // The badge stands off the middle, where it is narrow behind it; further right only for a long title.
    let fifths = if area.width >= WIDE { 2 } else { 3 };
    let middle = (area.width / 5 * fifths).max(MARGIN + text::width(about) as u16 + 4).min(area.width.saturating_sub(RIGHT));
    Pen::new(buf, area.x, area.y, middle.saturating_sub(1)).gap(MARGIN).fitted(about, look.ellipsis(), look.style(Role::Strong));
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    standing(scene, pen.to(middle));
    let at = if scene.snapshot.phase == Phase::Ended { scene.snapshot.at } else { scene.now };
    let time = format!("{:02}:{:02}", at.millis() / 60_000, at.millis() / 1000 % 60);
    let right = if area.width >= WIDE && about != name { format!("{name}   {time}") } else { time };
    let cells = text::width(&right) as u16 + MARGIN;
    pen.to(area.width.saturating_sub(cells)).text(&right, look.style(Role::Dim));
}
