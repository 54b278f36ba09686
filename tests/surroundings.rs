//! What the machine around a run does to it: starves it, refuses its disk, changes its file.

mod support;

use std::{
    fs,
    io::{self, Write},
    process::{Command, Stdio},
    time::Duration,
};

use support::{Bench, Finished, wait_for};

#[test]
fn c14_a_file_that_changes_during_the_run_changes_nothing_and_the_recording_has_what_was_run() {
    let bench = Bench::new("changed");
    let scenario = "name = \"first\"\n[process.t]\nrole = \"test\"\nshell = \"echo 'name = 3' >scenario.toml; echo changed\"\n\
                    [process.u]\nrole = \"test\"\nshell = \"grep -q 'name = 3' scenario.toml && echo seen\"\ndepends_on = [\"t\"]\n";
    let run = bench.run(scenario, &[]);
    run.assert_code(0);
    assert!(run.stdout.contains("u | seen"), "{}", run.stdout);
    let kept = fs::read_to_string(bench.recording().join("scenario.toml")).expect("it is recorded");
    assert_eq!(kept, scenario);
}

#[test]
fn d11_a_disk_that_refuses_to_keep_an_archive_is_told_and_leaves_no_part() {
    let bench = Bench::new("fsync");
    bench.run("name = \"x\"\n[process.t]\nrole = \"test\"\nshell = \"echo said\"\n", &[]).assert_code(0);
    if Command::new("strace").arg("-V").output().is_err() {
        let _ = io::stderr().write_all(b"SKIPPED d11: there is no strace to make fsync fail\n");
        return;
    }
    let binary = bench.command().get_program().to_owned();
    let export = bench
        .command_of("strace")
        .args(["-f", "-qq", "-o", "trace", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO"])
        .arg(binary)
        .arg("export")
        .arg(bench.recording())
        .args(["-o", "kept.tar.zst"])
        .output()
        .expect("strace is there");
    let said = String::from_utf8_lossy(&export.stderr);
    assert!(!export.status.success() && said.contains("kept.tar.zst") && said.contains("Input/output error"), "{said}");
    let left: Vec<_> = fs::read_dir(bench.dir.path()).expect("the folder").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("kept")), "{left:?}");
}

#[test]
fn k4_a_starved_machine_makes_nobody_unhealthy() {
    let bench = Bench::new("starved");
    // All of it on one processor, beside fifty that never rest: what is asked is late, not wrong.
    let hogs = "p=; for i in $(seq 50); do (while :; do :; done) & p=\"$p $!\"; done; sleep 6; kill $p; wait";
    let scenario = format!(
        "name = \"starved\"\n[ports]\np = \"auto\"\n[process.web]\nkind = \"mock-upstream\"\nlistens = \"p\"\n\
         health = {{ http = \"${{process.web.url}}/health\", interval = \"200ms\", timeout = \"1s\", failures = 3 }}\n\
         restart = \"on-failure\"\n\
         [process.hogs]\nrole = \"test\"\nshell = '{hogs}'\ndepends_on = {{ web = \"healthy\" }}\n"
    );
    let file = bench.write("scenario.toml", &scenario);
    let binary = bench.command().get_program().to_owned();
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("it runs somewhere").trim();
    let first = allowed.split([',', '-']).next().expect("a number");
    let run = bench
        .command_of("taskset")
        .args(["-c", first])
        .arg(binary)
        .arg("run")
        .arg(file)
        .args(["--report", "json=report.json"])
        .output()
        .expect("taskset of util-linux is there");
    let run = Finished::of(&run);
    run.assert_code(0);
    let events = fs::read_to_string(bench.recording().join("events.jsonl")).expect("it is recorded");
    let probes = events.lines().filter(|line| line.contains("\"event\":\"probed\"")).count();
    assert!(probes >= 5, "it was asked all the same: {probes}");
    assert!(!events.contains("\"health\":\"unhealthy\"") && !events.contains("could not run for"), "{events}");
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn s5_who_is_killed_outright_is_told_as_that_and_for_want_of_memory_only_where_the_kernel_says_so() {
    let bench = Bench::new("outright");
    // What the kernel does to a process for want of memory is this signal; nothing here says that memory was the reason.
    let scenario = "name = \"outright\"\n[process.t]\nrole = \"test\"\nshell = \"echo working; kill -9 $$\"\n";
    let run = bench.run(scenario, &["--report", "json=report.json"]);
    run.assert_code(1);
    assert!(run.stderr.contains("SIGKILL") && !run.stderr.to_lowercase().contains("memory"), "{}", run.stderr);
    let report = fs::read_to_string(bench.dir.path().join("report.json")).expect("it was asked for");
    assert!(report.contains("\"signal\": \"SIGKILL\"") && report.contains("\"exit_code\": null"), "{report}");
    // The same done to the supervisor: nothing is left.
    let file = bench.write("long.toml", "name = \"long\"\n[process.a]\nshell = \"setsid sleep 600 & echo up; sleep 601\"\n");
    let mut child = bench.command().arg("run").arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    wait_for("both run", Duration::from_secs(20), || {
        bench.alive().iter().filter(|(_, command)| command.starts_with("sleep 60")).count() == 2
    });
    child.kill().expect("it lives");
    child.wait().expect("it is ours");
    bench.assert_nothing_left(Duration::from_secs(5));
}
