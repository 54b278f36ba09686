//! `e2e-tui explain RECORDING`.

use e2e_tui::{
    explain::explanation_text,
    model::exit_code,
    record::{Recording, default_dir},
};

use super::{
    args::{ExplainArgs, Format},
    say::say,
};

/// Prints the facts from the first abnormal event to the failure.
pub(super) fn main(args: &ExplainArgs) -> anyhow::Result<u8> {
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    let recording = Recording::open_named(&args.recording, &base)?;
    super::warn_broken(&recording);
    match (args.format, recording.explain()) {
        (Format::Json, explanation) => say!("{}", serde_json::to_string_pretty(&explanation)?),
        (Format::Text, Some(explanation)) => super::say::out(format_args!("{}", explanation_text(&explanation, ""))),
        // Nothing at all is on record of it: where something is, that is what gets explained.
        (Format::Text, None) if recording.is_cut_off() => {
            say!("{}: CUT OFF, the supervisor was killed or the machine died before anything was started", recording.manifest.scenario);
        }
        (Format::Text, None) => {
            let verdict = recording.snapshot.outcome.as_ref().map_or("RUNNING", |outcome| outcome.verdict.badge());
            say!("{}: {verdict}, nothing has failed", recording.manifest.scenario);
        }
    }
    Ok(exit_code::PASSED)
}
