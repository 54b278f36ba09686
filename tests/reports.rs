//! Reports as machines read them: JUnit against the schema of CI systems, and what stdout carries alone.

#[path = "support/real.rs"]
mod real;
mod support;

use std::{path::Path, process::Command};

use serde_json::Value;
use support::{Bench, Finished};

/// Every kind of ending that a report tells of, and every byte that a process may print.
const ENDINGS: [(&str, i32); 7] = [
    ("[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n", 0),
    // All bytes there are, on both streams.
    (
        "[process.bytes]\nrole = \"test\"\ncommand = [\"python3\", \"-c\", \"import sys\\nfor out in (sys.stdout, sys.stderr):\\n out.buffer.write(bytes(range(256)) * 3)\\nsys.exit(7)\"]\n",
        1,
    ),
    (
        "[process.server]\nshell = \"sleep 0.2; exit 3\"\n[process.late]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = { server = \"succeeded\" }\n",
        3,
    ),
    ("[process.killed]\nrole = \"test\"\nshell = \"kill -9 $$\"\n", 1),
    ("[process.leaky]\nrole = \"test\"\nshell = \"sleep 600 & exit 0\"\n", 5),
    ("timeout = \"300ms\"\n[process.slow]\nrole = \"test\"\ncommand = [\"sleep\", \"600\"]\n", 4),
    (
        "[process.a]\nrole = \"test\"\nshell = \"echo '<]]>&\\\"' status 502; sleep 0.3\"\n[[expect]]\nprocess = \"a\"\nmust_not_see = ' 5\\d\\d'\n[[expect]]\nprocess = \"a\"\nmust_see = '<never & \"this\">'\n",
        1,
    ),
];

#[test]
fn a_junit_report_is_valid_however_a_run_ends_and_whatever_it_prints() {
    let Some(path) = real::path_with("a_junit_report_is_valid", &["xmllint"]) else { return };
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/junit.xsd");
    let valid = |xml: &Path| {
        let mut command = Command::new("xmllint");
        command.env("PATH", &path).args(["--noout", "--nonet", "--schema"]).arg(&schema).arg(xml);
        Finished::of(&command.output().expect("it is installed"))
    };
    for (n, (processes, code)) in ENDINGS.into_iter().enumerate() {
        let bench = Bench::new(&format!("xsd{n}"));
        let (top, rest) = if processes.starts_with('[') { ("", processes) } else { processes.split_once('\n').expect("two lines") };
        let run = bench.run(&format!("name = \"x\"\n{top}\n{rest}"), &["--quiet", "--report", "junit=r.xml"]);
        run.assert_code(code);
        let xml = bench.dir.path().join("r.xml");
        let text = std::fs::read_to_string(&xml).expect("it was written");
        let told = valid(&xml);
        assert_eq!(told.code, Some(0), "{processes}\n{}\n{text}", told.stderr);
        // The check itself can fail.
        std::fs::write(&xml, text.replacen(" tests=", " texts=", 2)).expect("a disk");
        assert_ne!(valid(&xml).code, Some(0));
    }
    let bench = Bench::new("xsd-error");
    bench.run("name = \"x\"\n[process.a]\ncomand = 1\n", &["--report", "junit=r.xml"]).assert_code(2);
    let told = valid(&bench.dir.path().join("r.xml"));
    assert_eq!(told.code, Some(0), "{}", told.stderr);
}

const TALKS: &str = "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"echo said something\"\n";

#[test]
fn what_goes_to_stdout_goes_there_alone() {
    let bench = Bench::new("stdout");
    let json = bench.run(TALKS, &["--report", "json=-"]);
    json.assert_code(0);
    let report: Value = serde_json::from_str(&json.stdout).unwrap_or_else(|e| panic!("{e}: {}", json.stdout));
    assert_eq!((&report["verdict"], &report["exit_code"]), (&"passed".into(), &0.into()));
    assert!(json.stderr.contains("x: PASSED (exit 0)"), "{}", json.stderr);
    let junit = bench.run(TALKS, &["--report", "junit=/dev/stdout"]);
    assert!(junit.stdout.starts_with("<?xml") && junit.stdout.ends_with("</testsuites>\n"), "{}", junit.stdout);

    let file = bench.write("scenario.toml", TALKS);
    let packed = bench.command().arg("run").arg(&file).args(["--archive", "-"]).output().expect("the binary runs");
    let archive = bench.dir.path().join("piped.tar.zst");
    std::fs::write(&archive, &packed.stdout).expect("a disk");
    let logs = Finished::of(&bench.command().arg("logs").arg(&archive).output().expect("the binary runs"));
    assert!(logs.stdout.contains("test | said something"), "{}{}", logs.stdout, logs.stderr);
    let block = String::from_utf8_lossy(&packed.stderr);
    assert!(block.contains("Archive: on stdout ("), "{block}");

    let twice = bench.run(TALKS, &["--report", "json=-", "--archive", "-"]);
    twice.assert_code(2);
    assert!(twice.stderr.contains("named twice"), "{}", twice.stderr);
    let both = bench.run(TALKS, &["--events", "--report", "json=-"]);
    both.assert_code(2);
    assert!(both.stderr.contains("stdout carries the events"), "{}", both.stderr);
}
