//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use e2e_tui::tui::{Options, Wishes, config_dir};
use jiff::SignedDuration;

use super::{complete, part::PartCommand};

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
    #[arg(long, value_name = "FILE", add = ArgValueCompleter::new(complete::scenarios))]
    scenario: Option<String>,
    /// The same without the option's name
    #[arg(value_name = "FILE", add = ArgValueCompleter::new(complete::scenarios), conflicts_with = "scenario")]
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
    #[arg(long, value_name = "NAME=VALUE", add = ArgValueCompleter::new(complete::settings))]
    pub(crate) set: Vec<String>,
    /// Run only these processes, with their dependencies
    #[arg(long, value_name = "NAMES", value_delimiter = ',', add = ArgValueCompleter::new(complete::processes))]
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
    /// The layout to show first: default, logs, grid, debug, demo, or a file
    #[arg(long, value_name = "NAME|FILE", add = ArgValueCompleter::new(complete::layouts))]
    pub(crate) layout: Option<String>,
    /// Colours: dark, light, high-contrast, terminal, or a file
    #[arg(long, value_name = "NAME|FILE", add = ArgValueCompleter::new(complete::themes))]
    pub(crate) theme: Option<String>,
    /// Keys of your own, laid over the default ones
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) keymap: Option<PathBuf>,
}

impl Looks {
    /// Whether the command line says anything of it.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.layout.is_some() || self.theme.is_some() || self.keymap.is_some()
    }

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
    /// List the bundled scenarios and layouts
    List,
    /// Write a scenario to begin with, fit for a folder
    Init(InitArgs),
    /// Print a Procfile, process-compose.yaml or mprocs.yaml as a scenario
    Import(ImportArgs),
    /// Print the JSON Schema of scenario files, for editors; or of what `run` writes
    Schema(SchemaArgs),
    /// Print the log of a recording as plain text
    Logs(LogsArgs),
    /// Open a recording or an archive in the dashboard, at its first failure
    Replay(ReplayArgs),
    /// Say what happened before a failure
    Explain(ExplainArgs),
    /// Pack a recording into one file that replays anywhere
    Export(ExportArgs),
    /// List what is recorded, newest first
    #[command(args_conflicts_with_subcommands = true)]
    Recordings(RecordingsArgs),
    /// Say what this machine supports, and where recordings are kept
    Doctor(DoctorArgs),
    /// Print the completions of a shell: source them, or put them where it looks for them
    Completions {
        /// Which shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for `e2e-tui man | man -l -`
    Man,
    /// Be one of the MCP parts of the bundled scenarios
    #[command(subcommand, hide = true)]
    Part(PartCommand),
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of what `run --report json=FILE` writes
    #[arg(long)]
    pub(crate) report: bool,
    /// Of one line of `run --events`, and of a recording's events.jsonl
    #[arg(long, conflicts_with = "report")]
    pub(crate) events: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Look at this folder of recordings [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 passed, 1 a test failed, 2 nothing was started, 3 a service failed, 4 timed out, 5 leaked, 130/143/129/131 ended by a signal.
A reader that closes stdout ends the run in order; a stdout that cannot be written does not, but 0 becomes 1."
)]
pub(crate) struct RunArgs {
    /// A scenario: a path, a file in scenarios/, or a bundled one; `.toml` may be left out
    #[arg(value_name = "FILE", add = ArgValueCompleter::new(complete::scenarios))]
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Write a report, over one that is there: json=FILE or junit=FILE, `-` for stdout, which then carries nothing else; may be
    /// repeated
    #[arg(long, value_name = "KIND=FILE", add = ArgValueCompleter::new(complete::reports))]
    pub(crate) report: Vec<String>,
    /// End the run with exit code 4 after this long [default: the scenario's timeout]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Pack the run into an archive; `-` is stdout, which then carries nothing else
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) archive: Option<PathBuf>,
    /// Pack it into this folder if it did not pass
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) archive_on_failure: Option<PathBuf>,
    /// Write over an archive that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Print only the closing block, not the output of the processes
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print events as lines of JSON instead of the output of the processes
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) events: bool,
    /// Leave out the steps before this one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) from_step: Option<u32>,
    /// Carry out all steps, say how each went and how long it took, and end: the exit code is theirs
    #[arg(long)]
    pub(crate) rehearse: bool,
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
    #[arg(value_name = "FILE", add = ArgValueCompleter::new(complete::scenarios))]
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
    #[arg(value_name = "RECORDING", required_unless_present = "last_failed", add = ArgValueCompleter::new(complete::recordings))]
    pub(crate) recording: Option<String>,
    /// The newest recording of a run that did not pass
    #[arg(long, conflicts_with = "recording")]
    pub(crate) last_failed: bool,
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
    #[arg(value_name = "RECORDING", add = ArgValueCompleter::new(complete::recordings))]
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
    #[arg(value_name = "RECORDING", add = ArgValueCompleter::new(complete::recordings))]
    pub(crate) recording: String,
    /// The archive to write [default: <id>.tar.zst]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) part: PartOfRun,
    /// Where recordings are kept [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RecordingsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<RecordingsCommand>,
    /// Where recordings are kept [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordingsCommand {
    /// Remove old ones; a run that goes on is never touched
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("bounds").required(true).multiple(true).args(["keep", "older_than", "max_size"])))]
pub(crate) struct PruneArgs {
    /// Keep so many, the newest
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Remove what is older: 12h, 7d, 4w
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<std::time::Duration>,
    /// Keep so much, the newest: 500MiB, 5GB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<u64>,
    /// Where recordings are kept [default: $XDG_STATE_HOME/e2e-tui/recordings]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recordings_dir: Option<PathBuf>,
}

/// Which part of a run is meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PartOfRun {
    /// From then on: `30s` are the last 30 seconds, `+30s` all behind the first 30, or a time (2026-11-23T06:25:57Z)
    #[arg(long, value_name = "TIME", value_parser = since, conflicts_with = "around_failure")]
    pub(crate) since: Option<Since>,
    /// So long before what went wrong first and so long behind the failure
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) around_failure: Option<std::time::Duration>,
}

impl PartOfRun {
    /// Whether nothing is left out.
    pub(crate) fn is_all(&self) -> bool {
        self.since.is_none() && self.around_failure.is_none()
    }
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before the end.
    Last(std::time::Duration),
    /// So long after the start.
    After(std::time::Duration),
    /// That instant.
    At(jiff::Timestamp),
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The other tool's file
    #[arg(value_name = "FILE", add = ArgValueCompleter::new(complete::foreign))]
    pub(crate) file: PathBuf,
    /// Write it here instead; a file that is there is left alone
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// An archive, or a recording by its id or folder
    #[arg(value_name = "RECORDING", add = ArgValueCompleter::new(complete::recordings))]
    pub(crate) recording: String,
    /// Only what these said and what happened to them
    #[arg(long, value_name = "NAMES", value_delimiter = ',', add = ArgValueCompleter::new(complete::processes))]
    pub(crate) process: Vec<String>,
    /// Only lines that match; without capital letters in any case; may be repeated, then all must match
    #[arg(long, value_name = "PATTERN")]
    pub(crate) grep: Vec<String>,
    #[command(flatten)]
    pub(crate) part: PartOfRun,
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

/// `12h`, `7d`, `4w`.
fn age(text: &str) -> Result<std::time::Duration, String> {
    let days = |unit: char, days: u64| Some(text.strip_suffix(unit)?.parse::<u64>().ok()?.saturating_mul(days * 24 * 60 * 60));
    match days('d', 1).or_else(|| days('w', 7)) {
        Some(seconds) => Ok(std::time::Duration::from_secs(seconds)),
        None => duration(text).map_err(|_| format!("{text:?} is not an age: write 12h, 7d or 4w")),
    }
}

/// `500MiB`, `5GB`, as in scenario files.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let wrong = || format!("{text:?} is not a size: write 500MiB or 5GB");
    let (unit, bytes) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - unit.len()].trim().parse().map_err(|_| wrong())?;
    number.checked_mul(bytes).ok_or_else(wrong)
}

/// `30s`, `+30s` or a time.
fn since(text: &str) -> Result<Since, String> {
    let told = match text.strip_prefix('+') {
        Some(after) => duration(after).map(Since::After).ok(),
        None => duration(text).map(Since::Last).ok().or_else(|| text.parse().map(Since::At).ok()),
    };
    told.ok_or_else(|| format!("{text:?} is no time: write 30s (the last 30 seconds), +30s (behind the first 30) or 2026-11-23T06:25:57Z"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ages_sizes_and_times_are_read_or_explained() {
        assert_eq!(age("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(age("2w"), Ok(Duration::from_hours(14 * 24)));
        assert_eq!(age("90m"), Ok(Duration::from_mins(90)));
        assert!(age("soon").expect_err("no age").contains("7d"));
        assert_eq!((size("5GB"), size("500MiB"), size("1 kB")), (Ok(5_000_000_000), Ok(500 << 20), Ok(1000)));
        assert!(size("5").is_err() && size("xGB").is_err() && size("99999999999TB").is_err());
        assert_eq!(since("30s"), Ok(Since::Last(Duration::from_secs(30))));
        assert_eq!(since("+1m30s"), Ok(Since::After(Duration::from_secs(90))));
        assert!(matches!(since("2026-11-23T06:25:57Z"), Ok(Since::At(_))));
        assert!(since("yesterday").expect_err("no time").contains("+30s"));
    }

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
