//! A scenario to begin with.

use std::{fs::OpenOptions, io::Write, path::Path};

use anyhow::{Context, bail};
use e2e_tui::model::exit_code;

use super::{args::InitArgs, say::say};

/// The starter, in the form that a first scenario has.
const STARTER: &str = include_str!("../../assets/starter.toml");

/// Files of other tools that say already what to start, the most telling first.
const FOREIGN: &[&str] = &["process-compose.yaml", "process-compose.yml", "mprocs.yaml", "mprocs.yml", "Procfile.dev", "Procfile"];

/// What tells the kind of a folder, and the server and the test that one usually has there.
const KNOWN: &[(&str, &str, &str)] = &[
    ("Cargo.toml", r#"["cargo", "run", "--quiet", "--", "--port", "${ports.web}"]"#, r#"["cargo", "test", "--quiet"]"#),
    ("package.json", r#"["npm", "start"]"#, r#"["npm", "test"]"#),
    (
        "pyproject.toml",
        r#"["python3", "-m", "http.server", "--bind", "127.0.0.1", "${ports.web}"]"#,
        r#"["python3", "-m", "pytest", "-q"]"#,
    ),
    (
        "requirements.txt",
        r#"["python3", "-m", "http.server", "--bind", "127.0.0.1", "${ports.web}"]"#,
        r#"["python3", "-m", "pytest", "-q"]"#,
    ),
];

/// Writes the starter to `scenarios/hello.toml` below the current folder, and says what to do with it.
pub(super) fn here() -> anyhow::Result<u8> {
    let path = Path::new("scenarios/hello.toml");
    std::fs::create_dir_all("scenarios").context("the folder scenarios/ cannot be made")?;
    write_new(path, STARTER)?;
    say!("wrote {0}: edit it, then e2e-tui {0}   (e2e-tui check {0} tells its mistakes)", path.display());
    Ok(exit_code::PASSED)
}

/// Writes `e2e.toml` into a folder: what another tool's file there says, else a server and a test as one has them there.
pub(super) fn main(args: &InitArgs) -> anyhow::Result<u8> {
    let path = args.dir.join("e2e.toml");
    let foreign = FOREIGN.iter().map(|name| args.dir.join(name)).find(|path| path.is_file());
    if let Some(foreign) = foreign {
        let imported = e2e_tui::scenario::import(&foreign)?;
        write_new(&path, &imported.text)?;
        say!("wrote {} from {}; what is not as there stands at its head", path.display(), foreign.display());
        return Ok(exit_code::PASSED);
    }
    let known = KNOWN.iter().find(|(sign, _, _)| args.dir.join(sign).is_file());
    let text = known.map_or_else(|| STARTER.to_owned(), |(sign, server, test)| starter_for(sign, server, test));
    write_new(&path, &text)?;
    say!("wrote {0}: edit it, then e2e-tui {0}   (e2e-tui check {0} tells its mistakes)", path.display());
    if ["docker-compose.yml", "docker-compose.yaml", "compose.yaml"].iter().any(|name| args.dir.join(name).is_file()) {
        say!("docker compose's file is not read: a process here can be [\"docker\", \"compose\", \"up\", \"NAME\"]");
    }
    Ok(exit_code::PASSED)
}

fn starter_for(sign: &str, server: &str, test: &str) -> String {
    format!(
        r#"# A scenario: what to start, in which order, and what tells that it works. Made for a folder with {sign}.
# e2e-tui check FILE shows how it is understood; e2e-tui FILE runs it.
name = "e2e"
description = "A server and its tests"
timeout = "5m"                            # for `run`; the dashboard only says so

[ports]                                   # leased for the run: two runs never share one
web = "auto"

[process.server]
command = {server}
env = {{ PORT = "${{ports.web}}" }}
listens = "web"                           # ready when it listens; part of ${{process.server.url}}
ready = {{ timeout = "2m" }}                # it may have to be built first
restart = "on-failure"

[process.test]
role = "test"                             # the run passes if it exits 0
command = {test}
env = {{ BASE_URL = "${{process.server.url}}" }}
depends_on = ["server"]
"#
    )
}

/// Writes a file that is not there yet.
pub(super) fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display())),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => bail!("{} is there already", path.display()),
        Err(e) => Err(e).with_context(|| format!("{} cannot be made", path.display())),
    }
}
