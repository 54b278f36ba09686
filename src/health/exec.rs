//! A command that answers by its exit code. It runs in a tree of its own, which ends with the question.

use std::{sync::Arc, time::Duration};

use super::question::failed;
use crate::{
    model::{Exit, ProbeOutcome},
    process::{CommandEnd, Commands, Ended, ShortCommand},
};

/// A command whose exit code 0 is well.
#[derive(Clone)]
pub struct ExecQuestion {
    /// Who runs it.
    pub commands: Arc<Commands>,
    /// What to run.
    pub command: ShortCommand,
}

impl std::fmt::Debug for ExecQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExecQuestion").field(&self.command.argv).finish()
    }
}

pub(super) async fn ask(question: &ExecQuestion, within: Duration) -> ProbeOutcome {
    let CommandEnd { how, output } = question.commands.run(&question.command, within).await;
    let command = question.command.argv.join(" ");
    let said = output.lines().rfind(|line| !line.trim().is_empty()).map(|line| format!(": {}", line.trim())).unwrap_or_default();
    match how {
        Ended::Exited(Exit::Code(0)) => ProbeOutcome::Ok,
        Ended::Exited(exit @ Exit::Code(code)) => failed(&exit.to_string(), format!("`{command}` exited with {code}{said}")),
        Ended::Exited(exit @ Exit::Signal(_)) => failed(&exit.to_string(), format!("`{command}` was killed by {exit}{said}")),
        Ended::TimedOut => failed("timeout", format!("`{command}` has not ended within {}{said}", crate::model::human_duration(within))),
        Ended::NotStarted(error) => failed(error.short(), format!("`{command}` could not be run: {error}")),
        Ended::Lost => failed("lost", format!("`{command}` could not be run: the guardian is gone")),
    }
}
