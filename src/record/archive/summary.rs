//! `summary.md`: what a person reads who was sent an archive and has not installed anything.

use std::{fmt::Write, sync::Arc};

use crate::{
    explain::explanation_text,
    logs::plain,
    model::{Event, EventKind, ProcessSnapshot, one_line},
    record::Recording,
};

/// Lines that matter, at most.
const ALERTS: usize = 20;
/// Marks, at most.
const MARKS: usize = 50;
/// Exits of one process, at most.
const EXITS: usize = 6;

/// The summary of a recording.
pub(in crate::record) fn summary(recording: &Recording) -> String {
    let mut text = String::new();
    let events = recording.journal.from(0);
    head(recording, &mut text);
    what_happened(recording, &mut text);
    let _ = writeln!(
        text,
        "\n## Processes\n\n| process | role | state | health | exits | restarts | lines | alerts |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for row in &recording.snapshot.rows {
        let _ = writeln!(text, "{}", process_row(row, recording.logs.lines(row.id())));
    }
    alerts(&events, &mut text);
    marks(&events, &mut text);
    replay(recording, &mut text);
    text
}

fn head(recording: &Recording, text: &mut String) {
    let (snapshot, manifest) = (&recording.snapshot, &recording.manifest);
    let outcome = snapshot.outcome.as_ref();
    let cut = "the recording breaks off: the supervisor was killed or the machine died";
    let still = "the run went on when this was packed";
    let rest = if recording.is_cut_off() { Some(cut) } else { recording.is_live().then_some(still) };
    let verdict = match outcome {
        Some(outcome) => outcome.verdict.badge(),
        None if recording.is_live() => "RUNNING",
        None => "CUT OFF",
    };
    let reached = outcome.map(|outcome| format!("{} (exit code {})", outcome.reason, outcome.exit_code));
    let reason = reached.into_iter().chain(rest.map(str::to_owned)).collect::<Vec<_>>().join("; ");
    let _ = writeln!(text, "# {}: {verdict}\n\n{}\n", cell(&manifest.scenario), cell(&reason));
    if let Some(run) = snapshot.run.as_ref().filter(|run| !run.description.is_empty()) {
        let _ = writeln!(text, "> {}\n", cell(&run.description));
    }
    let _ = writeln!(text, "- run: `{}`, started {}, lasted {} s", manifest.id, manifest.started, snapshot.at.seconds());
    if snapshot.checks.1 > 0 {
        let _ = writeln!(text, "- checks: {} of {} met", snapshot.checks.0, snapshot.checks.1);
    }
    let _ = writeln!(text, "- scenario: {} (in `scenario.toml`), recorded by e2e-tui {}", cell(&manifest.origin), manifest.version);
}

fn what_happened(recording: &Recording, text: &mut String) {
    if let Some(explanation) = recording.explain() {
        let _ = writeln!(text, "\n## What happened\n\n```text\n{}```", fenced(&explanation_text(&explanation, "")));
    }
}

fn process_row(row: &ProcessSnapshot, lines: u64) -> String {
    let all: Vec<_> = row
        .exits
        .iter()
        .map(|exit| format!("{} at {}{}", exit.exit, exit.at.seconds(), if exit.asked { " (asked)" } else { "" }))
        .collect();
    let exits = match all.len() {
        0 => "-".to_owned(),
        n if n > EXITS => format!("{}, … {} more, {}", all[..EXITS - 2].join(", "), n - EXITS + 1, all[n - 1]),
        _ => all.join(", "),
    };
    let (restarts, alerts) = (row.restarts, row.alerts);
    let (role, state, health) = (row.info.role.word(), row.state.word(), row.health.word());
    format!("| {} | {role} | {state} | {health} | {exits} | {restarts} | {lines} | {alerts} |", row.id())
}

fn alerts(events: &[Arc<Event>], text: &mut String) {
    let all = events.iter().filter_map(|event| match &event.kind {
        EventKind::Alerted { process, text, count, .. } => Some((event.at, process, text, *count)),
        _ => None,
    });
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## Lines that matter\n\n```text");
    for (at, process, line, count) in all.iter().take(ALERTS) {
        let repeated = if *count > 1 { format!("  (×{count})") } else { String::new() };
        let _ = writeln!(text, "{:>9}  {process}  {}{repeated}", at.seconds(), fenced(&plain(line.as_bytes())));
    }
    if all.len() > ALERTS {
        let _ = writeln!(text, "… and {} more", all.len() - ALERTS);
    }
    let _ = writeln!(text, "```");
}

fn marks(events: &[Arc<Event>], text: &mut String) {
    let all = events.iter().filter_map(|event| match &event.kind {
        EventKind::Marked { process, text, by } => Some((event.at, process, text, by)),
        _ => None,
    });
    let all: Vec<_> = all.collect();
    if all.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## Marks\n");
    for (at, process, note, by) in all.iter().take(MARKS) {
        let whose = process.as_ref().map_or_else(|| by.to_string(), ToString::to_string);
        let _ = writeln!(text, "- {} s, {whose}: {}", at.seconds(), cell(note));
    }
    if all.len() > MARKS {
        let _ = writeln!(text, "- … and {} more", all.len() - MARKS);
    }
}

fn replay(recording: &Recording, text: &mut String) {
    let id = &recording.manifest.id;
    let _ = writeln!(
        text,
        "\n## Replay\n\n```sh\ne2e-tui replay {id}.tar.zst     # the dashboard, at the first failure; needs none of the programs\n\
         e2e-tui explain {id}.tar.zst    # why it failed, as text\n\
         e2e-tui logs {id}.tar.zst --around-failure 30s\n```\n\n\
         Whatever this file is called, its name goes there. `merged.log` and `logs/` are plain text for ordinary tools."
    );
}

/// Text in a paragraph or a table: it ends no cell and begins no markup of its own.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|").replace('<', "&lt;").replace('`', "'")
}

/// Text within a fence, which it must not end.
fn fenced(text: &str) -> String {
    text.replace("```", "'''")
}
