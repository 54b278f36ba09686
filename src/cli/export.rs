//! `e2e-tui export RECORDING -o FILE`.

use std::path::{Path, PathBuf};

use e2e_tui::{
    model::exit_code,
    record::{Part, Recording, archive::export_part, default_dir, find},
};

use super::{
    args::ExportArgs,
    logs::span,
    say::{say, tell},
};

/// Packs a recording and says what is in the archive.
pub(super) fn main(args: &ExportArgs) -> anyhow::Result<u8> {
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    let dir = find(&args.recording, &base)?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.zst")));
    let part = if args.part.is_all() {
        None
    } else {
        let (from, until) = span(&Recording::open(&dir)?, &args.part)?;
        Some(Part { from, until })
    };
    let exported = export_part(&dir, &target, args.force, part)?;
    let lines = if part.is_some() { format!("a part of {} lines", exported.lines) } else { format!("{} lines", exported.lines) };
    let told = format!(
        "{}: {:.1} KiB, {lines}; secrets of the scenario and the environment are masked, other output is as it was said",
        exported.path.display(),
        exported.size as f64 / 1024.0,
    );
    // Where the archive itself goes to stdout, nothing else does.
    if ["-", "/dev/stdout"].iter().any(|out| target == Path::new(out)) {
        tell!("{told}");
    } else {
        say!("{told}");
    }
    Ok(exit_code::PASSED)
}
