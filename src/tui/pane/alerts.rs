//! The alerts pane: lines that matched an alert pattern, one row a burst, the newest last.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    line::tidied_text,
    rule::{self, Rule},
};
use crate::{
    model::{Event, EventKind},
    tui::{glyph::Glyph, layout::Pane, names, scene::Scene, text::Pen, theme::Role},
};

/// Draws the pane.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let all = scene.events.alerts();
    let room = usize::from(area.height - 1).min(all.len());
    let here = scene.moment().and_then(|seq| all.partition_point(|alert| alert.seq <= seq).checked_sub(1));
    let first = here.map_or(all.len() - room, |at| at.saturating_sub(room / 2).min(all.len() - room));
    let shown = &all[first..first + room];
    let look = scene.look;
    let rule = Rule {
        line: Glyph::Thin,
        line_style: look.style(Role::Rule),
        title: &["Alerts".to_owned()],
        title_style: look.style(if scene.app.focus == Pane::Alerts { Role::TitleFocused } else { Role::Title }),
        mode: &[format!("{} of {}", here.map_or(room, |at| at + 1), all.len())],
    };
    rule::draw(&rule, area, buf, look);
    for (y, (at, event)) in (area.y + 1..area.bottom()).zip((first..).zip(shown)) {
        row(scene, event, &mut Pen::new(buf, area.x, y, area.width), Some(at) == here);
    }
    if all.is_empty() && area.height > 1 {
        Pen::new(buf, area.x, area.y + 1, area.width).gap(2).fitted(NONE, look.ellipsis(), look.style(Role::Dim));
    }
}

/// Said where there is none.
pub(crate) const NONE: &str = "no line has matched an alert pattern";

/// Draws one burst of alerts; `here`: the cursor is on it.
pub(crate) fn row(scene: &Scene<'_>, event: &Event, pen: &mut Pen<'_>, here: bool) {
    let EventKind::Alerted { process, count, text, .. } = &event.kind else { return };
    let look = scene.look;
    let time = event.at.seconds();
    if here {
        pen.text(look.glyph(Glyph::Here), look.style(Role::Selected)).text(&format!("{time:>8}"), look.style(Role::Dim));
    } else {
        pen.text(&format!("{time:>9}"), look.style(Role::Dim));
    }
    pen.gap(2);
    let at = pen.column();
    let hue = scene.index_of(process).map(|index| look.theme.process(index)).unwrap_or_default();
    pen.text(&scene.names.as_source(process, look), hue).to(at + names::SOURCE as u16 + 1);
    if *count > 1 {
        pen.text(&format!("{}{count} ", look.glyph(Glyph::Times)), look.style(Role::Warn));
    }
    pen.fitted(&tidied_text(text, look), look.ellipsis(), look.style(Role::Plain));
}
