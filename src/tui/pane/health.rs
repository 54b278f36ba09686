//! The HEALTH column: one cell a probe, its height the latency; then the last latency or the reason of a failure.

use ratatui::style::Style;

use crate::{
    model::{ProbeOutcome, ProbeRecord, ProcessSnapshot, ProcessState},
    tui::{glyph::Glyph, look::Look, text::Pen, theme::Role, units},
};

/// Draws the column of `row`; the pen has its width.
pub(crate) fn draw(pen: &mut Pen<'_>, row: &ProcessSnapshot, look: &Look, strong: Style) {
    let width = pen.room();
    if !is_watched(row) {
        pen.text("-", look.style(Role::Dim).patch(strong));
        return;
    }
    // As many bars as leave room for the latency: 10 of 18 cells, 8 of 15.
    let bars = width.saturating_sub(if width >= 18 { 8 } else { 7 });
    let recent = row.probes.len().saturating_sub(usize::from(bars));
    for probe in row.probes.iter().skip(recent) {
        let (sign, role) = match &probe.outcome {
            ProbeOutcome::Ok => (look.glyphs.bar(probe.took), Role::Good),
            ProbeOutcome::Degraded { .. } => (look.glyphs.bar(probe.took), Role::Warn),
            ProbeOutcome::Failed { .. } => (look.glyph(Glyph::ProbeFailed), Role::Bad),
        };
        pen.text(sign, look.style(role));
    }
    pen.fill_to(bars, look.glyph(Glyph::None), look.style(Role::Dim));
    let room = usize::from(pen.room());
    let plain = look.style(Role::Plain).patch(strong);
    match row.probes.back().map(outcome) {
        Some(Outcome::Reason(reason)) => pen.gap(1).fitted(reason, look.ellipsis(), look.style(Role::Bad).patch(strong)),
        Some(Outcome::Latency(text)) => pen.text(&format!("{text:>0$}", room.saturating_sub(1)), plain),
        None => pen.text(&format!("{:>1$}", "none", room.saturating_sub(1)), look.style(Role::Dim).patch(strong)),
    };
}

enum Outcome<'p> {
    Latency(String),
    Reason(&'p str),
}

fn outcome(probe: &ProbeRecord) -> Outcome<'_> {
    match &probe.outcome {
        // How long it waited says more than that it waited in vain.
        ProbeOutcome::Failed { short, .. } if short != "timeout" => Outcome::Reason(short),
        ProbeOutcome::Ok | ProbeOutcome::Degraded { .. } | ProbeOutcome::Failed { .. } => Outcome::Latency(units::latency(probe.took)),
    }
}

/// Whether its probes say anything about the present.
fn is_watched(row: &ProcessSnapshot) -> bool {
    row.info.has_health && (row.state.is_alive() || matches!(row.state, ProcessState::Backoff { .. }))
}
