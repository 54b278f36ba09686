//! `e2e-tui completions SHELL` and `e2e-tui man`.

use std::io::Write as _;

use clap::CommandFactory;
use clap_complete::Shell;
use e2e_tui::model::exit_code;

use super::Cli;

/// Prints what makes a shell complete commands, options, and the names of scenarios, processes and recordings.
pub(super) fn completions(shell: Shell) -> anyhow::Result<u8> {
    print(&super::complete::script(shell)?)
}

/// Prints the manual page: of the program, then of each command that is not hidden.
pub(super) fn page() -> anyhow::Result<u8> {
    let mut program = Cli::command();
    program.build();
    let mut text = Vec::new();
    let man = clap_mangen::Man::new(program.clone());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    // The commands have no pages of their own: they are told below.
    let mut text = String::from_utf8(text)?.replace("(1)\n", "\n").replace(".SH SUBCOMMANDS", ".SH COMMANDS");
    text = text.replace(r"[\fIsubcommands\fR]", "").replace(&format!("\n{}", escaped("e2e-tui-")), &format!("\n{}", escaped("e2e-tui ")));
    text.push_str(&as_it_stands(".SH EXAMPLES", &program));
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        text.push_str(&section(command)?);
    }
    print(text.as_bytes())
}

/// What the page says of one command.
fn section(command: &clap::Command) -> anyhow::Result<String> {
    let mut parts = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    let parts = String::from_utf8(parts)?.replace(".SH ", ".SS ");
    let name = escaped(&format!("e2e-tui {}", command.get_name()));
    Ok(format!(".SH {name}\n{parts}{}", as_it_stands(".SS NOTES", command)))
}

/// What stands below the options in `--help`, its lines as they are.
fn as_it_stands(heading: &str, command: &clap::Command) -> String {
    let Some(text) = command.get_after_long_help().or(command.get_after_help()) else { return String::new() };
    let text = text.to_string();
    let lines = text.trim_start_matches("Examples:").trim_matches('\n').lines().map(escaped);
    format!("{heading}\n.nf\n{}\n.fi\n", lines.collect::<Vec<_>>().join("\n"))
}

/// A line as roff prints it.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', r"\e").replace('-', r"\-");
    if line.starts_with(['.', '\'']) { format!(r"\&{line}") } else { line }
}

fn print(text: &[u8]) -> anyhow::Result<u8> {
    std::io::stdout().write_all(text)?;
    Ok(exit_code::PASSED)
}
