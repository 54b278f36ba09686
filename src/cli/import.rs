//! `e2e-tui import`: another tool's file as a scenario.

use e2e_tui::{model::exit_code, scenario::import};

use super::{
    args::ImportArgs,
    init::write_new,
    say::{say, tell},
};

/// Prints the scenario, or writes it and says what is not as it was.
pub(super) fn main(args: &ImportArgs) -> anyhow::Result<u8> {
    let imported = import(&args.file)?;
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
