//! A scenario to begin with.

use std::{fs::OpenOptions, io::Write, path::Path};

use anyhow::{Context, bail};
use e2e_tui::model::exit_code;

use super::{args::InitArgs, say::say};

/// The starter, in the form that a first scenario has.
const STARTER: &str = include_str!("../../assets/starter.toml");

/// Files of other tools that say already what to start, the most telling first.
const FOREIGN: &[&str] = &["process-compose.yaml", "process-compose.yml", "mprocs.yaml", "mprocs.yml", "Procfile.dev", "Procfile"];

/// Files of docker compose, whose containers a scenario can start and take down.
const COMPOSE: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// A folder's kind: the file that tells it, and the server and the test that one usually has there.
struct Kind {
    sign: &'static str,
    server: String,
    test: String,
}

/// Writes the starter to `scenarios/hello.toml` below the current folder, and says what to do with it.
pub(super) fn here() -> anyhow::Result<u8> {
    let path = Path::new("scenarios/hello.toml");
    std::fs::create_dir_all("scenarios").context("the folder scenarios/ cannot be made")?;
    write_new(path, STARTER)?;
    written(path);
    Ok(exit_code::PASSED)
}

/// Writes `e2e.toml` into a folder: what another tool's file there says, else a server and a test as one has them there.
pub(super) fn main(args: &InitArgs) -> anyhow::Result<u8> {
    // In the folder one stands in, files are called by their names alone.
    let dir = if args.dir == Path::new(".") { Path::new("") } else { &args.dir };
    let path = dir.join("e2e.toml");
    let foreign = FOREIGN.iter().map(|name| dir.join(name)).find(|path| path.is_file());
    if let Some(foreign) = foreign {
        let imported = e2e_tui::scenario::import(&foreign)?;
        write_new(&path, &imported.text)?;
        let notes = if imported.notes.is_empty() { "" } else { "; what is not as there stands at its head" };
        say!("wrote {} from {}{notes}", path.display(), foreign.display());
        say!("`e2e-tui check {0}` shows what it comes to, `e2e-tui {0}` runs it", path.display());
        return Ok(exit_code::PASSED);
    }
    let compose = COMPOSE.iter().find(|name| dir.join(name).is_file());
    let text = match (kind_of(dir), compose) {
        (Some(kind), None) => starter_for(&kind),
        (kind, Some(sign)) => starter_over_containers(sign, kind.as_ref().map_or(r#"["./run-tests"]"#, |kind| &kind.test)),
        (None, None) => STARTER.to_owned(),
    };
    write_new(&path, &text)?;
    written(&path);
    Ok(exit_code::PASSED)
}

fn written(path: &Path) {
    say!("wrote {}", path.display());
    say!("edit it, then `e2e-tui {0}`; `e2e-tui check {0}` tells its mistakes", path.display());
}

fn kind_of(dir: &Path) -> Option<Kind> {
    let python = |sign| Kind {
        sign,
        server: r#"["python3", "-m", "http.server", "--bind", "127.0.0.1", "${ports.web}"]"#.to_owned(),
        test: r#"["python3", "-m", "pytest", "-q"]"#.to_owned(),
    };
    match ["Cargo.toml", "package.json", "pyproject.toml", "requirements.txt"].into_iter().find(|sign| dir.join(sign).is_file())? {
        "Cargo.toml" => Some(Kind {
            sign: "Cargo.toml",
            server: r#"["cargo", "run", "--quiet", "--", "--port", "${ports.web}"]"#.to_owned(),
            test: r#"["cargo", "test", "--quiet"]"#.to_owned(),
        }),
        "package.json" => Some(node(dir)),
        sign => Some(python(sign)),
    }
}

/// The scripts that a package.json has, run by the manager whose lock file lies beside it.
fn node(dir: &Path) -> Kind {
    let text = std::fs::read_to_string(dir.join("package.json")).unwrap_or_default();
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let script = |names: &[&'static str]| names.iter().copied().find(|name| package["scripts"][name].is_string()).unwrap_or(names[0]);
    let managers = [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun")];
    let manager = managers.iter().find(|(lock, _)| dir.join(lock).is_file()).map_or("npm", |(_, manager)| manager);
    let run = |script: &str| format!(r#"["{manager}", "run", "{script}"]"#);
    Kind {
        sign: "package.json",
        server: run(script(&["start", "dev", "serve", "preview"])),
        test: run(script(&["test", "test:e2e", "e2e"])),
    }
}

fn starter_for(Kind { sign, server, test }: &Kind) -> String {
    format!(
        r#"# A scenario: what to start, in which order, and what tells that it works. Made for a folder with {sign}.
# e2e-tui check FILE shows how it is understood; e2e-tui FILE runs it. For completion in an editor:
# e2e-tui schema > scenario.schema.json, and as the first line here: #:schema ./scenario.schema.json
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

/// Containers are docker compose's: a task brings them up and its clean-up takes them down, and what they say is a log here.
fn starter_over_containers(sign: &str, test: &str) -> String {
    format!(
        r#"# A scenario: what to start, in which order, and what tells that it works. Made for a folder with {sign}.
# e2e-tui check FILE shows how it is understood; e2e-tui FILE runs it. For completion in an editor:
# e2e-tui schema > scenario.schema.json, and as the first line here: #:schema ./scenario.schema.json
name = "e2e"
description = "The containers of {sign} and their tests"
timeout = "15m"                           # for `run`; the dashboard only says so

[process.containers]
role = "task"                             # ends when all of them run, or are healthy
command = ["docker", "compose", "up", "--detach", "--wait"]
cleanup = [["docker", "compose", "down", "--timeout", "5"]]

[process.logs]                            # what they say, here
command = ["docker", "compose", "logs", "--follow", "--no-color"]
depends_on = ["containers"]
restart = "on-failure"

[process.test]
role = "test"                             # the run passes if it exits 0
command = {test}
depends_on = ["containers"]
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
