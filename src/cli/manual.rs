//! `e2e-tui completions SHELL` and `e2e-tui man`.

use std::io::Write;

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
    let mut text = Vec::new();
    let mut program = Cli::command();
    program.build();
    clap_mangen::Man::new(program.clone()).render(&mut text)?;
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let man = clap_mangen::Man::new(command.clone());
        writeln!(text, ".SH \"{}\"", command.get_name().to_uppercase())?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
    }
    print(&text)
}

fn print(text: &[u8]) -> anyhow::Result<u8> {
    std::io::stdout().write_all(text)?;
    Ok(exit_code::PASSED)
}
