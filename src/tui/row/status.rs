//! Row 0: which run, how it stands, what counts.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::{
    model::{Phase, ProcessState, Role as ProcessRole, Snapshot, Verdict},
    tui::{
        glyph::Glyph,
        look::Look,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
        units::{counted, uptime},
    },
};

/// Draws a badge: reversed cells between half blocks.
pub(crate) fn badge(pen: &mut Pen<'_>, word: &str, style: Style, look: &Look) {
    // The half blocks are drawn in the badge's own background, so that it looks like one piece.
    let edge = Style { fg: style.bg, ..Style::new() };
    pen.text(look.glyph(Glyph::BadgeLeft), edge).text(&format!(" {word} "), style).text(look.glyph(Glyph::BadgeRight), edge);
}

/// A part of the row and how dear it is: what is less dear goes first when there is no room.
struct Part {
    text: String,
    dear: u8,
    style: Style,
    /// The same in fewer words, and how dear its length is.
    short: Option<(u8, String)>,
}

/// Draws the row.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let wide = area.width >= 100;
    let gap = if wide { 3 } else { 2 };
    let right = right_end(scene);
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    let name = scene.snapshot.run.as_ref().map_or("e2e-tui", |run| &run.scenario);
    pen.gap(1).text(&text::fit(name, 24, look.ellipsis()), look.style(Role::Strong)).gap(if wide { 3 } else { 1 });
    standing(scene, &mut pen);
    pen.gap(if wide { 2 } else { 1 });
    let elapsed = uptime(elapsed(scene), true);
    let elapsed = if scene.past.is_some() { format!("of {elapsed}") } else { elapsed };
    let mut parts = vec![Part { text: elapsed, dear: 9, style: look.style(Role::Plain), short: None }];
    parts.extend(story(scene));
    fit(&mut parts, usize::from(pen.room()), gap, &right);
    for (i, part) in parts.iter().filter(|part| part.dear != RIGHT).enumerate() {
        pen.gap(if i == 0 { 0 } else { gap as u16 }).text(&part.text, part.style);
    }
    let right: Vec<_> = parts.into_iter().filter(|part| part.dear == RIGHT).collect();
    let cells: usize = right.iter().map(|part| text::width(&part.text) + gap).sum();
    pen.to(area.width.saturating_sub(cells as u16 + 1 - gap.min(cells) as u16));
    for (i, part) in right.iter().enumerate() {
        pen.gap(if i == 0 { 0 } else { gap as u16 });
        draw_right(&mut pen, &part.text, part.style, scene);
    }
}

/// How the run stands, as a badge; of the past and of a recording, a badge that says so, and the word behind it.
pub(crate) fn standing(scene: &Scene<'_>, pen: &mut Pen<'_>) {
    let look = scene.look;
    let verdict = scene.snapshot.outcome.as_ref().map(|outcome| outcome.verdict);
    // A recording without an end is that of a program that was killed.
    let without = if scene.abilities.live || scene.past.is_some() { "RUNNING" } else { "BROKEN OFF" };
    let word = verdict.map_or(without, Verdict::badge);
    if let Some(past) = scene.past {
        badge(pen, &format!("PAST {}", past.at.seconds()), look.style(Role::BadgeReplay), look);
        pen.gap(1).text(word, look.style(Role::Strong));
    } else if scene.abilities.live {
        badge(pen, word, look.theme.badge(verdict), look);
    } else {
        badge(pen, "REPLAY", look.style(Role::BadgeReplay), look);
        pen.gap(1).text(word, look.style(Role::Strong));
    }
}

/// Parts at the right end carry this mark.
const RIGHT: u8 = u8::MAX;

fn right_end(scene: &Scene<'_>) -> Vec<(String, Style)> {
    let look = scene.look;
    let mut parts = Vec::new();
    if scene.recording && scene.abilities.live {
        parts.push((format!("{} rec", look.glyph(Glyph::Good)), look.style(Role::Recording)));
    }
    if let Some(past) = scene.past {
        parts.push((format!("event {} of {}", past.place.0, past.place.1), look.style(Role::Dim)));
    } else if scene.abilities.live {
        let (word, role) = match scene.snapshot.phase {
            Phase::Running => ("LIVE", Role::Live),
            Phase::Stopping => ("STOPPING", Role::Warn),
            Phase::Ended => ("ENDED", Role::Dim),
        };
        parts.push((word.into(), look.style(role)));
    } else if let Some(run) = &scene.snapshot.run {
        // 2026-11-23T06:25:57.881890Z: the minute is enough to know which run this is.
        let minute = run.started.get(..16).unwrap_or(&run.started).replace('T', " ");
        parts.push((format!("recorded {minute}"), look.style(Role::Dim)));
    }
    parts
}

/// Only the sign of the recording is red.
fn draw_right(pen: &mut Pen<'_>, text: &str, style: Style, scene: &Scene<'_>) {
    match text.split_once(' ') {
        Some((sign, word @ "rec")) => pen.text(sign, style).gap(1).text(word, scene.look.style(Role::Plain)),
        _ => pen.text(text, style),
    };
}

/// Shortens and drops the least dear parts until all fit; adds the right end if there is room for it.
fn fit(parts: &mut Vec<Part>, room: usize, gap: usize, right: &[(String, Style)]) {
    let cells = |parts: &[Part]| parts.iter().map(|part| text::width(&part.text) + gap).sum::<usize>();
    let right_cells: usize = right.iter().map(|(text, _)| text::width(text) + gap).sum::<usize>() + 1;
    loop {
        let all = cells(parts);
        if all.saturating_sub(gap) + right_cells <= room {
            break;
        }
        let dear = |part: &Part| part.short.as_ref().map_or(part.dear, |(dear, _)| *dear);
        let Some((place, least)) = parts.iter().map(dear).enumerate().rev().min_by_key(|(_, dear)| *dear) else { return };
        // The right end is dearer than what explains, and less dear than what counts.
        if least >= 5 && (all.saturating_sub(gap) <= room || parts.len() <= 1) {
            return;
        }
        if let Some((_, short)) = parts[place].short.take() {
            parts[place].text = short;
        } else if parts.len() > 1 {
            parts.remove(place);
        } else {
            return;
        }
    }
    parts.extend(right.iter().map(|(text, style)| Part { text: text.clone(), dear: RIGHT, style: *style, short: None }));
}

/// What the run is worth telling: how processes stand, or what failed; checks; alerts.
fn story(scene: &Scene<'_>) -> Vec<Part> {
    let look = scene.look;
    let snapshot = scene.snapshot;
    let plain = look.style(Role::Plain);
    let part = |text: String, dear, short: Option<(u8, String)>| Part { text, dear, style: plain, short };
    let mut parts = Vec::new();
    let failed = snapshot.outcome.as_ref().filter(|outcome| outcome.verdict != Verdict::Passed);
    if let Some(outcome) = failed {
        let test = first_failed_test(snapshot);
        // When it failed stands below, too.
        let short = test.as_ref().and_then(|test| Some((4, test.split_once(" at ")?.0.to_owned())));
        parts.push(part(test.unwrap_or_else(|| outcome.reason.clone()), 6, short));
        let alive = snapshot.rows.iter().filter(|row| row.info.role == ProcessRole::Test && row.state.is_alive()).count() as u64;
        if alive > 0 && snapshot.phase == Phase::Running {
            parts.push(part(format!("{} still running", counted(alive, "test")), 1, None));
        }
    } else {
        let short = counts(snapshot, false);
        let all = if scene.areas.screen.width >= 100 { part(counts(snapshot, true), 4, Some((1, short))) } else { part(short, 4, None) };
        parts.push(all);
    }
    let (met, of) = snapshot.checks;
    if of > 0 {
        parts.push(part(format!("checks {met}/{of}"), 2, None));
    }
    let alerts = snapshot.alerts();
    let style = if alerts > 0 { look.style(Role::Warn) } else { look.style(Role::Dim) };
    parts.push(Part { text: format!("alerts {alerts}"), dear: 5, style, short: None });
    parts
}

/// `client-a exit 1 at 1.412`.
pub(crate) fn first_failed_test(snapshot: &Snapshot) -> Option<String> {
    let failed = snapshot.rows.iter().filter(|row| row.info.role == ProcessRole::Test);
    let with_time = failed.filter_map(|row| match &row.state {
        ProcessState::Failed { reason } => Some((row.ended.or(row.started), row.id(), reason)),
        _ => None,
    });
    let (at, id, reason) = with_time.min_by_key(|(at, ..)| *at)?;
    let at = at.map_or_else(String::new, |at| format!(" at {}", at.seconds()));
    Some(format!("{id} {}{at}", reason.short()))
}

/// `4 processes: 2 ready, 1 running, 1 completed`, or `4 procs`.
fn counts(snapshot: &Snapshot, wide: bool) -> String {
    let n = snapshot.rows.len() as u64;
    if !wide {
        return if n == 1 { "1 proc".into() } else { format!("{n} procs") };
    }
    const ORDER: [&str; 12] = [
        "failed",
        "gave-up",
        "unhealthy",
        "backoff",
        "pending",
        "starting",
        "stopping",
        "ready",
        "running",
        "completed",
        "stopped",
        "skipped",
    ];
    let list: Vec<_> = ORDER
        .iter()
        .map(|word| (snapshot.count(|state| state.word() == *word), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    let noun = if n == 1 { "process" } else { "processes" };
    if list.is_empty() { format!("{n} {noun}") } else { format!("{n} {noun}: {}", list.join(", ")) }
}

/// How long the run has gone on, or went.
fn elapsed(scene: &Scene<'_>) -> std::time::Duration {
    let now = scene.past.map_or(scene.now, |past| past.now);
    let end = if scene.present.phase == Phase::Ended { scene.present.at } else { now };
    end.since(crate::model::At::START)
}
