//! What is special about each way to hold trees together.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use e2e_tui::{
    model::{Containment, Exit, Limits, Signal},
    process::{Controllers, Hold, Launch, Member, Order, SpawnError, TreeEvent, sockets, sweep_dead_runs},
};
use nix::{sys::signal::kill, unistd::Pid};

use crate::{
    deaths::{Host, killed_with_its_guardian},
    extremes::unprivileged,
    support::{Under, Yard, fresh_mark, living, skipped, tiers, until_none_lives, wait_for},
};

#[path = "../support/real.rs"]
mod real;

/// Whether this machine has it; a test that needs it and finds that it has not was told so by [`tiers`].
fn has(by: Containment) -> bool {
    tiers().contains(&by)
}

/// The cgroup v2 folder of a process.
fn group_of(pid: u32) -> PathBuf {
    find_group_of(pid).expect("cgroup v2, and it lives")
}

fn find_group_of(pid: u32) -> Option<PathBuf> {
    let membership = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("Linux");
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    Some(Path::new(mount.split(' ').nth(4)?).join(path))
}

/// The groups that a process has made beside this one's, for its runs and for itself.
pub(crate) fn groups_of(pid: u32) -> Vec<PathBuf> {
    let own = find_group_of(std::process::id());
    // Where this process has stepped aside its groups lie beside its own.
    let place = own.map(|own| if is_ours(&own) { own.with_file_name("") } else { own });
    let all = place.and_then(|place| fs::read_dir(place).ok()).into_iter().flatten().flatten().map(|entry| entry.path());
    all.filter(|group| is_ours(group) && group.to_string_lossy().contains(&format!("-{pid}-"))).collect()
}

fn is_ours(group: &Path) -> bool {
    group.file_name().is_some_and(|name| name.to_string_lossy().starts_with("e2e-tui-"))
}

#[test]
fn a_tree_is_born_in_a_group_of_its_own_that_goes_with_it() {
    if !has(Containment::Cgroup) {
        return;
    }
    let mut yard = Yard::new(Under::Guardian(Containment::Cgroup));
    let (first, leader) = yard.script("setsid sleep 3600 & echo; wait");
    let (second, other) = yard.start(&["sleep", "3600"]);
    let (group, run) = (group_of(leader), group_of(leader).parent().expect("a run's").to_owned());
    assert!(group_of(other) != group && group_of(other).starts_with(&run));
    assert_eq!(fs::read_to_string(group.join("cgroup.procs")).expect("a group").lines().count(), 2);
    assert_eq!(fs::read_to_string(run.join("cgroup.procs")).expect("a group"), "", "nobody is in the run's itself");
    yard.kill(first);
    assert!(!group.exists() && run.exists(), "it goes with its tree");
    yard.kill(second);
    yard.close();
    assert!(!run.exists(), "and the run's with the run");
}

#[test]
fn p14_a_daemon_that_has_shed_everything_is_of_its_group() {
    if !has(Containment::Cgroup) {
        return;
    }
    if Command::new("prlimit").arg("--version").output().is_err() {
        return skipped("p14: there is no prlimit to shed a tag with");
    }
    let mut yard = Yard::new(Under::Guardian(Containment::Cgroup));
    // Neither tag, nor environment, nor session.
    let (tree, _) = yard
        .script("(setsid sh -c 'exec env -i prlimit --msgqueue=4096:4096 tail -f /dev/null $MARK' </dev/null >/dev/null 2>&1 &) ; echo");
    yard.exited(tree);
    yard.count_to(tree, 1);
    yard.order(Order::AwaitEmpty { tree });
    yard.signal(tree, Signal::TERM);
    yard.empty(tree);
    assert_eq!(living(&yard.mark), Vec::<String>::new());
    yard.close();
}

#[test]
fn who_was_moved_out_of_the_group_is_of_the_tree_all_the_same() {
    if !has(Containment::Cgroup) {
        return;
    }
    let mut yard = Yard::new(Under::Guardian(Containment::Cgroup));
    let (tree, leader) = yard.script("sleep 3600 & echo; exec sleep 3601");
    let members = yard.grown_to(tree, &["sleep 3601", "sleep 3600"]);
    let outside = group_of(std::process::id()).join("cgroup.procs");
    for member in &members {
        fs::write(&outside, member.pid.to_string()).expect("this user may make groups");
    }
    assert_eq!(group_of(leader), group_of(std::process::id()));
    yard.kill(tree);
    assert_eq!(living(&yard.mark), Vec::<String>::new());
    yard.close();
}

#[test]
fn p26_who_is_in_a_group_that_no_run_has_made_lives() {
    if !has(Containment::Cgroup) {
        return;
    }
    let mut yard = Yard::new(Under::Guardian(Containment::Cgroup));
    let (_, leader) = yard.start(&["sleep", "3600"]);
    let run = group_of(leader).parent().expect("a run's").to_owned();
    // Beside the run's, with a name like it.
    let foreign = run.with_file_name(format!("e2e-tui-{}", fresh_mark()));
    fs::create_dir(&foreign).expect("this user may make groups");
    let mut child = Command::new("sleep").arg("3600").spawn().expect("sleep exists");
    fs::write(foreign.join("cgroup.procs"), child.id().to_string()).expect("a group of ours");
    yard.close();
    assert_eq!(child.try_wait().expect("it is ours"), None, "it lives");
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    wait_for("the group is empty", || fs::remove_dir(&foreign).is_ok());
}

#[test]
fn s4_the_groups_of_a_killed_run_are_removed() {
    if !has(Containment::Cgroup) {
        return;
    }
    let host = Host::start("adopt-cgroup wait").standing();
    let leader: u32 = living(&host.mark)
        .iter()
        .filter_map(|line| line.split(' ').next()?.parse().ok())
        .find(|pid| *pid != host.child.id() && *pid != host.guardian)
        .expect("trees stand");
    let run = group_of(leader).parent().expect("a run's").to_owned();
    assert!(run.exists());
    host.kill(nix::sys::signal::Signal::SIGKILL);
    host.all_gone();
    wait_for("the group is removed", || !run.exists());
}

#[test]
fn s6_groups_that_a_double_kill_has_left_are_removed_by_a_start_that_knows_nothing_of_it() {
    if !has(Containment::Cgroup) {
        return;
    }
    let (runs, others) = (tempfile::tempdir().expect("a temp dir"), tempfile::tempdir().expect("a temp dir"));
    let host = killed_with_its_guardian(Containment::Cgroup, runs.path());
    let [run] = &groups_of(host.child.id())[..] else { panic!("a run's group is left, or this proves nothing") };
    let pids = |run: &Path| living(&host.mark).len() + usize::from(run.join("cgroup.procs").exists());
    assert_eq!(sweep_dead_runs(others.path()), []);
    assert!(run.exists() && pids(run) > 1, "with somebody in it nothing but the run's own word proves whose it is");
    fs::write(run.join("cgroup.kill"), "1").expect("a group of ours");
    until_none_lives(&host.mark, std::time::Duration::from_secs(5));
    wait_for("it is removed", || {
        assert_eq!(sweep_dead_runs(others.path()), []);
        !run.exists()
    });
    host.all_gone();
}

#[test]
fn what_a_user_may_not_have_is_refused_with_the_reason() {
    if !nix::unistd::geteuid().is_root() {
        return skipped("what_a_user_may_not_have_is_refused_with_the_reason: only root can become somebody else");
    }
    if !has(Containment::Cgroup) {
        return;
    }
    let mut host = unprivileged("guardian-cgroup refused", "");
    let told = host.line("refused ");
    assert!(told.starts_with("containment = \"cgroup\" cannot be had: /") && told.contains("may not be divided by this user"), "{told}");
    host.all_gone();
}

#[test]
fn cpu_is_limited_or_refused_before_anything_starts() {
    let hold = |containment| Hold { containment, controllers: Controllers { cpu: true, ..Controllers::default() } };
    let told = Yard::holding(hold(Containment::Subreaper)).err().expect("there is no group").to_string();
    assert!(told.starts_with("`limits.cpu` cannot be held: it takes a cgroup, and there is none"), "{told}");
    match Yard::holding(hold(Containment::Auto)) {
        Ok(mut yard) => {
            let launch = Launch { limits: Limits { cpu: Some(0.5), ..Limits::default() }, ..yard.quiet(&["sleep", "3600"]) };
            let tree = yard.launch(launch);
            let leader = yard.spawned(tree);
            assert_eq!(fs::read_to_string(group_of(leader).join("cpu.max")).expect("it is handed down"), "50000 100000\n");
            yard.close();
        }
        Err(error) => {
            skipped(&format!("cpu_is_limited: under cgroup: {error}"));
            assert!(error.to_string().starts_with("`limits.cpu` cannot be held: "), "{error}");
        }
    }
    // One that is added later is refused by itself.
    let mut yard = Yard::new(Under::Guardian(Containment::Subreaper));
    let launch = Launch { limits: Limits { cpu: Some(0.5), ..Limits::default() }, ..yard.quiet(&["true"]) };
    let tree = yard.launch(launch);
    let error = yard.until("it is refused", |event| match event {
        TreeEvent::SpawnFailed { tree: t, error } if *t == tree => Some(error.clone()),
        _ => None,
    });
    assert!(matches!(&error, SpawnError::System { step, .. } if step.contains("`cpu` controller")), "{error}");
    yard.close();
}

#[test]
fn s5_a_tree_at_its_memory_limit_is_killed_and_why_is_told_before_its_end() {
    let controllers = Controllers { memory: true, ..Controllers::default() };
    let hold = Hold { containment: Containment::Auto, controllers };
    let mut yard = Yard::holding(hold).expect("memory is watched where nothing holds it");
    if !yard.spawner.controllers().memory {
        return skipped("s5_a_tree_at_its_memory_limit: the `memory` controller is not handed down to this program's group");
    }
    let (stdin, go) = std::io::pipe().expect("a pipe");
    // What `tail` has to keep is more than it may.
    let script = "read go; head -c 268435456 /dev/zero | tail";
    let limits = Limits { memory: Some(32 << 20), ..Limits::default() };
    let tree = yard.launch(Launch { limits, stdin: Some(stdin.into()), ..yard.quiet(&["sh", "-c", script]) });
    let swap = group_of(yard.spawned(tree)).join("memory.swap.max");
    if swap.exists() {
        fs::write(swap, "0").expect("a group of ours");
    }
    drop(go);
    let first = yard.until("it is killed", |event| match event {
        TreeEvent::OutOfMemory { tree: t, own_limit } if *t == tree => Some(Some(*own_limit)),
        TreeEvent::Exited { tree: t, .. } if *t == tree => Some(None),
        _ => None,
    });
    assert_eq!(first, Some(true), "its own limit, before the end that it led to");
    assert_eq!(yard.exited(tree), Exit::Signal(Signal::KILL));
    yard.close();
}

/// A run from a terminal in a run, as somebody would start it who debugs one with the other.
#[test]
fn s6_a_living_run_within_a_namespace_is_left_alone_by_a_start_outside() {
    if !has(Containment::Pidns) {
        return;
    }
    let runs = tempfile::tempdir().expect("a temp dir");
    let mut yard = Yard::new(Under::Guardian(Containment::Pidns));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let null = fs::OpenOptions::new().write(true).open("/dev/null").expect("exists");
    let me = std::env::current_exe().expect("Linux");
    let argv = [me.to_str().expect("text"), "--exact", "deaths::host", "--ignored", "--nocapture", "--test-threads=1"];
    let mut launch = yard.with_output(&argv, writer.into(), null.into());
    launch.env.extend([("E2E_HOST".into(), "adopt-subreaper wait".into()), ("E2E_RUNS".into(), runs.path().into())]);
    let tree = yard.launch(launch);
    yard.spawned(tree);
    let mut lines = BufReader::new(reader).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")), "it has ended before its trees stood");
    // Those who stay what they are, whatever the shells around them still do.
    let pids = |lines: Vec<String>| -> Vec<String> {
        let lines = lines.into_iter().filter(|line| line.ends_with("sleep 3600 ") || line.contains("e2e-tui-guardian"));
        lines.filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
    };
    let before = pids(living(&yard.mark));
    assert_eq!(sweep_dead_runs(runs.path()), []);
    let after = pids(living(&yard.mark));
    assert!(before.len() > 1 && before.iter().all(|pid| after.contains(pid)), "{before:?}, {after:?}");
    assert_eq!(fs::read_dir(runs.path()).expect("it exists").count(), 1, "its file stays");
    yard.close();
}

#[test]
fn inside_a_namespace_is_a_proc_of_its_own_and_outside_all_is_as_ever() {
    if !has(Containment::Pidns) {
        return;
    }
    let mut yard = Yard::new(Under::Guardian(Containment::Pidns));
    let dir = tempfile::tempdir().expect("a temp dir");
    let said = dir.path().join("said");
    // Its own number, as it knows it and as its own /proc does, and how many processes it can see: init, itself, `ls`.
    let script = format!(
        "set -- $(ls /proc | grep -c '^[0-9]'); read own _ </proc/self/stat; echo $$ $own $1 >{}; echo; exec sleep 3600",
        said.display()
    );
    let (tree, leader) = yard.script(&script);
    let text = fs::read_to_string(&said).expect("it has said so");
    let numbers: Vec<u32> = text.split_whitespace().map(|n| n.parse().expect("numbers")).collect();
    let [inner, own, visible] = numbers[..] else { panic!("{text}") };
    assert!(inner == own && inner != leader && visible < 8, "{text}, outside {leader}");
    let members = yard.grown_to(tree, &["sleep 3600"]);
    assert_eq!(members[0].pid, leader, "outside it has the number that everybody here uses");
    kill(Pid::from_raw(leader.cast_signed()), nix::sys::signal::Signal::SIGTERM).expect("a user may signal it by that number");
    assert_eq!(yard.exited(tree), Exit::Signal(Signal::TERM));
    yard.close();
}

#[test]
fn the_end_of_a_namespaces_first_process_is_told_and_ends_everything() {
    if !has(Containment::Pidns) {
        return;
    }
    let mut host = Host::start("adopt-pidns wait").standing();
    let guardian = host.guardian;
    let children = fs::read_to_string(format!("/proc/{guardian}/task/{guardian}/children")).expect("it lives");
    let is_init = |pid: &&str| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "e2e-tui-init\n");
    let init: i32 = children.split_whitespace().find(is_init).expect("an init").parse().expect("a pid");
    kill(Pid::from_raw(init), nix::sys::signal::Signal::SIGKILL).expect("it lives");
    let why = host.line("lost ");
    assert!(why.contains("the first process of its PID namespace") && why.ends_with("everything it had started was killed"), "{why}");
    assert!(host.alone());
    host.kill(nix::sys::signal::Signal::SIGKILL);
    host.all_gone();
}

/// A user without privileges: with a user namespace around it.
#[test]
fn s6_without_privileges_a_namespace_does_not_survive_a_double_kill_either() {
    if !has(Containment::Pidns) {
        return;
    }
    let host = unprivileged("adopt-pidns wait", "").standing();
    assert!(living(&host.mark).len() > 8);
    let send = |pid: u32, signal| kill(Pid::from_raw(pid.cast_signed()), signal).expect("it lives");
    host.freeze();
    send(host.guardian, nix::sys::signal::Signal::SIGKILL);
    host.kill(nix::sys::signal::Signal::SIGKILL);
    let guardian = host.guardian;
    wait_for("the guardian is dead", || fs::read_to_string(format!("/proc/{guardian}/stat")).map_or(true, |stat| stat.contains(") Z ")));
    until_none_lives(&host.mark, std::time::Duration::from_secs(5));
    host.all_gone();
}

#[test]
fn h10_whose_a_listener_is_shows_across_the_border_of_a_namespace() {
    if !has(Containment::Pidns) {
        return;
    }
    let mut host = unprivileged("guardian-pidns listens", "");
    assert_eq!(host.line("own "), "true");
    assert_eq!(host.line("foreign "), "true");
    host.all_gone();
}

/// What a host does for the test above.
pub(crate) fn listens(yard: &mut Yard) {
    let bound = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        (listener, port)
    };
    let (listener, port) = bound();
    let script = "exec 3<&0 </dev/null; sleep 3600 & exec 3<&-; wait";
    let launch = Launch { stdin: Some(listener.into()), ..yard.quiet(&["sh", "-c", script]) };
    let tree = yard.launch(launch);
    let leader = yard.spawned(tree);
    wait_for("the leader has let go of it", || sockets::owner(port, leader) != sockets::Owner::Leader);
    println!("own {}", matches!(sockets::owner(port, leader), sockets::Owner::Member { pid } if pid != leader));
    let (_stranger, port) = bound();
    println!("foreign {}", sockets::owner(port, leader) == sockets::Owner::Foreign { pid: std::process::id() });
}

#[test]
fn a_setuid_program_gains_nothing_in_a_namespace_of_somebody_without_privileges() {
    if !nix::unistd::geteuid().is_root() {
        return skipped("a_setuid_program_gains_nothing: only root can make one");
    }
    if !has(Containment::Pidns) {
        return;
    }
    let dir = tempfile::tempdir().expect("a temp dir");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let program = dir.path().join("privileged");
    if fs::copy("/usr/bin/setpriv", &program).is_err() {
        return skipped("a_setuid_program_gains_nothing: there is no setpriv");
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("it is ours");
    for (under, exit) in [("subreaper", "0"), ("pidns", "9")] {
        let mut host = unprivileged(&format!("guardian-{under} privileged"), &program.display().to_string());
        assert_eq!(host.line("exit "), exit, "{under}");
        host.all_gone();
    }
}

/// What a host does for the test above.
pub(crate) fn privileged(yard: &mut Yard) {
    let program = std::env::var("E2E_EXTRA").expect("the test sets it");
    let script = format!("[ \"$({program} --reuid 0 id -u 2>/dev/null)\" = 0 ] || exit 9");
    let (tree, _) = yard.start(&["sh", "-c", &script]);
    println!("exit {}", yard.exited(tree).code().expect("it exits"));
}

/// A script for each program that comes with processes of its own, and how many there are in all once it stands.
fn wrapped(dir: &Path) -> Vec<(&'static [&'static str], String, usize)> {
    fs::write(dir.join("package.json"), r#"{"name": "x", "version": "1.0.0", "scripts": {"start": "node server.js"}}"#)
        .expect("a temp dir");
    fs::write(dir.join("server.js"), "setInterval(() => {}, 1000)").expect("a temp dir");
    let conf = format!(
        "worker_processes 2; pid {0}/pid; error_log {0}/error.log; events {{}} http {{ access_log off; client_body_temp_path {0}; proxy_temp_path {0}; \
         fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0}; server {{ listen unix:{0}/socket; }} }}",
        dir.display()
    );
    fs::write(dir.join("nginx.conf"), conf).expect("a temp dir");
    let here = dir.display();
    vec![
        (&["npm", "node"], format!("cd {here}; exec npm start"), 2),
        (&["npx", "node"], format!("cd {here}; exec npx --offline -c 'node server.js'"), 2),
        (&["nginx"], format!("rm -f {here}/socket; exec nginx -p {here} -c nginx.conf -g 'daemon off;'"), 3),
        // A daemon: the leader ends, master and workers stay.
        (&["nginx"], format!("rm -f {here}/socket; exec nginx -p {here} -c nginx.conf -g 'daemon on;'"), 3),
    ]
}

/// Programs that wrap others, and one that makes itself a daemon with workers.
#[test]
fn npm_npx_and_nginx_end_with_all_they_have_started_under_every_tier() {
    let everybody = Under::all();
    let dir = tempfile::tempdir().expect("a temp dir");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    for (programs, script, least) in wrapped(dir.path()) {
        let Some(path) = real::path_with("npm_npx_and_nginx", programs) else { continue };
        for under in &everybody {
            let mut yard = Yard::new(*under);
            let mut launch = yard.quiet(&["sh", "-c", &script]);
            launch.env.retain(|(name, _)| name != "PATH");
            launch.env.push(("PATH".into(), path.clone()));
            let tree = yard.launch(launch);
            yard.spawned(tree);
            let stands = |yard: &mut Yard| {
                let members = yard.members(tree);
                let inner = |member: &Member| member.command.contains("server.js") || member.command.contains("nginx: worker");
                members.len() >= least && members.iter().any(inner)
            };
            // Its titles overwrite its environment: where nobody adopts, a daemon that does so before it was looked at can
            // only be reported.
            let may_escape = script.contains("daemon on") && matches!(under, Under::Local | Under::Guardian(Containment::Group));
            let mut held = true;
            wait_for(&format!("{script} stands under {}", under.word()), || {
                held = stands(&mut yard);
                held || may_escape && yard.has_notice(tree)
            });
            if held {
                yard.kill(tree);
            }
            // A worker may have been recognised and its master not.
            let of_the_folder = || living(&dir.path().display().to_string());
            if may_escape && !of_the_folder().is_empty() {
                let master: i32 = fs::read_to_string(dir.path().join("pid")).expect("it runs").trim().parse().expect("a pid");
                kill(Pid::from_raw(master), nix::sys::signal::Signal::SIGTERM).expect("it lives");
                wait_for("it has ended", || of_the_folder().is_empty());
            }
            let left = [living(&yard.mark), of_the_folder()].concat();
            assert_eq!(left, Vec::<String>::new(), "{script} under {}", under.word());
            yard.close();
        }
    }
}
