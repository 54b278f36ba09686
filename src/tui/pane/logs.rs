//! The log pane: its rule and its lines, merged, of one process, or several logs side by side.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{
    lifecycle,
    line::{self, Head, Room},
    rule::{self, Rule},
};
use crate::{
    logs::{AROUND, Shared, Source},
    model::{At, ProcessId},
    tui::{
        app::log::{LogState, Scope},
        fold::Row,
        glyph::Glyph,
        layout::Pane,
        logview::desk::Window,
        look::Look,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
        units::counted,
    },
};

/// Draws the pane.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if scene.side.is_empty() {
        one(scene, scene.window, &title(scene), Place { area, alone: false }, buf);
        return;
    }
    for (i, ((process, window), part)) in scene.side.iter().zip(split(area, scene.side.len())).enumerate() {
        let mut title = vec![process.to_string()];
        // The last part says that there are more than fit.
        if i + 1 == scene.side.len() && scene.beside > 0 {
            title.push(format!("+{} more", scene.beside));
        }
        if line::Room::has_time(part.width, true) {
            title.push(scene.app.log.time.title().to_owned());
        }
        one(scene, window, &title, Place { area: part, alone: true }, buf);
    }
}

/// Parts of `area` for `n` logs side by side, in rows of so many that each is wide enough to read. Where there are too many
/// for that they get narrower, and those that would be no more than a title get no part.
pub(crate) fn split(area: Rect, n: usize) -> Vec<Rect> {
    const READABLE: u16 = 50;
    const NARROWEST: u16 = 26;
    const LOWEST: u16 = 4;
    let wanted = u16::try_from(n).unwrap_or(u16::MAX).max(1);
    let tallest = (area.height / LOWEST).max(1);
    let columns = [READABLE, 38, NARROWEST].map(|width| (area.width / width).clamp(1, wanted));
    let columns = columns.into_iter().find(|columns| wanted.div_ceil(*columns) <= tallest).unwrap_or(columns[2]);
    let n = wanted.min(columns.saturating_mul(tallest));
    let rows = n.div_ceil(columns);
    let cut = |whole: u16, parts: u16, i: u16| (u32::from(whole) * u32::from(i) / u32::from(parts.max(1))) as u16;
    (0..n)
        .map(|i| {
            let (row, column) = (i / columns, i % columns);
            // The last row may hold fewer; they share its whole width.
            let here = if row + 1 == rows { (n - row * columns).min(columns) } else { columns };
            let (x0, x1) = (cut(area.width, here, column), cut(area.width, here, column + 1));
            let (y0, y1) = (cut(area.height, rows, row), cut(area.height, rows, row + 1));
            // One blank column keeps neighbours apart.
            let gap = u16::from(column + 1 < here && x1 > x0);
            Rect { x: area.x + x0, y: area.y + y0, width: x1 - x0 - gap, height: y1.saturating_sub(y0) }
        })
        .collect()
}

/// Where a log stands, and whether others stand beside it.
#[derive(Clone, Copy)]
struct Place {
    area: Rect,
    alone: bool,
}

fn one(scene: &Scene<'_>, window: &Window, title: &[String], place: Place, buf: &mut Buffer) {
    let area = place.area;
    if area.is_empty() {
        return;
    }
    let focused = scene.app.focus == Pane::Logs;
    let rule = Rule {
        line: Glyph::Thin,
        line_style: scene.look.style(Role::Rule),
        title,
        title_style: scene.look.style(if focused { Role::TitleFocused } else { Role::Title }),
        mode: &mode(scene, window, area.width),
    };
    rule::draw(&rule, area, buf, scene.look);
    let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if let Some(text) = empty(scene, window) {
        if !body.is_empty() {
            Pen::new(buf, body.x, body.y, body.width).gap(2).fitted(&text, scene.look.ellipsis(), scene.look.style(Role::Dim));
        }
        return;
    }
    rows(scene, window, Place { area: body, ..place }, buf);
}

fn title(scene: &Scene<'_>) -> Vec<String> {
    let app = scene.app;
    let all = scene.snapshot.rows.len();
    let whose = match app.log.scope {
        Scope::All if all == 1 => scene.snapshot.rows[0].id().to_string(),
        Scope::All => format!("all {all} merged"),
        Scope::Ticked => format!("{} of {all} merged", app.ticked(scene.snapshot).len()),
        Scope::One => app.selected(scene.snapshot).map(|row| row.id().to_string()).unwrap_or_default(),
    };
    let mut parts = vec!["Logs".to_owned(), whose];
    parts.extend(filters(&app.log, scene.look));
    parts.push(app.log.time.title().to_owned());
    parts
}

/// The filters, as they are typed.
fn filters(log: &LogState, look: &Look) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(log.within.as_ref().map(|pattern| format!("& {}", pattern.typed())));
    parts.extend(log.without.as_ref().map(|pattern| format!("! {}", pattern.typed())));
    if log.context > 0 && (log.within.is_some() || log.alerts_only) {
        parts.push(format!("{}{}", look.glyph(Glyph::Around), log.context));
    }
    if log.cleared_before > 0 {
        parts.push("since clearing".into());
    }
    if log.alerts_only {
        parts.push("alerts only".into());
    }
    if log.show_probes {
        parts.push("with probes".into());
    }
    if !log.muted.is_empty() {
        let names: Vec<_> = log.muted.iter().map(ProcessId::as_str).collect();
        parts.push(format!("without {}", names.join(", ")));
    }
    if log.as_written {
        parts.push("as written".into());
    }
    parts
}

/// What the pane is doing, for the right end of its rule.
fn mode(scene: &Scene<'_>, window: &Window, width: u16) -> Vec<String> {
    let log = &scene.app.log;
    let hides = log.query().hides();
    let more = if window.complete { "" } else { "+" };
    let mut parts = Vec::new();
    // What is least missed stands first: it goes first where there is no room.
    if !log.follows() {
        parts.push(shown_at(scene, window).map_or_else(|| "paused".into(), |at| format!("at {}, paused", at.seconds())));
    } else if !hides {
        parts.push(counted(window.total, "line"));
    }
    if hides {
        parts.push(format!("{}{more} of {}", window.shown, window.total));
    }
    if let Some(pattern) = &log.find {
        let (at, of) = window.found.unwrap_or((0, 0));
        parts.push(format!("/{}  {at} of {of}{more}", pattern.typed()));
    } else if let (Some(_), Some((at, of))) = (&log.token, window.found) {
        parts.push(format!("token {at} of {of}{more}{}", sharers(scene, window, width)));
    } else if log.near.is_some() {
        parts.push(format!("no id: {} marked", around(scene)));
    }
    if let Some(from) = log.select_from {
        parts.push(format!("selecting {}", counted(log.cursor().abs_diff(from) + 1, "line")));
    }
    if log.follows() {
        parts.push(scene.past.map_or_else(|| "following".into(), |past| format!("as at {}", past.at.seconds())));
        return parts;
    }
    let key = scene.keymap.key_of(crate::tui::keymap::Context::Log, crate::tui::action::Action::Bottom).unwrap_or_default();
    let hint = if width >= 100 { format!("{key} follows") } else { key };
    parts.push(format!("{} {} newer, {hint}", scene.look.glyph(Glyph::Newer), window.newer));
    parts
}

/// `±50 ms`.
fn around(scene: &Scene<'_>) -> String {
    format!("{}{} ms", scene.look.glyph(Glyph::Around), AROUND.as_millis())
}

/// Who shares the token. Where nobody does, time is what is left to go by.
fn sharers(scene: &Scene<'_>, window: &Window, width: u16) -> String {
    let around = around(scene);
    match &window.shared {
        Some(Shared::By(all)) if width < 100 => format!(", {} share it", all.len()),
        Some(Shared::By(all)) => format!(", shared by {}", all.iter().map(ProcessId::as_str).collect::<Vec<_>>().join(", ")),
        Some(Shared::Nothing { .. }) if width < 100 => format!(", unshared: {around}"),
        // Who is hidden was not asked.
        Some(Shared::Nothing { .. }) if scene.app.log.query().hides() => format!(", nobody shown shares it: {around} marked"),
        Some(Shared::Nothing { .. }) => format!(", nobody shares it: {around} marked"),
        None => String::new(),
    }
}

/// The moment the pane is parked at: that of the fact which led there, else that of the line under the cursor.
fn shown_at(scene: &Scene<'_>, window: &Window) -> Option<At> {
    let row = window.cursor.and_then(|i| window.rows.get(i))?;
    let fact = scene.app.fact.and_then(|i| scene.facts.get(i));
    Some(fact.filter(|fact| fact.seq == row.line.seq).map_or(row.line.at, |fact| fact.at))
}

/// What to say where there is no line.
fn empty(scene: &Scene<'_>, window: &Window) -> Option<String> {
    if let Some(error) = &window.error {
        return Some(error.clone());
    }
    if !window.rows.is_empty() {
        return None;
    }
    let log = &scene.app.log;
    Some(if log.query().hides() && window.total > 0 {
        let key = scene.keymap.key_of(crate::tui::keymap::Context::Log, crate::tui::action::Action::FilterClear).unwrap_or_default();
        if window.complete { format!("no line passes the filters; {key} clears them") } else { "asking every line".to_owned() }
    } else if log.scope == Scope::One {
        scene.app.selected(scene.snapshot).map_or_else(String::new, |row| format!("{} has said nothing yet", row.id()))
    } else if log.scope == Scope::Ticked && scene.app.table.ticked.is_empty() {
        "no process is ticked: Space in the table ticks one".into()
    } else {
        "nothing has been said yet".into()
    })
}

fn rows(scene: &Scene<'_>, window: &Window, place: Place, buf: &mut Buffer) {
    let area = place.area;
    let log = &scene.app.log;
    let wall = |at: At| wall(scene, at);
    let mut above = None;
    let mut y = area.y;
    for (i, row) in window.rows.iter().enumerate() {
        if y >= area.bottom() {
            break;
        }
        let here = window.cursor == Some(i);
        let mut pen = Pen::new(buf, area.x, y, area.width);
        if let Source::Lifecycle(told) = &row.line.source {
            lifecycle::draw(&mut pen, told, here, scene.look);
            y += 1;
        } else {
            let head = Head {
                index: row.line.process.as_ref().and_then(|process| scene.index_of(process)),
                above,
                wall: &wall,
                mark: mark(scene, window, row, here),
                room: Room { width: area.width, alone: place.alone },
                names: scene.names,
                strong: if is_selected(log, row) { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() },
            };
            y += text_line(scene, row, &head, Rect { y, height: area.bottom() - y, ..area }, buf);
        }
        above = Some(row.line.at);
    }
}

/// Draws a line, wrapped or not; returns the rows it took.
fn text_line(scene: &Scene<'_>, row: &Row, head: &Head<'_>, area: Rect, buf: &mut Buffer) -> u16 {
    let log = &scene.app.log;
    let body = line::body(row, log, area.width, scene.look);
    let indent = head.room.head(log.time);
    let room = area.width.saturating_sub(indent);
    let cells: usize = body.pieces.iter().map(|(text, _)| text::width(text)).sum();
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    line::draw_head(&mut pen, &row.line, &body, head, log, scene.look);
    if log.wrap {
        let rows = line::tall(row, log, head.room, scene.look).min(area.height);
        for part in 0..rows {
            let mut pen = Pen::new(buf, area.x + indent, area.y + part, room).skipping(part.saturating_mul(room));
            body.pieces.iter().for_each(|(text, style)| {
                pen.text(text, style.patch(head.strong));
            });
            if part + 1 == rows && !body.suffix.is_empty() {
                pen.gap(2).text(&body.suffix, scene.look.style(Role::Dim));
            }
        }
        return rows.max(1);
    }
    let suffix = text::width(&body.suffix) as u16;
    let for_text = if suffix == 0 { room } else { room.saturating_sub(suffix + 3) };
    let left = cells.saturating_sub(usize::from(log.sideways));
    let cut = left > usize::from(for_text);
    let text_room = if cut { for_text.saturating_sub(1) } else { for_text };
    let mut pen = Pen::new(buf, area.x + indent, area.y, text_room).skipping(log.sideways);
    body.pieces.iter().for_each(|(text, style)| {
        pen.text(text, style.patch(head.strong));
    });
    let end = indent + pen.column();
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    pen.to(end);
    if cut {
        pen.text(scene.look.ellipsis(), scene.look.style(Role::Dim));
    }
    if suffix > 0 {
        // Behind the text where there is room; at the right edge where there is none.
        let gap = if row.hidden_probes() { 3 } else { 5 };
        let at = (pen.column() + gap).min(area.width.saturating_sub(suffix + 1));
        pen.to(at).text(&body.suffix, scene.look.style(Role::Dim));
    }
    1
}

fn is_selected(log: &LogState, row: &Row) -> bool {
    let cursor = log.cursor();
    log.select_from.is_some_and(|from| (from.min(cursor)..=from.max(cursor)).contains(&row.line.row))
}

fn mark(scene: &Scene<'_>, window: &Window, row: &Row, here: bool) -> Option<(&'static str, Style)> {
    let unfolded = scene.app.log.unfolded.contains(&row.line.row);
    let alone = matches!(&window.shared, Some(Shared::Nothing { around }) if around.contains(&row.line.row));
    let distance = |at: At| if at > row.line.at { at.since(row.line.at) } else { row.line.at.since(at) };
    let near = alone || scene.app.log.near.is_some_and(|at| distance(at) <= AROUND);
    if here {
        Some((scene.look.glyph(Glyph::Here), scene.look.style(Role::Selected)))
    } else if unfolded {
        Some((scene.look.glyph(Glyph::Newer), scene.look.style(Role::Dim)))
    } else if near {
        Some((scene.look.glyph(Glyph::Around), scene.look.style(Role::Token)))
    } else {
        None
    }
}

/// The time of day of a moment of the run, in the user's zone.
fn wall(scene: &Scene<'_>, at: At) -> String {
    let moment = scene.clock.wall().checked_add(std::time::Duration::from_micros(at.0));
    moment.map_or_else(|_| String::new(), |t| t.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_side_by_side_are_wide_enough_to_read_and_never_overlap() {
        let area = Rect::new(0, 0, 160, 40);
        assert_eq!(split(area, 2).iter().map(|r| (r.x, r.width, r.height)).collect::<Vec<_>>(), [(0, 79, 40), (80, 80, 40)]);
        assert_eq!(split(area, 4).len(), 4);
        let narrow = split(Rect::new(0, 0, 120, 31), 20);
        assert_eq!((narrow.len(), narrow[0].width, narrow[0].height), (20, 39, 4), "twenty get narrower before they get lower");
        assert_eq!(split(Rect::new(0, 0, 80, 17), 31).len(), 12, "a part is never a title alone");
        for (w, h, n) in [(160, 40, 5), (40, 10, 3), (1, 1, 9), (0, 0, 2), (300, 3, 20)] {
            let parts = split(Rect::new(0, 0, w, h), n);
            for (i, a) in parts.iter().enumerate().filter(|(_, a)| !a.is_empty()) {
                assert!(a.right() <= w && a.bottom() <= h, "{a:?}");
                assert!(parts[..i].iter().filter(|b| !b.is_empty()).all(|b| !a.intersects(*b)), "{w}x{h} {n}: {a:?}");
            }
        }
    }
}
