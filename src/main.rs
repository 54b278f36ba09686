//! The binary: the guardian branches off in the first line, everything else is the command line's.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = e2e_tui::process::guardian_main() {
        return code;
    }
    cli::main()
}
