//! Palette and signal menu: something to choose from.

use ratatui::{buffer::Buffer, layout::Rect};

use super::draw::{Line, list, open, with_cursor};
use crate::{
    model::{FaultKind, FaultSpec, ProcessId},
    tui::{
        app::disturb::faults as all_faults,
        app::overlay::{Offer, Typing, offers, signals as all_signals},
        keymap::Context,
        row::prompt::draw_typed,
        scene::{Drawn, Scene},
        text::{self, Pen},
        theme::Role,
    },
};

/// Draws the palette.
pub(super) fn palette(scene: &Scene<'_>, typing: &Typing, chosen: usize, stage: Rect, buf: &mut Buffer) -> Drawn {
    let look = scene.look;
    let offers = offers(typing.text(), &scene.snapshot.rows);
    let body = open(scene, "Palette", &format!("{} match", offers.len()), stage, buf);
    if body.is_empty() {
        return Drawn::default();
    }
    Pen::new(buf, body.x, body.y, body.width).gap(1).text(":", look.style(Role::Prompt));
    let typed = Rect { x: body.x + 2.min(body.width), width: body.width.saturating_sub(2), height: 1, ..body };
    let cursor = draw_typed(typing, typed, buf, scene);
    let lines: Vec<Line> = offers
        .iter()
        .map(|offer| {
            let key = match offer {
                Offer::Action(action) => scene.keymap.key_of(Context::Everywhere, *action).unwrap_or_default(),
                Offer::Process(row, _) if *row < 9 => (row + 1).to_string(),
                Offer::Process(..) | Offer::Hold { .. } => String::new(),
                Offer::Deed(action, ..) => scene.keymap.key_of(Context::Table, *action).unwrap_or_default(),
            };
            let pad = 10usize.saturating_sub(text::width(&key));
            vec![(key, look.style(Role::Key)), (format!("{:pad$}{}", "", offer.text()), look.style(Role::Plain))]
        })
        .collect();
    let below = Rect { y: body.y + 1, height: body.height - 1, ..body };
    list(scene, &lines, chosen, below, buf);
    with_cursor(cursor)
}

/// Draws the signals to choose from.
pub(super) fn signals(scene: &Scene<'_>, process: &ProcessId, chosen: usize, stage: Rect, buf: &mut Buffer) -> Drawn {
    let look = scene.look;
    let body = open(scene, &format!("Send a signal to {process} and all it started"), "", stage, buf);
    let lines: Vec<Line> = all_signals()
        .iter()
        .map(|signal| {
            vec![(format!("{:<10}", signal.short()), look.style(Role::Plain)), (meaning(&signal.short()).into(), look.style(Role::Dim))]
        })
        .collect();
    list(scene, &lines, chosen, body, buf);
    Drawn::default()
}

/// Draws the faults to choose from.
pub(super) fn faults(scene: &Scene<'_>, process: &ProcessId, chosen: usize, stage: Rect, buf: &mut Buffer) -> Drawn {
    let look = scene.look;
    let now = scene.snapshot.row(process.as_str()).and_then(|row| row.fault.clone()).map(|fault| format!("now: {fault}"));
    let body = open(scene, &format!("Disturb what goes to {process}"), &now.unwrap_or_default(), stage, buf);
    let line = |(digit, (fault, meaning)): (usize, (FaultSpec, &str))| {
        let effect = if fault.kind == FaultKind::None { "none".to_owned() } else { fault.effect() };
        let styled = |text: String, role| (text, look.style(role));
        vec![styled(format!("{digit}  "), Role::Key), styled(format!("{effect:<22}"), Role::Plain), styled(meaning.to_owned(), Role::Dim)]
    };
    let lines: Vec<Line> = all_faults(process, scene.snapshot).into_iter().enumerate().map(line).collect();
    list(scene, &lines, chosen, body, buf);
    Drawn::default()
}

/// What the usual signals ask for.
fn meaning(signal: &str) -> &'static str {
    match signal {
        "TERM" => "please end",
        "INT" => "what Ctrl-C sends",
        "HUP" => "the terminal is gone; many servers reload",
        "QUIT" => "end with a core dump",
        "USR1" | "USR2" => "the program's own",
        "KILL" => "end now; cannot be refused",
        "STOP" => "freeze; cannot be refused",
        "CONT" => "go on",
        _ => "",
    }
}
