//! Runs a scenario to its verdict, with signals, printing, closing block and report.

use std::{
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    annotations::annotations,
    events::EventPrinter,
    junit::junit,
    printer::{Colour, Printer},
    progress::Progress,
    rehearsal::rehearsal,
    report::Report,
    screen::follow_our_screen,
    stdout::Stdout,
    target::Target,
};
use crate::{
    aside::aside_or_here,
    explain::{Closing, closing_block, explain, replay_command},
    logs::LogStore,
    model::{Actor, Command, Event, EventKind, NoticeLevel, Outcome, exit_code},
    record::{
        LiveRun, RunDir,
        archive::{export, sweep_unfinished},
        beside::is_stdout,
    },
    supervisor::{IgnoredHangup, RunHandle, Signals, obey_signals, stop_when_asked},
};

/// What `run` is told besides the scenario.
#[derive(Debug, Clone)]
pub struct HeadlessOptions {
    /// Whether stdout takes colours.
    pub colour: Colour,
    /// What is printed on stdout.
    pub output: Output,
    /// Show how the run stands in the last row of a terminal, where stdout or else stderr is one.
    pub progress: bool,
    /// Which reports are wanted.
    pub reports: Reports,
    /// Tell how each step of the script went, from this one on.
    pub rehearse: Option<u32>,
    /// Tell failures as GitHub shows them.
    pub annotations: bool,
    /// Where an archive of the run goes.
    pub archive: Option<Target>,
    /// The folder for an archive of a run that did not pass.
    pub archive_on_failure: Option<PathBuf>,
    /// Write over an archive that is there.
    pub force: bool,
    /// Where recordings are kept, if not in the default place: the command that replays one has to name it.
    pub recordings_dir: Option<PathBuf>,
}

/// What is printed on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// What processes say, and what happens to them.
    Log,
    /// Events, as lines of JSON.
    Events,
    /// Nothing.
    Nothing,
}

/// Where reports go.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    /// As JSON.
    pub json: Option<Target>,
    /// As CI systems read it.
    pub junit: Option<Target>,
}

impl Reports {
    fn of(&self, report: &Report, logs: Option<&LogStore>) -> Vec<(Target, String)> {
        let json = self.json.clone().map(|target| (target, report.to_json()));
        let junit = self.junit.clone().map(|target| (target, junit(report, logs)));
        json.into_iter().chain(junit).collect()
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The exit code: that of the outcome, but no success if stdout refused what was to be printed.
    pub exit_code: u8,
    /// How long it took.
    pub took: Duration,
    /// Its reports, not written yet.
    reports: Vec<(Target, String)>,
    /// Still listens.
    signals: Signals,
}

impl Ended {
    /// Writes the reports. One that cannot be written is told and changes nothing.
    pub fn write_reports(&self, block: &mut dyn Write) {
        write(&self.reports, block);
    }

    /// Whether a signal came, during the run or since.
    pub fn is_interrupted(&self) -> bool {
        self.signals.came()
    }
}

fn write(reports: &[(Target, String)], block: &mut dyn Write) {
    for (target, text) in reports {
        if let Err(error) = target.write(text.as_bytes()) {
            let _ = writeln!(block, "warning: no report: {error}");
        }
    }
}

/// Writes the reports of a scenario that could not be started, and says why as GitHub shows it.
pub fn write_error(options: &HeadlessOptions, scenario: &str, reason: &str, block: &mut dyn Write) {
    let report = Report::error(scenario, reason);
    write(&options.reports.of(&report, None), block);
    if options.annotations {
        let _ = block.write_all(annotations(&report).as_bytes());
    }
}

/// Runs `live` to its end. The closing block goes to `block`.
///
/// # Errors
/// The printing could not be started; the run goes down with `live`.
pub async fn run(live: LiveRun, options: &HeadlessOptions, block: &mut (dyn Write + Send)) -> io::Result<Ended> {
    let handle = live.handle().clone();
    let dir = live.dir().cloned();
    let signals = obey_signals(handle.clone(), IgnoredHangup::StaysIgnored);
    let printing = print(&handle, &signals, options)?;
    let screen = follow_our_screen(handle.clone())?;
    let stops = stop_when_asked(handle.clone())?;
    let outcome = live.finish().await;
    screen.abort();
    let printed = patiently(&signals, move || printing.finish()).await;
    let mut exit_code = outcome.exit_code;
    let unprinted = printed.and_then(Result::err).filter(|error| !is_closed(error));
    if unprinted.is_some() {
        exit_code = exit_code.max(UNPRINTED);
    }
    let (events, logs) = (handle.journal().from(0), handle.logs());
    let explanation = explain(&events, &logs);
    let (archive, archives) = archive(dir.as_ref(), options, &outcome, &signals).await;
    let closing = Closing {
        events: &events,
        logs: &logs,
        explanation: explanation.as_ref(),
        replay: dir.as_ref().map(|dir| replay_command(&dir.id, options.recordings_dir.as_deref())),
        archives: &archives,
        full: true,
    };
    if matches!(options.output, Output::Nothing) {
        // Nobody has seen them pass by.
        for text in warnings(&events) {
            let _ = writeln!(block, "warning: {text}");
        }
    }
    for text in handle.said_late() {
        let _ = writeln!(block, "warning: {text}");
    }
    let _ = block.write_all(closing_block(&closing).as_bytes());
    if let Some(from_step) = options.rehearse {
        let _ = block.write_all(rehearsal(&handle.snapshot(), from_step).as_bytes());
    }
    let mut report = Report::of(&events, &logs, dir.map(|dir| dir.id), archive);
    if exit_code != outcome.exit_code {
        report.exit_code = exit_code;
        report.reason = format!("{}, but stdout could not be written", report.reason);
    }
    if options.annotations {
        let _ = block.write_all(annotations(&report).as_bytes());
    }
    let reports = options.reports.of(&report, Some(&logs));
    if let Some(error) = unprinted {
        // Last, since it contradicts the block's first line.
        let _ =
            writeln!(block, "error: stdout could not be written ({error}): the output is not complete, so the exit code is {exit_code}");
    }
    stops.abort();
    Ok(Ended { outcome, exit_code, took: Duration::from_micros(handle.snapshot().at.0), reports, signals })
}

/// What the supervisor warned of, once each.
fn warnings(events: &[std::sync::Arc<Event>]) -> Vec<&str> {
    let mut told: Vec<&str> = Vec::new();
    for event in events {
        if let EventKind::Notice { level: NoticeLevel::Warning, text } = &event.kind
            && !told.contains(&text.as_str())
        {
            told.push(text.as_str());
        }
    }
    told.truncate(MOST_WARNINGS);
    told
}

/// A warning that comes again and again with other numbers must not bury the verdict.
const MOST_WARNINGS: usize = 10;

/// What prints, and the line that shows how far the run is.
struct Printing {
    what: Printers,
    progress: Option<Progress>,
}

enum Printers {
    Log(Printer),
    Events(EventPrinter),
    Nothing,
}

impl Printing {
    fn finish(self) -> io::Result<()> {
        let finished = match self.what {
            Printers::Log(printer) => printer.finish(),
            Printers::Events(printer) => printer.finish(),
            Printers::Nothing => Ok(()),
        };
        if let Some(progress) = self.progress {
            progress.finish();
        }
        finished
    }
}

/// Where a run prints: what stdout takes, and what is said beside it.
struct Outs {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    progress: Option<Progress>,
}

impl Outs {
    /// Only one of them carries the progress line: where both are terminals, they are the same. What goes into a pipe may come
    /// out on the terminal that stderr is (`| tee`, `| grep`), into the middle of that line: there is none then.
    fn open(handle: &RunHandle, options: &HeadlessOptions) -> io::Result<Self> {
        let (out, err) = (Stdout::new()?, Box::new(io::stderr()));
        let (wanted, terminal) = (options.progress && options.output != Output::Nothing, io::stdout().is_terminal());
        if wanted && terminal && options.output == Output::Log {
            let (progress, above) = Progress::start(handle.clone(), out)?;
            return Ok(Self { out: Box::new(above), err, progress: Some(progress) });
        }
        if wanted && !terminal && io::stderr().is_terminal() && !is_pipe(io::stdout()) {
            let (progress, above) = Progress::start(handle.clone(), io::stderr())?;
            return Ok(Self { out: Box::new(out), err: Box::new(above), progress: Some(progress) });
        }
        Ok(Self { out: Box::new(out), err, progress: None })
    }
}

/// Whether somebody reads at the other end.
fn is_pipe(end: impl AsFd) -> bool {
    use rustix::fs::FileType;
    let kind = rustix::fs::fstat(end).map(|meta| FileType::from_raw_mode(meta.st_mode));
    kind.is_ok_and(|kind| matches!(kind, FileType::Fifo | FileType::Socket))
}

/// The exit code of a run that passed, but whose output could not be printed: who reads it has not seen all of it.
const UNPRINTED: u8 = exit_code::TEST_FAILED;

/// Does blocking work on a thread that may (on this one where there is no other); none if a second signal came before it was done.
async fn patiently<T: Send + 'static>(signals: &Signals, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::select! {
        done = aside_or_here(work) => done,
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
                let place = if is_stdout(&done.path) { "on stdout".into() } else { done.path.display().to_string() };
                let line = format!("Archive: {place} ({:.1} KiB)", done.size as f64 / 1024.0);
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

fn print(handle: &RunHandle, signals: &Signals, options: &HeadlessOptions) -> io::Result<Printing> {
    // Asked before the terminal is gone.
    let terminal = io::stdout().is_terminal();
    let Outs { out, mut err, progress } = Outs::open(handle, options)?;
    let out = io::BufWriter::with_capacity(64 << 10, out);
    let closed = handle.clone();
    let terminal_gone = signals.on_terminal_gone();
    let on_trouble = move |error: &io::Error| {
        if terminal && error.raw_os_error() == Some(nix::libc::EIO) {
            terminal_gone();
        } else if is_closed(error) {
            drop(closed.send(Command::Shutdown { now: false }, Actor::Supervisor));
        } else {
            let text = "nothing more is printed, the run goes on and is recorded";
            let _ = writeln!(err, "error: stdout cannot be written ({error}): {text}");
        }
    };
    let what = match options.output {
        Output::Log => Printers::Log(Printer::start(handle.logs(), out, options.colour, on_trouble)?),
        Output::Events => Printers::Events(EventPrinter::start(handle.journal(), out, on_trouble)?),
        Output::Nothing => Printers::Nothing,
    };
    Ok(Printing { what, progress })
}

/// Whether nobody reads what is printed any more. Everything else that goes wrong with a write is trouble.
fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
