//! `e2e-tui import`: another tool's file as a scenario.

use std::path::Path;

use e2e_tui::{model::exit_code, scenario::import_for};

use super::{
    args::ImportArgs,
    init::write_new,
    say::{say, tell},
};

/// Prints the scenario, or writes it and says what is not as it was.
pub(super) fn main(args: &ImportArgs) -> anyhow::Result<u8> {
    // What is printed is meant for the folder that one stands in.
    let folder = args.output.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    let imported = import_for(&args.file, folder.unwrap_or(Path::new(".")))?;
    let Some(output) = &args.output else {
        super::say::out(format_args!("{}", imported.text));
        return Ok(exit_code::PASSED);
    };
    write_new(output, &imported.text)?;
    say!("wrote {0}: e2e-tui check {0} shows what it comes to", output.display());
    for note in imported.notes {
        tell!("not as there: {note}");
    }
    Ok(exit_code::PASSED)
}
