//! Runs a scenario to its verdict, with signals, printing, closing block and report.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use super::{
    printer::{Colour, Printer},
    report::Report,
    stdout::Stdout,
    target::Target,
};
use crate::{
    explain::{Closing, closing_block, explain, replay_command},
    model::{Actor, Command, Outcome, exit_code},
    record::{
        LiveRun, RunDir,
        archive::{export, sweep_unfinished},
    },
    supervisor::{RunHandle, Signals, obey_signals},
};

/// What `run` is told besides the scenario.
#[derive(Debug, Clone)]
pub struct HeadlessOptions {
    /// Whether stdout takes colours.
    pub colour: Colour,
    /// Print no output of processes, only the closing block.
    pub quiet: bool,
    /// Where the JSON report goes.
    pub report_json: Option<Target>,
    /// Where an archive of the run goes.
    pub archive: Option<Target>,
    /// The folder for an archive of a run that did not pass.
    pub archive_on_failure: Option<PathBuf>,
    /// Write over an archive that is there.
    pub force: bool,
    /// Where recordings are kept, if not in the default place: the command that replays one has to name it.
    pub recordings_dir: Option<PathBuf>,
}

/// Runs `live` to its end. The closing block goes to `block`. What comes back is the outcome and the exit code: that of the
/// outcome, but no success if stdout refused what was to be printed.
///
/// # Errors
/// The printing could not be started; the run goes down with `live`.
pub async fn run(live: LiveRun, options: HeadlessOptions, block: &mut (dyn Write + Send)) -> io::Result<(Outcome, u8)> {
    let handle = live.handle().clone();
    let dir = live.dir().cloned();
    let signals = obey_signals(handle.clone());
    let printer = if options.quiet { None } else { Some(print(&handle, &signals, options.colour)?) };
    let outcome = live.finish().await;
    let printed = match printer {
        Some(printer) => patiently(&signals, move || printer.finish()).await,
        None => Some(Ok(())),
    };
    let mut exit_code = outcome.exit_code;
    if let Some(Err(error)) = &printed
        && !is_closed(error)
    {
        exit_code = exit_code.max(UNPRINTED);
        let _ =
            writeln!(block, "error: stdout could not be written ({error}): the output is not complete, so the exit code is {exit_code}");
    }
    let (events, logs) = (handle.journal().from(0), handle.logs());
    let explanation = explain(&events, &logs);
    let (archive, archives) = archive(dir.as_ref(), &options, &outcome, &signals).await;
    let closing = Closing {
        events: &events,
        logs: &logs,
        explanation: explanation.as_ref(),
        replay: dir.as_ref().map(|dir| replay_command(&dir.id, options.recordings_dir.as_deref())),
        archives: &archives,
        full: true,
    };
    let _ = block.write_all(closing_block(&closing).as_bytes());
    if let Some(target) = &options.report_json {
        let report = Report::of(&events, &logs, dir.map(|dir| dir.id), archive);
        if let Err(error) = target.write(report.to_json().as_bytes()) {
            let _ = writeln!(block, "warning: no report: {error}");
        }
    }
    Ok((outcome, exit_code))
}

/// The exit code of a run that passed, but whose output could not be printed: who reads it has not seen all of it.
const UNPRINTED: u8 = exit_code::TEST_FAILED;

/// Does blocking work on a thread that may; none if a second signal came before it was done.
async fn patiently<T: Send + 'static>(signals: &Signals, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let work = tokio::task::spawn_blocking(work);
    tokio::select! {
        done = work => done.ok(),
        () = signals.no_more_patience() => None,
    }
}

/// Writes the archives that are wanted now that the outcome is known. One that cannot be written is told and changes neither
/// verdict nor exit code. Returns the path of the last one, and a line about each.
async fn archive(dir: Option<&RunDir>, options: &HeadlessOptions, outcome: &Outcome, signals: &Signals) -> (Option<String>, Vec<String>) {
    let on_failure = options.archive_on_failure.as_ref().filter(|_| outcome.exit_code != exit_code::PASSED);
    let wanted = options.archive.iter().map(|target| target.path().to_owned());
    let (mut written, mut lines) = (None, Vec::new());
    let Some(dir) = dir else {
        if options.archive.is_some() || on_failure.is_some() {
            lines.push("warning: no archive: the run was not recorded".into());
        }
        return (written, lines);
    };
    for target in wanted.chain(on_failure.map(|folder| folder.join(format!("{}.tar.zst", dir.id)))) {
        let (recording, path, force) = (dir.path.clone(), target.clone(), options.force);
        let done = patiently(signals, move || export(&recording, &path, force)).await;
        lines.push(match done {
            Some(Ok(done)) => {
                let line = format!("Archive: {} ({:.1} KiB)", done.path.display(), done.size as f64 / 1024.0);
                written = Some(done.path.display().to_string());
                line
            }
            Some(Err(why)) => format!("warning: no archive: {why}"),
            None => {
                give_up(&target);
                format!("warning: no archive: {} was given up at the second signal", target.display())
            }
        });
    }
    (written, lines)
}

/// Removes what an export that is not waited for has written so far; what stood at its target still stands there.
fn give_up(target: &Path) {
    if let Err(error) = sweep_unfinished(target) {
        tracing::warn!("beside {}: {error}", target.display());
    }
}

fn print(handle: &RunHandle, signals: &Signals, colour: Colour) -> io::Result<Printer> {
    // Asked before the terminal is gone.
    let terminal = io::stdout().is_terminal();
    let out = io::BufWriter::with_capacity(64 << 10, Stdout::new()?);
    let closed = handle.clone();
    let terminal_gone = signals.on_terminal_gone();
    Printer::start(handle.logs(), out, colour, move |error| {
        if terminal && error.raw_os_error() == Some(nix::libc::EIO) {
            terminal_gone();
        } else if is_closed(error) {
            drop(closed.send(Command::Shutdown { now: false }, Actor::Supervisor));
        } else {
            let text = "nothing more is printed, the run goes on and is recorded";
            let _ = writeln!(io::stderr(), "error: stdout cannot be written ({error}): {text}");
        }
    })
}

/// Whether nobody reads what is printed any more. Everything else that goes wrong with a write is trouble.
fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
