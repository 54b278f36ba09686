//! The command line: arguments become options, errors become text and exit codes; each command picks a front.

mod args;
mod check;
mod complete;
mod dashboard;
mod doctor;
mod explain;
mod export;
mod import;
mod init;
mod logs;
mod manual;
mod misspelled;
mod panic;
mod part;
mod picker;
mod recordings;
mod replay;
mod run;
mod say;
mod scenario;
mod schema;

use std::process::ExitCode;

use e2e_tui::{
    model::exit_code,
    scenario::{ImportError, LocateError},
};

pub(crate) use args::Cli;
use args::Command;
use say::tell;

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    complete::answer();
    panic::install();
    e2e_tui::process::survive_file_size_limit();
    let cli = misspelled::parse().unwrap_or_else(|error| error.exit());
    // Each process costs a few descriptors. A part is a process of a run, with the limits that it was given.
    if !matches!(cli.command, Some(Command::Part(_))) {
        e2e_tui::process::raise_open_files();
    }
    let result = match cli.command {
        None => dashboard::main(&cli.target()),
        Some(Command::Run(args)) => run::main(&args),
        Some(Command::Check(args)) => check::main(&args),
        Some(Command::List) => check::list(),
        Some(Command::Init(args)) => init::main(&args),
        Some(Command::Import(args)) => import::main(&args),
        Some(Command::Schema(args)) => schema::main(&args),
        Some(Command::Logs(args)) => logs::main(&args),
        Some(Command::Replay(args)) => replay::main(&args),
        Some(Command::Explain(args)) => explain::main(&args),
        Some(Command::Export(args)) => export::main(&args),
        Some(Command::Recordings(args)) => recordings::main(&args),
        Some(Command::Doctor(args)) => doctor::main(&args),
        Some(Command::Completions { shell }) => manual::completions(shell),
        Some(Command::Man) => manual::page(),
        Some(Command::Part(part)) => return ExitCode::from(part.run()),
    };
    match result {
        Ok(code) => match say::refused() {
            Some(why) => {
                tell!("error: stdout could not be written ({why}): the answer is not complete");
                ExitCode::from(code.max(exit_code::TEST_FAILED))
            }
            None => ExitCode::from(code),
        },
        Err(error) if say::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(exit_code::USAGE)
        }
    }
}

/// Prints an error with its causes, each once.
fn report(error: &anyhow::Error) {
    if let Some(rendered) = error.downcast_ref::<scenario::Rendered>() {
        tell!("{rendered}");
        return;
    }
    let located = error.downcast_ref::<LocateError>().and_then(LocateError::diagnostics);
    let imported = error.downcast_ref::<ImportError>().and_then(ImportError::diagnostics);
    if let Some(mistakes) = located.or(imported) {
        tell!("{mistakes}");
        return;
    }
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    tell!("error: {text}");
}

/// Says so if a recording's archive breaks off.
fn warn_broken(recording: &e2e_tui::record::Recording) {
    if let Some(why) = recording.broken() {
        tell!("warning: the archive breaks off ({why}): this is what came before");
    }
}

/// The runtime of a run: policy, timers and HTTP keep one thread less than busy, and a second would only be woken in vain.
fn run_time() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context;
    // Tokio panics where the system has none.
    let thread = std::thread::Builder::new().spawn(|| ());
    let _ = thread.context("no thread is to be had (is `ulimit -u` too low?)")?.join();
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().context("the async runtime could not be started")
}
