//! The line being typed, in the last row.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::tui::{
    app::overlay::{PromptKind, Typing},
    look::Look,
    scene::Scene,
    text::{self, Pen},
    theme::Role,
    units::counted,
};

/// Draws a prompt; returns where the cursor belongs.
pub(crate) fn draw(scene: &Scene<'_>, kind: &PromptKind, typing: &Typing, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let look = scene.look;
    let hint = hint(scene, kind);
    let hint = if usize::from(area.width) > text::width(&hint) + 24 { hint } else { String::new() };
    let end = area.width.saturating_sub(text::width(&hint) as u16 + 2);
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.gap(1).text(kind.sign(), look.style(Role::Prompt));
    if matches!(kind, PromptKind::SendLine(_) | PromptKind::Mark) {
        pen.gap(1);
    }
    let start = pen.column();
    let cursor = draw_typed(typing, Rect { x: area.x + start.min(area.width), width: end.saturating_sub(start), ..area }, buf, scene);
    Pen::new(buf, area.x, area.y, area.width).to(end).gap(1).text(&hint, look.style(Role::Dim));
    cursor
}

/// Draws what was typed, scrolled so that the cursor is seen.
pub(crate) fn draw_typed(typing: &Typing, area: Rect, buf: &mut Buffer, scene: &Scene<'_>) -> Option<Position> {
    draw_plain(typing, area, buf, scene.look)
}

/// The same without a scene.
pub(crate) fn draw_plain(typing: &Typing, area: Rect, buf: &mut Buffer, look: &Look) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let cursor = typing.cursor() as u16;
    let skip = cursor.saturating_sub(area.width.saturating_sub(1));
    Pen::new(buf, area.x, area.y, area.width).skipping(skip).text(typing.text(), look.style(Role::Plain));
    Some(Position { x: area.x + (cursor - skip).min(area.width - 1), y: area.y })
}

fn hint(scene: &Scene<'_>, kind: &PromptKind) -> String {
    let log = &scene.app.log;
    let more = if scene.window.complete { "" } else { "+" };
    match kind {
        PromptKind::Find => {
            let found = scene.window.found.filter(|_| log.find.is_some()).map_or(String::new(), |(_, n)| format!("{n}{more} found   "));
            format!("{found}Enter go  Tab filter  Esc cancel")
        }
        PromptKind::FilterIn | PromptKind::FilterOut => {
            let tab = if *kind == PromptKind::FilterIn { "  Tab find" } else { "" };
            format!("{} shown{more}   Enter keep{tab}  Esc cancel", counted(scene.window.shown, "line"))
        }
        PromptKind::SendLine(process) => format!("Enter send to {process}  Esc cancel"),
        PromptKind::Mark => "Enter set the mark  Esc cancel".into(),
    }
}
