//! What went through taps: one row an exchange, with both sides of a proxy on it.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::draw::open;
use crate::{
    model::ProcessId,
    tap::{ExchangeId, Toward},
    tui::{
        glyph::Glyph,
        pane::line::SOURCE,
        scene::{Drawn, Scene},
        text::{self, Pen, fit},
        theme::Role,
        traffic::{NEWEST, Row, Word, place},
    },
};

/// From this width on the far side of a proxy stands on its row too…
const BEYOND: u16 = 76;
/// …and from this one on also through whose tap it went: where one stands in front of another, that shows.
const WIDE: u16 = 96;
/// Cells that a call takes with a word on how it was disturbed.
const ROOMY: usize = 32;
/// Cells of an answer, with its glyph.
const ANSWER: u16 = 11;
/// Cells of how long it took.
const TOOK: u16 = 8;

/// Draws the list, the newest last, with the chosen one in sight.
pub(super) fn draw(scene: &Scene<'_>, chosen: Option<ExchangeId>, stage: Rect, buf: &mut Buffer) -> Drawn {
    let (rows, all) = (scene.traffic(), scene.traffic_count());
    let at = place(&rows, chosen);
    let listed = if all > NEWEST as u64 { format!(", the newest {NEWEST} listed") } else { String::new() };
    let mode = match scene.traffic_lost() {
        0 => format!("{all} exchanges{listed}"),
        lost => format!("{all} exchanges{listed}   {lost} notes not kept"),
    };
    let mode = if rows.is_empty() { String::new() } else { mode };
    let body = open(scene, "Traffic", &mode, stage, buf);
    if body.is_empty() {
        return Drawn::default();
    }
    if rows.is_empty() {
        let text = if scene.is_tapped() {
            "nothing has gone through a tap yet"
        } else {
            "no process has a tap: add `tap = true` to one that listens or reads a pipe"
        };
        Pen::new(buf, body.x, body.y, body.width).gap(2).fitted(text, scene.look.ellipsis(), scene.look.style(Role::Dim));
        return Drawn::default();
    }
    // Nothing is beyond a pipe.
    let columns = columns(body.width, rows.iter().all(|row| row.pipe.is_some()));
    header(scene, &columns, &mut Pen::new(buf, body.x, body.y, body.width));
    let room = usize::from(body.height.saturating_sub(1));
    let first = at.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
    for (y, (i, exchange)) in (body.y + 1..body.bottom()).zip(rows.iter().enumerate().skip(first)) {
        row(scene, exchange, &columns, &mut Pen::new(buf, body.x, y, body.width), i == at);
    }
    Drawn::default()
}

/// Where the columns stand, for a width.
struct Columns {
    /// To whom, where there is room for it.
    to: Option<u16>,
    call: u16,
    answer: u16,
    /// The far side of a proxy, where there is room for it.
    beyond: Option<u16>,
}

fn columns(width: u16, on_pipes: bool) -> Columns {
    let source = SOURCE + 1;
    let to = (on_pipes || !(BEYOND..WIDE).contains(&width)).then_some(11 + source);
    let call = to.map_or(11 + source, |to| to + source);
    let beyond = (width >= BEYOND && !on_pipes).then(|| width.saturating_sub(ANSWER + 3 + TOOK + 1));
    let end = beyond.unwrap_or(width.saturating_sub(1));
    Columns { to, call, answer: end.saturating_sub(ANSWER + TOOK + 2).max(call), beyond }
}

fn header(scene: &Scene<'_>, at: &Columns, pen: &mut Pen<'_>) {
    let style = scene.look.style(Role::Header);
    pen.text(&format!("{:>9}", "TIME"), style).gap(2).text("CLIENT", style);
    if let Some(to) = at.to {
        pen.to(to).text("TO", style);
    }
    pen.to(at.call).text("CALL", style);
    pen.to(at.answer).text("ANSWER", style).to(at.answer + ANSWER).text(&format!("{:>width$}", "TOOK", width = usize::from(TOOK)), style);
    if let Some(beyond) = at.beyond {
        pen.to(beyond).text("BEYOND", style).to(beyond + 3 + ANSWER).text(&format!("{:>width$}", "TOOK", width = usize::from(TOOK)), style);
    }
}

fn row(scene: &Scene<'_>, exchange: &Row, at: &Columns, pen: &mut Pen<'_>, here: bool) {
    let look = scene.look;
    let strong = if here { look.style(Role::Selected) } else { Style::new() };
    let time = exchange.at.seconds();
    if here {
        pen.text(look.glyph(Glyph::Selected), look.style(Role::Selected)).text(&format!("{time:>8}"), look.style(Role::Dim));
    } else {
        pen.text(&format!("{time:>9}"), look.style(Role::Dim));
    }
    pen.gap(2);
    match (&exchange.client, exchange.pipe) {
        (_, Some(Toward::Server)) => drop(pen.text("stdin", look.style(Role::Dim))),
        (_, Some(Toward::Client)) => source(scene, &exchange.tap, pen),
        (Some(client), None) => source(scene, client, pen),
        (None, None) => {
            pen.text("?", look.style(Role::Dim));
        }
    }
    if let Some(to) = at.to {
        pen.to(to);
        if exchange.pipe == Some(Toward::Client) {
            pen.text("stdout", look.style(Role::Dim));
        } else {
            source(scene, &exchange.tap, pen);
        }
    }
    let room = usize::from(at.answer.saturating_sub(at.call + 1));
    let times = if exchange.times > 1 { format!("  {}{}", look.glyph(Glyph::Times), exchange.times) } else { String::new() };
    // Where there is little room the call's name comes first.
    let disturbed = |fault| if room < ROOMY { format!("  ({fault})") } else { format!("  disturbed: {fault}") };
    let fault = exchange.fault.map(disturbed).unwrap_or_default();
    let call = fit(&exchange.call, room.saturating_sub(text::width(&times) + fault.len()), look.ellipsis()).into_owned();
    pen.to(at.call).text(&call, look.style(Role::Plain).patch(strong));
    pen.text(&fault, look.style(Role::Warn)).text(&times, look.style(Role::Dim));
    side(scene, &exchange.answer, &exchange.took, at.answer, pen);
    if let (Some(column), Some((answer, took))) = (at.beyond, &exchange.beyond) {
        pen.to(column).text(if answer.role == Role::Bad { "   " } else { look.glyph(Glyph::Thin) }, look.style(Role::Rule));
        side(scene, answer, took, column + 3, pen);
    }
}

/// An answer, and how long it took.
fn side(scene: &Scene<'_>, answer: &Word, took: &(String, Role), column: u16, pen: &mut Pen<'_>) {
    pen.to(column).text(&fit(&answer.text, usize::from(ANSWER - 1), scene.look.ellipsis()), scene.look.style(answer.role));
    let width = usize::from(TOOK);
    // Not by colour alone.
    let slow = if took.1 == Role::Warn { format!("{} ", scene.look.glyph(Glyph::Warn)) } else { String::new() };
    pen.to(column + ANSWER).text(&format!("{:>width$}", slow + &took.0), scene.look.style(took.1));
}

fn source(scene: &Scene<'_>, process: &ProcessId, pen: &mut Pen<'_>) {
    let hue = scene.index_of(process).map(|index| scene.look.theme.process(index)).unwrap_or_default();
    pen.text(&scene.names.as_source(process, scene.look), hue);
}
