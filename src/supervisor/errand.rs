//! Commands that belong to no generation: stop commands while a process is stopped, clean-up at the end of the run.
//!
//! They run through the spawner like everything else, so that they leave nothing behind either; see [`Commands`].
//!
//! [`Commands`]: crate::process::Commands

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    launch,
    machine::Input,
    runtime::{News, Runtime},
};
use crate::{
    model::{Exit, Generation, ProcessId, human_duration},
    process::{CommandEnd, Ended, ShortCommand},
};

/// How long one clean-up command may take.
const CLEANUP_BUDGET: Duration = Duration::from_secs(10);

/// How many characters of its last line a failure quotes.
const LAST_WORDS: usize = 200;

/// What a command is run for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// To stop a process.
    Stop { process: ProcessId, generation: Generation },
    /// To clean up after the run.
    CleanUp,
}

/// Errands under way and to come. What is under way when the run is over is killed with it.
#[derive(Debug, Default)]
pub(super) struct Errands {
    running: JoinSet<()>,
    cleanup: VecDeque<ShortCommand>,
    cleaning: bool,
    /// The clean-up command under way, and since when.
    at_clean_up: Option<(String, Instant)>,
}

impl Runtime {
    /// Stops a process by its own command, within its grace.
    pub(super) fn run_stop_command(&mut self, process: &ProcessId, generation: Generation) {
        let Some(spec) = self.spec(process) else { return };
        let argv: Vec<_> = spec.stop.command.iter().flatten().cloned().collect();
        match launch::command_like(&spec, &argv, &self.parts.info.run, &self.ports()) {
            Ok(command) => self.run_errand(command, spec.stop.grace, Purpose::Stop { process: process.clone(), generation }),
            Err(e) => {
                self.warn(format!("the stop command of {process} cannot run: {e}"));
                self.feed(Input::StopCommandFailed { process: process.clone(), generation });
            }
        }
    }

    /// Runs a command, and kills it after `budget`.
    fn run_errand(&mut self, command: ShortCommand, budget: Duration, purpose: Purpose) {
        let (commands, news, mut patience) = (self.commands.clone(), self.news.clone(), self.suspension.patience());
        while self.errands.running.try_join_next().is_some() {}
        self.errands.running.spawn(async move {
            let end = commands.run_until(&command, patience.sleep(budget)).await;
            let report = report(&command.argv.join(" "), budget, &end);
            let failed = !matches!(end.how, Ended::Exited(Exit::Code(0)));
            let _ = news.send(News::ErrandEnded { purpose, failed, report });
        });
    }

    /// An errand is over; `report` says what went wrong, if anything did.
    pub(super) fn errand_ended(&mut self, purpose: Purpose, failed: bool, report: Option<String>) {
        if let Some(report) = report {
            self.warn(report);
        }
        match purpose {
            Purpose::Stop { process, generation } if failed => self.feed(Input::StopCommandFailed { process, generation }),
            // The stop goes on by itself: its grace runs, and the tree's end is seen.
            Purpose::Stop { process, generation } => tracing::debug!(%process, generation, "stop command has ended"),
            Purpose::CleanUp => self.next_cleanup(),
        }
    }

    /// Everything is down: runs the clean-up commands one after the other, then the last census.
    pub(super) fn clean_up(&mut self) {
        if std::mem::replace(&mut self.errands.cleaning, true) {
            return;
        }
        let spec = self.parts.spec.clone();
        let (run, ports) = (self.parts.info.run.clone(), self.ports());
        for process in spec.processes.values() {
            for argv in &process.cleanup {
                let argv: Vec<_> = argv.iter().cloned().map(Into::into).collect();
                match launch::command_like(process, &argv, &run, &ports) {
                    Ok(command) => self.errands.cleanup.push_back(command),
                    Err(e) => self.warn(format!("a clean-up command of {} cannot run: {e}", process.id)),
                }
            }
        }
        self.errands.cleanup.extend(spec.cleanup.iter().map(|argv| launch::command_in(&spec.dir, argv.clone(), &run)));
        self.next_cleanup();
    }

    fn next_cleanup(&mut self) {
        if let Some(command) = self.errands.cleanup.pop_front() {
            self.errands.at_clean_up = Some((command.argv.join(" "), Instant::now()));
            self.run_errand(command, CLEANUP_BUDGET, Purpose::CleanUp);
        } else {
            self.errands.at_clean_up = None;
            self.take_final_census();
        }
    }

    /// Somebody wants the end. Clean-up is run always, so all there is to do is to say what is waited for, and for how long.
    pub(super) fn tell_of_clean_up(&mut self, now: bool) {
        if let Some((command, since)) = &self.errands.at_clean_up {
            let left = human_duration(CLEANUP_BUDGET.saturating_sub(since.elapsed()));
            let more = match self.errands.cleanup.len() {
                0 => String::new(),
                n => format!(", and {n} more after it"),
            };
            let hurry = if now { "; another signal leaves at once" } else { "" };
            self.warn(format!("cleaning up: `{command}` may take {left} yet{more}{hurry}"));
        }
    }
}

/// What is to be said about a command that did not do well.
fn report(command: &str, budget: Duration, CommandEnd { how, output }: &CommandEnd) -> Option<String> {
    let last = output.lines().rfind(|line| !line.trim().is_empty()).map(str::trim);
    // The output is masked already: cutting it cannot lay a part of a secret bare.
    let said = last.map(|line| format!(": {}", line.chars().take(LAST_WORDS).collect::<String>())).unwrap_or_default();
    Some(match how {
        Ended::Exited(Exit::Code(0)) => return None,
        Ended::Exited(exit) => format!("`{command}` ended with {exit}{said}"),
        Ended::TimedOut => format!("`{command}` had not ended after {} and was killed{said}", human_duration(budget)),
        Ended::NotStarted(error) => format!("`{command}` could not be run: {error}"),
        Ended::Lost => format!("`{command}` was not run to its end: the guardian is gone"),
    })
}
