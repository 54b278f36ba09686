//! Files that change, and tasks that are done.

use super::bench::*;

impl Bench {
    /// `main.rs` has changed, which `name` watches.
    fn changes(&mut self, name: &str) {
        self.give(Input::Changed { process: id(name), file: "main.rs".into(), more: 0 });
    }

    fn changes_told(&self) -> usize {
        self.events().filter(|event| matches!(event, EventKind::FileChanged { .. })).count()
    }
}

#[test]
fn a_change_restarts_what_is_up_and_is_no_restart_of_the_policy() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 3)]);
    b.up("up");
    b.ready("up");
    b.changes("up");
    assert!(b.has(|e| matches!(e, Effect::Signal { signal: Signal::TERM, .. })));
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::FileChanged { file, .. }) if file == "main.rs")), "the event names the file");
    b.obey();
    assert_eq!(b.generation("up"), 2);
    b.up("up");
    assert_eq!((b.row("up").restarts, b.state("up").word()), (0, "starting"));
}

#[test]
fn a_change_resets_nothing_of_the_policy_of_what_is_up() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 1)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    b.pass(1000);
    b.up("up");
    b.changes("up");
    b.obey();
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.state("up").word(), "gave-up", "its one restart was used before the change");
}

#[test]
fn a_change_while_it_is_stopped_or_down_by_request_does_nothing() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ask(Command::Stop { process: id("up"), now: false });
    b.changes("up");
    b.obey();
    assert_eq!((b.state("up").word(), b.generation("up")), ("stopped", 1));
    b.changes("up");
    assert_eq!((b.state("up").word(), b.generation("up"), b.changes_told()), ("stopped", 1, 0));
}

#[test]
fn a_change_while_it_is_restarted_adds_no_second_restart() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.changes("up");
    b.changes("up");
    b.obey();
    b.up("up");
    assert_eq!((b.generation("up"), b.changes_told()), (2, 1));
}

#[test]
fn a_change_ends_a_back_off_and_one_during_the_start_is_not_lost() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 3)]);
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.state("up").word(), "backoff");
    b.changes("up");
    assert_eq!(b.generation("up"), 2, "it waits no longer");
    // It is being spawned: who knows which of the two it reads.
    b.changes("up");
    b.up("up");
    b.obey();
    assert_eq!(b.generation("up"), 3);
}

#[test]
fn what_came_to_rest_is_started_by_a_change_and_the_verdict_is_by_what_comes_of_it() {
    let mut b = Bench::new(vec![spec("t", Role::Test)]);
    b.up("t");
    b.ends("t", Exit::Code(1));
    assert_eq!(b.shown().map(|o| o.exit_code), Some(1));
    b.changes("t");
    assert_eq!(b.shown(), None, "the verdict is open");
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(b.shown().map(|o| o.exit_code), Some(0));
}

#[test]
fn what_never_started_goes_on_waiting_and_what_is_held_is_left_alone() {
    let mut b = Bench::new(vec![
        spec("up", Role::Service),
        needs(spec("client", Role::Service), "up", Condition::Ready),
        ProcessSpec { autostart: false, ..spec("late", Role::Service) },
    ]);
    b.up("up");
    b.ask(Command::Hold { process: id("up"), held: true });
    for name in ["up", "client", "late"] {
        b.changes(name);
    }
    assert_eq!((b.spawned_names(), b.changes_told()), (vec!["up".to_owned()], 0));
}

#[test]
fn a_process_that_writes_what_it_watches_is_remarked_on_once_in_ten_restarts() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    let remarks = |b: &Bench| b.events().filter(|e| matches!(e, EventKind::Notice { text, .. } if text.contains("!main.rs"))).count();
    for n in 1..=20 {
        b.up("up");
        b.changes("up");
        b.obey();
        b.pass(1000);
        assert_eq!(remarks(&b), n / 10, "after {n}");
    }
    for _ in 0..20 {
        b.up("up");
        b.changes("up");
        b.obey();
        b.pass(10_000);
    }
    assert_eq!(remarks(&b), 2, "a person who saves often is none of that");
}

#[test]
fn a_change_at_the_end_of_the_run_starts_nothing() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ask(Command::Shutdown { now: false });
    b.changes("up");
    b.obey();
    b.changes("up");
    assert_eq!((b.generation("up"), b.changes_told()), (1, 0));
    assert!(b.finished().is_some());
}

fn done(b: &mut Bench, name: &str) {
    let generation = b.generation(name);
    b.give(Input::AlreadyDone { process: id(name), generation, path: "out/db".into() });
}

#[test]
fn a_task_that_is_done_completes_without_a_start_and_its_dependants_go_on() {
    for condition in [Condition::Started, Condition::Ready, Condition::Completed, Condition::Succeeded] {
        let mut b = Bench::headless(vec![spec("seed", Role::Task), needs(spec("t", Role::Test), "seed", condition)]);
        done(&mut b, "seed");
        assert_eq!(b.state("seed"), &ProcessState::Completed);
        assert_eq!((b.row("seed").already_done.as_deref(), b.row("seed").pid), (Some("out/db"), None));
        assert_eq!(b.spawned_names(), ["seed", "t"], "{condition:?}");
        b.up("t");
        b.ends("t", Exit::Code(0));
        b.obey();
        assert_eq!(b.finished().map(|o| o.exit_code), Some(0));
    }
}

#[test]
fn a_task_asked_for_while_it_turns_out_done_is_looked_at_again() {
    let mut b = Bench::new(vec![spec("seed", Role::Task)]);
    b.ask(Command::Restart { process: id("seed"), now: false });
    done(&mut b, "seed");
    assert_eq!(b.generation("seed"), 2);
    b.up("seed");
    assert_eq!((b.row("seed").already_done, b.resolved(1)), (None, Some(Ok(()))));
    b.ask(Command::Stop { process: id("seed"), now: false });
    b.obey();
    b.ask(Command::Start { process: id("seed") });
    done(&mut b, "seed");
    assert_eq!(b.resolved(3), Some(Ok(())), "to be done is what was asked for");
}

/// Whether the newest start is carried out only if it is not done already.
fn asks_whether_done(b: &Bench) -> Option<bool> {
    b.effects.iter().rev().find_map(|e| if let Effect::Spawn { unless_done, .. } = e { Some(*unless_done) } else { None })
}

#[test]
fn a_task_that_failed_half_way_is_not_done_whatever_is_there() {
    let mut b = Bench::new(vec![on_failure(spec("seed", Role::Task), 3)]);
    assert_eq!(asks_whether_done(&b), Some(true));
    b.up("seed");
    b.ends("seed", Exit::Code(1));
    b.pass(1000);
    assert_eq!((b.generation("seed"), asks_whether_done(&b)), (2, Some(false)), "by its policy");
    b.up("seed");
    b.ask(Command::Restart { process: id("seed"), now: false });
    b.obey();
    assert_eq!((b.generation("seed"), asks_whether_done(&b)), (3, Some(false)), "by hand");
    b.up("seed");
    b.ends("seed", Exit::Code(0));
    b.ask(Command::Start { process: id("seed") });
    assert_eq!((b.generation("seed"), asks_whether_done(&b)), (4, Some(true)), "the one before it has ended well");
}

#[test]
fn a_changed_file_starts_a_task_that_was_done() {
    let mut b = Bench::new(vec![spec("seed", Role::Task)]);
    // While it is looked at whether it is done: that says nothing any more.
    b.changes("seed");
    done(&mut b, "seed");
    assert_eq!((b.generation("seed"), asks_whether_done(&b)), (2, Some(false)));
    b.up("seed");
    b.ends("seed", Exit::Code(0));
    b.changes("seed");
    assert_eq!((b.generation("seed"), asks_whether_done(&b)), (3, Some(false)));
    b.up("seed");
    // Before its last words are read.
    b.leader_exits("seed", Exit::Code(0));
    b.changes("seed");
    b.tree_empty("seed");
    b.drained("seed");
    assert_eq!((b.generation("seed"), asks_whether_done(&b)), (4, Some(false)));
}

#[test]
fn a_change_while_what_has_failed_is_stopped_starts_it_then() {
    // The policy would restart it, after a while: its one restart is used all the same.
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 1)]);
    b.up("up");
    b.pass(30_000);
    assert_eq!(b.state("up").word(), "stopping", "it was never ready");
    b.changes("up");
    b.changes("up");
    b.obey();
    assert_eq!((b.generation("up"), b.changes_told()), (2, 1), "at once, and once");
    b.up("up");
    b.ends("up", Exit::Code(1));
    assert_eq!(b.state("up").word(), "gave-up");
    // No policy would: it is started as by hand, and the verdict is by what comes of it.
    let mut b = Bench::new(vec![ProcessSpec { timeout: Some(Duration::from_secs(5)), ..spec("t", Role::Test) }]);
    b.up("t");
    b.pass(5_000);
    assert_eq!(b.state("t").word(), "stopping");
    b.changes("t");
    b.obey();
    assert_eq!(b.generation("t"), 2);
    b.up("t");
    b.ends("t", Exit::Code(0));
    assert_eq!(b.shown().map(|o| o.exit_code), Some(0));
}

#[test]
fn a_change_while_what_has_failed_is_stopped_starts_nothing_that_somebody_wants_down() {
    let mut b = Bench::new(vec![on_failure(spec("up", Role::Service), 1)]);
    b.up("up");
    b.pass(30_000);
    b.ask(Command::Stop { process: id("up"), now: false });
    b.changes("up");
    b.obey();
    assert_eq!((b.generation("up"), b.changes_told()), (1, 0));
}
