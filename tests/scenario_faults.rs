//! Group C of the faults: what files can have wrong, each by its id. Whole diagnostics are snapshots in `scenario_invalid`.

mod support;

use std::{fs, path::Path, time::Duration};

use e2e_tui::scenario::{Diagnostics, Environment, Located, Overrides, Scenario, load, locate_from};
use support::{Bench, Finished, wait_for};

const SOON: Duration = Duration::from_secs(20);

fn read(text: &str) -> Result<Scenario, Diagnostics> {
    let overrides = Overrides { env: Environment::of([("PATH", "/usr/bin:/bin")]), ..Overrides::default() };
    load(&Located::text("x.toml", "/work/x", text), &overrides)
}

#[track_caller]
fn mistake(text: &str) -> String {
    read(text).expect_err("it has a mistake").to_string()
}

#[test]
fn c1_a_circle_is_told_as_the_path_that_it_is() {
    let on = |name: &str, on: &str| format!("[process.{name}]\ncommand = [\"true\"]\ndepends_on = [\"{on}\"]\n");
    let said = mistake(&format!("name = \"x\"\n{}{}{}", on("a", "b"), on("b", "c"), on("c", "a")));
    assert!(said.contains("these processes wait for each other: `a` -> `b` -> `c` -> `a`"), "{said}");
    for place in ["x.toml:4:15", "`b` waits for `c`", "`c` waits for `a`"] {
        assert!(said.contains(place), "{place}: {said}");
    }
}

#[test]
fn c2_an_unknown_dependency_is_placed_and_a_name_given_twice_is_shown_in_both_places() {
    let said =
        mistake("name = \"x\"\n[process.upstream]\ncommand = [\"true\"]\n[process.b]\ncommand = [\"true\"]\ndepends_on = [\"upstraem\"]\n");
    assert!(said.contains("x.toml:6:15") && said.contains("did you mean `upstream`?"), "{said}");
    let said = mistake("name = \"x\"\n[process.a]\ncommand = [\"true\"]\n[process.a]\ncommand = [\"false\"]\n");
    assert!(said.contains("`a` is given twice") && said.contains("4 | [process.a]") && said.contains("2 | [process.a]"), "{said}");
}

#[test]
fn c3_an_unknown_key_names_the_nearest_and_nothing_starts() {
    let bench = Bench::new("c3");
    let run = bench.run("name = \"x\"\n[process.a]\ncomand = [\"touch\", \"started\"]\ncommand = [\"touch\", \"started\"]\n", &[]);
    run.assert_code(2);
    assert!(run.stderr.contains("scenario.toml:3:1") && run.stderr.contains("did you mean `command`?"), "{}", run.stderr);
    assert!(!bench.dir.path().join("started").exists() && !bench.dir.path().join("state").exists(), "nothing was begun");
}

#[test]
fn c4_a_bad_duration_is_marked_and_told_the_allowed_forms() {
    for (given, why) in [
        ("5", "has no unit"),
        ("\"-1s\"", "it cannot be negative"),
        ("\"1e99h\"", "`e` is no unit"),
        ("\"99999999999999999999h\"", "too long"),
    ] {
        let said = mistake(&format!("name = \"x\"\ntimeout = {given}\n[process.a]\ncommand = [\"true\"]\n"));
        assert!(said.contains(why) && said.contains("x.toml:2:11") && said.contains("durations look like"), "{given}: {said}");
    }
}

#[test]
fn c5_all_names_that_are_not_set_are_one_error() {
    let said = mistake(
        "name = \"x\"\n[process.a]\ncommand = [\"${vars.a}\", \"${env.NOPE_A}\", \"$${kept}\"]\nenv = { B = \"${secrets.b}${ports.c}\" }\n",
    );
    assert!(said.contains("4 names are not set: `vars.a`, `env.NOPE_A`, `secrets.b`, `ports.c`"), "{said}");
    assert!(said.contains("cannot run x.toml: 1 error"), "{said}");
}

#[test]
fn c6_an_invalid_or_huge_pattern_is_an_error_before_anything_starts() {
    let with = |pattern: &str| mistake(&format!("name = \"x\"\n[process.a]\ncommand = [\"true\"]\nready = {{ log = '{pattern}' }}\n"));
    assert!(with("listening (").contains("unclosed group"), "{}", with("listening ("));
    let huge = with("x{999}{999}{999}");
    assert!(huge.contains("it is too large") && huge.contains("x.toml:4:17"), "{huge}");
}

#[test]
fn c8_files_that_are_too_long_or_too_deep_are_refused_in_a_moment() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let huge = dir.path().join("huge.toml");
    fs::File::create(&huge).and_then(|file| file.set_len(1 << 30)).expect("a sparse file of 1 GiB");
    let said = locate_from("huge.toml", dir.path()).expect_err("too long").to_string();
    assert!(said.contains("longer than 1 MiB"), "{said}");
    let deep = mistake(&format!("name = \"x\"\na = {}{}\n", "[".repeat(10_000), "]".repeat(10_000)));
    assert!(deep.contains("more than 80 tables or lists inside each other"), "{deep}");
}

#[test]
fn c9_a_mark_and_other_line_ends_are_taken_and_other_encodings_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = "name = \"x\"\r\n[process.a]\r\ncommand = [\"echo\", \"caf\u{e9}\"]\r\n";
    let write = |bytes: &[u8]| fs::write(dir.path().join("x.toml"), bytes).expect("written");
    write(format!("\u{feff}{text}").as_bytes());
    let located = locate_from("x.toml", dir.path()).expect("UTF-8 with a mark");
    let scenario = load(&located, &Overrides::default()).unwrap_or_else(|d| panic!("{d}"));
    assert_eq!(scenario.draft().processes["a"].argv[1].to_string(), "caf\u{e9}");
    let utf16: Vec<u8> = "\u{feff}name".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for (bytes, named) in
        [(&utf16, "UTF-16 (little endian)"), (&latin1, "line 3, column 24: the byte 0xe9 is not UTF-8 (Latin-1 or Windows-1252?)")]
    {
        write(bytes);
        let said = locate_from("x.toml", dir.path()).expect_err("another encoding").to_string();
        assert!(said.contains(named) && said.contains("UTF-8"), "{said}");
    }
}

#[test]
fn c10_healthy_is_refused_of_a_process_without_a_health_check() {
    let said = mistake(
        "name = \"x\"\n[process.db]\ncommand = [\"true\"]\n[process.app]\ncommand = [\"true\"]\ndepends_on = { db = \"healthy\" }\n",
    );
    assert!(said.contains("`db` can never become healthy: it has no health check") && said.contains("x.toml:6:16"), "{said}");
    let said = mistake(
        "name = \"x\"\n[process.db]\ncommand = [\"true\"]\n[[step]]\nwhen = { process = \"db\", is = \"healthy\" }\nnote = \"x\"\n",
    );
    assert!(said.contains("`db` can never be healthy: it has no health check"), "{said}");
}

#[test]
fn c11_a_grace_longer_than_the_run_is_a_warning() {
    let scenario =
        read("name = \"x\"\ntimeout = \"5s\"\n[process.a]\ncommand = [\"true\"]\nstop = { grace = \"1m\" }\n").expect("a warning only");
    let said = scenario.warnings().to_string();
    assert!(said.contains("the grace of `a` is longer than the whole run may take") && said.contains("x.toml:5:18"), "{said}");
}

#[test]
fn c12_a_scenario_means_the_same_wherever_one_stands() {
    let bench = Bench::new("c12");
    bench.write("deep/tool.sh", "echo $(basename $PWD) $(cat data.txt)\n");
    bench.write("deep/data.txt", "found");
    let file = bench.write(
        "deep/x.toml",
        "name = \"x\"\n[process.a]\nrole = \"test\"\ncommand = [\"/bin/sh\", \"tool.sh\"]\nskip_if_exists = \"none\"\n"
            .replace("skip_if_exists = \"none\"\n", "")
            .as_str(),
    );
    for (from, name) in [(".", "deep/x.toml"), ("deep", "x"), ("/", &*file.to_string_lossy())] {
        let run = Finished::of(&bench.command().current_dir(bench.dir.path().join(from)).args(["run", name]).output().expect("it runs"));
        run.assert_code(0);
        assert!(run.stdout.contains("a | deep found"), "{from}: {}", run.stdout);
    }
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn c14_a_file_that_changes_during_the_run_changes_neither_the_run_nor_what_is_kept_of_it() {
    let bench = Bench::new("c14");
    bench.write("greeting.in", "first");
    let scenario = "name = \"x\"\n[process.a]\nshell = \"cat ${process.dir}/greeting; echo; until test -e again; do sleep 0.02; done; rm again; exit 1\"\nfiles = { greeting = { template = \"greeting.in\" } }\nrestart = { policy = \"on-failure\", max_attempts = 1, backoff = \"10ms\" }\n";
    let file = bench.write("scenario.toml", scenario);
    let child = bench.command().arg("run").arg(&file).spawn().expect("the binary runs");
    let said = |bench: &Bench| {
        let runs = fs::read_dir(bench.dir.path().join("state/e2e-tui/recordings")).into_iter().flatten().flatten();
        runs.map(|run| fs::read_to_string(run.path().join("logs/a.out")).unwrap_or_default()).collect::<String>()
    };
    wait_for("its first words", SOON, || said(&bench).matches("first").count() == 1);
    bench.write("greeting.in", "second");
    bench.write("scenario.toml", "this is no scenario any more");
    bench.write("again", "");
    wait_for("its second start", SOON, || said(&bench).matches("first").count() == 2);
    bench.write("again", "");
    let run = Finished::of(&child.wait_with_output().expect("it ends"));
    run.assert_code(3);
    assert!(!run.stdout.contains("second"), "{}", run.stdout);
    let kept = fs::read_to_string(bench.recording().join("scenario.toml")).expect("it is kept");
    assert_eq!(kept, scenario, "as it was when the run began");
    bench.assert_nothing_left(Duration::from_millis(500));
}

/// What `check` refuses `run` refuses in the same words, and nothing is begun.
#[test]
fn check_and_run_accept_the_same_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario_invalid");
    let mut looked_at = 0;
    for file in fs::read_dir(folder).expect("the folder of the files").flatten().map(|entry| entry.path()) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        // Options of the command line and variables are those of that test.
        if file.extension().is_none_or(|e| e != "toml") || text.lines().any(|line| line.starts_with("#! ")) {
            continue;
        }
        let bench = Bench::new("same");
        let e2e = |command: &str| {
            Finished::of(&bench.command().arg(command).arg(&file).env_clear().env("PATH", "/usr/bin:/bin").output().expect("it runs"))
        };
        let (check, run) = (e2e("check"), e2e("run"));
        check.assert_code(2);
        run.assert_code(2);
        assert_eq!(check.stderr, run.stderr, "{}", file.display());
        looked_at += 1;
    }
    assert!(looked_at >= 40, "{looked_at}");
}
