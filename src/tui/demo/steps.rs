//! The steps, a row each, with when each began.

use std::sync::Arc;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{MARGIN, clock};
use crate::{
    model::{StepSnapshot, StepStage},
    tui::{glyph::Glyph, pane::steps::first_shown, scene::Scene, text::Pen, theme::Role},
};

/// Draws the column.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    if area.is_empty() {
        return;
    }
    Pen::new(buf, area.x, area.y, area.width).gap(MARGIN).text("STEPS", look.style(Role::Title));
    let steps = &scene.snapshot.steps;
    let room = area.height.saturating_sub(2);
    // A blank row between two, where there is room.
    let apart = if steps.len() * 2 <= usize::from(room) + 1 { 2 } else { 1 };
    let current = current(steps);
    let first = first_shown(current.unwrap_or(0), usize::from(room / apart), steps.len());
    let rows = (area.y + 2..area.bottom()).step_by(usize::from(apart));
    for (y, (at, step)) in rows.zip(steps.iter().enumerate().skip(first)) {
        let here = current == Some(at);
        let (sign, role) = match step.stage {
            StepStage::Done if here => (look.glyph(Glyph::Start), Role::Strong),
            StepStage::Done => (look.glyph(Glyph::Done), Role::Dim),
            StepStage::Failed => (look.glyph(Glyph::Bad), Role::Bad),
            StepStage::Skipped => (look.glyph(Glyph::Rest), Role::Dim),
            StepStage::Started => (look.glyph(Glyph::Start), Role::Strong),
            StepStage::Pending | StepStage::Waiting => (" ", Role::Plain),
        };
        let style = look.style(role);
        let time = step.began.filter(|_| step.stage != StepStage::Waiting).map(|at| clock(at, 0)).unwrap_or_default();
        let width = area.width.saturating_sub(2 * MARGIN + 2);
        let mut pen = Pen::new(buf, area.x + MARGIN, y, width.saturating_sub(6));
        pen.text(sign, style).gap(1).text(&format!("{:<2} ", at + 1), style).fitted(step.info.title(), look.ellipsis(), style);
        Pen::new(buf, area.x + MARGIN + width.saturating_sub(5), y, 5).text(&format!("{time:>5}"), look.style(Role::Dim));
    }
}

/// The step that the audience is at: the one under way, else the last that was carried out.
pub(crate) fn current(steps: &[Arc<StepSnapshot>]) -> Option<usize> {
    let begun = |step: &&Arc<StepSnapshot>| matches!(step.stage, StepStage::Started | StepStage::Done | StepStage::Failed);
    let newest = steps.iter().filter(begun).filter_map(|step| step.at).max()?;
    steps.iter().rposition(|step| begun(&step) && step.at == Some(newest))
}
