//! The binary: the guardian branches off in the first line, everything else is the command line's.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e_tui::process::guardian_main();
    cli::main()
}
