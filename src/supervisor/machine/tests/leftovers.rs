//! What a leader leaves behind.

use super::bench::*;

#[test]
fn p15_what_a_leader_leaves_is_named_a_leak_and_killed_before_a_restart() {
    let mut b = Bench::new(vec![spec("t", Role::Test)]);
    b.up("t");
    b.give(Input::LeaderExited { process: id("t"), generation: 1, exit: Exit::Code(0) });
    b.pass(200);
    assert!(b.has(|e| matches!(e, Effect::Census { .. })));
    let leak = Leak { pid: Some(77), command: "sleep 600".into(), port: None };
    b.give(Input::Members { process: id("t"), generation: 1, leaks: vec![leak] });
    b.give(Input::Drained { process: id("t"), generation: 1, tail: Vec::new() });
    assert_eq!(b.state("t"), &ProcessState::Completed);
    b.ask(Command::Start { process: id("t") });
    assert_eq!(b.spawned_names(), ["t"], "first the leftovers go");
    assert!(b.has(|e| matches!(e, Effect::Kill { generation: 1, .. })));
    b.give(Input::TreeEmpty { process: id("t"), generation: 1 });
    assert_eq!(b.spawned_names(), ["t", "t"]);
    b.up("t");
    b.ends("t", Exit::Code(0));
    b.ask(Command::Shutdown { now: false });
    b.obey();
    assert_eq!(b.verdict().map(|o| (o.verdict, o.exit_code)), Some((Verdict::Leaked, 5)));
}

#[test]
fn p16_who_is_left_alone_because_nothing_is_proven_is_a_leak_all_the_same() {
    let mut b = Bench::with(vec![spec("t", Role::Test)], true, None);
    b.up("t");
    let leak = Leak { pid: Some(77), command: "sleep: looks like a daemon".into(), port: None };
    b.give(Input::LeftAlone { process: id("t"), generation: 1, leak });
    b.ends("t", Exit::Code(0));
    b.obey();
    assert_eq!(b.verdict().map(|o| (o.verdict, o.exit_code)), Some((Verdict::Leaked, 5)));
}

/// A test that has ended well and left something behind.
fn leaking_test(headless: bool) -> Bench {
    let mut b = Bench::with(vec![spec("t", Role::Test)], headless, None);
    b.up("t");
    b.leader_exits("t", Exit::Code(0));
    b.drained("t");
    b
}

#[test]
fn p15_a_leak_of_the_last_test_is_named_before_the_run_ends() {
    let mut b = leaking_test(true);
    b.pass(199);
    assert_eq!(b.kills("t"), 0, "what is left has 200 ms to end by itself");
    b.pass(1);
    assert!(b.has(|e| matches!(e, Effect::Census { .. })));
    b.members("t", &[77]);
    assert!(b.events().any(|e| matches!(e, EventKind::Leaked { .. })));
    b.obey();
    assert_eq!(b.finished().map(|o| (o.verdict, o.exit_code)), Some((Verdict::Leaked, 5)));
}

#[test]
fn a_leak_that_has_gone_is_told_so_and_how() {
    for kill in [false, true] {
        let mut b = leaking_test(false);
        b.pass(200);
        b.members("t", &[77]);
        if kill {
            b.ask(Command::Stop { process: id("t"), now: true });
        }
        b.tree_empty("t");
        let told = |e: &EventKind| matches!(e, EventKind::LeaksEnded { pids, killed, .. } if pids == &[77] && *killed == kill);
        assert_eq!(b.events().filter(|e| told(e)).count(), 1, "kill: {kill}");
    }
}

#[test]
fn what_ends_within_its_moment_is_no_leak() {
    let mut b = leaking_test(true);
    b.pass(150);
    b.tree_empty("t");
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(0));
    let mut b = leaking_test(true);
    b.pass(200);
    b.members("t", &[]);
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(0));
}

#[test]
fn a_user_who_quits_still_learns_of_a_leak_and_one_in_a_hurry_does_not_wait_for_it() {
    let mut b = leaking_test(false);
    b.pass(100);
    b.ask(Command::Shutdown { now: false });
    assert_eq!(b.kills("t"), 0);
    b.pass(100);
    b.members("t", &[77]);
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(5));
    let mut b = leaking_test(false);
    b.ask(Command::Shutdown { now: false });
    b.ask(Command::Shutdown { now: true });
    assert_eq!(b.kills("t"), 1);
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(0));
}

#[test]
fn a_restart_by_policy_waits_until_what_is_left_is_known_then_kills_it() {
    let mut up = on_failure(spec("up", Role::Service), 3);
    up.restart.backoff = Duration::from_millis(20);
    let mut b = Bench::new(vec![up]);
    b.up("up");
    b.leader_exits("up", Exit::Code(1));
    b.drained("up");
    b.pass(50);
    assert_eq!((b.kills("up"), b.spawned_names().len()), (0, 1));
    b.pass(150);
    b.members("up", &[77]);
    assert!(b.events().any(|e| matches!(e, EventKind::Leaked { .. })));
    assert_eq!(b.kills("up"), 1);
    b.tree_empty("up");
    assert_eq!(b.spawned_names(), ["up", "up"]);
}

#[test]
fn a_stop_of_what_has_ended_resolves_only_when_nothing_of_it_is_left() {
    let mut b = leaking_test(false);
    b.pass(200);
    b.members("t", &[77]);
    b.ask(Command::Stop { process: id("t"), now: false });
    assert_eq!(b.kills("t"), 1);
    assert_eq!(b.resolved(1), None);
    b.tree_empty("t");
    assert_eq!(b.resolved(1), Some(Ok(())));
    assert_eq!(b.state("t"), &ProcessState::Completed, "it had ended by itself");
}

#[test]
fn a_stop_while_its_pipe_is_held_ends_with_the_tree_and_the_exit_counts_as_what_it_was() {
    for (exit, word) in [(Exit::Code(1), "failed"), (Exit::Code(0), "completed")] {
        let mut b = Bench::new(vec![spec("up", Role::Service)]);
        b.up("up");
        b.leader_exits("up", exit);
        b.ask(Command::Stop { process: id("up"), now: false });
        b.pass(200);
        b.members("up", &[77]);
        b.drained("up");
        assert_eq!(b.state("up").word(), word);
        assert!(b.events().any(|e| matches!(e, EventKind::Exited { asked: false, .. })));
        assert_eq!((b.kills("up"), b.resolved(1)), (1, None));
        b.tree_empty("up");
        assert_eq!(b.resolved(1), Some(Ok(())));
    }
}

#[test]
fn a_take_down_while_an_end_is_being_told_waits_for_it_and_counts_it() {
    for (role, code) in [(Role::Service, 3), (Role::Test, 1)] {
        let mut b = Bench::new(vec![spec("a", role)]);
        b.up("a");
        b.leader_exits("a", Exit::Code(7));
        b.ask(Command::Shutdown { now: false });
        assert!(!b.has(|e| matches!(e, Effect::FinalCensus)));
        b.pass(200);
        b.members("a", &[77]);
        b.drained("a");
        assert_eq!(b.state("a").word(), "failed");
        b.obey();
        assert_eq!(b.finished().map(|o| (o.verdict, o.exit_code)), Some((Verdict::Failed, code)));
    }
}
