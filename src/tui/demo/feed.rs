//! Traffic as it goes by: one row an exchange with both sides of the proxy on it, and between them what was done to the run.

use std::collections::BTreeSet;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{MARGIN, clock};
use crate::{
    model::{Actor, At, Event, EventKind, Failure, Role as ProcessRole, StartCause},
    tui::{
        glyph::Glyph,
        names,
        scene::Scene,
        text::{self, Pen, fit},
        theme::Role,
        traffic::Row,
    },
};

/// From this width on the sides have a heading of their own.
const WIDE: u16 = 106;
/// Cells of a moment.
const TIME: u16 = 7;
/// Events that are looked at for what was done.
const NEWEST: usize = 400;

/// From this width on they are as far apart as a hall likes them.
const ROOMY: u16 = 90;
/// Before what was done to the run.
const LINE: u16 = 20;

/// What was done last stays in sight, so many lines of it.
const STAYS: usize = 2;

/// Where columns stand.
struct Columns {
    call: u16,
    answer: u16,
    took: u16,
    beyond: u16,
    took_beyond: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let call = TIME + 2 + names::SOURCE as u16 + 1;
        let (answer, took, beyond, spare) = match width {
            WIDE.. => (13, 10, 25, 23),
            ROOMY.. => (10, 8, 21, 21),
            _ => (10, 8, 15, 7),
        };
        // The call gets what the rest leaves, and no more than it needs.
        let most = if width >= WIDE { 32 } else { 17 };
        let at_answer = call + width.saturating_sub(call + answer + took + beyond + spare).clamp(8, most);
        let at_beyond = at_answer + answer + took;
        Self { call, answer: at_answer, took: at_answer + answer, beyond: at_beyond, took_beyond: at_beyond + beyond }
    }
}

/// What stands in a row.
enum Told<'r> {
    Exchange(&'r Row),
    Done(String),
}

/// Draws the pane, the newest at the bottom.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    // What stands to its left has the margin.
    let left = if area.x == scene.areas.screen.x { MARGIN } else { 0 };
    let inner = Rect { x: area.x + left, width: area.width.saturating_sub(left + MARGIN), ..area };
    if inner.is_empty() {
        return;
    }
    let at = Columns::of(inner.width);
    let header = look.style(Role::Header);
    let mut y = inner.y;
    if inner.width >= WIDE {
        let mut pen = Pen::new(buf, inner.x, y, inner.width);
        pen.text("TRAFFIC", look.style(Role::Title)).gap(3).text("client side of the proxy", look.style(Role::Dim));
        pen.to(at.beyond - 1).text("upstream side of the proxy", look.style(Role::Dim));
        y += 1;
    }
    let mut pen = Pen::new(buf, inner.x, y, inner.width);
    pen.text(&format!("{:>1$}", "TIME", usize::from(TIME)), header).gap(2).text("CLIENT", header).to(at.call).text("CALL", header);
    pen.to(at.answer).text("ANSWER", header).to(at.took).text("TOOK", header);
    pen.to(at.beyond).text(if inner.width >= WIDE { "ANSWER" } else { "UPSTREAM SIDE" }, header);
    pen.to(at.took_beyond).text("TOOK", header);
    let body = Rect { y: y + 2, height: inner.bottom().saturating_sub(y + 2), ..inner };
    let rows = scene.calls(usize::from(body.height));
    let mut all: Vec<(At, Told<'_>)> = rows.iter().map(|row| (row.at, Told::Exchange(row))).collect();
    all.extend(done(scene).into_iter().map(|(at, what)| (at, Told::Done(what))));
    all.sort_by_key(|(at, _)| *at);
    let all = newest(all, usize::from(body.height), |(_, told)| matches!(told, Told::Done(_)));
    for (y, (_, told)) in (body.y..body.bottom()).zip(&all) {
        let mut pen = Pen::new(buf, inner.x, y, inner.width);
        match told {
            Told::Exchange(row) => exchange(scene, row, &at, &mut pen),
            Told::Done(what) => divider(scene, what, &at, &mut pen),
        }
    }
    if all.is_empty() {
        let text = if scene.is_tapped() {
            "nothing has gone through a tap yet"
        } else {
            "no process has a tap: add `tap = true` to one that listens or reads a pipe"
        };
        Pen::new(buf, inner.x, body.y, inner.width).fitted(text, look.ellipsis(), look.style(Role::Dim));
    }
}

/// As many of the newest as there is room for. What was done last stays in sight: it is why the rest is as it is.
fn newest<T>(all: Vec<T>, room: usize, is_done: impl Fn(&T) -> bool) -> Vec<T> {
    if all.len() <= room {
        return all;
    }
    let most = STAYS.min(room / 2);
    let mut first = all.len() - (room - most);
    let mut shown: BTreeSet<usize> = (0..first).rev().filter(|at| is_done(&all[*at])).take(most).chain(first..all.len()).collect();
    while shown.len() < room && first > 0 {
        first -= 1;
        shown.insert(first);
    }
    all.into_iter().enumerate().filter(|(at, _)| shown.contains(at)).map(|(_, told)| told).collect()
}

fn exchange(scene: &Scene<'_>, row: &Row, at: &Columns, pen: &mut Pen<'_>) {
    let look = scene.look;
    pen.text(&format!("{:>1$}", clock(row.at, 1), usize::from(TIME)), look.style(Role::Dim)).gap(2);
    if let Some(client) = &row.client {
        let hue = scene.index_of(client).map(|index| look.theme.process(index)).unwrap_or_default();
        pen.text(&scene.names.as_source(client, look), hue);
    }
    let call = fit(&row.call, usize::from(at.answer.saturating_sub(at.call + 1)), look.ellipsis());
    pen.to(at.call).text(&call, look.style(Role::Plain));
    pen.to(at.answer).text(&row.answer.text, look.style(row.answer.role)).to(at.took).text(&row.took.0, look.style(row.took.1));
    if let Some((answer, took)) = &row.beyond {
        pen.to(at.beyond);
        if answer.role != Role::Bad {
            let line = look.glyph(Glyph::Thin);
            pen.text(line, look.style(Role::Rule)).text(line, look.style(Role::Rule)).gap(1);
        }
        pen.text(&answer.text, look.style(answer.role)).to(at.took_beyond).text(&took.0, look.style(took.1));
    }
}

/// `╌╌╌╌  kill -9 upstream  (you, step 4)  ╌╌╌╌`.
fn divider(scene: &Scene<'_>, what: &str, at: &Columns, pen: &mut Pen<'_>) {
    let (look, room) = (scene.look, pen.room());
    let (left, width) = if room >= WIDE { (LINE + 9, room) } else { (LINE, room.min(at.took_beyond + 6)) };
    let left = left.min(width.saturating_sub(text::width(what) as u16 + 4));
    let what = fit(what, usize::from(width.saturating_sub(left + 4)), look.ellipsis());
    let style = look.style(Role::Note);
    pen.fill_to(left, look.glyph(Glyph::Life), style).gap(2).text(&what, style).gap(2).fill_to(width, look.glyph(Glyph::Life), style);
}

/// What people and steps did to processes, and which tests have failed.
fn done(scene: &Scene<'_>) -> Vec<(At, String)> {
    let listed = scene.events.listed();
    let newest = scene.events.listed_window(listed.saturating_sub(NEWEST), NEWEST);
    newest.filter_map(|(event, _)| Some((event.at, what_was_done(scene, event)?))).collect()
}

fn what_was_done(scene: &Scene<'_>, event: &Event) -> Option<String> {
    let by_hand = |by: &Actor| matches!(by, Actor::You | Actor::Step(_) | Actor::Library);
    let test = |name: &str| scene.snapshot.row(name).is_some_and(|row| row.info.role == ProcessRole::Test);
    match &event.kind {
        EventKind::Signalled { process, signal, by, stop: false, .. } if by_hand(by) => {
            Some(format!("kill -{} {process}  ({})", signal.0, who(by)))
        }
        // A test is stopped and started whenever it is to run again.
        EventKind::Signalled { process, by, .. } if by_hand(by) && !test(process.as_str()) => {
            Some(format!("{process} stopped  ({})", who(by)))
        }
        EventKind::Spawned { process, generation: 2.., cause: StartCause::Asked { by }, .. } if !test(process.as_str()) => {
            Some(format!("{process} started again  ({})", who(by)))
        }
        EventKind::Spawned { process, cause: StartCause::Policy { .. }, .. } => Some(format!("{process} restarted  (its policy)")),
        EventKind::Rerun { by, process: None } => Some(format!("tests run again  ({})", who(by))),
        EventKind::Disturbed { process, fault, by, .. } if fault.is_empty() => Some(format!("{process}: undisturbed again  ({})", who(by))),
        EventKind::Disturbed { process, fault, by, .. } => Some(format!("{process}: {fault}  ({})", who(by))),
        EventKind::Exited { process, exit, asked: false, .. } if test(process.as_str()) && !exit.success() => {
            Some(format!("{process} failed   {exit}"))
        }
        EventKind::Failed { process, reason, .. } if test(process.as_str()) && !matches!(reason, Failure::Dependency { .. }) => {
            Some(format!("{process} failed   {}", reason.short()))
        }
        _ => None,
    }
}

/// A step is taken for whoever presents.
fn who(by: &Actor) -> String {
    match by {
        Actor::Step(step) => format!("you, step {step}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_last_stays_in_sight() {
        let shown = |all: &str, room| newest(all.chars().collect(), room, char::is_ascii_uppercase).into_iter().collect::<String>();
        assert_eq!(shown("aBc", 5), "aBc");
        assert_eq!(shown("aBcDefgh", 5), "BDfgh");
        assert_eq!(shown("ABcDEFghi", 5), "EFghi");
        assert_eq!(shown("abcDefgh", 5), "Defgh", "in sight by itself");
        assert_eq!(shown("aBcdefgh", 5), "Befgh");
        assert_eq!(shown("abcdef", 3), "def");
        assert_eq!(shown("aBcd", 1), "d");
        assert_eq!(shown("aB", 0), "");
    }
}
