//! Starting: what can go wrong between the order and a running program, and what a program finds when it runs.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{Exit, Limits, Signal},
    process::{Launch, Order, SpawnError, TreeEvent, TreeId},
};

use crate::support::{Yard, under_all};

fn failure(yard: &mut Yard, launch: Launch) -> SpawnError {
    let tree = yard.launch(launch);
    let error = yard.until("it fails to start", |event| match event {
        TreeEvent::SpawnFailed { tree: t, error } if *t == tree => Some(error.clone()),
        TreeEvent::Spawned { tree: t, .. } if *t == tree => panic!("it runs"),
        _ => None,
    });
    // Whoever waits for its end is answered all the same.
    yard.order(Order::AwaitEmpty { tree });
    yard.empty(tree);
    error
}

fn file(dir: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, content).expect("a temp dir is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
    path
}

/// Starts `argv` and reads all it prints.
fn output(yard: &mut Yard, argv: &[&str], change: impl FnOnce(&mut Launch)) -> (Exit, String) {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut launch = yard.with_output(argv, writer.try_clone().expect("descriptors").into(), writer.into());
    change(&mut launch);
    let tree = yard.launch(launch);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    let exit = yard.exited(tree);
    yard.order(Order::Kill { tree });
    yard.empty(tree);
    (exit, text)
}

#[test]
fn p1_a_program_that_is_gone_when_it_is_to_start_is_named_at_once() {
    under_all(|yard, _| {
        let mut launch = yard.quiet(&["true"]);
        launch.program = "/no/such/program".into();
        let started = Instant::now();
        let error = failure(yard, launch);
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(error, SpawnError::NoSuchFile { path: "/no/such/program".into(), hint: None });
    });
}

#[test]
fn p2_what_cannot_be_executed_is_told_apart() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let text = file(dir.path(), "text", b"just text\n", 0o755);
    let script = file(dir.path(), "script", b"#!/no/such/interpreter\n", 0o755);
    let foreign = file(dir.path(), "foreign", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0", 0o755);
    let plain = file(dir.path(), "plain", b"#!/bin/sh\n", 0o644);
    under_all(|yard, _| {
        let mut short = |program: &Path| {
            let launch = Launch { program: program.to_owned(), ..yard.quiet(&["true"]) };
            failure(yard, launch).short()
        };
        assert_eq!(short(&text), "not a program");
        assert_eq!(short(&script), "no interpreter");
        assert_eq!(short(&foreign), "not a program");
        assert_eq!(short(&plain), "cannot be run");
        assert_eq!(short(dir.path()), "cannot be run");
    });
}

#[test]
fn p3_a_missing_cwd_is_blamed_and_not_the_program() {
    under_all(|yard, _| {
        let mut launch = yard.quiet(&["true"]);
        launch.cwd = "/no/such/folder".into();
        assert_eq!(failure(yard, launch), SpawnError::WorkingDirectory { cwd: "/no/such/folder".into(), errno: 2 });
    });
}

#[test]
fn p4_a_program_being_written_is_tried_again_and_runs_once_it_is_whole() {
    let dir = tempfile::tempdir().expect("a temp dir");
    under_all(|yard, under| {
        let path = file(dir.path(), &format!("{under:?}"), &fs::read("/bin/true").expect("coreutils"), 0o755);
        let writer = fs::OpenOptions::new().append(true).open(&path).expect("it is ours");
        let busy = Launch { program: path.clone(), ..yard.quiet(&["true"]) };
        let started = Instant::now();
        assert_eq!(failure(yard, busy), SpawnError::Busy { path: path.clone(), attempts: 10 });
        assert!(started.elapsed() >= Duration::from_millis(450), "ten attempts, 50 ms apart: {:?}", started.elapsed());

        let late = Launch { program: path, ..yard.quiet(&["true"]) };
        let tree = yard.launch(late);
        // Others are not held up by it.
        let (other, _) = yard.start(&["true"]);
        assert_eq!(yard.exited(other), Exit::Code(0));
        drop(writer);
        yard.spawned(tree);
        assert_eq!(yard.exited(tree), Exit::Code(0));
    });
}

#[test]
fn p4_a_kill_ends_the_attempts() {
    let dir = tempfile::tempdir().expect("a temp dir");
    under_all(|yard, under| {
        let path = file(dir.path(), &format!("{under:?}"), &fs::read("/bin/true").expect("coreutils"), 0o755);
        let _writer = fs::OpenOptions::new().append(true).open(&path).expect("it is ours");
        let busy = Launch { program: path, ..yard.quiet(&["true"]) };
        let tree = yard.launch(busy);
        assert!(yard.kill(tree) < Duration::from_millis(400));
        // Depending on where it was: waiting for another attempt, or just forked.
        let events = yard.rest();
        let ended =
            |event: &TreeEvent| matches!(event, TreeEvent::SpawnFailed { .. } | TreeEvent::Exited { exit: Exit::Signal(Signal::KILL), .. });
        assert!(events.iter().any(ended), "{events:?}");
    });
}

#[test]
fn p5_status_and_output_of_the_quickest_are_kept() {
    under_all(|yard, _| {
        for n in 0..40 {
            let (exit, text) = output(yard, &["/bin/sh", "-c", &format!("echo out {n}; exit {n}")], |_| {});
            assert_eq!((exit, text), (Exit::Code(n), format!("out {n}\n")));
        }
        let trees: Vec<TreeId> = (0..40)
            .map(|_| {
                let launch = yard.quiet(&["true"]);
                yard.launch(launch)
            })
            .collect();
        for tree in trees {
            yard.spawned(tree);
            assert_eq!(yard.exited(tree), Exit::Code(0));
        }
    });
}

#[test]
fn p22_who_reads_stdin_meets_its_end_at_once() {
    under_all(|yard, _| assert_eq!(output(yard, &["cat"], |_| {}), (Exit::Code(0), String::new())));
}

#[test]
fn stdin_can_be_a_pipe() {
    under_all(|yard, _| {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        std::io::Write::write_all(&mut writer, b"a line\n").expect("room");
        drop(writer);
        assert_eq!(output(yard, &["cat"], |launch| launch.stdin = Some(reader.into())), (Exit::Code(0), "a line\n".to_owned()));
    });
}

#[test]
fn a_child_holds_three_descriptors_and_no_more() {
    // One that this program has inherited, as from a careless shell.
    let leak = fs::File::open("/dev/null").expect("exists");
    rustix_like_leak(&leak);
    under_all(|yard, _| {
        let (_, text) = output(yard, &["/bin/sh", "-c", "ls /proc/$$/fd"], |_| {});
        assert_eq!(text, "0\n1\n2\n");
    });
}

/// Lets `file` be inherited.
fn rustix_like_leak(file: &fs::File) {
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).expect("it is open");
}

#[test]
fn a_child_leads_its_session_with_no_signal_blocked_or_ignored() {
    under_all(|yard, _| {
        let (_, text) = output(yard, &["/bin/sh", "-c", "cat /proc/self/status; cut -d' ' -f5,6 /proc/$$/stat; echo $$"], |_| {});
        for field in ["SigBlk", "SigIgn"] {
            let line = text.lines().find(|line| line.starts_with(field)).expect("Linux");
            assert!(line.ends_with("0000000000000000"), "{line}");
        }
        let [pid, group_and_session, ..] = text.lines().rev().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert_eq!(group_and_session, format!("{pid} {pid}"));
    });
}

#[test]
fn environment_and_working_directory_are_what_was_ordered() {
    under_all(|yard, _| {
        let (_, text) = output(yard, &["/bin/sh", "-c", "pwd; env"], |launch| {
            launch.env = vec![("ONLY".into(), "this".into())];
            launch.cwd = "/usr".into();
        });
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("PWD=") && !line.starts_with("_=")).collect();
        lines.sort_unstable();
        let [cwd, tag, only] = lines[..] else { panic!("{text}") };
        assert_eq!((cwd, only), ("/usr", "ONLY=this"));
        assert!(tag.starts_with("E2E_TUI_TREE="), "{tag}");
    });
}

#[test]
fn limits_hold_in_the_child_and_nowhere_else() {
    let before = fs::read_to_string("/proc/self/limits").expect("Linux");
    under_all(|yard, _| {
        let limits =
            Limits { open_files: Some(77), cpu_time: Some(Duration::from_secs(5)), address_space: Some(1 << 32), ..Limits::default() };
        let (_, text) = output(yard, &["/bin/sh", "-c", "ulimit -n; ulimit -t; ulimit -v"], |launch| launch.limits = limits);
        assert_eq!(text, "77\n5\n4194304\n");
    });
    assert_eq!(fs::read_to_string("/proc/self/limits").expect("Linux"), before);
}

#[test]
fn a_big_environment_and_a_nul_byte_are_no_surprise() {
    under_all(|yard, _| {
        let (exit, text) = output(yard, &["/bin/sh", "-c", "echo ${#BIG0} ${#BIG9}"], |launch| {
            launch.env.extend((0..10).map(|n| (format!("BIG{n}").into(), "x".repeat(100_000).into())));
        });
        assert_eq!((exit, text.as_str()), (Exit::Code(0), "100000 100000\n"));
        let launch = Launch { argv: vec!["true".into(), "a\0b".into()], ..yard.quiet(&["true"]) };
        assert_eq!(failure(yard, launch), SpawnError::NulByte { what: "argument 1".into() });
        let launch = Launch { argv: vec!["true".into(), "x".repeat(4 << 20)], ..yard.quiet(&["true"]) };
        assert_eq!(failure(yard, launch).short(), "args too long");
    });
}

#[test]
fn a_hundred_start_at_once_and_each_is_told_of_once() {
    under_all(|yard, _| {
        let trees: Vec<TreeId> = (0..100)
            .map(|_| {
                let launch = yard.quiet(&["sleep", "3600"]);
                yard.launch(launch)
            })
            .collect();
        let mut pids: Vec<u32> = trees.iter().map(|tree| yard.spawned(*tree)).collect();
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), 100);
        let started = Instant::now();
        for tree in &trees {
            yard.order(Order::Kill { tree: *tree });
        }
        for tree in &trees {
            yard.exited(*tree);
            yard.empty(*tree);
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        thread::sleep(Duration::ZERO);
        assert_eq!(yard.rest(), []);
    });
}
