//! Which overlay is open, and what all of them share.

use super::{alerts, details, exchange, expectations, help, lists, own_log, steps, timeline, traffic};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

use crate::tui::{
    app::overlay::{Overlay, Typing},
    glyph::Glyph,
    layout::Pane,
    pane::rule::{self, Rule},
    scene::{Drawn, Scene},
    text::{self, Pen},
    theme::Role,
};

/// A line of an overlay: pieces of text with their styles.
pub(super) type Line = Vec<(String, Style)>;

/// Draws the overlay that is open, if one is, on the stage.
pub(crate) fn draw(scene: &Scene<'_>, buf: &mut Buffer) -> Drawn {
    let stage = scene.areas.stage;
    let text = |title: &str, lines: &[Line], scroll: usize, buf: &mut Buffer| {
        scrolled(scene, &Text { title, lines, scroll }, Role::TitleFocused, stage, buf)
    };
    match &scene.app.overlay {
        None | Some(Overlay::Prompt { .. } | Overlay::Type { .. } | Overlay::AskQuit) => Drawn::default(),
        Some(Overlay::Help { typing, scroll }) => {
            let typed = typing.as_ref().map(Typing::text);
            let title = typed.map_or_else(|| "Keys".to_owned(), |typed| format!("Keys  /{typed}"));
            text(&title, &help::lines(scene, typed.unwrap_or("")), *scroll, buf)
        }
        Some(Overlay::Details { scroll }) => {
            let name = scene.app.selected(scene.snapshot).map_or(String::new(), |row| row.id().to_string());
            text(&format!("Details  {name}"), &details::lines(scene, stage.width), *scroll, buf)
        }
        Some(Overlay::Line { text: line, scroll }) => {
            let width = usize::from(stage.width.saturating_sub(2)).max(1);
            text("Line  exactly as written", &wrapped(line, width, scene.look.style(Role::Plain)), *scroll, buf)
        }
        Some(Overlay::Palette { typing, chosen }) => lists::palette(scene, typing, *chosen, stage, buf),
        Some(Overlay::Signals { process, chosen }) => lists::signals(scene, process, *chosen, stage, buf),
        Some(Overlay::Disturb { process, chosen }) => lists::faults(scene, process, *chosen, stage, buf),
        Some(Overlay::Timeline { chosen }) => timeline::draw(scene, *chosen, stage, buf),
        Some(Overlay::Traffic { chosen }) => traffic::draw(scene, *chosen, stage, buf),
        Some(Overlay::Exchange { id, scroll, .. }) => text("Exchange", &exchange::lines(scene, *id, stage.width), *scroll, buf),
        Some(Overlay::Alerts { chosen }) => alerts::draw(scene, *chosen, stage, buf),
        Some(Overlay::Steps { chosen }) => steps::draw(scene, *chosen, stage, buf),
        Some(Overlay::Expectations { chosen }) => expectations::draw(scene, *chosen, stage, buf),
        Some(Overlay::OwnLog) => own_log::draw(scene, stage, buf),
    }
}

/// The details of the selected process, for a layout that has a pane for them.
/// Returns how far it can be scrolled.
pub(crate) fn details_pane(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> usize {
    let name = scene.app.selected(scene.snapshot).map_or(String::new(), |row| row.id().to_string());
    let lines = details::lines(scene, area.width);
    let text = Text { title: &format!("Details  {name}"), lines: &lines, scroll: scene.app.panes.details };
    let title = if scene.app.focus == Pane::Details { Role::TitleFocused } else { Role::Title };
    scrolled(scene, &text, title, area, buf).scroll_end.unwrap_or(0)
}

/// The question before everything is stopped, in the row for notices.
pub(crate) fn question(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let alive = scene.present.count(|state| !state.is_settled());
    let noun = if alive == 1 { "process is" } else { "processes are" };
    let look = scene.look;
    // Where it is narrow, the keys are what must not be cut off.
    let narrow = area.width < 76;
    let question = if narrow { format!("Stop {alive} and quit?") } else { format!("{alive} {noun} still up. Stop all and quit?") };
    let yes = if narrow { "yes" } else { "stop and quit" };
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.gap(1).text(&question, look.style(Role::Strong)).gap(2);
    pen.text("Enter", look.style(Role::Key)).gap(1).text(yes, look.style(Role::Dim)).gap(2);
    pen.text("Esc", look.style(Role::Key)).gap(1).text("stay", look.style(Role::Dim));
}

/// Blanks the stage and draws its rule; what is left of it.
pub(super) fn open(scene: &Scene<'_>, title: &str, mode: &str, stage: Rect, buf: &mut Buffer) -> Rect {
    opened(scene, (title, Role::TitleFocused), mode, stage, buf)
}

fn opened(scene: &Scene<'_>, (title, role): (&str, Role), mode: &str, stage: Rect, buf: &mut Buffer) -> Rect {
    for y in stage.top()..stage.bottom() {
        Pen::new(buf, stage.x, y, stage.width).fill_to(stage.width, " ", Style::reset());
    }
    let mode: Vec<String> = if mode.is_empty() { Vec::new() } else { vec![mode.to_owned()] };
    let rule = Rule {
        line: Glyph::Thin,
        line_style: scene.look.style(Role::Rule),
        title: &[title.to_owned()],
        title_style: scene.look.style(role),
        mode: &mode,
    };
    rule::draw(&rule, stage, buf, scene.look);
    Rect { y: stage.y + stage.height.min(1), height: stage.height.saturating_sub(1), ..stage }
}

/// Lines that can be scrolled.
struct Text<'t> {
    title: &'t str,
    lines: &'t [Line],
    scroll: usize,
}

/// Draws lines that can be scrolled.
fn scrolled(scene: &Scene<'_>, text: &Text<'_>, role: Role, stage: Rect, buf: &mut Buffer) -> Drawn {
    let (lines, scroll) = (text.lines, text.scroll);
    let room = usize::from(stage.height.saturating_sub(1));
    let end = lines.len().saturating_sub(room);
    let scroll = scroll.min(end);
    let mode = if end == 0 { String::new() } else { format!("{} to {} of {}", scroll + 1, scroll + room.min(lines.len()), lines.len()) };
    let body = opened(scene, (text.title, role), &mode, stage, buf);
    for (y, line) in (body.top()..body.bottom()).zip(&lines[scroll..]) {
        let mut pen = Pen::new(buf, body.x, y, body.width);
        pen.gap(1);
        for (text, style) in line {
            pen.text(text, *style);
        }
    }
    Drawn { scroll_end: Some(end), ..Drawn::default() }
}

/// Draws a list with a chosen row; `typed` above it, if something is typed.
pub(super) fn list(scene: &Scene<'_>, lines: &[Line], chosen: usize, body: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let room = usize::from(body.height);
    let first = chosen.saturating_sub(room / 2).min(lines.len().saturating_sub(room));
    for (y, (i, line)) in (body.top()..body.bottom()).zip(lines.iter().enumerate().skip(first)) {
        let mut pen = Pen::new(buf, body.x, y, body.width);
        let here = i == chosen;
        if here {
            pen.text(look.glyph(Glyph::Selected), look.style(Role::Selected));
        }
        pen.to(2);
        let strong = if here { look.style(Role::Selected) } else { Style::new() };
        for (text, style) in line {
            pen.text(text, style.patch(strong));
        }
    }
}

/// A text broken into lines of `width` cells, between words where there are some.
pub(super) fn wrapped(text: &str, width: usize, style: Style) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut cells = 0;
    for c in text.chars() {
        let wide = text::width(c.encode_utf8(&mut [0; 4]));
        if cells + wide > width {
            // What would leave half of the line empty is no word to be kept whole.
            let cut = line.rfind(' ').map(|at| at + 1).filter(|at| *at * 2 > line.len() && c != ' ').unwrap_or(line.len());
            let rest = line.split_off(cut);
            lines.push(vec![(std::mem::replace(&mut line, rest), style)]);
            cells = text::width(&line);
            if c == ' ' && line.is_empty() {
                continue;
            }
        }
        line.push(c);
        cells += wide;
    }
    lines.push(vec![(line, style)]);
    lines
}

/// Where the cursor belongs while something is typed.
pub(super) fn with_cursor(cursor: Option<Position>) -> Drawn {
    Drawn { cursor, ..Drawn::default() }
}
