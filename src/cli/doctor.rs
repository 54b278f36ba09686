//! `e2e-tui doctor`: what this machine offers, and where recordings are kept.

use std::{
    io::{IsTerminal, Write},
    path::Path,
};

use e2e_tui::{
    model::exit_code,
    process::{Fact, facts, limit_facts, tiers},
    record::{default_dir, recordings},
    tui::config_dir,
};

use super::{args::DoctorArgs, recordings::size};

/// Prints it, a line a fact: `+` for what is there, `-` for what is not and what that means.
pub(super) fn main(args: &DoctorArgs) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "e2e-tui {}\n", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "Holding processes together")?;
    list(&mut out, &tiers())?;
    writeln!(out, "\nTelling them from others")?;
    list(&mut out, &facts())?;
    writeln!(out, "\nLimits of a tree")?;
    list(&mut out, &limit_facts())?;
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    writeln!(out, "\nPlaces")?;
    writeln!(out, "  recordings   {}", kept_in(&base))?;
    if let Some(dir) = config_dir() {
        let there = if dir.is_dir() { "" } else { " (nothing there: keymap, themes and layouts are the bundled ones)" };
        writeln!(out, "  own files    {}{there}", dir.display())?;
    }
    writeln!(out, "\nTerminal")?;
    let (input, output) = (std::io::stdin().is_terminal(), out.is_terminal());
    let fits =
        if input && output { "the dashboard can be shown here" } else { "stdin or stdout is none here: only `run` and the like work" };
    writeln!(out, "  {} {:<12} {fits}", if input && output { '+' } else { '-' }, "terminal")?;
    let term = std::env::var("TERM").unwrap_or_default();
    writeln!(out, "    {:<12} {}", "TERM", if term.is_empty() { "not set" } else { &term })?;
    Ok(exit_code::PASSED)
}

fn list(out: &mut impl Write, facts: &[Fact]) -> std::io::Result<()> {
    for fact in facts {
        writeln!(out, "  {} {:<12} {}", if fact.there { '+' } else { '-' }, fact.name, fact.meaning)?;
    }
    Ok(())
}

/// `/home/a/.local/state/e2e-tui/recordings: 12 recordings, 3.4 MiB`.
fn kept_in(base: &Path) -> String {
    let kept = match recordings(base) {
        Ok(all) if all.is_empty() => "no recordings yet".to_owned(),
        Ok(all) => {
            let word = if all.len() == 1 { "recording" } else { "recordings" };
            format!("{} {word}, {}", all.len(), size(all.iter().map(|kept| kept.size).sum()))
        }
        Err(error) => error.to_string(),
    };
    format!("{}: {kept}", base.display())
}
