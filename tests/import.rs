//! Files of other tools as scenarios: each loads, and says what it could not take over.

#![cfg(feature = "yaml")]

mod support;

use std::{fs, net::TcpListener, process::Command, time::Duration};

use e2e_tui::scenario::{Environment, Imported, Located, Overrides, import, import_for, load, locate_from};
use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;
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
restart = { policy = "on-failure", backoff = "2s", max_backoff = "2s", max_attempts = 5 }
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

/// What one process of a process-compose.yaml becomes, and what is told of it.
fn composed(process: &str) -> (String, Vec<String>) {
    let imported = imported("process-compose.yaml", &format!("processes:\n  a:\n    {}\n", process.replace('\n', "\n    ")));
    (body(&imported).replacen("[process.a]\n", "", 1), imported.notes)
}

#[test]
fn of_a_variable_that_is_given_twice_the_last_is_meant() {
    let (body, _) = composed("command: a\nenvironment: ['A=1', 'B=x', 'A=2']");
    assert_eq!(body, "shell = \"a\"\nenv = { A = \"2\", B = \"x\" }");
    let mprocs = imported("mprocs.yaml", "procs:\n  a: { shell: x, env: { PATH: /own }, add_path: [<CONFIG_DIR>/bin, /b] }\n");
    assert!(mprocs.text.contains(r#"env = { PATH = "${scenario.dir}/bin:/b:/own" }"#), "{}", mprocs.text);
}

#[test]
fn dollars_stay_dollars_in_variables_probes_and_stops() {
    let (body, _) = composed(
        "command: echo $$HOME\nenvironment: ['A=$${HOME}', 'B=$$$HOME', 'C=${X:-${Y:-z}}']\n\
         liveness_probe: { exec: { command: 'test $$A = $B' } }\nshutdown: { command: 'kill $$PID' }",
    );
    assert_eq!(
        body,
        r#"[vars]
dollar = "$"

shell = "echo $HOME"
env = { A = "$${HOME}", B = "${vars.dollar}${env.HOME:-}", C = "${env.X:-${env.Y:-z}}" }
health = { exec = ["/bin/sh", "-c", "test $A = $B"] }
stop = { command = ["/bin/sh", "-c", "kill $PID"] }"#
    );
}

#[test]
fn a_command_goes_before_an_entrypoint_and_a_program_is_looked_for_where_it_runs() {
    let (body, notes) = composed("command: a b\nentrypoint: [c, d]");
    assert_eq!((body.as_str(), notes.len()), ("shell = \"a b\"", 1));
    let (body, _) = composed("entrypoint: [./c, d]\nworking_dir: sub");
    assert_eq!(body, "command = [\"sub/./c\", \"d\"]\ncwd = \"sub\"");
}

#[test]
fn a_foreground_process_waits_for_somebody_with_a_terminal() {
    let (body, notes) = composed("command: vim\nis_foreground: true");
    assert_eq!(body, "shell = \"vim\"\nautostart = false\ntty = true");
    assert!(notes[0].contains("is_foreground"), "{notes:?}");
}

#[test]
fn readiness_has_as_long_as_its_chances_take_and_https_is_a_port() {
    let (body, notes) = composed(
        "command: a\nreadiness_probe: { http_get: { port: 8080, scheme: https }, initial_delay_seconds: 5, period_seconds: 2, failure_threshold: 4, \
         success_threshold: 2, timeout_seconds: 3 }",
    );
    assert_eq!(body, "shell = \"a\"\nready = { tcp = \"127.0.0.1:8080\", interval = \"2s\", timeout = \"13s\" }");
    for told in ["HTTPS", "`success_threshold`", "`timeout_seconds`"] {
        assert!(notes.iter().any(|note| note.contains(told)), "{told}: {notes:?}");
    }
    let (body, _) = composed("command: a\nliveness_probe: { http_get: { port: '${PORT}', host: '${HOST}', path: x } }");
    assert_eq!(body, "shell = \"a\"\nhealth = { http = \"http://${env.HOST:-127.0.0.1}:${env.PORT:-80}/x\" }");
}

#[test]
fn keys_inside_of_others_that_have_no_equivalent_are_told_too() {
    let (_, notes) = composed(
        "command: a\nshutdown: { parent_only: true, timeout_seconds: soon }\navailability: { restart: sometimes, exit_on_skipped: true }\n\
         readiness_probe: { exec: { command: a, working_dir: b }, x: 1 }",
    );
    for told in [
        "a: shutdown: `parent_only`",
        "a: shutdown: `timeout_seconds` is no number of seconds",
        "a: availability: `restart: sometimes` is none of its policies",
        "a: availability: `exit_on_skipped`",
        "a: readiness_probe: exec: `working_dir`",
        "a: readiness_probe: `x`",
    ] {
        assert!(notes.iter().any(|note| note == told), "{told}: {notes:?}");
    }
}

#[test]
fn what_can_never_start_or_never_ends_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a.yaml");
    let text = "processes:\n  a: { command: x, depends_on: { b: {} } }\n  b: { command: x, depends_on: { c: {} } }\n  c: { command: x, depends_on: { b: {} } }\n";
    fs::write(&file, text).expect("written");
    let said = import(&file).expect_err("a circle").to_string();
    assert!(said.ends_with("none could ever start: b -> c -> b"), "{said}");
    let imported = imported(
        "a.yaml",
        "processes:\n  a: { command: x, depends_on: { b: { condition: process_completed } } }\n  b: { command: x, availability: { restart: always } }\n",
    );
    assert!(imported.text.contains(r#"depends_on = { b = "started" }"#) && imported.notes[0].contains("always restarted"));
}

#[test]
fn replicas_and_others_have_names_of_their_own() {
    let imported =
        imported("a.yaml", "processes:\n  web-1: { command: x }\n  web: { command: x, replicas: 2 }\n  WEB-2-1: { command: x }\n");
    assert!(imported.text.contains("[process.web-2]\nshell = \"x\"\nreplicas = 2"), "{}", imported.text);
    assert!(imported.text.contains("[process.WEB-2-1-2]"), "{}", imported.text);
}

#[test]
fn a_procfiles_port_is_the_variable_of_that_very_name() {
    let imported = imported("Procfile", "web: serve $PORTAL\napi: serve ${PORT}\n");
    assert_eq!(body(&imported).matches("listens").count(), 1);
    assert!(imported.notes.is_empty(), "{:?}", imported.notes);
}

#[test]
fn what_is_imported_from_another_folder_still_runs_in_it() {
    let bench = Bench::new("elsewhere");
    bench.write("sub/Procfile", "here: echo in $(basename $PWD)\n");
    bench.write("sub/mprocs.yaml", "procs:\n  tool: { cmd: [./tool] }\n  deep: { shell: 'echo in $(basename $PWD)', cwd: deep }\n");
    bench.write("sub/deep/kept", "");
    let tool = bench.write("sub/tool", "#!/bin/sh\necho tool in $(basename $PWD)\n");
    fs::set_permissions(tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a program");
    for (file, said) in [("sub/Procfile", &["| in sub"][..]), ("sub/mprocs.yaml", &["| tool in sub", "| in deep"])] {
        let e2e = |args: &[&str]| Finished::of(&bench.command().args(args).output().expect("it runs"));
        e2e(&["import", file, "-o", "x.toml"]).assert_code(0);
        let printed = e2e(&["import", file]).stdout;
        assert_eq!(fs::read_to_string(bench.dir.path().join("x.toml")).expect("written"), printed);
        let run = e2e(&["run", "x.toml"]);
        run.assert_code(0);
        for said in said {
            assert!(run.stdout.contains(said), "{said} is missing in\n{}", run.stdout);
        }
        fs::remove_file(bench.dir.path().join("x.toml")).expect("it is there");
    }
}

#[test]
fn a_mistake_in_what_was_made_of_a_file_has_no_place_in_that_file() {
    let bench = Bench::new("places");
    bench.write("mprocs.yaml", "procs:\n  a: { shell: x, env: { 'A B': x } }\n");
    // The program itself makes no file with mistakes; what the command line adds to one may be wrong.
    let run = Finished::of(&bench.command().args(["check", "mprocs.yaml", "--only", "b"]).output().expect("it runs"));
    run.assert_code(2);
    assert!(!run.stderr.contains("--> mprocs.yaml:"), "{}", run.stderr);
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
    assert!(wrong("a.yaml", "processes: [unclosed\n").contains("a.yaml:1:12"), "{}", wrong("a.yaml", "processes: [unclosed\n"));
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

/// Texts that are something to one of the readers.
fn odd_text() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &[
        "",
        "x",
        "a b",
        "$A",
        "$$",
        "$${A}",
        "${A}",
        "${A:-${B}}",
        "${A:-$${x}",
        "${",
        "}",
        "$",
        "a\nb",
        "\u{1}",
        "\u{7f}",
        "\"'",
        "'''",
        "\"\"\"",
        "\\",
        "\u{202e}",
        "5",
        "-1",
        "99999999999999999999",
        "./bin/x",
        "/abs",
        "=",
        "A=1",
        "A=2",
        "=x",
        "A B=1",
        "no",
        "always",
        "on_failure",
        "exit_on_failure",
        "process_healthy",
        "process_completed",
        "process_completed_successfully",
        "process_log_ready",
        "https",
        "${HOST}",
        "<CONFIG_DIR>/x",
        "SIGINT",
        "hard-kill",
        "x\r\ny",
    ];
    prop_oneof![4 => (0..ODD.len()).prop_map(|n| ODD[n].to_owned()), 1 => any::<String>()]
}

fn leaf() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        4 => odd_text().prop_map(serde_json::Value::from),
        1 => any::<bool>().prop_map(serde_json::Value::from),
        2 => prop_oneof![0..70_u64, 90..700_u64, any::<u64>()].prop_map(serde_json::Value::from),
        1 => any::<i64>().prop_map(serde_json::Value::from),
        1 => Just(serde_json::Value::Null),
    ]
}

/// Names that collide with each other, and with those that they get.
fn name() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &["a", "A", "a-1", "a-2", "a-1-2", "b", "", "x y", "x-y", "é"];
    prop_oneof![8 => (0..NAMES.len()).prop_map(|n| NAMES[n].to_owned()), 1 => Just("n".repeat(70)), 1 => any::<String>()]
}

/// Some of these keys with values that may or may not fit.
fn some_of(keys: &'static [&'static str], value: impl Strategy<Value = serde_json::Value> + 'static) -> BoxedStrategy<serde_json::Value> {
    prop::collection::vec((0..keys.len(), value), 0..6)
        .prop_map(|all| all.into_iter().map(|(n, value)| (keys[n].to_owned(), value)).collect::<serde_json::Map<_, _>>().into())
        .boxed()
}

fn anything() -> BoxedStrategy<serde_json::Value> {
    let list = || prop::collection::vec(leaf(), 0..4).prop_map(serde_json::Value::from);
    let map = || prop::collection::vec((odd_text(), leaf()), 0..4).prop_map(|all| serde_json::Value::Object(all.into_iter().collect()));
    prop_oneof![3 => leaf(), 1 => list(), 1 => map()].boxed()
}

fn probe() -> BoxedStrategy<serde_json::Value> {
    let http = some_of(&["host", "scheme", "path", "port", "status_code", "headers"], anything());
    let exec = some_of(&["command", "working_dir"], leaf());
    const KEYS: &[&str] = &["initial_delay_seconds", "period_seconds", "timeout_seconds", "success_threshold", "failure_threshold", "x"];
    (some_of(KEYS, leaf()), http, exec, any::<bool>())
        .prop_map(|(mut probe, http, exec, over_http)| {
            if over_http {
                probe["http_get"] = http;
            } else {
                probe["exec"] = exec;
            }
            probe
        })
        .boxed()
}

fn compose_process() -> BoxedStrategy<serde_json::Value> {
    const KEYS: &[&str] = &[
        "command",
        "entrypoint",
        "description",
        "working_dir",
        "environment",
        "ready_log_line",
        "disabled",
        "replicas",
        "is_tty",
        "is_daemon",
        "is_foreground",
        "namespace",
    ];
    let on = prop::collection::vec((name(), some_of(&["condition"], leaf())), 0..2);
    let parts = (
        some_of(KEYS, anything()),
        on,
        prop::option::of(probe()),
        prop::option::of(probe()),
        prop::option::of(some_of(&["restart", "backoff_seconds", "max_restarts", "exit_on_end"], leaf())),
        prop::option::of(some_of(&["command", "signal", "timeout_seconds"], leaf())),
    );
    parts
        .prop_map(|(mut process, on, ready, live, availability, shutdown)| {
            process["depends_on"] = serde_json::Value::Object(on.into_iter().collect());
            for (key, value) in
                [("readiness_probe", ready), ("liveness_probe", live), ("availability", availability), ("shutdown", shutdown)]
            {
                if let Some(value) = value {
                    process[key] = value;
                }
            }
            process
        })
        .boxed()
}

fn mprocs_process() -> BoxedStrategy<serde_json::Value> {
    const KEYS: &[&str] = &["shell", "cmd", "cwd", "env", "add_path", "autostart", "autorestart", "stop", "x"];
    prop_oneof![1 => anything(), 4 => some_of(KEYS, anything())].boxed()
}

fn file() -> impl Strategy<Value = (&'static str, String)> {
    let whole = |key: &'static str, process: BoxedStrategy<serde_json::Value>| {
        (prop::collection::vec((name(), process), 1..5), anything()).prop_map(move |(all, env)| {
            let processes = serde_json::Value::Object(all.into_iter().collect());
            // What is JSON is YAML.
            ("a.yaml", serde_json::json!({ key: processes, "environment": env }).to_string())
        })
    };
    let line = (name(), odd_text()).prop_map(|(name, command)| format!("{name}: {command}"));
    let procfile = prop::collection::vec(line, 1..6).prop_map(|lines| ("Procfile", lines.join("\n")));
    prop_oneof![4 => whole("processes", compose_process()), 2 => whole("procs", mprocs_process()), 1 => procfile]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_import_writes_check_accepts((name, text) in file()) {
        let folder = tempfile::Builder::new().prefix("odd $${x} \u{1}").tempdir().expect("a temporary folder");
        let below = folder.path().join("be low");
        fs::create_dir(&below).expect("a folder");
        let file = below.join(name);
        fs::write(&file, &text).expect("the folder can be written");
        for place in [below.as_path(), folder.path()] {
            let Ok(imported) = import_for(&file, place) else { continue };
            let overrides = Overrides { env: Environment::of([("PATH", "/usr/bin:/bin")]), ..Overrides::default() };
            if let Err(said) = load(&Located::text("imported.toml", place, imported.text.as_str()), &overrides) {
                prop_assert!(false, "{}\n{}\n{}", said, text, imported.text);
            }
        }
    }
}

#[test]
fn what_is_wrong_with_yaml_is_told_in_our_words_with_its_place() {
    for (text, said) in [
        ("processes:\n  a:\n    command: \"x\n", "a quote is not closed"),
        ("processes:\n  a:\n   command: x\n    foo: y\n", "no `key: value` can stand here"),
        ("processes:\n\ta: x\n", "a tab stands in the indentation"),
        ("processes: 5\n", "a mapping goes here"),
        ("processes:\n  a: {command: x}\n  a: {command: y}\n", "`a` is given twice"),
        ("processes:\n  a:\n    command: *nope\n", "this `*` names no anchor of the file"),
        ("a: 1\n---\nprocesses:\n  a:\n    command: x\n", "there is more than one document in it"),
        (&format!("processes: {}{}", "[".repeat(9000), "]".repeat(9000)), "too many lists and mappings stand inside each other"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("process-compose.yaml"), text).expect("written");
        let error = locate_from("process-compose.yaml", dir.path()).expect_err("it is wrong");
        let shown = error.to_string();
        assert!(shown.contains(said) && shown.contains(" --> process-compose.yaml:"), "{shown}");
        assert!(!shown.contains("<input>") && !shown.contains("Policy") && !shown.contains("from_str"), "{shown}");
        let json = error.diagnostics().expect("with its place").to_json();
        assert!(json[0]["places"][0]["line"].as_u64().is_some_and(|line| line > 0), "{json}");
    }
}
