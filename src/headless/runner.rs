//! Runs a scenario to its verdict, with signals, printing, closing block and report.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    printer::{Colour, Printer},
    report::Report,
};
use crate::{
    explain::{Closing, at_verdict, closing_block, explain},
    model::{Actor, Command, Outcome, exit_code},
    record::{LiveRun, archive::export, write_private},
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
    /// Where an archive of the run goes.
    pub archive: Option<PathBuf>,
    /// The folder for an archive of a run that did not pass.
    pub archive_on_failure: Option<PathBuf>,
    /// Write over an archive that is there.
    pub force: bool,
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
    let wanted = wanted_archives(&options, recording.as_ref().map(|(id, _)| id.as_str()), &outcome);
    let archive = recording.as_ref().and_then(|(_, dir)| archive(dir, &wanted, options.force, block));
    let text = closing_block(&Closing { end: &end, verdict: &verdict, explanation: explanation.as_ref(), recorded, last_lines: true });
    let _ = block.write_all(text.as_bytes());
    if let Some(path) = options.report_json {
        let report = Report::of(&events, &logs, recording.map(|(id, _)| id), archive);
        let named = |e: io::Error| io::Error::new(e.kind(), format!("the report could not be written to {}: {e}", path.display()));
        write_private(&path, report.to_json().as_bytes()).map_err(named)?;
    }
    Ok(outcome)
}

/// Where this run's archives go, now that its outcome is known.
fn wanted_archives(options: &HeadlessOptions, id: Option<&str>, outcome: &Outcome) -> Vec<PathBuf> {
    let on_failure = options.archive_on_failure.as_ref().filter(|_| outcome.exit_code != exit_code::PASSED);
    let named = on_failure.zip(id).map(|(dir, id)| dir.join(format!("{id}.tar.zst")));
    options.archive.iter().cloned().chain(named).collect()
}

/// Writes the archives; one that cannot be written is told and changes neither verdict nor exit code.
fn archive(recording: &Path, targets: &[PathBuf], force: bool, block: &mut (dyn Write + Send)) -> Option<String> {
    let mut written = None;
    for target in targets {
        let folder = target.parent().filter(|p| !p.as_os_str().is_empty());
        let made = folder.map_or(Ok(()), std::fs::create_dir_all);
        let result = made.map_err(|e| e.to_string()).and_then(|()| export(recording, target, force).map_err(|e| e.to_string()));
        let _ = match result {
            Ok(done) => {
                written = Some(done.path.display().to_string());
                writeln!(block, "Archive: {} ({:.1} KiB)", done.path.display(), done.size as f64 / 1024.0)
            }
            Err(why) => writeln!(block, "warning: no archive: {why}"),
        };
    }
    written
}

fn print(handle: &RunHandle, colour: Colour) -> io::Result<Printer> {
    let out = io::BufWriter::with_capacity(64 << 10, io::stdout());
    let closed = handle.clone();
    Printer::start(handle.logs(), handle.journal(), out, colour, move || {
        drop(closed.send(Command::Shutdown { now: false }, Actor::Supervisor));
    })
}
