//! Lines between the boxes of the picture, with what goes over them.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    chain::{Chain, Tally, tally},
    picture::{Boxed, signs},
};
use crate::{
    model::human_duration,
    tap::Traffic,
    tui::{
        glyph::{Glyph, GlyphSet},
        scene::Scene,
        text::{self, Pen},
        theme::Role,
    },
};

/// From this width on an arrow has room for what comes back beside it.
const ROOMY: u16 = 17;

/// Draws the lines from one rank to the next: from each who talks into one trunk, and from there to each who is talked to.
pub(super) fn links(scene: &Scene<'_>, traffic: &Traffic, chain: &Chain, boxes: &[Boxed], (left, right): (usize, usize), buf: &mut Buffer) {
    let talks = |from: &Boxed, to: &Boxed| chain.links.iter().any(|(a, b)| from.rows.contains(a) && to.rows.contains(b));
    let of = |rank: usize| boxes.iter().filter(move |one| one.rank == rank);
    let sources: Vec<&Boxed> = of(left).filter(|from| of(right).any(|to| talks(from, to))).collect();
    let targets: Vec<&Boxed> = of(right).filter(|to| of(left).any(|from| talks(from, to))).collect();
    let (Some(first), Some(_)) = (sources.first(), targets.first()) else { return };
    let (start, end) = (first.area.right(), targets[0].area.x);
    if end < start + 4 {
        return;
    }
    let trunk = start + (end - start) / 2 - 1;
    let heights = |boxes: &[&Boxed]| boxes.iter().map(|one| one.middle()).collect::<Vec<_>>();
    let (from, to) = (heights(&sources), heights(&targets));
    let alone = from.len() == 1 && to.len() == 1;
    let top = from.iter().chain(&to).copied().min().unwrap_or(0);
    let bottom = from.iter().chain(&to).copied().max().unwrap_or(0);
    let plain = scene.look.style(Role::Plain);
    let [flat, upright, ..] = signs(scene.look.glyphs, false);
    if !alone || top != bottom {
        for y in &from {
            Pen::new(buf, start, *y, trunk - start).fill_to(trunk - start, flat, plain);
        }
        for y in top..=bottom {
            let sign = junction(scene.look.glyphs, (from.contains(&y), to.contains(&y)), (y > top, y < bottom));
            Pen::new(buf, trunk, y, 1).text(if top == bottom { upright } else { sign }, plain);
        }
    }
    for target in &targets {
        let talkers =
            target.rows.iter().flat_map(|row| chain.talkers(*row)).filter(|row| sources.iter().any(|from| from.rows.contains(row)));
        // Who talks past the middle has no line here, and does not count on this one.
        let talkers: Vec<_> = talkers.filter_map(|row| scene.snapshot.rows.get(row)).collect();
        let talkers: Vec<_> = talkers.into_iter().map(|row| row.id()).collect();
        let tallies = target.rows.iter().filter_map(|row| tally(traffic, &talkers, scene.snapshot.rows[*row].id(), scene.now));
        let tally = tallies.max_by_key(|tally| (tally.answer.role != Role::Good, tally.times));
        let merged = !alone || top != bottom;
        let from = if merged { trunk + 1 } else { start };
        arrow(scene, tally.as_ref(), (from, end, target.middle()), merged, buf);
    }
}

/// An arrow, broken where nobody could be reached, and above it what goes over it.
fn arrow(scene: &Scene<'_>, tally: Option<&Tally>, (from, end, y): (u16, u16, u16), merged: bool, buf: &mut Buffer) {
    let look = scene.look;
    let width = end.saturating_sub(from);
    let [flat, ..] = signs(look.glyphs, false);
    let head = look.glyph(Glyph::Start);
    let bad = tally.is_some_and(|tally| tally.answer.role == Role::Bad);
    let style = look.style(if bad { Role::Bad } else { Role::Plain });
    let shaft = width.saturating_sub(2);
    let mut pen = Pen::new(buf, from, y, width);
    let beside = Rect { x: from + 1, y, width: shaft, height: 1 };
    if let Some(tally) = tally.filter(|tally| came_back(tally) && width < ROOMY) {
        return label(scene, tally, beside, merged, buf);
    }
    if bad {
        broken(scene, shaft, &mut pen);
    } else {
        pen.fill_to(shaft, flat, style);
    }
    pen.text(head, style);
    if let Some(tally) = tally {
        label(scene, tally, Rect { y: y.saturating_sub(1), ..beside }, merged, buf);
    }
}

/// `╌ ╌ ╌  ✗  ╌ ╌ ╌▶`: half of it on each side of the sign.
fn broken(scene: &Scene<'_>, shaft: u16, pen: &mut Pen<'_>) {
    let (look, style) = (scene.look, scene.look.style(Role::Bad));
    let apart = u16::from(shaft >= ROOMY);
    let middle = shaft / 2 - shaft / 2 % 2 * apart;
    let dashes = |until: u16, pen: &mut Pen<'_>| {
        while pen.column() < until && pen.room() > 0 {
            pen.text(look.glyph(Glyph::Life), style);
            pen.to((pen.column() + apart).min(until));
        }
    };
    pen.gap(1);
    dashes(middle.saturating_sub(1 + apart), pen);
    pen.to(middle).text(look.glyph(Glyph::Bad), style).gap(1 + apart);
    // The last dash touches the head.
    pen.gap((shaft + pen.column() + 1) % 2 * apart);
    dashes(shaft, pen);
}

/// Whether it is an answer that says no.
fn came_back(tally: &Tally) -> bool {
    !tally.refused && tally.answer.role == Role::Warn
}

/// `200 ×23  4 ms`; `502 ×7 ◀ 2 ms` where that comes back instead; `connection refused ×7`.
fn label(scene: &Scene<'_>, tally: &Tally, area: Rect, merged: bool, buf: &mut Buffer) {
    let look = scene.look;
    let times = format!("{}{}", look.glyph(Glyph::Times), tally.times);
    let took = human_duration(std::time::Duration::from_millis(tally.took.as_millis() as u64));
    let back = if look.glyphs == GlyphSet::Ascii { "<" } else { "◀" };
    let answer = &tally.answer.text;
    let short = format!("{answer} {times}");
    let texts = match (tally.refused, tally.answer.role) {
        (true, _) => vec![format!("connection refused {times}"), format!("refused {times}"), times],
        (_, Role::Good) => vec![format!("{answer} {times}  {took}"), short, times],
        // Without an arrow of its own its sign is the arrow.
        _ if area.width < ROOMY => {
            vec![format!("{short}  {took} {back}"), format!("{short} {back}"), short, format!("{answer} {back}"), times]
        }
        _ => vec![format!("{short} {back} {took}"), short, times],
    };
    let Some(text) = texts.into_iter().find(|text| text::width(text) <= usize::from(area.width)) else { return };
    // Behind a trunk it begins with the arrow.
    let left = if merged { 0 } else { area.width.saturating_sub(text::width(&text) as u16) / 2 };
    Pen::new(buf, area.x + left, area.y, area.width - left).text(&text, look.style(tally.answer.role));
}

/// Where lines meet: from the left, to the right, from above, to below.
fn junction(set: GlyphSet, (left, right): (bool, bool), (up, down): (bool, bool)) -> &'static str {
    if set == GlyphSet::Ascii {
        return if !left && !right { "|" } else { "+" };
    }
    match (left, right, up, down) {
        (true, false, false, _) => "┐",
        (true, false, true, false) => "┘",
        (true, false, true, true) => "┤",
        (false, true, false, _) => "┌",
        (false, true, true, false) => "└",
        (false, true, true, true) => "├",
        (true, true, false, false) => "─",
        (true, true, false, true) => "┬",
        (true, true, true, false) => "┴",
        (true, true, true, true) => "┼",
        (false, false, ..) => "│",
    }
}
