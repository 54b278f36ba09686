//! What cannot be killed, what cannot be started, what multiplies. Some of it takes root, or a kernel facility that not every
//! machine has: then the test says `SKIPPED` and why.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{Containment, Limits, Signal},
    process::{Order, SpawnError, TreeEvent, TreeId},
};

use crate::{
    deaths::Host,
    support::{SOON, Under, Yard, living, skipped, under_all, wait_for},
};

/// Somebody without privileges.
const NOBODY: u32 = 65534;

/// A host that runs as nobody, or as whoever we are if we are not root.
pub(crate) fn unprivileged(order: &str, extra: &str) -> Host {
    let mut command = Command::new(std::env::current_exe().expect("Linux"));
    command.env("E2E_EXTRA", extra);
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    Host::start_by(command, order)
}

/// What hosts do for the tests below.
pub(crate) fn play(yard: &mut Yard, part: &str) {
    let extra = std::env::var("E2E_EXTRA").expect("the test sets it");
    match part {
        "bomb" => bomb(yard),
        "setuid" => setuid(yard, &extra),
        "exhausted" => exhausted(yard),
        "first" => first(yard),
        other => panic!("{other}"),
    }
}

#[test]
fn p19_a_fork_bomb_under_a_limit_is_stopped_and_others_go_on() {
    for under in ["guardian", "local"] {
        let mut host = unprivileged(&format!("{under} bomb"), "");
        let took: u64 = host.line("took ").parse().expect("milliseconds");
        assert!(took < 5000, "{under}: {took} ms");
        host.all_gone();
    }
}

fn bomb(yard: &mut Yard) {
    // Enough for this program, too few for the machine to notice.
    let mine = fs::read_dir("/proc").expect("Linux").count() as u64;
    let limits = Limits { processes: Some(mine + 60), ..Limits::default() };
    // Should the limit not hold, it must not explode.
    // A shell gives up at the first fork that fails; what it has forked until then stays.
    let script = "[ \"$(ulimit -p)\" -lt 30000 ] || exit 9; b() { while :; do sleep 3600 & b & done; }; b";
    let launch = e2e_tui::process::Launch { limits, ..yard.quiet(&["sh", "-c", script]) };
    let tree = yard.launch(launch);
    yard.spawned(tree);
    wait_for("it has multiplied", || yard.members(tree).len() > 20);
    let took = yard.kill(tree);
    let (other, _) = yard.start(&["true"]);
    yard.exited(other);
    println!("took {}", took.as_millis());
}

#[test]
fn p24_what_is_frozen_in_the_kernel_is_reported_at_the_deadline_and_told_when_it_dies_after_all() {
    let cage = PathBuf::from(format!("/sys/fs/cgroup/freezer/e2e-tui-test-{}", std::process::id()));
    if fs::create_dir(&cage).is_err() {
        skipped("p24: no cgroup v1 freezer may be made here, and nothing else makes a process uninterruptible");
        return;
    }
    let mut yard = Yard::new(Under::Guardian(Containment::Subreaper));
    let (tree, pid) = yard.start(&["sleep", "3600"]);
    fs::write(cage.join("cgroup.procs"), pid.to_string()).expect("a cgroup of ours");
    fs::write(cage.join("freezer.state"), "FROZEN").expect("a cgroup of ours");
    wait_for("it is frozen", || fs::read_to_string(cage.join("freezer.state")).is_ok_and(|state| state == "FROZEN\n"));
    let started = Instant::now();
    yard.order(Order::Kill { tree });
    let (pids, why) = yard.until("it is stuck", |event| match event {
        TreeEvent::Stuck { tree: t, pids, why } if *t == tree => Some((pids.clone(), why.clone())),
        _ => None,
    });
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(4), "{took:?}");
    assert_eq!((pids, why.as_str()), (vec![pid], "it is in an uninterruptible call of the kernel (state D)"));
    // Others are not held up.
    let (other, _) = yard.start(&["sleep", "3600"]);
    yard.kill(other);
    fs::write(cage.join("freezer.state"), "THAWED").expect("a cgroup of ours");
    yard.empty(tree);
    yard.close();
    wait_for("the cage is empty", || fs::remove_dir(&cage).is_ok());
}

#[test]
fn p25_what_runs_as_another_user_is_reported_as_not_permitted() {
    if !nix::unistd::geteuid().is_root() {
        skipped("p25: only root can make a program that runs as another user");
        return;
    }
    let dir = tempfile::tempdir().expect("a temp dir");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    // A setuid program may still be signalled by who started it; one that has become root altogether may not.
    let program = dir.path().join("privileged");
    if fs::copy("/usr/bin/setpriv", &program).is_err() {
        skipped("p25: there is no setpriv");
        return;
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("it is ours");
    let mut host = unprivileged("guardian setuid", &program.display().to_string());
    let pid: i32 = host.line("pid ").parse().expect("a pid");
    let notice = host.line("notice ");
    let stuck = host.line("stuck ");
    // Nobody but us can end it.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).expect("it lives on");
    host.line("empty");
    assert!(notice.starts_with("SIGTERM may not be sent to pid ") && notice.ends_with("it runs as another user"), "{notice}");
    assert_eq!(stuck, format!("[{pid}] signals to it are not permitted: it runs as another user"));
    host.all_gone();
}

fn setuid(yard: &mut Yard, program: &str) {
    let mut launch = yard.quiet(&["true"]);
    launch.program = program.into();
    launch.argv = ["privileged", "--reuid", "0", "sleep", "3600"].map(str::to_owned).into();
    let tree = yard.launch(launch);
    println!("pid {}", yard.spawned(tree));
    yard.grown_to(tree, &["sleep 3600"]);
    yard.signal(tree, Signal::TERM);
    println!(
        "notice {}",
        yard.until("it is refused", |event| match event {
            TreeEvent::Notice { text, .. } => Some(text.clone()),
            _ => None,
        })
    );
    yard.order(Order::Kill { tree });
    println!(
        "stuck {}",
        yard.until("it is stuck", |event| match event {
            TreeEvent::Stuck { pids, why, .. } => Some(format!("{pids:?} {why}")),
            _ => None,
        })
    );
    yard.empty(tree);
    println!("empty");
}

#[test]
fn p30_without_processes_left_a_start_is_tried_again_and_then_told_and_others_go_on() {
    if !nix::unistd::geteuid().is_root() {
        skipped("p30: as this user other programs' processes count, too");
        return;
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -p 40; exec \"$@\"", "sh"]).arg(std::env::current_exe().expect("Linux"));
    command.env("E2E_EXTRA", "").uid(NOBODY - 1).gid(NOBODY);
    let mut host = Host::start_by(command, "guardian exhausted");
    host.line("exhausted");
    host.line("recovered");
    host.all_gone();
}

fn exhausted(yard: &mut Yard) {
    let trees: Vec<TreeId> = (0..60)
        .map(|_| {
            let launch = yard.quiet(&["sleep", "3600"]);
            yard.launch(launch)
        })
        .collect();
    let started = Instant::now();
    let mut failed = 0;
    let mut running = Vec::new();
    for tree in trees {
        let error = yard.until("it starts or fails", |event| match event {
            TreeEvent::Spawned { tree: t, .. } if *t == tree => Some(None),
            TreeEvent::SpawnFailed { tree: t, error } if *t == tree => Some(Some(error.clone())),
            _ => None,
        });
        match error {
            None => running.push(tree),
            Some(SpawnError::System { step, errno, .. }) => {
                assert_eq!((step.as_str(), errno), ("fork", nix::libc::EAGAIN));
                failed += 1;
            }
            Some(other) => panic!("{other}"),
        }
    }
    assert!(failed > 0 && running.len() > 20 && started.elapsed() < SOON / 2, "{failed} failed, {} run", running.len());
    println!("exhausted");
    for tree in running {
        yard.kill(tree);
    }
    let (tree, _) = yard.start(&["true"]);
    yard.exited(tree);
    println!("recovered");
}

#[test]
fn s11_the_first_process_of_a_container_reaps_the_orphans_of_others() {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(std::env::current_exe().expect("Linux"));
    if !Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output().is_ok_and(|out| out.status.success()) {
        skipped("s11: no PID namespace may be made here");
        return;
    }
    command.env("E2E_EXTRA", "");
    let mut host = Host::start_by(command, "adopt first");
    host.line("reaped");
    host.all_gone();
}

fn first(yard: &mut Yard) {
    assert_eq!(std::process::id(), 1);
    yard.start(&["sleep", "3600"]);
    // Whoever enters a container leaves orphans to its first process; a program of our own that forks and ends does, too.
    let mut child = Command::new("sh").args(["-c", "sleep 0.05 & exit"]).spawn().expect("sh exists");
    child.wait().expect("it is ours");
    let zombies = || {
        let all = fs::read_dir("/proc").expect("Linux").flatten();
        all.filter(|entry| fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| stat.contains(") Z 1 "))).count()
    };
    wait_for("the orphan has ended", || zombies() > 0);
    wait_for("it is reaped", || zombies() == 0);
    println!("reaped");
}

#[test]
fn p31_a_traced_program_starts_exits_and_dies_like_any_other() {
    if Command::new("strace").arg("-V").output().is_err() {
        skipped("p31: there is no strace");
        return;
    }
    under_all(|yard, _| {
        let (tree, _) = yard.start(&["strace", "-f", "-o", "/dev/null", "sh", "-c", "sleep 0.01; exit 6"]);
        assert_eq!(yard.exited(tree), e2e_tui::model::Exit::Code(6));
        let (tree, _) = yard.start(&["strace", "-f", "-o", "/dev/null", "sh", "-c", "setsid sleep 3600; :"]);
        yard.grown_to(tree, &["strace -f -o /dev/null sh -c setsid sleep 3600; :", "sh -c setsid sleep 3600; :", "sleep 3600"]);
        yard.kill(tree);
        assert_eq!(living(&yard.mark), Vec::<String>::new());
    });
}
