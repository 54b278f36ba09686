//! `summary.md`: what a person reads who was sent an archive and has not installed anything.

use std::fmt::Write;

use crate::{
    model::{EventKind, ProcessSnapshot},
    record::Recording,
};

/// Lines that matter, at most.
const ALERTS: usize = 20;

/// The summary of a recording.
pub(super) fn summary(recording: &Recording) -> String {
    let snapshot = &recording.snapshot;
    let manifest = &recording.manifest;
    let mut text = String::new();
    let verdict = snapshot.outcome.as_ref().map_or("not ended", |o| o.verdict.badge());
    let reason = snapshot.outcome.as_ref().map_or("the program that recorded it was killed, or still runs", |o| o.reason.as_str());
    let _ = writeln!(text, "# {}: {verdict}\n\n{reason}\n", manifest.scenario);
    let _ = writeln!(text, "- run: `{}`, started {}, lasted {} s", manifest.id, manifest.started, snapshot.at.seconds());
    let _ = writeln!(text, "- scenario: {} (in `scenario.toml`), recorded by e2e-tui {}", manifest.origin, manifest.version);
    let _ =
        writeln!(text, "\n## Processes\n\n| process | role | state | exits | restarts | alerts |\n| --- | --- | --- | --- | --- | --- |");
    for row in &snapshot.rows {
        let _ = writeln!(text, "{}", process_row(row));
    }
    alerts(recording, &mut text);
    let _ = writeln!(text, "\n## Replay\n\n`e2e-tui replay THIS_FILE` opens it in the dashboard; `merged.log` and `logs/` are plain text.");
    text
}

fn process_row(row: &ProcessSnapshot) -> String {
    let exits: Vec<_> = row.exits.iter().map(|e| format!("{}{}", e.exit, if e.asked { " (asked)" } else { "" })).collect();
    let exits = if exits.is_empty() { "-".to_owned() } else { exits.join(", ") };
    format!("| {} | {} | {} | {exits} | {} | {} |", row.id(), row.info.role.word(), row.state.word(), row.restarts, row.alerts)
}

fn alerts(recording: &Recording, text: &mut String) {
    let events = recording.journal.from(0);
    let alerts: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Alerted { process, text, count, .. } => Some((event.at, process, text, *count)),
            _ => None,
        })
        .collect();
    if alerts.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## Lines that matter\n\n```text");
    for (at, process, line, count) in alerts.iter().take(ALERTS) {
        let repeated = if *count > 1 { format!("  (×{count})") } else { String::new() };
        let _ = writeln!(text, "{:>9}  {process}  {}{repeated}", at.seconds(), crate::logs::plain(line.as_bytes()));
    }
    if alerts.len() > ALERTS {
        let _ = writeln!(text, "… and {} more", alerts.len() - ALERTS);
    }
    let _ = writeln!(text, "```");
}
