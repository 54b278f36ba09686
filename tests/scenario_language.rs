//! What the language means: defaults, interpolation, dependencies, replicas, layers of files.

use std::{fs, path::PathBuf, time::Duration};

use e2e_tui::{
    model::{Condition, Probe, ProcessId, ProcessSpec, RestartMode, Role, RunSpec, Signal, StdinMode, StepAction, StepSpec},
    scenario::{Diagnostics, Environment, Leases, Located, Overrides, Parts, Resolved, Scenario, load, locate_from},
};
use nix::time::{ClockId, clock_gettime};

fn env() -> Environment {
    Environment::of([
        ("HOME", "/home/me"),
        ("EMPTY", ""),
        ("REAL_TOKEN", "s3cret-value"),
        ("GH_TOKEN", "ghp_0123456789"),
        ("SHOWN", "demo-token"),
    ])
}

fn overrides(set: &[(&str, &str)], only: &[&str]) -> Overrides {
    let set = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Overrides { set, only: only.iter().map(|n| (*n).to_owned()).collect(), env: env(), layouts: None }
}

fn try_scenario(text: &str, overrides: &Overrides) -> Result<Scenario, Diagnostics> {
    load(&Located::text("x.toml", "/work/x", text), overrides)
}

fn scenario(text: &str) -> Scenario {
    try_scenario(text, &overrides(&[], &[])).unwrap_or_else(|d| panic!("{d}"))
}

fn resolve(scenario: &Scenario) -> Resolved {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut leases = Leases::in_dir(&dir.path().join("leases")).expect("a lock file");
    scenario.resolve(&mut leases, &Parts { exe: PathBuf::from("/opt/e2e-tui") }).unwrap_or_else(|d| panic!("{d}"))
}

fn argv(process: &ProcessSpec) -> Vec<String> {
    process.argv.iter().map(ToString::to_string).collect()
}

fn names(spec: &RunSpec) -> Vec<&str> {
    spec.processes.keys().map(ProcessId::as_str).collect()
}

#[test]
fn a_process_that_says_nothing_has_the_contracts_defaults() {
    let resolved = resolve(&scenario("name = \"x\"\n[process.a]\ncommand = [\"true\"]\n"));
    let a = &resolved.spec.processes["a"];
    assert_eq!((a.role, a.autostart, a.env_clear, a.tty, a.stdin), (Role::Service, true, false, false, StdinMode::Null));
    assert_eq!(a.cwd, PathBuf::from("/work/x"));
    assert!(a.ready.probe.is_none() && a.health.is_none() && a.timeout.is_none() && a.depends_on.is_empty());
    assert_eq!((a.ready.timeout, a.ready.interval), (Duration::from_secs(30), Duration::from_millis(100)));
    assert_eq!((a.stop.signal, a.stop.grace), (Signal::TERM, Duration::from_secs(10)));
    assert_eq!(a.restart.mode, RestartMode::Never);
    assert_eq!(a.log.max_disk, 4_000_000_000);
    assert_eq!(resolved.spec.timeout, None);
}

#[test]
fn defaults_of_health_and_restart_are_the_contracts() {
    let text =
        "name = \"x\"\n[process.a]\ncommand = [\"true\"]\nrestart = { policy = \"on-failure\" }\nhealth = { tcp = \"127.0.0.1:80\" }\n";
    let resolved = resolve(&scenario(text));
    let a = &resolved.spec.processes["a"];
    let health = a.health.as_ref().expect("given");
    assert_eq!((health.interval, health.timeout, health.start_period), (Duration::from_secs(5), Duration::from_secs(2), Duration::ZERO));
    assert_eq!((health.failures, health.successes, health.lazy), (3, 1, false));
    let r = &a.restart;
    assert_eq!((r.max_attempts, r.backoff, r.max_backoff), (3, Duration::from_secs(1), Duration::from_secs(30)));
    assert_eq!((r.reset_after, r.delay), (Duration::from_mins(1), Duration::from_secs(1)));
}

#[test]
fn c5_every_source_of_text_is_filled_in_once() {
    let text = r#"
        name = "x"
        [vars]
        n = "${env.HOME}"
        [secrets]
        t = { env = "REAL_TOKEN" }
        d = { env = "NOT_SET", default = "demo-token" }
        [ports]
        p = "auto"
        [process.a]
        command = ["a", "${vars.n}", "${env.HOME}", "${env.NOPE:-x y}", "${env.EMPTY:-z}", "[${env.EMPTY}]", "${scenario.dir}", "${replica}", "$${x} $$"]
        env = { S = "${secrets.t}/${secrets.d}", P = "${ports.p}", N = 5, B = true }
        listens = "p"
        [process.b]
        command = ["b", "${process.a.port}", "${process.a.addr}", "${process.a.url}/x", "${process.dir}"]
    "#;
    let scenario = scenario(text);
    // The draft names what is not known yet, and masks what must not be seen.
    let draft = &scenario.draft().processes["a"];
    assert_eq!(draft.env["S"].to_string(), "****/demo-token");
    assert_eq!(draft.env["P"].to_string(), "${ports.p}");
    let resolved = resolve(&scenario);
    let port = resolved.spec.ports["p"];
    let a = &resolved.spec.processes["a"];
    assert_eq!(argv(a), ["a", "${env.HOME}", "/home/me", "x y", "z", "[]", "/work/x", "1", "${x} $$"]);
    assert_eq!(a.env["S"].to_string(), "s3cret-value/demo-token");
    assert_eq!((a.env["N"].to_string(), a.env["B"].to_string()), ("5".into(), "true".into()));
    let run_dir = resolved.run_dir.as_ref().expect("process.dir was asked for").path().join("b");
    assert!(run_dir.is_dir());
    let url = format!("http://127.0.0.1:{port}/x");
    let addr = format!("127.0.0.1:{port}");
    assert_eq!(argv(&resolved.spec.processes["b"]), ["b", &port.to_string(), &addr, &url, &run_dir.to_string_lossy()]);
}

#[test]
fn a_default_may_ask_for_other_names_which_are_needed_only_where_it_is_used() {
    let text = r#"
        name = "x"
        [vars]
        n = "5"
        [process.a]
        command = [
            "a",
            "${env.NOT_THERE:-${vars.n}/${env.EMPTY:-deep ${vars.n}}}/end",
            "${env.NOT_THERE:-$${x}}",
            "${env.HOME:-${env.NOT_THERE_EITHER}}",
        ]
    "#;
    assert_eq!(argv(&resolve(&scenario(text)).spec.processes["a"])[1..], ["5/deep 5/end", "${x}", "/home/me"]);
    let deep = format!("{}x{}", "${env.NO:-".repeat(100_000), "}".repeat(100_000));
    let said = |text: &str| {
        let text = format!("name = \"x\"\n[process.a]\ncommand = [\"a\", \"{text}\"]\n");
        try_scenario(&text, &overrides(&[], &[])).expect_err("it is wrong").to_string()
    };
    assert!(said("${env.NO:-${env.EITHER}}").contains("`env.EITHER` is not set"));
    assert!(said("${env.HOME:-${vras.n}}").contains("did you mean `vars`?"), "what is wrong in itself is told wherever it stands");
    assert!(said(&deep).contains("inside each other"));
}

#[test]
fn c8_a_megabyte_of_names_in_one_text_is_filled_in_in_a_moment() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let clock = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every thread has one"));
    let budget = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });
    let took = |template: &str, inline: &str| {
        fs::write(dir.path().join("t.in"), template).expect("written");
        let text = format!(
            "name = \"x\"\n[vars]\na = \"b\"\n[process.a]\ncommand = [\"a\", \"{inline}\"]\nfiles = {{ t = {{ template = \"t.in\" }} }}\n"
        );
        let start = clock();
        let _ = load(&Located::text("x.toml", dir.path(), text), &overrides(&[], &[]));
        let took = clock().saturating_sub(start);
        assert!(took < budget, "{took:?} for {}", &template[..template.len().min(20)]);
    };
    took(&"${vars.a} ".repeat(100_000), "");
    took(&"${vars.no} ".repeat(90_000), "");
    took(&"${".repeat(500_000), "");
    took("", &r"\t${vars.a}".repeat(80_000));
    took("", &r"\u0024{vars.a}".repeat(70_000));
}

#[test]
fn c8_a_short_file_that_asks_for_a_long_text_many_times_is_refused_before_it_grows() {
    let long = "x".repeat(500_000);
    let many = "${vars.a}".repeat(50_000);
    for process in [format!("command = [\"a\", \"{many}\"]"), format!("shell = \"{long}\"\nreplicas = 1000")] {
        let text = format!("name = \"x\"\n[vars]\na = \"{long}\"\n[process.a]\n{process}\n");
        let said = try_scenario(&text, &overrides(&[], &[])).expect_err("it is too much");
        assert_eq!(said.errors(), 1, "{}", said.render(false).chars().take(2000).collect::<String>());
        assert!(said.render(false).contains("more than 64 MiB"));
    }
}

#[test]
fn a_secret_in_the_line_of_a_cleaning_shell_is_warned_of_as_in_any_other() {
    let text = "name = \"x\"\n[secrets]\nt = { env = \"REAL_TOKEN\" }\n[process.a]\ncommand = [\"a\"]\ncleanup = [{ shell = \"drop ${secrets.t}\" }]\n\
                [[cleanup]]\nshell = \"revoke ${secrets.t}\"\n";
    let said = scenario(text).warnings().render(false);
    assert!(said.contains("x.toml:6:22") && said.contains("x.toml:8:9"), "{said}");
}

#[test]
fn c15_secrets_are_what_the_file_does_not_show() {
    let text = r#"
        name = "x"
        [secrets]
        hidden = { env = "REAL_TOKEN" }
        shown = { env = "SHOWN", default = "demo-token" }
        [process.a]
        command = ["true"]
    "#;
    // GH_TOKEN is secret by its name; SHOWN has the value that the file shows.
    assert_eq!(resolve(&scenario(text)).secrets, ["ghp_0123456789", "s3cret-value"]);
    let in_argv = text.replace("[\"true\"]", "[\"x\", \"${secrets.hidden}\", \"${secrets.shown}\"]");
    let scenario = scenario(&in_argv);
    assert_eq!(scenario.warnings().warnings(), 1, "{}", scenario.warnings());
}

#[test]
fn a_list_of_dependencies_means_what_the_others_roles_mean() {
    let text = r#"
        name = "x"
        [process.s]
        command = ["true"]
        [process.k]
        command = ["true"]
        role = "task"
        [process.t]
        command = ["true"]
        role = "test"
        [process.a]
        command = ["true"]
        depends_on = ["s", "k", "t"]
        [process.b]
        command = ["true"]
        depends_on = { t = "succeeded", s = "started" }
    "#;
    let resolved = resolve(&scenario(text));
    let of = |name: &str| resolved.spec.processes[name].depends_on.iter().map(|d| (d.on.to_string(), d.condition)).collect::<Vec<_>>();
    assert_eq!(of("a"), [("s".into(), Condition::Ready), ("k".into(), Condition::Succeeded), ("t".into(), Condition::Completed)]);
    assert_eq!(of("b"), [("t".into(), Condition::Succeeded), ("s".into(), Condition::Started)]);
}

#[test]
fn whoever_needs_a_captured_port_waits_for_it() {
    let text = r#"
        name = "x"
        [process.server]
        command = ["server", "--port", "0"]
        ready = { log = 'listening on (?<port>\d+)' }
        [process.client]
        command = ["client", "${process.server.url}/mcp"]
        [process.late]
        command = ["late"]
        env = { URL = "${process.server.url}" }
        depends_on = { server = "started" }
    "#;
    let resolved = resolve(&scenario(text));
    for name in ["client", "late"] {
        let process = &resolved.spec.processes[name];
        assert_eq!(process.depends_on.len(), 1, "{name}");
        assert_eq!((process.depends_on[0].on.as_str(), process.depends_on[0].condition), ("server", Condition::Ready));
        assert_eq!(process.needs_ports_of().len(), 1);
    }
    let url = resolved.spec.processes["client"].argv[1].resolve(|id| (id.as_str() == "server").then_some(4711));
    assert_eq!(url.as_deref(), Ok("http://127.0.0.1:4711/mcp"));
}

#[test]
fn defaults_stand_under_each_process_and_env_merges() {
    let text = r#"
        name = "x"
        [defaults]
        stop = { grace = "5s", signal = "INT" }
        env = { A = "default", B = "default" }
        restart = "on-failure"
        [process.a]
        command = ["true"]
        [process.b]
        command = ["true"]
        stop = { grace = "1s" }
        env = { B = "own", C = "own" }
        restart = "never"
    "#;
    let resolved = resolve(&scenario(text));
    let (a, b) = (&resolved.spec.processes["a"], &resolved.spec.processes["b"]);
    assert_eq!((a.stop.grace, a.stop.signal, a.restart.mode), (Duration::from_secs(5), Signal::INT, RestartMode::OnFailure));
    assert_eq!((b.stop.grace, b.stop.signal, b.restart.mode), (Duration::from_secs(1), Signal::TERM, RestartMode::Never));
    let mut env: Vec<_> = b.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    env.sort();
    assert_eq!(env, ["A=default", "B=own", "C=own"]);
}

#[test]
fn replicas_are_counted_out_each_with_its_port_and_all_meant_by_their_name() {
    let text = r#"
        name = "x"
        [ports]
        p = { each = "w" }
        [process.w]
        command = ["w", "${replica}", "${ports.p}"]
        replicas = "${env.NOPE:-3}"
        listens = "p"
        [process.c]
        command = ["c", "${ports.p.2}", "${process.w-3.port}"]
        depends_on = ["w"]
    "#;
    let resolved = resolve(&scenario(text));
    let spec = &resolved.spec;
    assert_eq!(names(spec), ["w-1", "w-2", "w-3", "c"]);
    let port = |n: u32| spec.ports[&format!("p.{n}")].to_string();
    for n in 1..=3 {
        assert_eq!(argv(&spec.processes[&*format!("w-{n}")]), ["w", &n.to_string(), &port(n)]);
    }
    assert_eq!(argv(&spec.processes["c"]), ["c", &port(2), &port(3)]);
    assert_eq!(spec.processes["c"].depends_on.iter().map(|d| d.on.as_str()).collect::<Vec<_>>(), ["w-1", "w-2", "w-3"]);
}

#[test]
fn set_overrides_a_variable_and_only_leaves_what_is_needed() {
    let text = r#"
        name = "x"
        timeout = "${vars.timeout}"
        [vars]
        timeout = "1m"
        [ports]
        a = "auto"
        c = "auto"
        [process.a]
        command = ["a"]
        listens = "a"
        [process.b]
        command = ["b"]
        depends_on = ["a"]
        [process.c]
        command = ["c", "${env.THIS_IS_NOT_SET}"]
        listens = "c"
    "#;
    let scenario = try_scenario(text, &overrides(&[("timeout", "5s")], &["b"])).unwrap_or_else(|d| panic!("{d}"));
    let resolved = resolve(&scenario);
    assert_eq!(names(&resolved.spec), ["a", "b"]);
    assert_eq!(resolved.spec.timeout, Some(Duration::from_secs(5)));
    // What does not run need not be complete: without `--only`, the variable is missed.
    let error = try_scenario(text, &overrides(&[], &[])).expect_err("c needs it").to_string();
    assert!(error.contains("`env.THIS_IS_NOT_SET` is not set"), "{error}");
}

#[test]
fn only_leaves_out_the_steps_and_the_ports_of_what_does_not_run() {
    let text = r#"
        name = "x"
        [ports]
        a = "auto"
        c = "auto"
        spare = "auto"
        [process.a]
        command = ["a"]
        listens = "a"
        [process.c]
        command = ["c", "${ports.spare}", "${run.dir}"]
        listens = "c"
        [process.w]
        command = ["w"]
        replicas = 2
        [[step]]
        when = { process = "c", is = "ready" }
        do = { mark = "never" }
        [[step]]
        when = { log = "c", matches = "x" }
        do = { kill = "a" }
        [[step]]
        when = { process = "w", is = "running" }
        do = [{ kill = "c" }, { kill = "a" }, { stop = "w" }]
        [[step]]
        do = { kill = "c" }
        note = "c goes away."
        [[step]]
        do = { mark = "end" }
    "#;
    let scenario = try_scenario(text, &overrides(&[], &["a", "w-2"])).unwrap_or_else(|d| panic!("{d}"));
    let resolved = resolve(&scenario);
    assert_eq!(names(&resolved.spec), ["a", "w-2"]);
    let told = |spec: &RunSpec| -> Vec<_> {
        let words = |step: &StepSpec| step.actions.iter().map(StepAction::words).collect::<Vec<_>>().join(", ");
        spec.steps.iter().map(|step| (step.when.words(), words(step))).collect()
    };
    // A step is a whole: one that speaks of somebody who is not there would show something else than its author meant.
    let wanted = [(String::new(), "mark \"end\"".to_owned())];
    assert_eq!(told(scenario.draft()), wanted);
    assert_eq!(told(&resolved.spec), wanted);
    assert_eq!(resolved.spec.ports.keys().collect::<Vec<_>>(), ["a"], "nobody asks for the others");
    assert!(resolved.run_dir.is_none(), "nor for a folder");
}

#[test]
fn c12_relative_paths_start_at_the_file_wherever_one_stands() {
    let text = "name = \"x\"\n[process.a]\ncommand = [\"./bin/../a\", \"./b\"]\ncwd = \"sub/dir\"\nstop = { command = [\"bin/stop\"] }\n";
    let resolved = resolve(&scenario(text));
    let a = &resolved.spec.processes["a"];
    // Arguments are passed verbatim; only the program is looked up.
    assert_eq!(argv(a), ["/work/x/a", "./b"]);
    assert_eq!(a.cwd, PathBuf::from("/work/x/sub/dir"));
    assert_eq!(a.stop.command.as_ref().map(|c| c[0].to_string()), Some("/work/x/bin/stop".into()));
}

#[test]
fn a_file_extends_another_and_each_keeps_its_own_folder() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let here = dir.path().canonicalize().expect("it is there");
    fs::create_dir(here.join("base")).expect("made");
    let base = r#"
        name = "base"
        timeout = "1m"
        [vars]
        a = "base"
        b = "base"
        [process.up]
        command = ["./server", "${vars.a}", "${vars.b}"]
        env = { X = "base", Y = "base" }
        stop = { grace = "1s" }
        [process.task]
        command = ["task"]
        role = "task"
        [process.own]
        command = ["./base"]
        [process.placed]
        command = ["./base"]
        cwd = "data"
    "#;
    let top = r#"
        extends = "base/base.toml"
        name = "top"
        [vars]
        b = "top"
        [process.up]
        env = { Y = "top" }
        depends_on = ["task"]
        [process.task]
        shell = "echo hi"
        [process.new]
        command = ["./new"]
        [process.own]
        command = ["./own"]
        [process.placed]
        command = ["./placed"]
    "#;
    fs::write(here.join("base/base.toml"), base).and_then(|()| fs::write(here.join("top.toml"), top)).expect("written");
    let located = locate_from("top.toml", &here).expect("it is there");
    let scenario = load(&located, &overrides(&[], &[])).unwrap_or_else(|d| panic!("{d}"));
    let spec = resolve(&scenario).spec;
    assert_eq!((spec.name.as_str(), spec.timeout), ("top", Some(Duration::from_mins(1))));
    assert_eq!(names(&spec), ["up", "task", "own", "placed", "new"]);
    let up = &spec.processes["up"];
    assert_eq!(argv(up), [here.join("base/server").to_string_lossy().into_owned(), "base".into(), "top".into()]);
    assert_eq!(up.cwd, here.join("base"));
    assert_eq!((up.env["X"].to_string(), up.env["Y"].to_string()), ("base".into(), "top".into()));
    assert_eq!(up.stop.grace, Duration::from_secs(1));
    assert_eq!(up.depends_on[0].condition, Condition::Succeeded);
    assert_eq!(argv(&spec.processes["task"]), ["/bin/sh", "-c", "echo hi"]);
    assert_eq!(argv(&spec.processes["new"]), [here.join("new").to_string_lossy()]);
    // What runs, runs where it is written, unless a folder is named.
    assert_eq!((spec.processes["own"].cwd.clone(), spec.processes["task"].cwd.clone()), (here.clone(), here.clone()));
    assert_eq!(spec.processes["placed"].cwd, here.join("base/data"));
}

#[test]
fn kinds_become_command_lines_and_tokens_go_by_environment() {
    let text = r#"
        name = "x"
        [ports]
        up = 20500
        re = "auto"
        [process.up]
        kind = "mock-upstream"
        listens = "up"
        token = "abcd1234"
        response_delay = "1m30s"
        crash_after = "3 calls"
        hang_after = "2s"
        bad_frames = 2
        revision = "2025-03-26"
        [process.pipe]
        kind = "mock-upstream"
        [process.re]
        kind = "shadowcat"
        mode = "reverse"
        listens = "re"
        upstream = "http://127.0.0.1:20500/mcp"
        upstream_token = "abcd1234"
        [process.free]
        kind = "shadowcat"
        mode = "forward"
        upstream = "http://127.0.0.1:20500/mcp"
        [process.client]
        kind = "test-client"
        target = "${process.free.url}/mcp"
        scenario = "soak"
        rate = 2.5
        duration = "10s"
        concurrency = 4
        headers = { X-A = "b c" }
        [process.real]
        kind = "shadowcat"
        mode = "reverse"
        program = "target/shadowcat"
        upstream = "http://127.0.0.1:20500/mcp"
        upstream_token = "abcd1234"
        [process.own]
        kind = "test-client"
        target = "http://127.0.0.1:20500/mcp"
        command = ["python3", "client.py"]
    "#;
    let scenario = scenario(text);
    let draft = scenario.draft();
    let of = |name: &str| argv(&draft.processes[name]).join(" ");
    assert_eq!(
        of("up"),
        "e2e-tui part mock-upstream --port 20500 --revision 2025-03-26 --response-delay 1m30s --crash-after 3 calls --hang-after 2s --bad-frames 2"
    );
    assert_eq!(draft.processes["up"].env["E2E_TUI_TOKEN"].to_string(), "abcd1234");
    assert_eq!((of("pipe").as_str(), draft.processes["pipe"].stdin), ("e2e-tui part mock-upstream --stdio", StdinMode::Pipe));
    assert_eq!(of("re"), "e2e-tui part proxy reverse --bind 127.0.0.1:${ports.re} --upstream http://127.0.0.1:20500/mcp");
    assert!(matches!(&draft.processes["re"].ready.probe, Some(Probe::Http(http)) if http.url.to_string().ends_with("/health")));
    assert_eq!(of("free"), "e2e-tui part proxy forward http --port 0 --target http://127.0.0.1:20500/mcp");
    assert!(matches!(draft.processes["free"].ready.probe, Some(Probe::Log { .. })));
    assert_eq!(
        of("client"),
        "e2e-tui part test-client --target http://127.0.0.1:${process.free.port}/mcp --scenario soak --rate 2.5 --duration 10s --concurrency 4 \
         --header X-A: b c"
    );
    let real = &draft.processes["real"];
    assert_eq!(of("real"), "/work/x/target/shadowcat reverse --bind 127.0.0.1:0 --upstream http://127.0.0.1:20500/mcp");
    assert!(!real.stand_in && draft.processes["re"].stand_in);
    assert_eq!(real.env["SHADOWCAT_UPSTREAM_AUTH"].to_string(), "Bearer abcd1234");
    assert_eq!((of("own").as_str(), draft.processes["own"].role), ("python3 client.py", Role::Test));
}

#[test]
fn a_validator_a_proxy_to_pipes_and_any_tool_become_command_lines() {
    let text = r#"
        name = "x"
        [ports]
        a = 20500
        b = 20501
        [process.stand-in]
        kind = "mcp-validator"
        listens = "a"
        [process.checkout]
        kind = "mcp-validator"
        listens = "b"
        path = "validator"
        token = "my-own-token"
        [process.piped]
        kind = "shadowcat"
        mode = "reverse"
        upstream = "stdio"
        argv = ["server", "--stdio"]
        [process.client]
        kind = "test-client"
        target = "http://127.0.0.1:20500/mcp"
        tool = "ping"
        arguments = '{"to": "you"}'
    "#;
    let scenario = scenario(text);
    let draft = scenario.draft();
    let of = |name: &str| argv(&draft.processes[name]).join(" ");
    assert_eq!(of("stand-in"), "e2e-tui part mcp-validator --port 20500");
    assert!(draft.processes["stand-in"].stand_in && !draft.processes["checkout"].stand_in);
    assert_eq!(of("checkout"), "python3 /work/x/validator/ref_http_server/reference_mcp_server.py --host 127.0.0.1 --port 20501");
    assert!(scenario.warnings().to_string().contains("takes one token only"), "{}", scenario.warnings());
    assert_eq!(of("client"), r#"e2e-tui part test-client --target http://127.0.0.1:20500/mcp --tool ping --arguments {"to": "you"}"#);
    assert_eq!(of("piped"), "e2e-tui part proxy reverse --bind 127.0.0.1:0 --upstream stdio -- server --stdio");
    let wrong = try_scenario(&text.replace(r#"{"to": "you"}"#, "to=you"), &overrides(&[], &[])).expect_err("no JSON");
    assert!(wrong.to_string().contains("`arguments` is no JSON object"), "{wrong}");
}

#[test]
fn c11_warnings_do_not_stop_a_run() {
    let text = r#"
        name = "x"
        timeout = "5s"
        [vars]
        v = "${env.HOME}"
        [ports]
        unused = "auto"
        nobody = "auto"
        [process.a]
        command = ["a", "${ports.nobody}", "${vars.v}"]
        stop = { grace = "1m" }
        restart = { policy = "always", max_attempts = 5 }
        autostart = false
        [process.b]
        command = ["b"]
        depends_on = ["a"]
        limits = { address_space = "1GiB" }
        log = { alert = ['(?i)error', 'panicked', '\d+'] }
        [process.c]
        kind = "test-client"
        target = "http://127.0.0.1:1"
    "#;
    let scenario = scenario(text);
    insta::assert_snapshot!(scenario.warnings().render(false));
    resolve(&scenario);
}

#[test]
fn a_fixed_port_that_is_taken_ends_the_run_before_it_begins() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let text = format!("name = \"x\"\n[ports]\np = {port}\n[process.a]\ncommand = [\"true\"]\nlistens = \"p\"\n");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut leases = Leases::in_dir(&dir.path().join("leases")).expect("a lock file");
    let error = scenario(&text).resolve(&mut leases, &Parts { exe: "/x".into() }).expect_err("it is taken").to_string();
    let who = format!("error: the port `p` cannot be had: port {port} is taken by pid {} (", std::process::id());
    assert!(error.starts_with(&who) && error.contains("--> x.toml:3:1"), "{error}");
}

#[test]
fn c8_a_megabyte_of_processes_is_read_in_a_moment() {
    use std::fmt::Write;
    let mut text = "name = \"x\"\n[ports]\n".to_owned();
    for n in 0..5000 {
        writeln!(text, "p{n} = {}", 10_000 + n).expect("a string takes it");
    }
    for n in 0..5000 {
        let on = (n + 1) % 5000;
        writeln!(
            text,
            "[process.w{n}]\ncommand = [\"w\", \"${{process.w{on}.url}}\"]\nlistens = \"p{n}\"\ndepends_on = [\"w{on}\"]\nrole = \"tset\""
        )
        .expect("a string takes it");
    }
    let started = std::time::Instant::now();
    let said = try_scenario(&text, &overrides(&[], &[])).expect_err("a ring, and no role").render(false);
    let budget = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });
    assert!(started.elapsed() < budget, "{:?}", started.elapsed());
    assert!(said.contains("more than 200 mistakes") && said.len() < 200_000, "{}", said.len());
}

#[test]
fn a_variable_without_quotes_is_the_text_that_is_written() {
    let text = "name = \"x\"\n[vars]\nversion = 3.10\nmask = 0x1F\nmany = 99999999999999999999\nyes = true\n\
                [process.a]\ncommand = [\"a\", \"${vars.version}\", \"${vars.mask}\", \"${vars.many}\", \"${vars.yes}\"]\nlimits = { cpu = 0x2, open_files = 0x1F }\n";
    let scenario = load(&Located::text("x.toml", "/work/x", text), &Overrides::default()).expect("no mistake");
    let process = scenario.draft().processes.values().next().expect("one");
    let argv: Vec<_> = process.argv.iter().map(ToString::to_string).collect();
    assert_eq!(argv, ["a", "3.10", "0x1F", "99999999999999999999", "true"]);
    assert_eq!((process.limits.cpu, process.limits.open_files), (Some(2.0), Some(31)));
}
