//! What `check` accepts, `run` starts, and what it refuses, `run` refuses with the same words: on the real binary, with
//! scenarios put together from values of every kind, good and bad. They start nothing but `true` and `sleep`.
//!
//! `E2E_CASES=1000 cargo test --test scenario_check_is_run` tries more of them.

mod support;

use std::{cell::Cell, time::Duration};

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use support::{Bench, Finished};

/// Lines of a process's table. Most are good: one bad value hides what the others would do.
const OF_A_PROCESS: &[&str] = &[
    r#"cwd = "sub""#,
    r#"cwd = """#,
    r#"cwd = "${process.dir}""#,
    r#"cwd = "${run.dir}""#,
    r#"env = { A = "x", B = "${vars.x}", C = "${env.NO_SUCH:-${vars.x}}" }"#,
    r#"env = { A = "nul \u0000" }"#,
    r#"env = { "A=B" = "x" }"#,
    r#"env = { "" = "x" }"#,
    r#"env = { E2E_TUI_TREE = "mine", PATH = "/bin:/usr/bin" }"#,
    r#"env = { A = "${env.NO_SUCH}" }"#,
    r#"env = { A = "${secrets.s}", B = "${process.late.url}" }"#,
    "env_clear = true",
    r#"listens = "p""#,
    r#"listens = ["p", "q"]"#,
    r#"listens = ["p", "p"]"#,
    r"listens = []",
    r#"listens = "r""#,
    r#"ready = { log = "ready (?<port>\\d+)", timeout = "50ms" }"#,
    r#"ready = { log = "(", timeout = "50ms" }"#,
    r#"ready = { tcp = "127.0.0.1:${ports.q}", timeout = "50ms" }"#,
    r#"ready = { tcp = "127.0.0.1", timeout = "50ms" }"#,
    r#"ready = { http = "http://127.0.0.1:${ports.q}/x", timeout = "50ms", expect = [200, 404] }"#,
    r#"ready = { http = "https://127.0.0.1:1/", timeout = "50ms", headers = { "a b" = "c" } }"#,
    r#"ready = { http = "ftp://127.0.0.1:1/", timeout = "50ms" }"#,
    r#"ready = { exec = ["true"], interval = "10ms" }"#,
    r#"ready = { exec = [], timeout = "50ms" }"#,
    r#"ready = { stdio = { send = "x", expect = "y" }, timeout = "50ms" }"#,
    r#"health = { exec = ["true"], interval = "20ms", failures = 1 }"#,
    r#"health = { tcp = "127.0.0.1:${ports.q}", interval = "20ms", lazy = true }"#,
    r#"health = { http = "${process.late.url}/", interval = "20ms", degraded_after = "1ms", degraded = [503] }"#,
    r#"health = { exec = ["true"], interval = "0s" }"#,
    r#"restart = "on-failure""#,
    r#"restart = { policy = "on-failure", max_attempts = 0 }"#,
    r#"restart = { policy = "on-failure", backoff = "1ms", max_backoff = "2ms", jitter = 0.5 }"#,
    r#"restart = { policy = "on-failure", backoff = "3s", max_backoff = "2s" }"#,
    r#"restart = { policy = "never", max_attempts = 3 }"#,
    r#"stop = { signal = "INT", grace = "200ms" }"#,
    r#"stop = { signal = "KILL", grace = "0s" }"#,
    r#"stop = { signal = "NOPE" }"#,
    r#"stop = { command = ["true"], grace = "200ms" }"#,
    r#"stop = { command = [], grace = "200ms" }"#,
    r#"stop = { command = ["no-such-command", "nul \u0000"], grace = "200ms" }"#,
    r#"stop = { grace = "1000000000h" }"#,
    r#"timeout = "2s""#,
    r#"timeout = "0s""#,
    "limits = { open_files = 64, processes = 500, cpu_time = \"5s\" }",
    "limits = { open_files = 0 }",
    "limits = { open_files = \"${vars.n}\" }",
    "limits = { memory = \"500MB\", address_space = \"4GB\" }",
    "limits = { memory = \"1B\", cpu_time = \"1ms\" }",
    "limits = { cpu = 0 }",
    r#"stdin = "pipe""#,
    r#"stdin = "inherit""#,
    "tty = true",
    "tty = true\nstdin = \"pipe\"",
    r#"files = { "a.txt" = { text = "x ${process.dir}" }, "b/c.txt" = { template = "t.in" } }"#,
    r#"files = { "a" = { text = "x" }, "a/b" = { text = "y" } }"#,
    r#"files = { "../a" = { text = "x" } }"#,
    r#"files = { "a" = { template = "missing.in" } }"#,
    r#"files = { "/tmp/a" = { text = "x" } }"#,
    r#"files = { "nul\u0000" = { text = "x" } }"#,
    r#"log = { format = "json", alert = ["a", "b+"], max_disk = "1MB" }"#,
    r#"log = { alert = ["("] }"#,
    r#"log = { max_disk = "1B" }"#,
    "tap = true",
    "tap = true\nlistens = \"p\"",
    "tap = true\nstdin = \"pipe\"",
    r#"watch = ["src/**/*.js", "!src/x/**"]"#,
    r#"watch = ["["]"#,
    r#"watch = [""]"#,
    r#"skip_if_exists = "not-there""#,
    r#"skip_if_exists = """#,
    "replicas = 2",
    "replicas = 0",
    "replicas = 2\nlistens = \"p\"",
    "replicas = 2\nlistens = \"w\"",
    r#"cleanup = [["true"], ["sh", "-c", "true"]]"#,
    r"cleanup = [[]]",
    r#"cleanup = [["nul \u0000"]]"#,
    r#"depends_on = ["early"]"#,
    r#"depends_on = { early = "started", late = "completed" }"#,
    r#"depends_on = { early = "healthy" }"#,
    r#"depends_on = { early = "succeeded" }"#,
    r#"depends_on = ["nobody"]"#,
    r#"depends_on = ["subject"]"#,
    "autostart = false",
    r#"role = "task""#,
    r#"role = "service""#,
    r#"role = "judge""#,
    r#"kind = "mock-upstream""#,
];

/// What the subject runs.
const COMMANDS: &[&str] = &[
    r#"command = ["true"]"#,
    r#"command = ["true", "${ports.p}", "${process.late.addr}", "${vars.x}", "${run.dir}"]"#,
    r#"command = ["true", "nul \u0000"]"#,
    r#"command = ["true", "${replica}"]"#,
    r#"command = ["true", "$${x}", "${process.subject.port}"]"#,
    r#"command = ["no-such-command"]"#,
    r#"command = ["./sub"]"#,
    r#"command = [""]"#,
    r"command = []",
    r#"shell = "true""#,
    r#"shell = "exit 3""#,
    r#"shell = """#,
    r#"shell = "nul \u0000""#,
];

/// Parts of the file around it.
const AROUND: &[&str] = &[
    "[[cleanup]]\ncommand = [\"true\"]",
    "[[cleanup]]\nshell = \"nul \\u0000\"",
    "[[cleanup]]\ncommand = []",
    "[[expect]]\nprocess = \"subject\"\nmust_not_see = \"x\"",
    "[[expect]]\nprocess = \"nobody\"\nmust_see = \"x\"",
    "[[expect]]\nprocess = \"subject\"\nmust_see = \"(\"",
    "[[step]]\nwhen = { after = \"1ms\" }\ndo = { restart = \"late\" }\nnote = \"n\"",
    "[[step]]\nwhen = { process = \"late\", is = \"ready\" }\ndo = [{ kill = \"late\" }, { start = \"late\" }]",
    "[[step]]\nwhen = { process = \"late\", is = \"healthy\" }\ndo = { kill = \"late\" }",
    "[[step]]\nwhen = { after = \"1ms\" }\ndo = { signal = { process = \"late\", name = \"NOPE\" } }",
    "[[step]]\nwhen = { after = \"1ms\" }\ndo = { fault = { process = \"late\", delay = \"1ms\" } }",
    "[[step]]\ndo = { stop = \"nobody\" }",
    "[defaults]\nstop = { grace = \"300ms\" }\nenv = { D = \"1\" }",
    "[defaults]\nlimits = { open_files = 256 }\ntimeout = \"3s\"",
    "[defaults]\nlistens = \"p\"",
    "[process.another]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = { subject = \"completed\" }",
    "[process.subject-1]\ncommand = [\"true\"]",
];

/// Keys at the top.
const TOP: &[&str] = &[
    "containment = \"group\"",
    "containment = \"subreaper\"",
    "containment = \"cloud\"",
    "recording = { max_disk = \"5MB\" }",
    "recording = { max_disk = \"1B\" }",
    "timeout = \"4s\"",
    "timeout = \"0s\"",
    "description = \"\"",
];

fn some(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(of, 0..=most)
}

fn scenario() -> impl Strategy<Value = String> {
    // Good ones first: a test that only ever sees what is refused shows nothing of what is run.
    let command = prop_oneof![4 => Just(COMMANDS[0]), 1 => prop::sample::select(COMMANDS)];
    (command, some(OF_A_PROCESS, 3), some(AROUND, 1), some(TOP, 1)).prop_map(|(command, keys, around, top)| {
        let role = if keys.iter().any(|key| key.starts_with("role")) { "" } else { "role = \"test\"\n" };
        format!(
            "name = \"x\"\n{}\n[vars]\nx = \"y\"\nn = \"32\"\n[secrets]\ns = {{ env = \"NO_SUCH\", default = \"a-secret-value\" }}\n\
             [ports]\np = \"auto\"\nq = \"auto\"\n{}\n\
             [process.early]\nrole = \"task\"\ncommand = [\"true\"]\n\
             [process.late]\nlistens = \"q\"\nready = {{ exec = [\"true\"] }}\ncommand = [\"sleep\", \"600\"]\nstop = {{ grace = \"200ms\" }}\n\
             [process.subject]\n{role}{command}\n{}\n{}\n",
            top.join("\n"),
            if keys.iter().any(|key| key.contains("replicas = 2")) { "w = { each = \"subject\" }" } else { "" },
            keys.join("\n"),
            around.join("\n")
        )
    })
}

/// What was said about mistakes.
fn errors(said: &Finished) -> String {
    let places = said.stderr.lines().filter(|line| line.starts_with("error") || line.trim_start().starts_with("--> "));
    places.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_check_accepts_run_starts_and_what_it_refuses_run_refuses_in_the_same_words() {
    let cases = std::env::var("E2E_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (accepted, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    runner
        .run(&scenario(), |text| {
            let bench = Bench::new("checkisrun");
            std::fs::create_dir(bench.dir.path().join("sub")).expect("a folder");
            bench.write("t.in", "hello ${vars.x}");
            let file = bench.write("scenario.toml", &text);
            let check = Finished::of(&bench.command().arg("check").arg(&file).output().expect("the binary runs"));
            let run = bench.run_file(&file, &["--quiet", "--timeout", "8s"]);
            match check.code {
                Some(0) => {
                    prop_assert!(run.code.is_some_and(|code| code != 2), "check accepts and run refuses:\n{text}\n{}", run.stderr);
                    prop_assert!(run.stderr.contains("Recorded: "), "it has not run:\n{text}\n{}", run.stderr);
                }
                Some(2) => {
                    prop_assert_eq!(run.code, Some(2), "check refuses and run accepts:\n{}\n{}", text, check.stderr);
                    prop_assert_eq!(errors(&check), errors(&run), "{}", text);
                    prop_assert!(errors(&check).contains("scenario.toml:"), "a mistake without a place:\n{text}\n{}", check.stderr);
                }
                _ => return Err(TestCaseError::fail(format!("check ended with {:?}:\n{text}\n{}", check.code, check.stderr))),
            }
            let count = if check.code == Some(0) { &accepted } else { &refused };
            count.set(count.get() + 1);
            bench.assert_nothing_left(Duration::from_secs(5));
            Ok(())
        })
        .unwrap_or_else(|failed| panic!("{failed}"));
    let (accepted, refused) = (accepted.get(), refused.get());
    assert!(accepted * 4 > cases && refused * 10 > cases, "{accepted} were accepted and {refused} refused, of {cases}");
}
