//! `extends`: what one file lies on, how they are joined, and where mistakes in each are.

mod support;

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use e2e_tui::{
    model::{Condition, Expected, ProcessId, RunSpec},
    scenario::{Diagnostics, Environment, Leases, Overrides, Parts, Scenario, load, locate_from, plan_json, render_plan},
};
use support::{Bench, Finished};

/// A folder with these files, of which the first is read.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("it is in the folder")).and_then(|()| fs::write(path, text)).expect("written");
        }
        Self(dir)
    }

    fn load(&self, name: &str) -> Result<Scenario, Diagnostics> {
        let overrides = Overrides { env: Environment::of([("PATH", "/usr/bin:/bin"), ("TOKEN", "long-enough")]), ..Overrides::default() };
        load(&locate_from(name, self.0.path()).expect("it is there"), &overrides)
    }

    fn good(&self, name: &str) -> Scenario {
        self.load(name).unwrap_or_else(|d| panic!("{d}"))
    }
}

fn resolve(scenario: &Scenario) -> RunSpec {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut leases = Leases::in_dir(&dir.path().join("leases")).expect("a lock file");
    scenario.resolve(&mut leases, &Parts { exe: "/opt/e2e-tui".into() }).unwrap_or_else(|d| panic!("{d}")).spec
}

const BASE: &str = r#"
name = "base"
description = "below"
timeout = "1m"
[vars]
a = "base"
b = "base"
[secrets]
token = { env = "NOT_SET", default = "base-token" }
[ports]
p = "auto"
[defaults]
env = { D = "base", E = "base" }
stop = { grace = "9s" }
[process.up]
command = ["up", "${vars.a}", "${vars.b}", "${ports.p}"]
listens = "p"
env = { X = "base", Y = "base" }
depends_on = { seed = "started" }
limits = { open_files = 64, processes = 2000 }
[process.seed]
command = ["seed"]
role = "task"
[[expect]]
process = "up"
must_see = "base"
[[cleanup]]
command = ["base"]
"#;

const TOP: &str = r#"
extends = "base.toml"
name = "top"
[vars]
b = "top"
c = "top"
[secrets]
token = { env = "TOKEN" }
[ports]
p = { from = 20000, to = 29999 }
[defaults]
env = { E = "top" }
[process.up]
env = { Y = "top", Z = "${vars.c}" }
depends_on = { seed = "succeeded" }
limits = { open_files = 128 }
[[expect]]
process = "up"
must_not_see = "top"
[[cleanup]]
command = ["top"]
"#;

#[test]
fn env_merges_by_key_the_rest_is_replaced_and_lists_of_assertions_add_up() {
    let files = Files::new(&[("top.toml", TOP), ("base.toml", BASE)]);
    let spec = resolve(&files.good("top.toml"));
    assert_eq!((spec.name.as_str(), spec.description.as_str(), spec.timeout), ("top", "below", Some(Duration::from_mins(1))));
    assert_eq!(spec.processes.keys().map(ProcessId::as_str).collect::<Vec<_>>(), ["up", "seed"], "the order is that of the base");
    let up = &spec.processes["up"];
    let argv: Vec<_> = up.argv.iter().map(ToString::to_string).collect();
    assert_eq!(argv[..3], ["up", "base", "top"]);
    assert!((20_000..=29_999).contains(&spec.ports["p"]), "the port is replaced as a whole");
    let mut env: Vec<_> = up.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    env.sort();
    assert_eq!(env, ["D=base", "E=top", "X=base", "Y=top", "Z=top"]);
    assert_eq!(up.depends_on.iter().map(|d| d.condition).collect::<Vec<_>>(), [Condition::Succeeded]);
    assert_eq!((up.limits.open_files, up.limits.processes), (Some(128), None), "limits are replaced, not merged");
    assert_eq!(up.stop.grace, Duration::from_secs(9));
    let expected: Vec<_> = spec.expectations.iter().map(|e| matches!(e.what, Expected::MustSee { .. })).collect();
    assert_eq!((expected, spec.cleanup.concat()), (vec![true, false], vec!["base".to_owned(), "top".to_owned()]));
}

#[test]
fn a_step_script_is_replaced_as_a_whole() {
    let base = "name = \"b\"\n[process.a]\ncommand = [\"a\"]\n[[step]]\nnote = \"base\"\n";
    let top = "extends = \"base.toml\"\n[[step]]\nnote = \"top\"\n";
    let files = Files::new(&[("top.toml", top), ("base.toml", base)]);
    match files.load("top.toml") {
        Ok(scenario) => assert_eq!(scenario.draft().steps.iter().map(|s| s.note.as_str()).collect::<Vec<_>>(), ["top"]),
        Err(said) => assert!(said.to_string().contains("`step` is not supported yet") && said.errors() == 1, "{said}"),
    }
}

#[test]
fn the_plan_says_which_files_lie_below() {
    let files = Files::new(&[
        ("top.toml", TOP),
        ("base.toml", &format!("extends = \"deep/common.toml\"\n{BASE}")),
        ("deep/common.toml", "timeout = \"9m\"\n"),
    ]);
    let scenario = files.good("top.toml");
    assert_eq!(render_plan(&scenario).lines().nth(1), Some("top.toml over base.toml over deep/common.toml"));
    assert_eq!(plan_json(&scenario)["extends"], serde_json::json!(["base.toml", "deep/common.toml"]));
    let kept = resolve(&scenario).source;
    assert!(kept.starts_with(TOP) && kept.contains("\n# ---- extends deep/common.toml\n# timeout = \"9m\"\n"), "{kept}");
    assert!(kept.parse::<toml::Table>().is_ok(), "what is kept is still TOML");
}

#[test]
fn mistakes_have_their_places_in_the_file_they_are_in() {
    let base = "name = \"b\"\n[process.up]\ncommand = [\"up\"]\nrole = \"tset\"\n";
    let top = "extends = \"lib/base.toml\"\n[process.up]\nstop = { grace = 5 }\ndepends_on = [\"pu\"]\n";
    let files = Files::new(&[("top.toml", top), ("lib/base.toml", base)]);
    let said = files.load("top.toml").expect_err("three mistakes").to_string();
    for place in ["top.toml:3:18", "top.toml:4:15", "lib/base.toml:4:8"] {
        assert!(said.contains(&format!("--> {place}\n")), "{place} is missing in\n{said}");
    }
    // One mistake with a place in each: a name that is taken below.
    let top = "extends = \"lib/base.toml\"\n[process.UP]\ncommand = [\"x\"]\n";
    let files = Files::new(&[("top.toml", top), ("lib/base.toml", &base.replace("tset", "test"))]);
    let said = files.load("top.toml").expect_err("one name but for case").to_string();
    assert!(said.contains("top.toml:2:10") && said.contains("lib/base.toml:2:10"), "{said}");
}

#[test]
fn circles_of_files_end_however_they_are_made() {
    let extends = |name: &str| format!("extends = \"{name}\"\nname = \"x\"\n");
    let files = Files::new(&[("a.toml", &extends("b.toml")), ("b.toml", &extends("c/../a.toml")), ("self.toml", &extends("./self.toml"))]);
    symlink("self.toml", files.0.path().join("link.toml")).expect("a link");
    fs::write(files.0.path().join("by-link.toml"), extends("link.toml")).expect("written");
    fs::create_dir(files.0.path().join("c")).expect("a folder");
    for name in ["a.toml", "self.toml", "link.toml", "by-link.toml"] {
        let said = files.load(name).expect_err("a circle").to_string();
        assert!(said.contains("a file cannot extend itself, not even through others"), "{name}: {said}");
    }
    let chain: Vec<_> = (0..20).map(|n| (format!("{n}.toml"), extends(&format!("{}.toml", n + 1)))).collect();
    let files = Files::new(&chain.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>());
    assert!(files.load("0.toml").expect_err("too deep").to_string().contains("too many files extend each other"));
}

#[test]
fn a_name_given_twice_by_replicas_is_a_mistake_wherever_the_other_stands() {
    let base = "name = \"b\"\n[process.w-2]\ncommand = [\"w\"]\n";
    let top = "extends = \"base.toml\"\n[process.w]\ncommand = [\"w\"]\nreplicas = 3\n";
    let said = Files::new(&[("top.toml", top), ("base.toml", base)]).load("top.toml").expect_err("w-2 is taken").to_string();
    assert!(said.contains("there are two processes `w-2`") && said.contains("base.toml:2:10"), "{said}");
}

#[test]
fn set_and_only_reach_through_the_layers_in_a_real_run() {
    let bench = Bench::new("layers");
    bench.write("lib/base.toml", "name = \"b\"\n[vars]\nword = \"base\"\n[process.say]\nrole = \"test\"\nshell = \"echo ${vars.word} in $(basename $PWD)\"\n[process.never]\nrole = \"test\"\nshell = \"exit 1\"\n");
    let file = bench.write("top.toml", "extends = \"lib/base.toml\"\nname = \"top\"\n");
    let run = bench.run_file(&file, &["--set", "word=hello", "--only", "say"]);
    run.assert_code(0);
    assert!(run.stdout.contains("say | hello in lib"), "{}", run.stdout);
    let check = bench.command().args(["check", "top.toml", "--only", "say"]).output().expect("the binary runs");
    let check = Finished::of(&check);
    assert!(check.stdout.contains("top.toml over lib/base.toml") && check.stdout.contains("\n1 process, 1 test"), "{}", check.stdout);
    assert!(Path::new(&bench.recording().join("scenario.toml")).exists());
    bench.assert_nothing_left(Duration::from_millis(500));
}
