//! The author's note, and below it what was measured.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    MARGIN,
    seen::{Seen, seen},
    steps::current,
};
use crate::{
    model::RunInfo,
    tui::{
        glyph::Glyph,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
    },
};

/// Rows: a rule, the note, what was seen, a rule, and a blank one, which a second line of what was seen may take.
pub(crate) const ROWS: u16 = 5;
/// Where both texts begin.
const TEXT: u16 = MARGIN + 2 + 14;
/// Between parts of what was seen.
const GAP: u16 = 3;

/// Draws both between two thick rules.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let inner = Rect { x: area.x + MARGIN, width: area.width.saturating_sub(2 * MARGIN), ..area };
    let lines = lines(seen(scene), usize::from(inner.width.saturating_sub(TEXT - MARGIN)));
    for y in [area.y, area.y + 2 + lines.len() as u16] {
        if y < area.bottom() {
            Pen::new(buf, inner.x, y, inner.width).fill_to(inner.width, look.glyph(Glyph::Thick), look.style(Role::Rule));
        }
    }
    // Nothing is written below the pane.
    let row = |y: u16| if y < area.bottom() { area.width.saturating_sub(MARGIN) } else { 0 };
    let (label, note) = told(scene);
    let mut pen = Pen::new(buf, area.x, area.y + 1, row(area.y + 1));
    pen.gap(MARGIN + 2).text(&label, look.style(Role::Strong)).to(TEXT).fitted(&note, look.ellipsis(), look.style(Role::Strong));
    for (y, (label, parts)) in (area.y + 2..).zip(["Seen", ""].into_iter().zip(lines)) {
        let mut pen = Pen::new(buf, area.x, y, row(y));
        pen.gap(MARGIN + 2).text(label, look.style(Role::Dim)).to(TEXT);
        if parts.is_empty() {
            pen.text("nothing yet", look.style(Role::Dim));
        }
        for (at, part) in parts.into_iter().enumerate() {
            pen.gap(if at == 0 { 0 } else { GAP }).text(&part.text, look.style(part.role));
        }
    }
}

/// One line, or two, and no third: what is least dear goes to the second, else they break where the first is full; what has
/// no room in both is left out.
fn lines(mut parts: Vec<Seen>, room: usize) -> Vec<Vec<Seen>> {
    loop {
        let (first, rest) = fitting(parts.clone(), room);
        if rest.is_empty() {
            return vec![first];
        }
        if cells(&rest) <= room {
            return vec![first, rest];
        }
        let full = (0..parts.len()).rev().find(|at| cells(&parts[..*at]) <= room).unwrap_or(0);
        if full > 0 && cells(&parts[full..]) <= room {
            let rest = parts.split_off(full);
            return vec![parts, rest];
        }
        let Some(least) = least_dear(&parts) else { return Vec::new() };
        parts.remove(least);
    }
}

/// What fits, and what had to give way.
fn fitting(mut parts: Vec<Seen>, room: usize) -> (Vec<Seen>, Vec<Seen>) {
    let mut rest = Vec::new();
    while cells(&parts) > room {
        let Some(least) = least_dear(&parts) else { break };
        rest.insert(0, parts.remove(least));
    }
    (parts, rest)
}

fn least_dear(parts: &[Seen]) -> Option<usize> {
    parts.iter().enumerate().rev().min_by_key(|(_, part)| part.dear).map(|(at, _)| at)
}

fn cells(parts: &[Seen]) -> usize {
    parts.iter().map(|part| text::width(&part.text) + usize::from(GAP)).sum::<usize>().saturating_sub(usize::from(GAP))
}

/// `Step 2 of 7` with its note; of a run without steps, what it is about.
fn told(scene: &Scene<'_>) -> (String, String) {
    let steps = &scene.snapshot.steps;
    if let Some((at, step)) = current(steps).and_then(|at| Some((at, steps.get(at)?))) {
        let note = if step.info.note.is_empty() { step.info.title() } else { &step.info.note };
        return (format!("Step {} of {}", at + 1, steps.len()), note.to_owned());
    }
    let about = |run: &RunInfo| if run.description.is_empty() { run.scenario.clone() } else { run.description.clone() };
    ("Run".to_owned(), scene.snapshot.run.as_ref().map_or_else(String::new, |run| about(run)))
}
