//! `e2e-tui logs RECORDING`.

use std::io::{self, BufWriter};

use e2e_tui::{
    headless::{Colour, Printer},
    model::exit_code,
    record::{Recording, default_dir},
};

use super::args::LogsArgs;

/// Prints the merged log of a recording, as `run` printed it.
pub(super) fn main(args: &LogsArgs) -> anyhow::Result<u8> {
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    let recording = Recording::open_named(&args.recording, &base)?;
    super::warn_broken(&recording);
    let printer = Printer::start(recording.logs, BufWriter::new(io::stdout()), Colour::No, |_| {})?;
    match printer.finish() {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(exit_code::PASSED),
    }
}
