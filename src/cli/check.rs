//! `e2e-tui check FILE`.

use e2e_tui::{model::exit_code, scenario::render_plan};

use super::{args::CheckArgs, scenario};

/// Prints the resolved plan, or all mistakes.
pub(super) fn main(args: &CheckArgs) -> anyhow::Result<u8> {
    let file = scenario::read(&args.scenario, &args.common)?;
    print!("{}", render_plan(&file));
    Ok(exit_code::PASSED)
}
