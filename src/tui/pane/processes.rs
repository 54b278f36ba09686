//! The table of processes.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{
    columns::{Column, Placed, columns},
    health, state,
};
use crate::{
    model::{ProcessSnapshot, ProcessState},
    tui::{
        glyph::Glyph,
        layout::Pane,
        overlay::{alert_sparks, sparks},
        row::status,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
        units,
    },
};

/// Draws header and rows, as far as they are in `buf`.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let mut columns = columns(area.width);
    let roles = columns.iter().any(|c| c.column == Column::Role);
    columns.retain(|placed| area.x + placed.x >= buf.area().x);
    header(scene, &columns, area, buf);
    let order = scene.app.table.order(&scene.snapshot.rows);
    let shown = visible(scene, &order, usize::from(area.height - 1));
    for (y, index) in (area.y + 1..area.bottom()).zip(&shown.rows) {
        let at = Rect { y, height: 1, ..area };
        row(scene, *index, &columns, roles, at, buf);
    }
    if let Some(more) = shown.more {
        let y = area.y + 1 + shown.rows.len() as u16;
        Pen::new(buf, area.x, y, area.width).gap(4).fitted(&more, scene.look.ellipsis(), scene.look.style(Role::Dim));
    }
}

/// Where time alone changes what [`draw`] draws: in the rows, from the uptimes on; everywhere if a state counts time.
pub(crate) fn timed(scene: &Scene<'_>, area: Rect) -> Rect {
    let from = columns(area.width).into_iter().find(|placed| placed.column == Column::Up).map(|placed| placed.x);
    match from.filter(|_| !area.is_empty() && !scene.snapshot.rows.iter().any(|row| state::counts_time(&row.state))) {
        Some(x) => {
            let order = scene.app.table.order(&scene.snapshot.rows);
            let rows = visible(scene, &order, usize::from(area.height - 1)).rows.len() as u16;
            Rect { x: area.x + x, y: area.y + 1, width: area.width - x, height: rows }
        }
        None => area,
    }
}

/// The process shown in row `line` of the table's area, from 0, for the mouse.
pub(crate) fn process_at(scene: &Scene<'_>, area: Rect, line: u16) -> Option<usize> {
    let order = scene.app.table.order(&scene.snapshot.rows);
    let shown = visible(scene, &order, usize::from(area.height.saturating_sub(1)));
    shown.rows.get(usize::from(line.checked_sub(1)?)).copied()
}

/// The rows there is room for, and what to say of the others.
struct Shown {
    rows: Vec<usize>,
    more: Option<String>,
}

/// Chooses rows in the order of the table: those in trouble first, then those around the selected one.
fn visible(scene: &Scene<'_>, order: &[usize], room: usize) -> Shown {
    let rows = &scene.snapshot.rows;
    if order.len() <= room {
        return Shown { rows: order.to_vec(), more: None };
    }
    let selected = scene.app.table.selected;
    // A single row is for the one that keys act on.
    if room == 1 {
        return Shown { rows: order.iter().copied().filter(|index| *index == selected).collect(), more: None };
    }
    let room = room.saturating_sub(1);
    let place = order.iter().position(|i| *i == selected).unwrap_or(0);
    let mut chosen = vec![false; order.len()];
    let mut left = room;
    if left > 0 {
        chosen[place] = true;
        left -= 1;
    }
    // Rows in trouble leave some room around the selected one, so that moving on stays possible.
    let mut for_trouble = left - left.min(2).min(room / 4);
    for rank in 0..CALM {
        for (at, index) in order.iter().enumerate() {
            if for_trouble > 0 && !chosen[at] && trouble(&rows[*index].state) == rank {
                chosen[at] = true;
                for_trouble -= 1;
                left -= 1;
            }
        }
    }
    // The rest: a stretch that holds the selected row in its middle, as far as the ends allow.
    let first = place.saturating_sub(left / 2).min(order.len().saturating_sub(left));
    for at in (first..order.len()).chain((0..first).rev()) {
        if left > 0 && !chosen[at] {
            chosen[at] = true;
            left -= 1;
        }
    }
    let hidden = order.iter().zip(&chosen).filter(|(_, chosen)| !**chosen).map(|(index, _)| &*rows[*index]);
    let more = more(hidden);
    Shown { rows: order.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(i, _)| *i).collect(), more: Some(more) }
}

/// Whether a process should not go unseen where there is room for few.
pub(crate) fn in_trouble(row: &ProcessSnapshot) -> bool {
    trouble(&row.state) < CALM || !row.leaks.is_empty() || !row.ended_leaks.is_empty()
}

/// Ranks below this one are trouble.
const CALM: u8 = 4;

fn trouble(state: &ProcessState) -> u8 {
    match state {
        ProcessState::Failed { .. } | ProcessState::GaveUp { .. } => 0,
        ProcessState::Unhealthy { .. } | ProcessState::Backoff { .. } => 1,
        ProcessState::Pending { .. } => 2,
        ProcessState::Starting { .. } | ProcessState::Stopping { .. } => 3,
        ProcessState::Running
        | ProcessState::Ready
        | ProcessState::Stopped { .. }
        | ProcessState::Completed
        | ProcessState::Skipped { .. } => CALM,
    }
}

/// `+14 more, all ready`, `+5 more: 3 ready, 2 completed`.
fn more<'r>(hidden: impl Iterator<Item = &'r ProcessSnapshot>) -> String {
    let mut words: Vec<(&str, usize)> = Vec::new();
    for row in hidden {
        match words.iter_mut().find(|(word, _)| *word == row.state.word()) {
            Some((_, n)) => *n += 1,
            None => words.push((row.state.word(), 1)),
        }
    }
    let all: usize = words.iter().map(|(_, n)| n).sum();
    match words.as_slice() {
        [(word, _)] => format!("+{all} more, all {word}"),
        words => {
            let list: Vec<_> = words.iter().map(|(word, n)| format!("{n} {word}")).collect();
            format!("+{all} more: {}", list.join(", "))
        }
    }
}

fn header(scene: &Scene<'_>, columns: &[Placed], area: Rect, buf: &mut Buffer) {
    let focused = scene.app.focus == Pane::Processes;
    let style = scene.look.style(if focused { Role::TitleFocused } else { Role::Header });
    for column in columns {
        let title = column.column.title();
        let width = usize::from(column.width);
        let text = if column.column.is_right() { format!("{title:>width$}") } else { title.to_owned() };
        Pen::new(buf, area.x + column.x, area.y, column.width).text(&text, style);
    }
}

fn row(scene: &Scene<'_>, index: usize, columns: &[Placed], roles: bool, area: Rect, buf: &mut Buffer) {
    let Some(row) = scene.snapshot.rows.get(index) else { return };
    let selected = scene.app.table.selected == index;
    let strong = if selected { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    for column in columns {
        let mut pen = Pen::new(buf, area.x + column.x, area.y, column.width);
        match column.column {
            Column::Detail => details(scene, row, &mut pen, strong),
            Column::State => {
                let told = state::state_text(row, scene.now, roles, scene.look);
                pen.text(scene.look.glyph(told.glyph), told.style.patch(strong)).gap(1).text(&told.word, told.style.patch(strong));
                if row.held {
                    status::badge(pen.gap(1), "HELD", scene.look.style(Role::BadgeStopped), scene.look);
                }
                if let Some(fault) = &row.fault {
                    status::badge(pen.gap(1), &fault.to_uppercase(), scene.look.style(Role::BadgeStopped), scene.look);
                }
                if !told.detail.is_empty() {
                    let room = usize::from(pen.room().saturating_sub(3));
                    pen.gap(2).text(&text::fit(&told.detail, room, scene.look.ellipsis()), told.detail_style.patch(strong));
                }
            }
            Column::Health => health::draw(&mut pen, row, scene.look, strong),
            other => {
                let width = usize::from(column.width);
                let (text, style) = cell(scene, index, row, other);
                let text = if other.is_right() { format!("{text:>width$}") } else { text };
                pen.text(&text, style.patch(strong));
            }
        }
    }
}

/// The text of a column that is a text and nothing else.
fn cell(scene: &Scene<'_>, index: usize, row: &ProcessSnapshot, column: Column) -> (String, Style) {
    let look = scene.look;
    let plain = look.style(Role::Plain);
    let dim = look.style(Role::Dim);
    let or_none = |value: Option<String>| value.map_or_else(|| ("-".to_owned(), dim), |text| (text, plain));
    let id = row.id();
    match column {
        Column::Mark => mark(scene, index),
        // Only 1 to 99 have room; only 1 to 9 are keys.
        Column::Number if index < 99 => ((index + 1).to_string(), look.theme.process(index)),
        Column::Process => (scene.names.in_table(id, look), plain),
        Column::Role if row.info.stand_in => ("stand-in".into(), plain),
        Column::Role => (row.info.role.word().into(), plain),
        Column::Kind => or_none(row.info.kind.as_ref().map(|kind| text::fit(kind, 14, look.ellipsis()).into_owned())),
        Column::Restarts => (row.restarts.to_string(), if row.restarts > 0 { look.style(Role::Warn) } else { plain }),
        Column::Up => or_none(up(row, scene).map(|up| units::uptime(up, false))),
        Column::Pid => or_none(row.pid.map(|pid| pid.to_string())),
        Column::Port => or_none(row.port().map(|port| port.to_string())),
        Column::Cpu => or_none(row.sample.as_ref().map(|sample| units::cpu(sample.cpu_percent))),
        Column::Memory => or_none(row.sample.as_ref().map(|sample| units::memory(sample.memory))),
        Column::LinesPerSecond if !scene.is_live() => or_none(None),
        Column::LinesPerSecond => {
            let rate = scene.meter.rate(id);
            (units::count(rate, 5), if rate == 0 { dim } else { plain })
        }
        Column::Alerts if row.alerts == 0 => (look.glyph(Glyph::Zero).into(), dim),
        Column::Alerts => (units::count(row.alerts, 3), look.style(Role::Warn)),
        Column::Unseen if scene.past.is_none() && scene.meter.is_unseen(id) => (look.glyph(Glyph::Mark).into(), look.style(Role::Note)),
        Column::Number | Column::State | Column::Health | Column::Detail | Column::Unseen => (String::new(), plain),
    }
}

fn mark(scene: &Scene<'_>, index: usize) -> (String, Style) {
    let look = scene.look;
    let ticked = scene.snapshot.rows.get(index).is_some_and(|row| scene.app.table.ticked.contains(row.id()));
    if scene.app.table.selected == index {
        (look.glyph(Glyph::Selected).into(), look.style(Role::Selected))
    } else if ticked {
        (look.glyph(Glyph::Ticked).into(), look.style(Role::Note))
    } else {
        (String::new(), look.style(Role::Plain))
    }
}

/// How long the newest generation has lived, where that says something about the present state.
fn up(row: &ProcessSnapshot, scene: &Scene<'_>) -> Option<std::time::Duration> {
    match row.state {
        ProcessState::Pending { .. }
        | ProcessState::Backoff { .. }
        | ProcessState::Stopped { .. }
        | ProcessState::GaveUp { .. }
        | ProcessState::Skipped { .. } => None,
        ProcessState::Starting { .. }
        | ProcessState::Running
        | ProcessState::Ready
        | ProcessState::Unhealthy { .. }
        | ProcessState::Stopping { .. }
        | ProcessState::Completed
        | ProcessState::Failed { .. } => row.up(scene.now),
    }
}

/// Cells of the sparkline of lines in the table, at most.
const SPARKS: usize = 40;
/// Cells of the sparkline of alerts.
const ALERTS: usize = 8;

/// How much it says of late, and how much of that are alerts; of what is down its last words.
fn details(scene: &Scene<'_>, row: &ProcessSnapshot, pen: &mut Pen<'_>, strong: Style) {
    let (look, width) = (scene.look, usize::from(pen.room()));
    let dim = look.style(Role::Dim).patch(strong);
    let alerts = if row.pid.is_some() { alert_sparks(scene, row, ALERTS) } else { String::new() };
    let beside = if alerts.is_empty() { 1 } else { ALERTS + 3 };
    let lines = if row.pid.is_some() { sparks(scene, row, width.saturating_sub(beside).min(SPARKS)) } else { String::new() };
    if lines.is_empty() {
        pen.fitted(&detail(row), look.ellipsis(), dim);
        return;
    }
    pen.text(&lines, dim);
    if !alerts.is_empty() {
        let warn = look.style(Role::Warn).patch(strong);
        pen.gap(1).text(look.glyph(Glyph::Warn), warn).text(&alerts, warn);
    }
}

/// What is known beyond the state of one that says nothing.
fn detail(row: &ProcessSnapshot) -> String {
    if let Some(last) = row.exits.last().filter(|_| row.pid.is_none()).and_then(|exit| exit.tail.last()) {
        return last.clone();
    }
    match row.ready_after {
        Some(after) if row.generation > 1 => format!("generation {}, ready after {}", row.generation, crate::model::human_duration(after)),
        Some(after) => format!("ready after {}", crate::model::human_duration(after)),
        None if row.generation > 1 => format!("generation {}", row.generation),
        None => String::new(),
    }
}
