//! A whole frame.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    app::overlay::Overlay,
    demo::{self, feed, note, picture, said, title},
    layout::{Areas, Layout, Pane},
    overlay,
    pane::{alerts, events, expectations, happened, logs, processes, steps},
    row::{hints, message, prompt, status, typing},
    scene::{Drawn, Scene},
};

/// What there is to show.
#[derive(Debug, Clone, Default)]
pub(crate) struct There {
    pub(crate) processes: usize,
    pub(crate) facts: usize,
    pub(crate) expectations: usize,
    pub(crate) steps: usize,
    /// How many stand in each rank of the chain.
    pub(crate) ranks: Vec<usize>,
}

/// Where everything stands on a screen so large.
pub(crate) fn areas(layout: &Layout, screen: Rect, there: &There, alone: Option<Pane>) -> Areas {
    let rows = |n: usize| u16::try_from(n + 1).unwrap_or(u16::MAX);
    let wants = |pane| match pane {
        Pane::Processes => rows(there.processes),
        Pane::Happened => happened::wants(there.facts, screen.height),
        Pane::Expectations if there.expectations == 0 => 0,
        Pane::Expectations => rows(there.expectations),
        Pane::Steps if there.steps == 0 => 0,
        Pane::Steps => rows(there.steps),
        Pane::Chain => picture::wants(&there.ranks, screen),
        Pane::Note => note::ROWS,
        Pane::Logs | Pane::Events | Pane::Alerts | Pane::Details | Pane::Traffic | Pane::Said => 1,
    };
    layout.solve(screen, &wants, alone)
}

/// What of a frame changes with time alone, anew, each part as large as its place; none if more of it may.
pub(crate) fn timed(scene: &Scene<'_>) -> Option<Vec<Buffer>> {
    let app = scene.app;
    if scene.past.is_some() || app.overlay.is_some() || app.drawn.is_some() || message::replies(scene) {
        return None;
    }
    type Draw = fn(&Scene<'_>, Rect, &mut Buffer);
    let whole = |area: Rect, draw: Draw| (area, area, draw);
    let mut parts = vec![whole(scene.areas.status, status::draw), whole(scene.areas.message, message::draw)];
    for (pane, area) in &scene.areas.panes {
        match pane {
            Pane::Processes => parts.push((processes::timed(scene, *area), *area, processes::draw)),
            // Pictures and counts move with all that happens.
            Pane::Details | Pane::Chain | Pane::Note | Pane::Traffic | Pane::Said => return None,
            Pane::Happened | Pane::Logs | Pane::Events | Pane::Alerts | Pane::Expectations | Pane::Steps => {}
        }
    }
    let drawn = parts.into_iter().filter(|(part, ..)| !part.is_empty()).map(|(part, area, draw)| {
        let mut part = Buffer::empty(part);
        draw(scene, area, &mut part);
        part
    });
    Some(drawn.collect())
}

/// Draws everything.
pub(crate) fn draw(scene: &Scene<'_>, buf: &mut Buffer) -> Drawn {
    let areas = scene.areas;
    if !areas.status.is_empty() {
        let draw = if scene.app.audience { title::draw } else { status::draw };
        draw(scene, areas.status, buf);
    }
    let mut details_end = None;
    for (pane, area) in &areas.panes {
        match pane {
            Pane::Processes => processes::draw(scene, *area, buf),
            Pane::Happened => happened::draw(scene, *area, buf),
            Pane::Logs => logs::draw(scene, *area, buf),
            Pane::Events => events::draw(scene, *area, buf),
            Pane::Alerts => alerts::draw(scene, *area, buf),
            Pane::Details => details_end = Some(overlay::details_pane(scene, *area, buf)),
            Pane::Expectations => expectations::draw(scene, *area, buf),
            Pane::Steps if scene.app.audience => demo::steps::draw(scene, *area, buf),
            Pane::Steps => steps::draw(scene, *area, buf),
            Pane::Chain => picture::draw(scene, *area, buf),
            Pane::Note => note::draw(scene, *area, buf),
            Pane::Traffic => feed::draw(scene, *area, buf),
            Pane::Said => said::draw(scene, *area, buf),
        }
    }
    let mut drawn = Drawn { details_end, ..overlay::draw(scene, buf) };
    if let Some(chosen) = &scene.app.drawn {
        chosen.draw(buf);
    }
    let own_row = !areas.message.is_empty();
    if own_row {
        let draw = if scene.app.audience { demo::keys::rule } else { message::draw };
        draw(scene, areas.message, buf);
    }
    if areas.hints.is_empty() {
        return drawn;
    }
    match &scene.app.overlay {
        Some(Overlay::Prompt { kind, typing }) => drawn.cursor = prompt::draw(scene, kind, typing, areas.hints, buf),
        Some(Overlay::Type { process }) => typing::draw(scene, process, areas.hints, buf),
        Some(Overlay::AskQuit) => overlay::question(scene, areas.hints, buf),
        // What comes of a key later, or of none: a refusal, an end.
        None if scene.app.audience && message::replies(scene) => message::draw(scene, areas.hints, buf),
        None if scene.app.audience => demo::keys::draw(scene, areas.hints, buf),
        None if !own_row && message::replies(scene) => message::draw(scene, areas.hints, buf),
        None
        | Some(
            Overlay::Help { .. }
            | Overlay::Palette { .. }
            | Overlay::Signals { .. }
            | Overlay::Disturb { .. }
            | Overlay::Details { .. }
            | Overlay::Timeline { .. }
            | Overlay::Traffic { .. }
            | Overlay::Exchange { .. }
            | Overlay::Alerts { .. }
            | Overlay::Expectations { .. }
            | Overlay::Steps { .. }
            | Overlay::Line { .. }
            | Overlay::OwnLog,
        ) => hints::draw(scene, areas.hints, buf),
    }
    drawn
}
