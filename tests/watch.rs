//! `watch` and `skip_if_exists` as a user meets them: real files, real children.

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use support::{Bench, Finished, wait_for};

const SOON: Duration = Duration::from_secs(20);

/// Says what it has read, again after each start.
const SERVER: &str = r#"
name = "live"
[process.web]
shell = "echo serving $(cat src/page.txt); exec sleep 600"
ready = { log = "^serving" }
watch = ["src/**/*.txt", "**/*.conf", "!src/generated/**"]
"#;

struct Live {
    child: Child,
}

impl Live {
    fn start(bench: &Bench, scenario: &str) -> Self {
        let file = bench.write("scenario.toml", scenario);
        let run = bench.command().arg("run").arg(file).args(["--recordings-dir", "recordings"]).spawn();
        Self { child: run.expect("the binary runs") }
    }

    fn stop(self) -> Finished {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).expect("it is not reaped yet");
        Finished::of(&self.child.wait_with_output().expect("it ends"))
    }
}

/// The events of the one recording there is.
fn events(bench: &Bench) -> String {
    let runs = fs::read_dir(bench.dir.path().join("recordings")).into_iter().flatten().flatten();
    runs.map(|run| fs::read_to_string(run.path().join("events.jsonl")).unwrap_or_default()).collect()
}

fn count(bench: &Bench, event: &str) -> usize {
    events(bench).lines().filter(|line| line.contains(event)).count()
}

fn wait_for_ready(bench: &Bench, times: usize) {
    wait_for(&format!("it to be ready {times} times"), SOON, || count(bench, r#""event":"ready""#) == times);
}

#[test]
fn a_change_restarts_and_says_which_file_it_was() {
    let bench = Bench::new("watch");
    let page = bench.write("src/page.txt", "one");
    let live = Live::start(&bench, SERVER);
    wait_for_ready(&bench, 1);
    // As editors save: beside it, then over it.
    let beside = bench.write("src/page.txt~", "two");
    fs::rename(beside, &page).expect("renamed");
    wait_for_ready(&bench, 2);
    // What is left out, and what is not named, comes before what is.
    bench.write("src/generated/x.txt", "x");
    bench.write("src/notes.md", "x");
    bench.write("site.conf", "x");
    wait_for_ready(&bench, 3);
    let run = live.stop();
    for line in ["web | serving one", "web * src/page.txt changed   it is restarted", "web | serving two", "web * site.conf changed"] {
        assert!(run.stdout.contains(line), "{line} is missing in\n{}", run.stdout);
    }
    assert_eq!(count(&bench, "file-changed"), 2, "{}", events(&bench));
    assert!(!run.stdout.contains("generated") && !run.stdout.contains("notes"), "{}", run.stdout);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_run_that_records_into_the_watched_folder_does_not_restart_itself() {
    let bench = Bench::new("watch-own");
    bench.write("page.txt", "one");
    let scenario = r#"
name = "live"
[process.web]
shell = "echo up; while :; do echo chatter; sleep 0.02; done"
ready = { log = "^up" }
watch = "**"
"#;
    let live = Live::start(&bench, scenario);
    wait_for_ready(&bench, 1);
    wait_for("a good deal of output", SOON, || {
        let runs = fs::read_dir(bench.dir.path().join("recordings")).into_iter().flatten().flatten();
        runs.filter_map(|run| fs::metadata(run.path().join("logs/web.out")).ok()).any(|log| log.len() > 800)
    });
    bench.write("page.txt", "two");
    wait_for_ready(&bench, 2);
    let run = live.stop();
    assert!(run.stdout.contains("web * page.txt changed   it is restarted"), "the first change is that of the page\n{}", run.stdout);
    assert_eq!(count(&bench, "file-changed"), 1, "{}", run.stdout);
    bench.assert_nothing_left(Duration::from_millis(500));
}

/// The run in a user namespace of its own, where this setting of the system is `value`; none where that is not allowed.
fn with_limit(bench: &Bench, setting: &str, value: u32) -> Option<Child> {
    let mut command = bench.command_of("unshare");
    command.args(["--user", "--map-root-user", "/bin/sh", "-c", "echo $2 > /proc/sys/user/$1 && shift 2 && exec \"$@\"", "sh"]);
    command.args([setting, &value.to_string()]).arg(bench.command().get_program());
    command.args(["run", "scenario.toml", "--recordings-dir", "recordings"]);
    let probe = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "/bin/sh", "-c"])
        .arg(format!("echo 1 > /proc/sys/user/{setting}"))
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success()).then(|| command.spawn().expect("unshare was there a moment ago"))
}

#[test]
fn s14_the_inotify_limit_is_a_warning_that_says_what_to_do_and_the_run_goes_on() {
    for (setting, value, said) in
        [("max_inotify_watches", 2, "fs.inotify.max_user_watches"), ("max_inotify_instances", 0, "fs.inotify.max_user_instances")]
    {
        let bench = Bench::new("s14");
        for folder in 0..20 {
            bench.write(&format!("src/{folder}/page.txt"), "x");
        }
        let scenario =
            "name = \"live\"\n[process.web]\nshell = \"echo serving; exec sleep 600\"\nready = { log = \"^serving\" }\nwatch = \"src\"\n";
        bench.write("scenario.toml", scenario);
        let Some(child) = with_limit(&bench, setting, value) else {
            let _ = writeln!(std::io::stderr(), "SKIPPED s14: no user namespace with a limit of its own can be made here");
            return;
        };
        wait_for_ready(&bench, 1);
        wait_for("the warning", SOON, || events(&bench).contains(said));
        let run = Live { child }.stop();
        assert!(run.stdout.contains("sudo sysctl fs.inotify."), "{}", run.stdout);
        assert_eq!(run.stdout.matches("restart nothing").count(), 1, "once, not for each folder\n{}", run.stdout);
        bench.assert_nothing_left(Duration::from_millis(500));
    }
}

const SEED: &str = r#"
name = "seeded"
[process.seed]
role = "task"
shell = "echo seeding; mkdir -p data; echo x > data/db"
skip_if_exists = "data/db"
[process.test]
role = "test"
shell = "cat data/db"
depends_on = ["seed"]
"#;

#[test]
fn a_task_that_fails_half_way_is_tried_again_although_what_it_makes_is_there() {
    let bench = Bench::new("seed-again");
    let seed = r#"
name = "seeded"
[process.seed]
role = "task"
shell = "mkdir -p data; test -e data/db && echo whole > data/db && exit 0; echo half > data/db; exit 1"
skip_if_exists = "data/db"
restart = { policy = "on-failure", backoff = "10ms" }
[process.test]
role = "test"
shell = "grep whole data/db"
depends_on = ["seed"]
"#;
    let run = bench.run(seed, &[]);
    run.assert_code(0);
    assert!(run.stdout.contains("test | whole") && !run.stdout.contains("already done"), "{}", run.stdout);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn a_task_that_is_done_is_not_started_and_its_dependants_go_on() {
    let bench = Bench::new("seed");
    bench.run(SEED, &[]).assert_code(0);
    assert!(Path::new(&bench.dir.path().join("data/db")).exists());
    let run = bench.run(SEED, &["--report", "json=report.json"]);
    run.assert_code(0);
    assert!(!run.stdout.contains("seeding"), "{}", run.stdout);
    assert!(run.stdout.contains("seed * already done   data/db is there"), "{}", run.stdout);
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(bench.dir.path().join("report.json")).expect("written")).expect("JSON");
    assert_eq!((&report["processes"][0]["state"], &report["processes"][0]["exits"]), (&"completed".into(), &serde_json::json!([])));
    bench.assert_nothing_left(Duration::from_millis(500));
}
