//! Files of other tools as scenarios: each loads, and says what it could not take over.

#![cfg(feature = "yaml")]

mod support;

use std::{fs, net::TcpListener, process::Command, time::Duration};

use e2e_tui::scenario::{Environment, Imported, Located, Overrides, import, load};
use nix::time::{ClockId, clock_gettime};
use support::{Bench, Finished};

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
    assert!(wrong("Procfile", "web: a\nweb: b\n").ends_with("line 2: there is a process `web` already"));
    assert!(wrong("Procfile", "web: a\nno colon here\n").contains("line 2: `name: command` goes here"));
    assert!(wrong("a.yaml", "processes: [unclosed\n").contains("line"), "{}", wrong("a.yaml", "processes: [unclosed\n"));
    assert!(wrong("b.yaml", "procs: {}\n").ends_with("it names no process"));
    let bomb = (0..9).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let refs = [format!("*a{n}")].iter().cycle().take(9).cloned().collect::<Vec<_>>().join(", ");
        format!("{text}a{}: &a{} [{refs}]\n", n + 1, n + 1)
    });
    wrong("bomb.yaml", &format!("{bomb}processes: {{}}\n"));
}

/// Every key that its README shows, in one file that comes to an end.
const PROCESS_COMPOSE: &str = r#"
version: "0.5"
environment:
  - "GLOBAL=1"
  - "PLACE=${HERE}/x"
log_location: ./all.log
log_level: debug
log_length: 1200
processes:
  manager:
    command: 'echo "manager $GLOBAL $$PLACE $PC_PROC_NAME"; exec sleep 600'
    availability: { restart: "always" }
    disable_ansi_colors: true
    log_location: ./manager.log
    depends_on:
      client: { condition: process_started }
      preflight: { condition: process_completed_successfully }
  client:
    command: "echo client $LOCAL in $(basename $PWD); exec sleep 600"
    working_dir: sub
    environment: ["LOCAL=2"]
    availability: { restart: on_failure, backoff_seconds: 2, max_restarts: 5 }
    liveness_probe:
      exec: { command: "[ -d . ]" }
      initial_delay_seconds: 5
      period_seconds: 2
      timeout_seconds: 5
      success_threshold: 1
      failure_threshold: 3
    shutdown: { command: "kill $CLIENT_PID; true", timeout_seconds: 1, signal: 15 }
  web:
    command: "exec E2E part mock-upstream --port PORT"
    readiness_probe:
      http_get: { host: 127.0.0.1, scheme: http, path: "/health", port: PORT }
      initial_delay_seconds: 0
      period_seconds: 10
      failure_threshold: 3
    shutdown: { signal: 2, timeout_seconds: 10 }
  preflight:
    command: "which sh"
    availability: { restart: exit_on_failure }
  daemon:
    command: "echo $PC_REPLICA_NUM > daemon-started"
    is_daemon: true
    shutdown: { command: "touch daemon-stopped", timeout_seconds: 10 }
    liveness_probe: { exec: { command: "true" } }
  off:
    command: "touch must-not-run"
    disabled: true
  "odd name":
    command: "true"
  odd-name:
    command: "true"
  last:
    command: "echo the end"
    depends_on:
      "odd name": { condition: process_completed_successfully }
      odd-name: { condition: process_completed_successfully }
      web: { condition: process_healthy }
      manager: { condition: process_started }
      daemon: { condition: process_healthy }
    availability: { exit_on_end: true }
"#;

#[test]
fn what_process_composes_readme_shows_is_imported_and_just_runs() {
    let bench = Bench::new("compose");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let text = PROCESS_COMPOSE.replace("PORT", &port.to_string()).replace("E2E", env!("CARGO_BIN_EXE_e2e-tui"));
    bench.write("process-compose.yaml", &text);
    bench.write("sub/kept", "");
    let run = Finished::of(&bench.command().args(["run", "process-compose.yaml"]).env("HERE", "/here").output().expect("it runs"));
    run.assert_code(0);
    for line in ["manager | manager 1 /here/x manager", "client | client 2 in sub", "last | the end"] {
        assert!(
            run.stdout.lines().map(str::trim_start).any(|said| said.split_whitespace().eq(line.split_whitespace())),
            "{line}\n{}",
            run.stdout
        );
    }
    for note in ["daemon goes to the background", "`log_location`: every run is recorded", "preflight: `exit_on_failure`"] {
        assert!(run.stderr.contains(note), "{note} is missing in\n{}", run.stderr);
    }
    let there = |name: &str| bench.dir.path().join(name).exists();
    assert!(there("daemon-started") && there("daemon-stopped") && !there("must-not-run"));
    bench.assert_nothing_left(Duration::from_millis(500));
}

/// The same for mprocs.
const MPROCS: &str = r#"
hide_keymap_window: true
scrollback: 2000
keymap_procs:
  <C-q>: { c: toggle-focus }
server: 127.0.0.1:4050
procs:
  plain: "echo plain"
  words:
    cmd: ["echo", "two  words"]
  my process:
    shell:
      $select: os
      windows: "echo %TEXT%"
      $else: "echo text $TEXT"
    env:
      TEXT:
        $select: os
        windows: Windows
        linux: Linux
      GONE: null
  tool:
    shell: "tool $(basename $PWD)"
    cwd: <CONFIG_DIR>/sub
    add_path: <CONFIG_DIR>/bin
    stop: SIGKILL
  keys:
    shell: "true"
    stop: { send-keys: ["<C-c>"] }
  later:
    shell: "touch must-not-run"
    autostart: false
    autorestart: true
"#;

#[test]
fn what_mprocs_readme_shows_is_imported_and_just_runs() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new("mprocs");
    bench.write("mprocs.yaml", MPROCS);
    bench.write("sub/kept", "");
    let tool = bench.write("bin/tool", "#!/bin/sh\necho tool in $1\n");
    fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).expect("a program");
    let run = Finished::of(&bench.command().args(["run", "mprocs.yaml"]).output().expect("it runs"));
    run.assert_code(0);
    for said in ["| plain", "| two  words", "| text Linux", "| tool in sub"] {
        assert!(run.stdout.contains(said), "{said} is missing in\n{}", run.stdout);
    }
    for note in ["my process does not get GONE", "keys: stopping by keys", "`server` of the file"] {
        assert!(run.stderr.contains(note), "{note} is missing in\n{}", run.stderr);
    }
    assert!(!run.stderr.contains("keymap") && !bench.dir.path().join("must-not-run").exists(), "{}", run.stderr);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn c8_an_alias_bomb_is_refused_before_it_grows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 0..30 {
        bomb.extend([format!("a{0}: &a{0} [{1}]\n", n + 1, vec![format!("*a{n}"); 9].join(", "))]);
    }
    let file = folder.path().join("bomb.yaml");
    fs::write(&file, format!("{bomb}processes:\n  a: {{ command: \"true\" }}\n")).expect("written");
    // CPU time: a busy machine must not make it fail.
    let clock = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has one"));
    let start = clock();
    let said = import(&file).expect_err("it is a bomb").to_string();
    let budget = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });
    let took = clock().saturating_sub(start);
    assert!(said.contains("bomb.yaml:") && took < budget, "{took:?}: {said}");
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
fn every_starter_is_a_scenario_of_about_25_lines_fit_for_its_folder() {
    let package = r#"{"scripts": {"dev": "vite", "test:e2e": "playwright test"}}"#;
    for (files, wanted) in [
        (&[("Cargo.toml", "")][..], r#"command = ["cargo", "run", "--quiet", "--", "--port", "${ports.web}"]"#),
        (&[("package.json", "{}")], r#"command = ["npm", "run", "start"]"#),
        (&[("package.json", package), ("pnpm-lock.yaml", "")], r#"command = ["pnpm", "run", "dev"]"#),
        (&[("package.json", package), ("yarn.lock", "")], r#"command = ["yarn", "run", "test:e2e"]"#),
        (&[("pyproject.toml", "")], r#"command = ["python3", "-m", "pytest", "-q"]"#),
        (&[("docker-compose.yml", "services: {}")], r#"command = ["docker", "compose", "up", "--detach", "--wait"]"#),
        (&[("compose.yaml", "services: {}"), ("Cargo.toml", "")], r#"command = ["cargo", "test", "--quiet"]"#),
        (&[("nothing-known", "")], "http.server"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("the folder can be written");
        }
        let e2e = |word: &str, what: &std::path::Path| {
            Command::new(env!("CARGO_BIN_EXE_e2e-tui")).arg(word).arg(what).output().expect("the binary")
        };
        assert!(e2e("init", folder.path()).status.success());
        let text = fs::read_to_string(folder.path().join("e2e.toml")).expect("it was written");
        assert!(text.contains(wanted), "{files:?}: {text}");
        assert!((18..=28).contains(&text.lines().count()), "{files:?}: {} lines", text.lines().count());
        let out = e2e("check", &folder.path().join("e2e.toml"));
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && said.is_empty(), "{files:?}: {said}");
    }
}
