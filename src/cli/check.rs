//! `e2e-tui check FILE`, and what else is known of scenarios without running one: `list`.

use std::io::Write;

use e2e_tui::{
    model::exit_code,
    scenario::{BUNDLED, Diagnostics, Located, load, locate, plan_json, render_plan, render_plan_styled},
    tui::Layout,
};

use super::{
    args::{CheckArgs, Common, Format},
    say::say,
    scenario,
};

/// Prints the resolved plan, or all mistakes.
pub(super) fn main(args: &CheckArgs) -> anyhow::Result<u8> {
    if args.format == Format::Json {
        return json(args);
    }
    plan(&locate(&args.scenario)?, &args.common)
}

/// Prints the resolved plan of a scenario that was found, or all its mistakes.
pub(super) fn plan(located: &Located, common: &Common) -> anyhow::Result<u8> {
    let file = scenario::understand(located, common)?;
    let plan = if scenario::colour_on_stdout(common) { render_plan_styled(&file) } else { render_plan(&file) };
    super::say::out(format_args!("{plan}"));
    Ok(exit_code::PASSED)
}

/// The same for machines: the plan, or all diagnostics, on stdout either way.
fn json(args: &CheckArgs) -> anyhow::Result<u8> {
    let located = match locate(&args.scenario) {
        Ok(located) => located,
        // An editor reads the same form, whatever is wrong.
        Err(error) => {
            let alone = || serde_json::json!([{ "severity": "error", "message": error.to_string(), "places": [], "helps": [] }]);
            say!("{:#}", error.diagnostics().map_or_else(alone, Diagnostics::to_json));
            return Ok(exit_code::USAGE);
        }
    };
    let (document, code) = match load(&located, &scenario::overrides(&args.common)?) {
        Ok(file) => (plan_json(&file), exit_code::PASSED),
        Err(diagnostics) => (diagnostics.to_json(), exit_code::USAGE),
    };
    say!("{document:#}");
    Ok(code)
}

/// Prints the bundled scenarios, a line each, and the names of the layouts.
pub(super) fn list() -> anyhow::Result<u8> {
    let width = BUNDLED.iter().map(|bundled| bundled.name.len()).max().unwrap_or(0);
    for bundled in BUNDLED {
        writeln!(std::io::stdout(), "{:width$}  {}", bundled.name, bundled.description())?;
    }
    writeln!(std::io::stdout(), "\nlayouts: {}", Layout::built_in_names().collect::<Vec<_>>().join(", "))?;
    Ok(exit_code::PASSED)
}
