//! The rule that begins a pane: its title on the left, its mode on the right. There are no boxes.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::tui::{
    glyph::Glyph,
    look::Look,
    text::{self, Pen},
};

/// A rule to draw.
pub(crate) struct Rule<'t> {
    pub(crate) line: Glyph,
    pub(crate) line_style: Style,
    /// Parts of the title, the first of them its name.
    pub(crate) title: &'t [String],
    pub(crate) title_style: Style,
    /// What the pane is doing, at the right end. Earlier parts go first when there is no room.
    pub(crate) mode: &'t [String],
}

/// Blanks between parts of a rule or a row: three where there is room, two else.
pub(crate) fn gap(width: u16) -> &'static str {
    if width >= 100 { "   " } else { "  " }
}

/// Draws the rule into the first row of `area`.
pub(crate) fn draw(rule: &Rule<'_>, area: Rect, buf: &mut Buffer, look: &Look) {
    if area.is_empty() {
        return;
    }
    let line = look.glyph(rule.line);
    let mode = mode_that_fits(rule, area.width);
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.fill_to(1, line, rule.line_style).gap(1);
    for (i, part) in rule.title.iter().enumerate() {
        // The name and what it is about stand closer than what was chosen for them.
        let before = match i {
            0 => "",
            1 => "  ",
            _ => gap(area.width),
        };
        pen.text(before, rule.title_style);
        // Some of the rule stays, so that it still is one.
        let room = pen.room().saturating_sub(2);
        pen.text(&text::fit(part, usize::from(room), look.ellipsis()), rule.title_style);
    }
    pen.gap(1);
    let end = if mode.is_empty() { 0 } else { text::width(&mode) as u16 + 3 };
    pen.fill_to(area.width.saturating_sub(end), line, rule.line_style);
    if !mode.is_empty() {
        pen.gap(1).text(&mode, rule.title_style).gap(1).fill_to(area.width, line, rule.line_style);
    }
}

fn mode_that_fits(rule: &Rule<'_>, width: u16) -> String {
    let parts: usize = rule.title.iter().map(|part| text::width(part)).sum();
    let gaps = if rule.title.len() > 1 { 2 + (rule.title.len() - 2) * gap(width).len() } else { 0 };
    // The rule's first cell, blanks around title and mode, and its last cell.
    let room = usize::from(width).saturating_sub(parts + gaps + 7);
    (0..rule.mode.len()).map(|first| rule.mode[first..].join(gap(width))).find(|mode| text::width(mode) <= room).unwrap_or_default()
}
