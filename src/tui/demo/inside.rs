//! What stands in a box of the picture: who it is, how it stands, what it does.

use std::collections::HashSet;

use ratatui::style::Style;

use super::{
    chain::{Chain, is_call, tally},
    picture::BOXES,
};
use crate::{
    model::{At, Exit, ProcessId, ProcessSnapshot, ProcessState, Role as ProcessRole, Signal, Snapshot},
    tap::{Exchange, Traffic},
    tui::{glyph::Glyph, pane::state, scene::Scene, text, theme::Role, units::counted},
};

/// Red for what has failed, yellow for what may still recover.
pub(super) fn trouble(row: &ProcessSnapshot) -> Option<Role> {
    match row.state {
        ProcessState::Failed { .. } | ProcessState::GaveUp { .. } => Some(Role::Bad),
        ProcessState::Backoff { .. } | ProcessState::Unhealthy { .. } => Some(Role::Warn),
        ProcessState::Stopped { .. } if row.info.role == ProcessRole::Service => Some(Role::Warn),
        _ => None,
    }
}

/// A line, in parts.
pub(super) type Line = Vec<(String, Style)>;

/// What a box says that has room for so many lines: of one process all about it, of several a line each.
pub(super) fn content(scene: &Scene<'_>, traffic: &Traffic, chain: &Chain, rows: &[usize], wide: bool, room: usize) -> Vec<Line> {
    let look = scene.look;
    let [one] = rows else { return several(scene, rows, room) };
    let row = &*scene.snapshot.rows[*one];
    let stand_in = if row.info.stand_in { "  (stand-in)" } else { "" }.to_owned();
    let name = vec![(row.id().to_string(), look.theme.process(*one)), (stand_in, look.style(Role::Dim))];
    let mut lines = vec![name, how(scene, row, wide)];
    if wide {
        let (doing, role) = doing(traffic, chain, *one, row, scene);
        lines.push(vec![(doing, look.style(role))]);
    }
    lines
}

/// A line each. Where there are too many, those in trouble stand first, and the last line counts the others.
fn several(scene: &Scene<'_>, rows: &[usize], room: usize) -> Vec<Line> {
    let look = scene.look;
    let of = |row: &usize| &*scene.snapshot.rows[*row];
    let mut order: Vec<usize> = rows.to_vec();
    let shown = if rows.len() > room { room.saturating_sub(1) } else { rows.len() };
    if shown < rows.len() {
        order.sort_by_key(|row| trouble(of(row)).map_or(2, |role| u8::from(role != Role::Bad)));
    }
    let name = |row: &usize| scene.names.as_source(of(row).id(), look);
    let longest = order[..shown].iter().map(|row| text::width(&name(row))).max().unwrap_or(0);
    let line = |row: &usize| {
        let name = name(row);
        let gap = " ".repeat(longest - text::width(&name) + 2);
        vec![(name, look.theme.process(*row)), (gap, Style::default()), in_a_word(scene, of(row))]
    };
    let mut lines: Vec<Line> = order[..shown].iter().map(line).collect();
    let rest = &order[shown..];
    if let Some(first) = rest.first() {
        let word = of(first).state.word();
        let all = if rest.iter().all(|row| of(row).state.word() == word) { format!(", all {word}") } else { String::new() };
        lines.push(vec![(format!("+{} more{all}", rest.len()), look.style(Role::Dim))]);
    }
    lines
}

/// `◐ retry`: sign and word alone.
fn in_a_word(scene: &Scene<'_>, row: &ProcessSnapshot) -> (String, Style) {
    let look = scene.look;
    if is_retrying(row) {
        return (format!("{} retry", look.glyph(Glyph::Busy)), look.theme.state(&ProcessState::Running));
    }
    let told = state::state_text(row, scene.now, true, look);
    (format!("{} {}", look.glyph(told.glyph), row.state.word()), told.style)
}

/// Whether its last word was that it tries again.
fn is_retrying(row: &ProcessSnapshot) -> bool {
    matches!(row.state, ProcessState::Running | ProcessState::Ready)
        && row.progress.as_deref().is_some_and(|text| text.starts_with("retry"))
}

/// Its state, and what belongs to it.
fn how(scene: &Scene<'_>, row: &ProcessSnapshot, wide: bool) -> Line {
    let look = scene.look;
    let told = state::state_text(row, scene.now, true, look);
    let mut parts = vec![(format!("{} {}", look.glyph(told.glyph), told.word), told.style)];
    let more = match &row.state {
        _ if !wide => String::new(),
        _ if is_retrying(row) => "   retrying".to_owned(),
        ProcessState::Ready if row.info.role == ProcessRole::Service => format!("   {}", counted(u64::from(row.restarts), "restart")),
        ProcessState::Running | ProcessState::Ready => String::new(),
        ProcessState::Backoff { .. } | ProcessState::Unhealthy { .. } => format!(" {}", told.detail),
        _ if told.detail.is_empty() => String::new(),
        _ => format!("   {}", told.detail),
    };
    // What there is no room for is left out, not cut.
    if text::width(&parts[0].0) + text::width(&more) <= usize::from(BOXES.1) - 4 {
        parts.push((more, told.style));
    }
    parts
}

/// What it does, or how often it has died.
fn doing(traffic: &Traffic, chain: &Chain, at: usize, row: &ProcessSnapshot, scene: &Scene<'_>) -> (String, Role) {
    let times = scene.look.glyph(Glyph::Times);
    if row.info.role != ProcessRole::Service || row.port().is_none() {
        return (row.progress.clone().unwrap_or_default(), Role::Plain);
    }
    if trouble(row).is_some() || row.pid.is_none() {
        return (ends(row, times), Role::Plain);
    }
    let talkers: Vec<_> = chain.talkers(at).filter_map(|from| scene.snapshot.rows.get(from)).map(|row| row.id()).collect();
    let newest = tally(traffic, &talkers, row.id(), scene.now);
    if let Some(tally) = newest.filter(|tally| tally.answer.role != Role::Good) {
        return (format!("answers {}   {times}{}", tally.answer.text, tally.times), tally.answer.role);
    }
    let well = if chain.is_between(at) {
        (sessions(traffic, row, scene.snapshot, scene.now), "session", "open")
    } else {
        let here = traffic.rows().filter(|exchange| exchange.tap == *row.id() && exchange.at <= scene.now);
        (here.filter(|exchange| is_call(exchange)).count() as u64, "call", "served")
    };
    let text = if well.0 == 0 { String::new() } else { format!("{} {}", counted(well.0, well.1), well.2) };
    (text, Role::Plain)
}

/// `killed 1×, crashed 3×`.
fn ends(row: &ProcessSnapshot, times: &str) -> String {
    let killed = row.exits.iter().filter(|exit| exit.exit == Exit::Signal(Signal::KILL)).count();
    let crashed = row.exits.iter().filter(|exit| !exit.asked && exit.exit != Exit::Signal(Signal::KILL)).count();
    let parts = [(killed, "killed"), (crashed, "crashed")].into_iter().filter(|(n, _)| *n > 0);
    parts.map(|(n, word)| format!("{word} {n}{times}")).collect::<Vec<_>>().join(", ")
}

/// Sessions that were opened at its tap by those who are there, and neither closed again nor lost.
fn sessions(traffic: &Traffic, row: &ProcessSnapshot, snapshot: &Snapshot, now: At) -> u64 {
    let since = |client: &ProcessId| snapshot.row(client.as_str()).filter(|row| row.pid.is_some()).and_then(|row| row.started);
    let is_there = |exchange: &&Exchange| exchange.client.as_ref().is_none_or(|client| since(client).is_some_and(|at| at <= exchange.at));
    let mut open: HashSet<&str> = HashSet::new();
    for exchange in traffic.rows().filter(|exchange| exchange.tap == *row.id() && exchange.at <= now).filter(is_there) {
        let Some(session) = exchange.session.as_deref() else { continue };
        let lost = exchange.answer.is_some_and(|(_, status)| status == 404);
        let closes = lost || exchange.http.as_ref().is_some_and(|(method, _)| method == "DELETE");
        if closes {
            open.remove(session);
        } else {
            open.insert(session);
        }
    }
    open.len() as u64
}
