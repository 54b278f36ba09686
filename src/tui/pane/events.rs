//! The events pane: the newest events, one a row.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    line::SOURCE,
    rule::{self, Rule},
};
use crate::{
    model::{Event, Narration},
    tui::{glyph::Glyph, layout::Pane, scene::Scene, text::Pen, theme::Role},
};

/// Draws the pane.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let all = scene.events.listed();
    let room = usize::from(area.height - 1);
    let shown = all.min(room);
    // Where the log stands in time, this pane does.
    let here = scene.moment().map(|seq| scene.events.listed_seqs().partition_point(|listed| *listed <= seq));
    let here = here.and_then(|behind| behind.checked_sub(1));
    let first = here.map_or(all - shown, |at| at.saturating_sub(shown / 2).min(all - shown));
    let focused = scene.app.focus == Pane::Events;
    let rule = Rule {
        line: Glyph::Thin,
        line_style: scene.look.style(Role::Rule),
        title: &["Events".to_owned()],
        title_style: scene.look.style(if focused { Role::TitleFocused } else { Role::Title }),
        mode: &[here.map_or_else(|| format!("{shown} of {all}"), |at| format!("{} of {all}", at + 1))],
    };
    rule::draw(&rule, area, buf, scene.look);
    let rows = (first..).zip(scene.events.listed_window(first, shown));
    for (y, (at, (event, told))) in (area.y + 1..area.bottom()).zip(rows) {
        row(scene, event, &told, &mut Pen::new(buf, area.x, y, area.width), Some(at) == here);
    }
}

/// Draws one event; `here`: the cursor is on it.
pub(crate) fn row(scene: &Scene<'_>, event: &Event, told: &Narration, pen: &mut Pen<'_>, here: bool) {
    let look = scene.look;
    let time = event.at.seconds();
    let style = look.theme.tone(told.tone);
    if here {
        pen.text(look.glyph(Glyph::Here), look.style(Role::Selected));
        pen.text(&format!("{time:>8}"), look.style(Role::Dim));
    } else {
        pen.text(&format!("{time:>9}"), look.style(Role::Dim));
    }
    pen.gap(2).text(look.glyphs.tone(told.tone), style).gap(1);
    let at = pen.column();
    if let Some(process) = &told.process {
        let hue = scene.index_of(process).map(|index| look.theme.process(index)).unwrap_or_default();
        pen.text(&scene.names.as_source(process, look), hue);
    }
    pen.to(at + SOURCE + 1).fitted(&told.event_text(), look.ellipsis(), look.style(Role::Plain));
}
