//! The binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = e2e_tui::process::guardian_main() {
        return code;
    }
    ExitCode::SUCCESS
}
