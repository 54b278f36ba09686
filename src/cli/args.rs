//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use e2e_tui::tui::{Options, Wishes, config_dir};
use jiff::SignedDuration;

use super::part::PartCommand;

/// Debug end-to-end tests of many processes live
///
/// Starts the processes of a scenario, shows the state, health and logs of each, lets you restart, stop or kill any
/// of them, and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(name = "e2e-tui", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  e2e-tui --scenario forward.toml      the dashboard on a bundled scenario
  e2e-tui run forward.toml             the same without a terminal, for CI
  e2e-tui check mine.toml              all mistakes of a file, or the resolved plan")]
pub(crate) struct Cli {
    /// A scenario: a path, a file in scenarios/, or a bundled one; `.toml` may be left out
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    scenario: Option<String>,
    /// The same without the option's name
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "scenario")]
    file: Option<String>,
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What the dashboard is opened on.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) scenario: Option<String>,
    pub(crate) common: Common,
}

impl Cli {
    /// What the dashboard is opened on.
    pub(crate) fn target(&self) -> Target {
        Target { scenario: self.scenario.clone().or_else(|| self.file.clone()), common: self.common.clone() }
    }
}

/// Options of everything that runs a scenario.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Override a value of [vars]; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Run only these processes, with their dependencies
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Keep recordings here [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
    /// No colours (`NO_COLOR` does the same)
    #[arg(long)]
    pub(crate) no_color: bool,
    #[command(flatten)]
    pub(crate) looks: Looks,
}

/// How the dashboard looks and which keys it takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Looks {
    /// The layout to show first: default, logs, grid, debug, or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) layout: Option<String>,
    /// Colours: dark, light, high-contrast, terminal, or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) theme: Option<String>,
    /// Keys of your own, laid over the default ones
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) keymap: Option<PathBuf>,
}

impl Looks {
    /// The dashboard's options, with the user's own files; all that is wrong with them is in the error.
    pub(crate) fn options(&self, no_color: bool) -> anyhow::Result<Options> {
        let wishes = Wishes { keymap: self.keymap.clone(), theme: self.theme.clone(), layout: self.layout.clone(), no_color };
        Ok(Options::with(&wishes, config_dir().as_deref())?)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario without a terminal, for CI and scripts
    Run(RunArgs),
    /// Validate a scenario and print the resolved plan; starts nothing
    Check(CheckArgs),
    /// List the bundled scenarios
    List,
    /// Print the JSON Schema of scenario files, for editors
    Schema,
    /// Print the log of a recording as plain text
    Logs(LogsArgs),
    /// Open a recording or an archive in the dashboard, at its first failure
    Replay(ReplayArgs),
    /// Say what happened before a failure
    Explain(ExplainArgs),
    /// Pack a recording into one file that replays anywhere
    Export(ExportArgs),
    /// Be one of the MCP parts of the bundled scenarios
    #[command(subcommand, hide = true)]
    Part(PartCommand),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 passed, 1 a test failed, 2 nothing was started, 3 a service failed, 4 timed out, 5 leaked, 130/143/129/131 ended by a signal.
A reader that closes stdout ends the run in order; a stdout that cannot be written does not, but 0 becomes 1."
)]
pub(crate) struct RunArgs {
    /// A scenario: a path, a file in scenarios/, or a bundled one; `.toml` may be left out
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Write a report: json=FILE or junit=FILE; may be repeated
    #[arg(long, value_name = "KIND=FILE")]
    pub(crate) report: Vec<String>,
    /// End the run with exit code 4 after this long [default: the scenario's timeout]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Pack the run into an archive
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) archive: Option<PathBuf>,
    /// Pack it into this folder if it did not pass
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) archive_on_failure: Option<PathBuf>,
    /// Write over reports and archives that are there
    #[arg(long)]
    pub(crate) force: bool,
    /// Print only the closing block, not the output of the processes
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print events as lines of JSON instead of the output of the processes
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) events: bool,
    /// Run it this many times, each with ports of its own; the recordings of failures and of the last pass are kept
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "archive")]
    pub(crate) repeat: Option<u32>,
    /// Run it until it fails (with --repeat: at most so many times)
    #[arg(long, conflicts_with = "archive")]
    pub(crate) until_fail: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A scenario: a path, a file in scenarios/, or a bundled one; `.toml` may be left out
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) scenario: String,
    /// For people or for machines
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// An archive, or a recording by its id or folder
    #[arg(value_name = "RECORDING")]
    pub(crate) recording: String,
    /// Where recordings are kept [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
    /// No colours (`NO_COLOR` does the same)
    #[arg(long)]
    pub(crate) no_color: bool,
    #[command(flatten)]
    pub(crate) looks: Looks,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// An archive, or a recording by its id or folder
    #[arg(value_name = "RECORDING")]
    pub(crate) recording: String,
    /// Where recordings are kept [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
    /// For people or for machines
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// For people or for machines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines to read
    #[default]
    Text,
    /// One JSON document
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The recording: its id or its folder
    #[arg(value_name = "RECORDING")]
    pub(crate) recording: String,
    /// The archive to write [default: <id>.tar.zst]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Where recordings are kept [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// An archive, or a recording by its id or folder
    #[arg(value_name = "RECORDING")]
    pub(crate) recording: String,
    /// Where recordings are kept [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
}

/// `250ms`, `5s`, `1m30s`, as in scenario files; longer than nothing.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed: SignedDuration = text.parse().map_err(|_| format!("{text:?} is not a duration: write 250ms, 5s, 1m30s or 1h"))?;
    let parsed: std::time::Duration = parsed.try_into().map_err(|_| format!("{text:?} is negative"))?;
    if parsed.is_zero() {
        return Err("a run cannot end before it begins: leave --timeout out for no limit but the scenario's own".into());
    }
    Ok(parsed)
}
