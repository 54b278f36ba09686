//! Files of other tools as scenarios: each loads, and says what it could not take over.

#![cfg(feature = "yaml")]

use std::{fs, process::Command};

use e2e_tui::scenario::{Environment, Imported, Located, Overrides, import, load};

fn imported(name: &str, text: &str) -> Imported {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join(name);
    fs::write(&file, text).expect("the folder can be written");
    let imported = import(&file).unwrap_or_else(|error| panic!("{error}"));
    let overrides = Overrides { env: Environment::of([("PATH", "/usr/bin:/bin")]), ..Overrides::default() };
    if let Err(diagnostics) = load(&Located::text(name, folder.path(), imported.text.as_str()), &overrides) {
        panic!("{diagnostics}\n{}", imported.text);
    }
    imported
}

/// Without its first lines, which name a temporary folder.
fn body(imported: &Imported) -> String {
    imported.text.lines().skip_while(|line| !line.starts_with('[')).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_procfile_gives_ports_to_whoever_asks_for_one() {
    let imported = imported(
        "Procfile",
        "# comment\nweb: bundle exec puma -p $PORT -e ${RACK_ENV:-test}\nworker: rake jobs:work\nrelease: rake db:migrate\nmy job: true\n",
    );
    assert_eq!(
        body(&imported),
        r#"[ports]
web = "auto"

[process.web]
shell = "bundle exec puma -p $PORT -e $${RACK_ENV:-test}"
env = { PORT = "${ports.web}" }
listens = "web"

[process.worker]
shell = "rake jobs:work"

[process.release]
role = "task"
shell = "rake db:migrate"

[process.my-job]
shell = "true""#
    );
    assert!(imported.notes.iter().any(|note| note.starts_with("my job is called my-job")), "{:?}", imported.notes);
}

#[test]
fn process_composes_probes_conditions_and_policies_have_their_places() {
    let imported = imported(
        "process-compose.yaml",
        r#"
version: "0.5"
environment:
  - "LEVEL=debug"
processes:
  web:
    description: the shop
    command: "./web --port 8080"
    working_dir: app
    environment: ["A=1"]
    depends_on:
      db: { condition: process_healthy }
      migrate: { condition: process_completed_successfully }
    readiness_probe:
      http_get: { host: 127.0.0.1, port: 8080, path: /ready }
      period_seconds: 2
    liveness_probe:
      exec: { command: "curl -f localhost:8080" }
      failure_threshold: 4
      initial_delay_seconds: 5
    availability: { restart: on_failure, backoff_seconds: 2, max_restarts: 5 }
    shutdown: { signal: 2, timeout_seconds: 7 }
    namespace: shop
  db:
    entrypoint: ["postgres", "-D", "data"]
    ready_log_line: "ready to accept (connections)"
    disabled: false
  migrate:
    command: |
      ./migrate
    availability: { restart: "no" }
"#,
    );
    assert_eq!(
        body(&imported),
        r#"[defaults]
env = { LEVEL = "debug" }

# the shop
[process.web]
shell = "./web --port 8080"
cwd = "app"
env = { A = "1" }
depends_on = { db = "ready", migrate = "succeeded" }
ready = { http = "http://127.0.0.1:8080/ready", interval = "2s" }
health = { exec = ["/bin/sh", "-c", "curl -f localhost:8080"], start_period = "5s", failures = 4 }
restart = { policy = "on-failure", backoff = "2s", max_attempts = 5 }
stop = { signal = "INT", grace = "7s" }

[process.db]
command = ["postgres", "-D", "data"]
ready = { log = 'ready to accept \(connections\)' }

[process.migrate]
shell = "./migrate""#
    );
    assert_eq!(imported.notes, ["web: `namespace`"]);
}

#[test]
fn mprocs_processes_are_lines_or_commands() {
    let imported = imported(
        "mprocs.yaml",
        "procs:\n  nvim: { cmd: [nvim, .], autostart: false }\n  server:\n    shell: nodemon server.js\n    env: { DEBUG: true }\n    autorestart: true\n    stop: SIGINT\n  plain: echo hi\n",
    );
    assert_eq!(
        body(&imported),
        r#"[process.nvim]
command = ["nvim", "."]
autostart = false

[process.server]
shell = "nodemon server.js"
env = { DEBUG = "true" }
restart = "always"
stop = { signal = "INT" }

[process.plain]
shell = "echo hi""#
    );
}

#[test]
fn what_is_no_such_file_says_so_and_where() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wrong = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("the folder can be written");
        import(&file).expect_err("it is wrong").to_string()
    };
    assert!(wrong("compose.yaml", "services: {}\n").ends_with("docker compose runs containers, and scenarios processes"));
    assert!(wrong("Procfile", "web: a\nno colon here\n").contains("line 2: `name: command` goes here"));
    assert!(wrong("a.yaml", "processes: [unclosed\n").contains("line"), "{}", wrong("a.yaml", "processes: [unclosed\n"));
    assert!(wrong("b.yaml", "procs: {}\n").ends_with("it names no process"));
    let bomb = (0..9).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let refs = [format!("*a{n}")].iter().cycle().take(9).cloned().collect::<Vec<_>>().join(", ");
        format!("{text}a{}: &a{} [{refs}]\n", n + 1, n + 1)
    });
    let started = std::time::Instant::now();
    wrong("bomb.yaml", &format!("{bomb}processes: {{}}\n"));
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn init_takes_over_what_is_there_and_such_a_file_just_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("Procfile"), "hello: echo hello from $0\n").expect("the folder can be written");
    let e2e = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_e2e-tui"));
        command.args(args).current_dir(folder.path()).env("XDG_STATE_HOME", folder.path().join("state")).output().expect("the binary")
    };
    let out = e2e(&["init"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(fs::read_to_string(folder.path().join("e2e.toml")).expect("it is there").contains("[process.hello]"));
    assert_eq!(e2e(&["init"]).status.code(), Some(2), "nothing is overwritten");
    let out = e2e(&["run", "Procfile"]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && said.contains("hello | hello from"), "{said}{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn every_starter_is_a_scenario() {
    for sign in ["Cargo.toml", "package.json", "pyproject.toml", "nothing-known"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(sign), "").expect("the folder can be written");
        let e2e = |word: &str, what: &std::path::Path| {
            Command::new(env!("CARGO_BIN_EXE_e2e-tui")).arg(word).arg(what).output().expect("the binary")
        };
        assert!(e2e("init", folder.path()).status.success());
        let out = e2e("check", &folder.path().join("e2e.toml"));
        assert!(out.status.success(), "{sign}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(!String::from_utf8_lossy(&out.stderr).contains("warning"), "{sign}: {}", String::from_utf8_lossy(&out.stderr));
    }
}
