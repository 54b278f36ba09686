//! A scenario to begin with.

use std::{fs::OpenOptions, io::Write, path::Path};

use anyhow::{Context, bail};
use e2e_tui::model::exit_code;

/// The starter, in the form that a first scenario has.
const STARTER: &str = include_str!("../../assets/starter.toml");

/// Writes the starter to `scenarios/hello.toml` below the current folder, and says what to do with it.
pub(super) fn here() -> anyhow::Result<u8> {
    let path = Path::new("scenarios/hello.toml");
    std::fs::create_dir_all("scenarios").context("the folder scenarios/ cannot be made")?;
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(STARTER.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => bail!("{} is there already", path.display()),
        Err(e) => return Err(e).with_context(|| format!("{} cannot be made", path.display())),
    }
    println!("wrote {0}: edit it, then e2e-tui {0}   (e2e-tui check {0} tells its mistakes)", path.display());
    Ok(exit_code::PASSED)
}
