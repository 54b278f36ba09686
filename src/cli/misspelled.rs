//! Commands that are meant and not quite written: `e2e-tui chekc FILE`.

use clap::{CommandFactory, Parser, error::ErrorKind};
use e2e_tui::scenario::{LocateError, locate, nearest};

use super::args::Cli;

/// What was written on the command line, or why it cannot be meant.
pub(super) fn parse() -> Result<Cli, clap::Error> {
    // Any word may be a scenario's name, so a parser of arguments has nothing to say about this one.
    let first = std::env::args().nth(1).filter(|word| !word.starts_with('-'));
    match Cli::try_parse() {
        Ok(cli) if cli.command.is_some() => Ok(cli),
        Err(error) if error.exit_code() == 0 => Err(error),
        parsed => first.as_deref().and_then(meant).map_or(parsed, Err),
    }
}

/// The error that names the command, if the word is near to one and no scenario.
fn meant(word: &str) -> Option<clap::Error> {
    let mut cli = Cli::command();
    let names: Vec<String> =
        cli.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name().to_owned()).collect();
    let near = nearest(word, names.iter().map(String::as_str)).filter(|near| *near != word)?;
    let Err(LocateError::NotFound { .. }) = locate(word) else { return None };
    let message = format!("there is no command and no scenario `{word}`; did you mean `{near}`?");
    Some(cli.error(ErrorKind::InvalidSubcommand, message))
}
