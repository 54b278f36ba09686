//! Trees in every shape, signalled and ended.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{Containment, Exit, Signal},
    process::{Member, Order, TreeEvent, TreeId, TreeSample},
};

use crate::support::{SOON, Under, Yard, living, tiers, under_all, wait_for};

#[test]
fn p9_death_by_signal_is_told_by_name() {
    under_all(|yard, _| {
        for signal in [Signal::KILL, Signal(nix::libc::SIGSEGV), Signal(nix::libc::SIGABRT)] {
            let (tree, _) = yard.start(&["/bin/sh", "-c", &format!("kill -{} $$", signal.short())]);
            assert_eq!(yard.exited(tree), Exit::Signal(signal));
        }
    });
}

#[test]
fn usage_is_told_at_the_exit() {
    under_all(|yard, _| {
        let (tree, _) = yard.start(&["/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        let usage = yard.until("it exits", |event| match event {
            TreeEvent::Exited { tree: t, usage, .. } if *t == tree => Some(*usage),
            _ => None,
        });
        assert!(usage.user > Duration::ZERO && usage.max_rss > 100_000, "{usage:?}");
    });
}

#[test]
fn p10_who_ignores_term_dies_of_kill_at_once() {
    under_all(|yard, _| {
        let (tree, _) = yard.script("trap '' TERM INT HUP QUIT; echo; while :; do sleep 3600; done");
        yard.signal(tree, Signal::TERM);
        yard.count_to(tree, 2);
        let took = yard.kill(tree);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(yard.exited(tree), Exit::Signal(Signal::KILL));
    });
}

#[test]
fn p11_leader_exits_on_term_child_ignores_it() {
    under_all(|yard, _| {
        let (tree, leader) = yard.script("(trap '' TERM; echo; exec sleep 3600) & trap 'exit 0' TERM; wait");
        yard.order(Order::AwaitEmpty { tree });
        yard.signal(tree, Signal::TERM);
        assert_eq!(yard.exited(tree), Exit::Code(0));
        let members = yard.grown_to(tree, &["sleep 3600"]);
        assert_ne!(members[0].pid, leader);
        assert_eq!(yard.rest(), [], "the leader's end is not the tree's");
        yard.kill(tree);
        assert_eq!(yard.rest(), [], "one answer for both who wait");
    });
}

#[test]
fn p12_children_in_their_own_process_groups_are_of_the_tree() {
    under_all(|yard, _| {
        let (tree, _) = yard.script("set -m; sleep 3600 & sleep 3601 & echo; wait");
        yard.count_to(tree, 3);
        yard.order(Order::AwaitEmpty { tree });
        yard.signal(tree, Signal::TERM);
        yard.empty(tree);
    });
}

#[test]
fn p13_children_in_their_own_sessions_are_of_the_tree() {
    under_all(|yard, _| {
        let (tree, leader) = yard.script("setsid sh -c 'sleep 3600 & wait' & echo; wait");
        // `setsid` leads no process group here, so it need not fork.
        let members = yard.count_to(tree, 3);
        assert_eq!(members[0].pid, leader, "the leader comes first");
        yard.order(Order::AwaitEmpty { tree });
        yard.signal(tree, Signal::TERM);
        yard.empty(tree);
    });
}

/// A daemon: forked twice, a session of its own, an empty environment, descriptors closed; its leader ends by itself.
/// It runs a copy of `sleep` that has the mark in its path, to be found when all else is gone.
fn daemon(yard: &mut Yard, dir: &Path, clear: &str) -> (e2e_tui::process::TreeId, u32) {
    let sleep = dir.join(&yard.mark);
    fs::copy("/bin/sleep", &sleep).expect("coreutils");
    let script = format!("(setsid sh -c 'exec {clear} {} 3600' </dev/null >/dev/null 2>&1 &) ; echo", sleep.display());
    let found = yard.script(&script);
    let runs = |line: &String| line.split_once(' ').is_some_and(|(_, command)| Path::new(command).starts_with(dir));
    wait_for("the daemon runs", || living(&yard.mark).iter().any(runs));
    found
}

#[test]
fn p14_a_double_forked_daemon_with_an_empty_environment_is_of_the_tree() {
    for by in tiers().into_iter().filter(|by| *by != Containment::Group) {
        emptied_daemon(by);
    }
}

fn emptied_daemon(by: Containment) {
    let mut yard = Yard::new(Under::Guardian(by));
    let dir = tempfile::tempdir().expect("a temp dir");
    let (tree, _) = daemon(&mut yard, dir.path(), "env -i");
    assert_eq!(yard.exited(tree), Exit::Code(0));
    let members = yard.count_to(tree, 1);
    assert!(members[0].command.ends_with(" 3600"), "{members:?}");
    yard.order(Order::AwaitEmpty { tree });
    yard.signal(tree, Signal::TERM);
    yard.empty(tree);
    yard.close();
}

#[test]
fn p14_where_nobody_adopts_a_daemon_is_found_by_its_marker_and_reported_without_one() {
    marked_daemon(Under::Local);
    marked_daemon(Under::Guardian(Containment::Group));
}

fn marked_daemon(under: Under) {
    let mut yard = Yard::new(under);
    let dir = tempfile::tempdir().expect("a temp dir");
    let (tree, _) = daemon(&mut yard, dir.path(), "");
    yard.count_to(tree, 1);
    yard.kill(tree);
    assert_eq!(living(&yard.mark), Vec::<String>::new());

    let (tree, _) = daemon(&mut yard, dir.path(), "env -i");
    // Twice: the first look may have met it in the middle of its `exec`.
    wait_for("it has been looked at", || yard.members(tree).is_empty() && yard.has_notice(tree));
    let told = yard.until("it is reported", |event| match event {
        TreeEvent::Unproven { tree: t, pid, .. } if *t == tree => Some(*pid),
        _ => None,
    });
    let pid: u32 = living(&yard.mark)[0].split(' ').next().expect("a pid").parse().expect("a number");
    assert_eq!(told, pid);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL).expect("it is ours");
    wait_for("the daemon is gone", || living(&yard.mark).is_empty());
    yard.close();
}

#[test]
fn p15_a_grandchild_that_holds_the_output_delays_nothing_and_is_named() {
    under_all(|yard, _| {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let launch =
            yard.with_output(&["/bin/sh", "-c", "sleep 3600 & echo said"], writer.try_clone().expect("descriptors").into(), writer.into());
        let started = Instant::now();
        let tree = yard.launch(launch);
        assert_eq!(yard.exited(tree), Exit::Code(0));
        yard.grown_to(tree, &["sleep 3600"]);
        assert!(started.elapsed() < SOON / 4);
        yard.kill(tree);
        let mut said = String::new();
        reader.read_to_string(&mut said).expect("its end comes with the grandchild's");
        assert_eq!(said, "said\n");
    });
}

#[test]
fn p16_a_stopped_tree_acts_on_term() {
    under_all(|yard, _| {
        let (tree, leader) = yard.script("trap 'exit 5' TERM; echo; while :; do sleep 0.01; done");
        yard.signal(tree, Signal(nix::libc::SIGSTOP));
        // A shell that was just starting `sleep` waits in state D for that child, which is stopped.
        wait_for("it is stopped", || {
            let stat = fs::read_to_string(format!("/proc/{leader}/stat")).expect("it lives");
            stat.contains(") T ") || stat.contains(") D ")
        });
        yard.signal(tree, Signal::TERM);
        assert_eq!(yard.exited(tree), Exit::Code(5));
    });
}

#[test]
fn p17_zombies_are_neither_members_nor_waited_for() {
    under_all(|yard, _| {
        // `sleep` never reaps the child it has inherited from the shell it was.
        let (tree, leader) = yard.script("sleep 0.01 & echo; exec sleep 3600");
        wait_for("there is a zombie", || {
            let children = fs::read_to_string(format!("/proc/{leader}/task/{leader}/children")).unwrap_or_default();
            children.split_whitespace().any(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z ")))
        });
        let members = yard.members(tree);
        assert_eq!(members.iter().map(|m| m.pid).collect::<Vec<_>>(), [leader]);
        yard.order(Order::AwaitEmpty { tree });
        yard.signal(tree, Signal::TERM);
        yard.empty(tree);
    });
}

#[test]
fn p18_children_that_fork_while_they_are_killed_all_die() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let runner = dir.path().join("runner");
    // Each lives for a moment and leaves a successor in a session of its own.
    fs::write(&runner, "#!/bin/sh\nsetsid \"$0\" \"$1\" &\nexit\n").expect("a temp dir is writable");
    fs::set_permissions(&runner, fs::Permissions::from_mode(0o755)).expect("it is ours");
    under_all(|yard, _| {
        let script = format!("for i in 1 2 3 4 5 6 7 8 9 10; do {} $MARK & done; echo; sleep 3600", runner.display());
        let (tree, _) = yard.script(&script);
        yard.signal(tree, Signal(0));
        let took = yard.kill(tree);
        assert!(took < Duration::from_secs(3), "{took:?}");
        assert_eq!(living(&yard.mark), Vec::<String>::new());
    });
}

#[test]
fn p20_what_a_term_handler_prints_while_dying_is_all_there() {
    under_all(|yard, _| {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let script = "trap 'head -c 10000000 /dev/zero; exit 0' TERM; echo; while :; do sleep 0.01; done";
        // The shell itself says `Terminated` on stderr.
        let null = fs::OpenOptions::new().write(true).open("/dev/null").expect("exists");
        let launch = yard.with_output(&["/bin/sh", "-c", script], writer.into(), null.into());
        let tree = yard.launch(launch);
        yard.spawned(tree);
        let mut first = [0];
        reader.read_exact(&mut first).expect("it says that it is set up");
        // Not to the helper that the handler runs: signals reach whoever is there now.
        yard.signal(tree, Signal::TERM);
        let count = std::io::copy(&mut reader, &mut std::io::sink()).expect("a pipe");
        assert_eq!((count, yard.exited(tree)), (10_000_000, Exit::Code(0)));
    });
}

#[test]
fn one_tree_dies_and_its_neighbour_lives() {
    under_all(|yard, _| {
        let (first, _) = yard.script("setsid sleep 3600 & echo; wait");
        let (second, pid) = yard.script("setsid sleep 3600 & echo; wait");
        yard.count_to(second, 2);
        yard.kill(first);
        let members = yard.members(second);
        assert_eq!((members.len(), members[0].pid), (2, pid));
    });
}

/// What is told when the first of these trees, which lives, and the others are to be measured.
fn samples_of(yard: &mut Yard, trees: &[TreeId]) -> Vec<Vec<TreeSample>> {
    yard.order(Order::Sample { trees: trees.to_vec(), whole: false });
    // Two questions later the answer is there, if there is one.
    (0..2).for_each(|_| drop(yard.members(trees[0])));
    yard.rest().into_iter().filter_map(|event| if let TreeEvent::Sampled { trees } = event { Some(trees) } else { None }).collect()
}

#[test]
fn samples_tell_what_a_tree_uses() {
    under_all(|yard, _| {
        let (tree, leader) = yard.script("sleep 3600 & echo; while :; do :; done");
        let mut last = Duration::ZERO;
        wait_for("it has used some CPU time", || {
            for samples in samples_of(yard, &[tree, TreeId(999)]) {
                let [sample] = &samples[..] else { panic!("unknown trees are left out: {samples:?}") };
                assert_eq!((sample.tree, sample.pids[0], sample.pids.len()), (tree, leader, 2));
                assert!(sample.memory > 100_000 && sample.cpu >= last, "{sample:?}");
                last = sample.cpu;
            }
            last > Duration::from_millis(50)
        });
    });
}

#[test]
fn a_tree_that_stands_still_is_told_twice_and_then_not_any_more() {
    under_all(|yard, _| {
        let (tree, _) = yard.start(&["sleep", "3600"]);
        let mut told = Vec::new();
        let mut sample = |yard: &mut Yard| {
            let samples = samples_of(yard, &[tree]);
            told.extend(samples.iter().flatten().cloned());
            !samples.is_empty()
        };
        // It may still be loading its libraries at first.
        wait_for("it stands still", || (0..10).all(|_| !sample(yard)));
        let [.., last_but_one, last] = &told[..] else { panic!("told once only: {told:?}") };
        assert_eq!(last_but_one, last);
    });
}

#[test]
fn a_forgotten_tree_says_nothing_more_and_dies_with_the_spawner() {
    under_all(|yard, _| {
        let (tree, _) = yard.script("sleep 3600 & echo");
        yard.order(Order::Forget { tree });
        let (other, _) = yard.start(&["true"]);
        yard.exited(other);
        yard.kill(other);
        assert!(!yard.rest().iter().any(|event| matches!(event, TreeEvent::Empty { tree: t } if *t == tree)));
        // Its leader has ended, what it left behind lives on.
        wait_for("one is left", || living(&yard.mark).len() == 1);
    });
}

#[test]
fn orders_for_unknown_trees_are_answered() {
    under_all(|yard, _| {
        let tree = e2e_tui::process::TreeId(77);
        yard.kill(tree);
        yard.order(Order::AwaitEmpty { tree });
        yard.empty(tree);
        assert_eq!(yard.members(tree), []);
        yard.signal(tree, Signal::TERM);
        yard.order(Order::Forget { tree });
    });
}

/// The states of these processes: `S`, `T`, …
fn states(members: &[Member]) -> String {
    let state = |member: &Member| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", member.pid)).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('-')
    };
    members.iter().map(state).collect()
}

#[test]
fn t5_all_trees_stand_still_and_go_on_and_who_had_stopped_by_itself_stays_so() {
    under_all(|yard, _| {
        let (shell, _) = yard.script("sleep 3601 & setsid sleep 3602 & echo; wait");
        let (itself, pid) = yard.start(&["sleep", "3603"]);
        yard.count_to(shell, 3);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGSTOP).expect("it is ours");
        let members = yard.members(shell);
        for _ in 0..20 {
            yard.order(Order::StandStill);
            yard.until("all stand still", |event| matches!(event, TreeEvent::StandStill).then_some(()));
            wait_for("STOP has reached all", || states(&members) == "TTT");
            yard.order(Order::GoOn);
            wait_for("all go on", || states(&members) == "SSS");
        }
        let stopped = yard.members(itself);
        assert_eq!(states(&stopped), "T", "it had stopped before");
        yard.kill(shell);
        yard.kill(itself);
    });
}

#[test]
fn t5_what_is_ordered_during_a_standstill_is_done_after_it() {
    under_all(|yard, _| {
        let (old, _) = yard.start(&["sleep", "3604"]);
        yard.order(Order::StandStill);
        let launch = yard.quiet(&["sleep", "3605"]);
        let new = yard.launch(launch);
        yard.order(Order::Kill { tree: old });
        yard.until("all stand still", |event| matches!(event, TreeEvent::StandStill).then_some(()));
        assert!(!yard.rest().iter().any(|event| matches!(event, TreeEvent::Spawned { .. } | TreeEvent::Empty { .. })));
        yard.order(Order::GoOn);
        yard.empty(old);
        yard.spawned(new);
        yard.kill(new);
        // One that is never ended ends with the spawner.
        yard.start(&["sleep", "3606"]);
        yard.order(Order::StandStill);
    });
}

#[test]
fn t5_a_signal_ordered_before_a_standstill_wakes_nobody_in_it() {
    under_all(|yard, _| {
        let (tree, _) = yard.script("trap '' TERM; sleep 3607 & echo; wait");
        let members = yard.count_to(tree, 2);
        for _ in 0..20 {
            yard.signal(tree, Signal::TERM);
            yard.order(Order::StandStill);
            // The answer to the second comes after all that the first was taken together with.
            yard.order(Order::StandStill);
            for _ in 0..2 {
                yard.until("all stand still", |event| matches!(event, TreeEvent::StandStill).then_some(()));
            }
            wait_for("STOP has reached all", || states(&members) == "TT");
            yard.order(Order::GoOn);
            wait_for("all go on", || states(&members) == "SS");
        }
        yard.kill(tree);
    });
}

/// One that is another process every few milliseconds, and always an orphan.
#[test]
fn t5_who_forks_and_exits_all_the_time_stands_still_too() {
    for under in Under::all() {
        if matches!(under, Under::Local | Under::Guardian(Containment::Group)) {
            // Nobody adopts: in the middle of its `exec` it cannot be told from a stranger's.
            continue;
        }
        let mut yard = Yard::new(under);
        let (tree, _) = yard.script("export HOP='sh -c \"$HOP\" & exit 0'; sh -c \"$HOP\" & echo; exec sleep 3608");
        for _ in 0..20 {
            yard.order(Order::StandStill);
            yard.until("all stand still", |event| matches!(event, TreeEvent::StandStill).then_some(()));
            wait_for("nobody runs, and so nobody new comes", || {
                let before = living(&yard.mark);
                let stopped = |line: &String| {
                    let pid = line.split(' ').next().unwrap_or_default();
                    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
                };
                !before.is_empty() && before.iter().all(stopped) && living(&yard.mark) == before
            });
            yard.order(Order::GoOn);
        }
        yard.kill(tree);
        yard.close();
    }
}
