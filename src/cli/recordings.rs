//! `e2e-tui recordings [prune]`.

use std::{
    io::{ErrorKind, Write},
    path::Path,
};

use e2e_tui::{
    model::{exit_code, human_duration},
    record::{Bounds, Kept, default_dir, prune, recordings},
};

use super::{
    args::{PruneArgs, RecordingsArgs, RecordingsCommand},
    say::say,
};

/// Lists what is kept, or removes what is old.
pub(super) fn main(args: &RecordingsArgs) -> anyhow::Result<u8> {
    let given = args.recordings_dir.clone();
    match &args.command {
        Some(RecordingsCommand::Prune(prune)) => remove(prune, &prune.recordings_dir.clone().or(given).unwrap_or_else(default_dir)),
        None => list(&given.unwrap_or_else(default_dir)),
    }
}

fn list(base: &Path) -> anyhow::Result<u8> {
    let all = recordings(base)?;
    if all.is_empty() {
        say!("no recordings in {}", base.display());
        return Ok(exit_code::PASSED);
    }
    let rows: Vec<[String; 5]> = all.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (verdict, scenario, duration, size) = (width(0), width(1), width(2), width(3));
    let mut out = std::io::stdout().lock();
    for [word, name, lasted, bytes, id] in &rows {
        match writeln!(out, "{word:verdict$}  {name:scenario$}  {lasted:>duration$}  {bytes:>size$}  {id}") {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(exit_code::PASSED)
}

fn row(kept: &Kept) -> [String; 5] {
    let duration = kept.manifest.duration_ms.map_or("-".to_owned(), |ms| human_duration(std::time::Duration::from_millis(ms)));
    let id = kept.dir.file_name().unwrap_or_default().to_string_lossy();
    [kept.verdict().to_owned(), kept.manifest.scenario.clone(), duration, size(kept.size), e2e_tui::model::one_line(&id).into_owned()]
}

fn remove(args: &PruneArgs, base: &Path) -> anyhow::Result<u8> {
    let gone = prune(base, &Bounds { keep: args.keep, older_than: args.older_than, max_size: args.max_size })?;
    let freed = gone.iter().map(|kept| kept.size).sum();
    let word = if gone.len() == 1 { "recording" } else { "recordings" };
    say!("{} {word} removed, {} freed, {} left in {}", gone.len(), size(freed), recordings(base)?.len(), base.display());
    Ok(exit_code::PASSED)
}

/// `1.4 MiB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}
