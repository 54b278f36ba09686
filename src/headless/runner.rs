//! Runs a scenario to its verdict, with signals, printing, closing block and report.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use super::{
    printer::{Colour, Printer},
    report::Report,
};
use crate::{
    explain::{Closing, at_verdict, closing_block, explain},
    model::{Actor, Command, Outcome},
    record::{LiveRun, write_private},
    supervisor::{RunHandle, obey_signals},
};

/// What `run` is told besides the scenario.
#[derive(Debug, Clone)]
pub struct HeadlessOptions {
    /// Whether stdout takes colours.
    pub colour: Colour,
    /// Print no output of processes, only the closing block.
    pub quiet: bool,
    /// Where the JSON report goes.
    pub report_json: Option<PathBuf>,
}

/// Runs `live` to its end and returns its outcome. The closing block goes to `block`.
///
/// # Errors
/// The report could not be written; the run itself has ended all the same.
pub async fn run(live: LiveRun, options: HeadlessOptions, block: &mut (dyn Write + Send)) -> io::Result<Outcome> {
    let handle = live.handle().clone();
    let recording = live.dir().map(|dir| (dir.id.clone(), dir.path.clone()));
    let signals = tokio::spawn(obey_signals(handle.clone()));
    let printer = if options.quiet { None } else { Some(print(&handle, options.colour)?) };
    let outcome = live.finish().await;
    signals.abort();
    if let Some(printer) = printer {
        // A closed stdout has ended the run in order; the verdict stands.
        let _ = tokio::task::spawn_blocking(move || printer.finish()).await;
    }
    let (journal, logs) = (handle.journal(), handle.logs());
    let events = journal.from(0);
    let (end, verdict) = (handle.snapshot(), at_verdict(&events));
    let explanation = explain(&events, &logs);
    let recorded = recording.as_ref().map(|(_, path)| path.display().to_string());
    let text = closing_block(&Closing { end: &end, verdict: &verdict, explanation: explanation.as_ref(), recorded, last_lines: true });
    let _ = block.write_all(text.as_bytes());
    if let Some(path) = options.report_json {
        let report = Report::of(&events, &logs, recording.map(|(id, _)| id));
        let named = |e: io::Error| io::Error::new(e.kind(), format!("the report could not be written to {}: {e}", path.display()));
        write_private(&path, report.to_json().as_bytes()).map_err(named)?;
    }
    Ok(outcome)
}

fn print(handle: &RunHandle, colour: Colour) -> io::Result<Printer> {
    let out = io::BufWriter::with_capacity(64 << 10, io::stdout());
    let closed = handle.clone();
    Printer::start(handle.logs(), handle.journal(), out, colour, move || {
        drop(closed.send(Command::Shutdown { now: false }, Actor::Supervisor));
    })
}
