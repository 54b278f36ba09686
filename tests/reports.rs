//! Reports as machines read them: `JUnit` against the schema of CI systems, and what stdout carries alone.

#[path = "support/real.rs"]
mod real;
mod support;

use std::{collections::BTreeSet, path::Path, process::Command};

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

/// What a JSON Schema says of a value, as far as ours need it. Strict: a field that the schema does not name is wrong.
struct Schema<'s>(&'s Value);

impl Schema<'_> {
    fn strict(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let known = self.holds(schema, value)?;
        for key in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !known.contains(key) {
                return Err(format!("{key} is not in the schema of {value}"));
            }
        }
        Ok(())
    }

    /// Whether the schema holds, and which fields it speaks of.
    fn holds(&self, schema: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
        let mut known = BTreeSet::new();
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.0.pointer(reference.trim_start_matches('#')).ok_or(format!("{reference} leads nowhere"))?;
            known.extend(self.holds(target, value)?);
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is = |of: &str| match of {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => value.is_null(),
        };
        if !types.is_empty() && !types.into_iter().any(is) {
            return Err(format!("{value} is no {}", schema["type"]));
        }
        if schema.get("const").is_some_and(|only| only != value) || schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
            return Err(format!("{value} is none of {schema}"));
        }
        for wanted in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            value.get(wanted).ok_or(format!("{wanted} is missing in {value}"))?;
        }
        for (name, of) in schema["properties"].as_object().into_iter().flatten() {
            known.insert(name.clone());
            value.get(name).map_or(Ok(()), |value| self.strict(of, value))?;
        }
        let first = schema["prefixItems"].as_array().map_or(0, Vec::len);
        for (n, item) in value.as_array().into_iter().flatten().enumerate() {
            let of = if n < first { &schema["prefixItems"][n] } else { &schema["items"] };
            if of.is_object() {
                self.strict(of, item)?;
            }
        }
        for of in schema["allOf"].as_array().into_iter().flatten() {
            known.extend(self.holds(of, value)?);
        }
        for choice in ["oneOf", "anyOf"] {
            let Some(all) = schema[choice].as_array() else { continue };
            let fits: Vec<_> = all.iter().filter_map(|of| self.holds(of, value).ok()).collect();
            if fits.is_empty() || choice == "oneOf" && fits.len() > 1 {
                let why = all.iter().filter_map(|of| self.holds(of, value).err()).collect::<Vec<_>>().join("; ");
                return Err(format!("{} of {choice} fit {value}: {why}", fits.len()));
            }
            known.extend(fits.into_iter().flatten());
        }
        Ok(known)
    }
}

fn schema(bench: &Bench, of: &str) -> Value {
    let printed = Finished::of(&bench.command().args(["schema", of]).output().expect("the binary runs"));
    printed.assert_code(0);
    serde_json::from_str(&printed.stdout).expect("JSON")
}

#[test]
fn reports_are_what_their_schema_says() {
    let bench = Bench::new("schema-report");
    let schema = schema(&bench, "--report");
    assert!(schema["title"].as_str().is_some_and(|title| title.contains("report")));
    for (processes, code) in ENDINGS {
        let (top, rest) = if processes.starts_with('[') { ("", processes) } else { processes.split_once('\n').expect("two lines") };
        let run = bench.run(&format!("name = \"x\"\n{top}\n{rest}"), &["--report", "json=-"]);
        run.assert_code(code);
        let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
        Schema(&schema).strict(&schema, &report).unwrap_or_else(|why| panic!("{why}\n{}", run.stdout));
        // Each field is there, null where there is none.
        let wanted: Vec<_> = schema["properties"].as_object().expect("fields").keys().collect();
        assert!(wanted.iter().all(|name| report.get(name.as_str()).is_some()), "{wanted:?}: {}", run.stdout);
    }
    assert!(Schema(&schema).strict(&schema, &serde_json::json!({ "format": "one" })).is_err(), "the check itself can fail");
}

#[test]
fn events_are_what_their_schema_says() {
    let bench = Bench::new("schema-events");
    let schema = schema(&bench, "--events");
    let mut kinds = BTreeSet::new();
    let mut check = |lines: &str| {
        for line in lines.lines() {
            let event: Value = serde_json::from_str(line).expect("JSON");
            Schema(&schema).strict(&schema, &event).unwrap_or_else(|why| panic!("{why}\n{line}"));
            kinds.insert(event["event"].as_str().expect("a kind").to_owned());
        }
    };
    for (processes, code) in ENDINGS {
        let (top, rest) = if processes.starts_with('[') { ("", processes) } else { processes.split_once('\n').expect("two lines") };
        let run = bench.run(&format!("name = \"x\"\n{top}\n{rest}"), &["--events"]);
        run.assert_code(code);
        check(&run.stdout);
    }
    let bundled = Finished::of(&bench.command().args(["run", "crash-restart", "--events"]).output().expect("the binary runs"));
    bundled.assert_code(1);
    check(&bundled.stdout);
    assert!(kinds.len() >= 16, "{kinds:?}");
    let unknown = serde_json::json!({ "seq": 1, "at_us": 1, "event": "teleported" });
    assert!(Schema(&schema).strict(&schema, &unknown).is_err(), "the check itself can fail");
}
