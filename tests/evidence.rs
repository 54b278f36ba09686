//! Recordings and archives as a user meets them: what is kept, what is shown of it, and what never is.

mod support;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use support::{Bench, Finished, planted::Planted, wait_for};

fn finished(command: &mut std::process::Command) -> Finished {
    Finished::of(&command.output().expect("the binary runs"))
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("the folder is there").flatten().map(|e| e.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Everything in an archive.
fn unpacked(path: &Path) -> Vec<(String, Vec<u8>)> {
    let file = std::fs::File::open(path).expect("the archive is there");
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).expect("zstd"));
    let entries = archive.entries().expect("tar").map(|entry| {
        let mut entry = entry.expect("whole");
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).expect("whole");
        (entry.path().expect("a name").display().to_string(), content)
    });
    entries.collect()
}

#[test]
fn c15_two_hundred_secrets_in_five_encodings_are_in_no_file_report_or_screen() {
    let bench = Bench::new("planted");
    let planted = Planted::in_bench(&bench);
    let (report, archive) = (bench.dir.path().join("r.json"), bench.dir.path().join("a.tar.zst"));
    let junit = bench.dir.path().join("r.xml");
    let mut command = bench.command();
    planted.tell(&mut command).env("GITHUB_ACTIONS", "true").arg("run").arg(&planted.scenario);
    command.arg("--report").arg(format!("json={}", report.display())).arg("--archive").arg(&archive);
    command.arg("--report").arg(format!("junit={}", junit.display()));
    let run = finished(&mut command);
    assert!(run.code.is_some_and(|code| code == 1 || code == 3), "{:?}\n{}", run.code, run.stderr);
    bench.assert_nothing_left(std::time::Duration::from_millis(500));
    assert!(run.stdout.matches("##e2e").count() > 1000 && run.stdout.contains("header=[*"), "{}", run.stdout);
    let recording = bench.recording();
    let mut everything: Vec<(String, Vec<u8>)> =
        vec![("stdout".into(), run.stdout.into_bytes()), ("stderr".into(), run.stderr.into_bytes())];
    everything.push(("report".into(), std::fs::read(&report).expect("it was written")));
    everything.push(("junit".into(), std::fs::read(&junit).expect("it was written")));
    let mut events = bench.command();
    let events = finished(planted.tell(&mut events).arg("run").arg(&planted.scenario).arg("--events"));
    assert!(events.stdout.contains("\"event\":\"marked\""), "the marks are there");
    everything.push(("events".into(), [events.stdout, events.stderr].concat().into_bytes()));
    everything.extend(walk(&recording).into_iter().map(|path| (path.display().to_string(), std::fs::read(&path).expect("readable"))));
    everything.extend(unpacked(&archive));
    for args in [&["logs"][..], &["explain"], &["explain", "--format", "json"]] {
        let shown = finished(bench.command().args(args).arg(&archive));
        everything.push((args.join(" "), [shown.stdout, shown.stderr].concat().into_bytes()));
    }
    assert!(everything.len() > 20);
    for (place, bytes) in &everything {
        planted.assert_absent(place, bytes);
    }
}

const STORY: &str = r#"
name = "story"
[process.server]
shell = "echo up; sleep 0.2; echo ERROR backend gone; sleep 600"
[process.test]
role = "test"
shell = "sleep 0.4; echo wanted 200 >&2; exit 7"
"#;

#[test]
fn logs_prints_what_is_asked_for() {
    let bench = Bench::new("logs");
    bench.run(STORY, &[]).assert_code(1);
    let recording = bench.recording();
    let logs = |args: &[&str]| finished(bench.command().arg("logs").arg(&recording).args(args));
    let all = logs(&[]);
    all.assert_code(0);
    assert!(all.stdout.contains("server | up") && all.stdout.contains("test   | wanted 200"), "{}", all.stdout);
    let one = logs(&["--process", "server", "--grep", "error"]).stdout;
    assert_eq!(one, "server | ERROR backend gone\n");
    let late = logs(&["--since", "1ms"]).stdout;
    assert!(!late.contains("server | up"), "{late}");
    assert_eq!(logs(&["--since", "+1h"]).stdout, "");
    let around = logs(&["--around-failure", "1ms"]).stdout;
    assert!(around.contains("ERROR backend gone") && around.contains("wanted 200") && !around.contains("server | up"), "{around}");
    let wrong = logs(&["--process", "sever"]);
    wrong.assert_code(2);
    assert!(wrong.stderr.contains("there are server, test"), "{}", wrong.stderr);
    logs(&["--since", "yesterday"]).assert_code(2);
}

#[test]
fn recordings_are_listed_and_pruned_and_the_last_failed_is_found() {
    let bench = Bench::new("shelf");
    let none = finished(bench.command().arg("recordings"));
    assert!(none.stdout.starts_with("no recordings in "), "{}", none.stdout);
    bench.run("name = \"good\"\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n", &[]).assert_code(0);
    bench.run("name = \"bad\"\n[process.test]\nrole = \"test\"\ncommand = [\"false\"]\n", &[]).assert_code(1);
    bench.run("name = \"good\"\n[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n", &[]).assert_code(0);
    let listed = finished(bench.command().arg("recordings")).stdout;
    let words: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(words, [["PASSED", "good"], ["FAILED", "bad"], ["PASSED", "good"]], "{listed}");
    // Without a terminal the replay says what else to do, and of which recording.
    let replay = finished(bench.command().args(["replay", "--last-failed"]));
    replay.assert_code(2);
    assert!(replay.stderr.contains("e2e-tui explain") && replay.stderr.contains("-bad-"), "{}", replay.stderr);
    finished(bench.command().args(["recordings", "prune"])).assert_code(2);
    let pruned = finished(bench.command().args(["recordings", "prune", "--keep", "1"]));
    assert!(pruned.stdout.starts_with("2 recordings removed, "), "{}{}", pruned.stdout, pruned.stderr);
    assert_eq!(finished(bench.command().arg("recordings")).stdout.lines().count(), 1);
    let gone = finished(bench.command().args(["replay", "--last-failed"]));
    gone.assert_code(2);
    assert!(gone.stderr.contains("did not pass"), "{}", gone.stderr);
}

#[test]
fn d1_a_disk_that_is_full_during_an_export_leaves_the_old_archive_and_no_part() {
    let bench = Bench::new("d1");
    bench
        .run("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"dd if=/dev/urandom bs=1k count=400 status=none\"\n", &[])
        .assert_code(0);
    let target = bench.dir.path().join("out/x.tar.zst");
    std::fs::create_dir(target.parent().expect("a folder")).expect("a disk");
    std::fs::write(&target, "the old one").expect("a disk");
    // A limit on the size of files refuses what is beyond it, as a full disk does.
    let script = format!(
        "ulimit -f 200; exec {} export {} -o {} --force",
        env!("CARGO_BIN_EXE_e2e-tui"),
        bench.recording().display(),
        target.display()
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let refused = finished(&mut command);
    refused.assert_code(2);
    assert!(refused.stderr.contains("could not be written"), "{}", refused.stderr);
    assert_eq!(std::fs::read(&target).expect("it is there"), b"the old one");
    assert_eq!(std::fs::read_dir(target.parent().expect("a folder")).expect("readable").count(), 1, "no part is left");
    let exists = finished(bench.command().arg("export").arg(bench.recording()).arg("-o").arg(&target));
    exists.assert_code(2);
    assert!(exists.stderr.contains("--force"), "{}", exists.stderr);
    finished(bench.command().arg("export").arg(bench.recording()).arg("-o").arg(&target).arg("--force")).assert_code(0);
    let to_stdout = bench.command().arg("export").arg(bench.recording()).args(["-o", "-"]).output().expect("the binary runs");
    assert!(to_stdout.stdout.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]), "an archive, and nothing else");
}

#[test]
fn a_recording_whose_supervisor_was_killed_says_so_everywhere() {
    let bench = Bench::new("cutoff");
    let file = bench.write("scenario.toml", "name = \"x\"\n[process.a]\nshell = \"echo said before; sleep 600\"\n");
    let mut child = bench.command().arg("run").arg(file).spawn().expect("the binary runs");
    support::wait_for("output", std::time::Duration::from_secs(20), || {
        let base = bench.dir.path().join("state/e2e-tui/recordings");
        let Some(Ok(run)) = std::fs::read_dir(base).ok().and_then(|mut runs| runs.next()) else { return false };
        let holds = |name: &str, text: &str| std::fs::read_to_string(run.path().join(name)).is_ok_and(|file| file.contains(text));
        holds("logs/a.out", "before") && holds("events.jsonl", "spawned")
    });
    child.kill().expect("it lives");
    child.wait().expect("it was killed");
    bench.assert_nothing_left(std::time::Duration::from_millis(500));
    let recording = bench.recording();
    let told = finished(bench.command().arg("explain").arg(&recording)).stdout;
    assert!(told.contains("the recording breaks off: the supervisor was killed or the machine died; alive then: a"), "{told}");
    assert!(finished(bench.command().arg("recordings")).stdout.starts_with("CUT OFF"));
    let archive = bench.dir.path().join("x.tar.zst");
    finished(bench.command().arg("export").arg(&recording).arg("-o").arg(&archive)).assert_code(0);
    let summary = unpacked(&archive).into_iter().find(|(name, _)| name == "summary.md").expect("it has one").1;
    assert!(String::from_utf8_lossy(&summary).starts_with("# x: CUT OFF\n\nthe recording breaks off"));
    assert!(finished(bench.command().arg("explain").arg(&archive)).stdout.contains("breaks off"));
}

/// A library that refuses to bring anything to the disk, made where there is a C compiler.
fn refusing_fsync(bench: &Bench) -> Option<PathBuf> {
    let source = bench.write(
        "eio.c",
        "#include <errno.h>\nint fsync(int fd) { (void)fd; errno = EIO; return -1; }\nint fdatasync(int fd) { return fsync(fd); }\n",
    );
    let library = bench.dir.path().join("eio.so");
    let made = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    if made.is_ok_and(|status| status.success()) {
        return Some(library);
    }
    let _ = std::io::stderr().write_all(b"SKIPPED d11: cc, which makes the library that refuses, is not installed\n");
    None
}

#[test]
fn d11_a_disk_that_fails_to_sync_is_reported_and_the_old_archive_stands() {
    let bench = Bench::new("d11");
    let Some(library) = refusing_fsync(&bench) else { return };
    let scenario = bench.write("scenario.toml", "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"echo said\"\n");
    let out = bench.dir.path().join("out");
    std::fs::create_dir(&out).expect("a disk");
    let target = out.join("x.tar.zst");
    let mut command = bench.command();
    command.env("LD_PRELOAD", &library).arg("run").arg(&scenario).arg("--archive").arg(&target);
    let run = finished(&mut command);
    run.assert_code(0);
    let told = "x.tar.zst could not be written: Input/output error (os error 5)";
    assert!(run.stderr.contains(&format!("warning: no archive: {}", out.display())) && run.stderr.contains(told), "{}", run.stderr);
    assert!(run.stderr.contains("x: PASSED (exit 0)"), "the verdict is what it was: {}", run.stderr);
    assert!(walk(&out).is_empty(), "no part is left");
    std::fs::write(&target, "the old one").expect("a disk");
    let mut command = bench.command();
    command.env("LD_PRELOAD", &library).arg("export").arg(bench.recording()).arg("-o").arg(&target).arg("--force");
    let refused = finished(&mut command);
    refused.assert_code(2);
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert_eq!(std::fs::read(&target).expect("it is there"), b"the old one");
    assert_eq!(walk(&out), [target]);
}

/// Whether a process has handlers of its own for all signals that end it.
fn minds_signals(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok()).unwrap_or(0);
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM].iter().all(|signal| caught >> (*signal as i32 - 1) & 1 == 1)
}

#[test]
fn an_export_into_a_pipe_that_nobody_reads_ends_at_a_signal() {
    let bench = Bench::new("fifo");
    bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"head -c 400000 /dev/urandom | base64\"\n", &[]).assert_code(0);
    let fifo = bench.dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let export = || {
        let child = bench.command().arg("export").arg(bench.recording()).arg("-o").arg(&fifo).spawn().expect("the binary runs");
        wait_for("it to mind signals", Duration::from_secs(20), || minds_signals(child.id()));
        child
    };
    let ends = |child: std::process::Child, signal: Signal, code: i32| {
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("it lives");
        let export = Finished::of(&child.wait_with_output().expect("it ends"));
        export.assert_code(code);
        assert!(export.stderr.contains("was given up"), "{}", export.stderr);
    };
    // Nobody has opened the other end.
    ends(export(), Signal::SIGTERM, 143);
    ends(export(), Signal::SIGINT, 130);
    // Somebody has, and reads nothing.
    let reader = rustix::fs::open(&fifo, rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK, rustix::fs::Mode::empty());
    let reader = reader.expect("a pipe");
    let child = export();
    wait_for("the pipe to be full", Duration::from_secs(20), || rustix::io::ioctl_fionread(&reader).is_ok_and(|bytes| bytes >= 65_536));
    ends(child, Signal::SIGTERM, 143);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn d5_names_that_are_paths_are_refused_by_scenarios_and_recordings_alike() {
    let long = "x".repeat(300);
    for name in ["../../etc/x", "a/b", "/etc/x", "..", "", "a\nb", "a\0b", "a b", "é", long.as_str()] {
        let bench = Bench::new("d5");
        let quoted = serde_json::to_string(name).expect("text");
        let run = bench.run(&format!("name = \"x\"\n[process.{quoted}]\ncommand = [\"touch\", \"started\"]\n"), &[]);
        run.assert_code(2);
        assert!(run.stderr.contains("scenario.toml:2:"), "{name:?}: {}", run.stderr);
        assert!(!bench.dir.path().join("started").exists() && !bench.dir.path().join("state").exists(), "nothing was begun");
        // A recording of that name, as only a stranger writes it: it is no recording, and nothing outside of it is opened.
        let dir = bench.dir.path().join("recording");
        std::fs::create_dir_all(dir.join("logs")).expect("a disk");
        let manifest = serde_json::json!({
            "format": 1, "id": "x", "scenario": "x", "origin": "x", "started": "2026-11-23T06:25:57.881890Z", "version": "0",
            "containment": "subreaper", "processes": [name], "lease": { "pid": 1, "start_ticks": 1, "boot_id": "x" },
        });
        std::fs::write(dir.join("manifest.json"), manifest.to_string()).expect("a disk");
        std::fs::write(dir.join("events.jsonl"), "").expect("a disk");
        let logs = finished(bench.command().arg("logs").arg(&dir));
        logs.assert_code(2);
        assert!(logs.stderr.contains("manifest.json"), "{}", logs.stderr);
    }
    // What only another system would not take is a name like any other.
    let bench = Bench::new("d5-con");
    bench.run("name = \"CON\"\n[process.CON]\nrole = \"test\"\nshell = \"echo said\"\n", &[]).assert_code(0);
    assert!(bench.recording().join("logs/CON.out").is_file());
}

/// A number below `most`, different every time but the same in every run of the test (Knuth's multiplicative hash).
fn dice(round: u32, most: u64) -> u64 {
    (u64::from(round).wrapping_mul(2_654_435_761) >> 7) % most
}

/// `E2E_ROUNDS=100 cargo test --test evidence s4_` is the whole of it.
#[test]
fn s4_kill_9_at_any_instant_leaves_a_recording_that_reads_exports_and_is_told_of() {
    let rounds = std::env::var("E2E_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8);
    let (mut lines, mut events) = (0, 0);
    for round in 0..rounds {
        let bench = Bench::new("killedrun");
        let file = bench.write(
            "scenario.toml",
            "name = \"x\"\n[process.counter]\nshell = \"i=0; while :; do i=$((i+1)); echo line $i; done\"\n\
             [process.crasher]\nshell = \"echo here; exit 3\"\nrestart = { policy = \"on-failure\", backoff = \"1ms\", max_backoff = \"5ms\", max_attempts = 1000 }\n",
        );
        let mut run = bench.command().arg("run").arg(file).arg("--quiet").spawn().expect("the binary runs");
        let folder = bench.dir.path().join("state/e2e-tui/recordings");
        let kept = || walk(&folder).iter().any(|path| path.ends_with("events.jsonl"));
        wait_for("a recording", Duration::from_secs(20), || folder.exists() && kept());
        std::thread::sleep(Duration::from_micros(dice(round, 150_000)));
        run.kill().expect("it is not reaped yet");
        run.wait().expect("it is ours");
        bench.assert_nothing_left(Duration::from_secs(5));

        let recording = bench.recording();
        let read = |path: &Path| {
            let log = finished(bench.command().arg("logs").arg(path));
            log.assert_code(0);
            log.stdout
        };
        let log = read(&recording);
        let said: Vec<&str> = log.lines().filter_map(|line| line.split_once("counter | ")).map(|(_, text)| text).collect();
        for (n, text) in (1..).zip(&said) {
            // What was in the pipe's other end when the supervisor died may be the beginning of a line.
            assert!(
                *text == format!("line {n}") || n == said.len() && format!("line {n}").starts_with(text),
                "round {round}: {text:?} for {n}"
            );
        }
        let archive = bench.dir.path().join("killed.tar.zst");
        finished(bench.command().arg("export").arg(&recording).arg("-o").arg(&archive)).assert_code(0);
        assert_eq!(read(&archive), log, "round {round}: the archive says what the recording says");
        let explained = finished(bench.command().arg("explain").arg(&archive));
        assert!(explained.stdout.contains("killed") || explained.stderr.contains("killed"), "{}\n{}", explained.stdout, explained.stderr);
        lines += said.len();
        events += log.matches("crasher *").count();
    }
    assert!(lines > 0 && events > 0, "{lines} lines, {events} events in {rounds} rounds");
}
