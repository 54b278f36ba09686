//! Stops and the take-down of the run.

use super::bench::*;

#[test]
fn p10_p11_a_stop_ends_with_the_tree_and_escalates_at_its_grace() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ready("up");
    b.ask(Command::Stop { process: id("up"), now: false });
    assert!(b.has(|e| matches!(e, Effect::Signal { signal: Signal::TERM, .. })));
    b.give(Input::LeaderExited { process: id("up"), generation: 1, exit: Exit::Code(0) });
    b.pass(9_999);
    assert_eq!(b.state("up").word(), "stopping", "the leader is gone, the tree is not");
    assert!(!b.has(|e| matches!(e, Effect::Kill { .. })));
    b.pass(1);
    assert!(b.has(|e| matches!(e, Effect::Kill { .. })));
    b.give(Input::TreeEmpty { process: id("up"), generation: 1 });
    b.give(Input::Drained { process: id("up"), generation: 1, tail: Vec::new() });
    assert_eq!(b.state("up"), &ProcessState::Stopped { by: Actor::You, signal: Some(Signal::KILL) });
    assert!(b.has(|e| matches!(e, Effect::Emit(EventKind::TreeStopped { escalated_to_kill: true, .. }))));
}

#[test]
fn p28_64_restart_keys_make_one_restart() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ready("up");
    for _ in 0..64 {
        b.ask(Command::Restart { process: id("up"), now: false });
    }
    b.obey();
    assert_eq!(b.spawned_names(), ["up", "up"]);
    b.up("up");
    assert_eq!(b.resolved(1), Some(Ok(())));
    assert_eq!(b.resolved(64), Some(Ok(())));
    assert_eq!(b.machine.procs[0].generation, 2);
}

#[test]
fn s2_a_second_shutdown_kills_at_once() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ask_by(Command::Shutdown { now: false }, Actor::Signal(Signal::INT));
    assert!(!b.has(|e| matches!(e, Effect::Kill { .. })));
    b.ask_by(Command::Shutdown { now: true }, Actor::Signal(Signal::INT));
    assert!(b.has(|e| matches!(e, Effect::Kill { .. })));
}

/// The signals that were told to have been sent, and those that were.
fn sent(b: &Bench) -> (Vec<Signal>, Vec<Signal>) {
    let told = b.events().filter_map(|e| if let EventKind::Signalled { signal, .. } = e { Some(*signal) } else { None });
    let really = b.effects.iter().filter_map(|e| match e {
        Effect::Signal { signal, .. } => Some(*signal),
        Effect::Kill { .. } => Some(Signal::KILL),
        _ => None,
    });
    (told.collect(), really.collect())
}

#[test]
fn what_is_told_to_have_been_sent_was_sent() {
    let stop = |stop: crate::model::StopSpec, now: bool| {
        let mut b = Bench::new(vec![ProcessSpec { stop, ..spec("up", Role::Service) }]);
        b.up("up");
        b.ask(Command::Stop { process: id("up"), now });
        b
    };
    let default = crate::model::StopSpec::default;
    assert_eq!(sent(&stop(default(), false)), (vec![Signal::TERM], vec![Signal::TERM]));
    assert_eq!(sent(&stop(default(), true)), (vec![Signal::KILL], vec![Signal::KILL]));
    let mut b = stop(crate::model::StopSpec { grace: Duration::ZERO, ..default() }, false);
    assert_eq!(sent(&b), (vec![Signal::KILL], vec![Signal::KILL]));
    b.obey();
    assert_eq!(b.state("up"), &ProcessState::Stopped { by: Actor::You, signal: Some(Signal::KILL) });
    let command = Some(vec!["server".into(), "--stop".into()]);
    let mut b = stop(crate::model::StopSpec { command, ..default() }, false);
    assert_eq!(sent(&b), (vec![], vec![]));
    assert!(b.events().any(|e| matches!(e, EventKind::StopCommand { command, by: Actor::You, .. } if command == "server --stop")));
    b.leader_exits("up", Exit::Code(0));
    b.tree_empty("up");
    b.drained("up");
    assert_eq!(b.state("up"), &ProcessState::Stopped { by: Actor::You, signal: None });
    assert!(b.events().any(|e| matches!(e, EventKind::TreeStopped { signal: None, escalated_to_kill: false, .. })));
}

#[test]
fn where_the_stop_command_fails_the_signal_is_sent_for_the_rest_of_the_grace() {
    let command = Some(vec!["server".into(), "--stop".into()]);
    let stop = crate::model::StopSpec { command, ..crate::model::StopSpec::default() };
    let mut b = Bench::new(vec![ProcessSpec { stop, ..spec("up", Role::Service) }]);
    b.up("up");
    b.ask(Command::Stop { process: id("up"), now: false });
    b.pass(4_000);
    for _ in 0..2 {
        b.give(Input::StopCommandFailed { process: id("up"), generation: 1 });
        assert_eq!(sent(&b), (vec![Signal::TERM], vec![Signal::TERM]));
    }
    b.pass(5_999);
    assert_eq!(b.kills("up"), 0);
    b.pass(1);
    assert_eq!(b.kills("up"), 1, "the grace is that of the whole stop");
}

#[test]
fn a_stop_that_needed_kill_is_not_called_a_term() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ask(Command::Stop { process: id("up"), now: false });
    b.pass(10_000);
    b.leader_exits("up", Exit::Signal(Signal::KILL));
    b.tree_empty("up");
    b.drained("up");
    assert_eq!(b.state("up"), &ProcessState::Stopped { by: Actor::You, signal: Some(Signal::KILL) });
    assert!(b.events().any(|e| matches!(e, EventKind::TreeStopped { signal: Some(Signal::TERM), escalated_to_kill: true, .. })));
}

#[test]
fn a_stop_cancels_every_timer() {
    let subject = || ProcessSpec { timeout: Some(Duration::from_mins(1)), ..on_failure(spec("up", Role::Service), 3) };
    let arrangements: [fn(&mut Bench); 6] = [
        |_| {},
        |b| b.up("up"),
        |b| {
            b.up("up");
            b.ready("up");
        },
        |b| {
            b.up("up");
            b.leader_exits("up", Exit::Code(1));
        },
        |b| {
            b.up("up");
            b.ends("up", Exit::Code(1));
        },
        |b| {
            b.up("up");
            b.leader_exits("up", Exit::Code(1));
            b.drained("up");
            b.ask(Command::Start { process: id("up") });
        },
    ];
    for arrange in arrangements {
        for now in [false, true] {
            let mut b = Bench::new(vec![subject()]);
            arrange(&mut b);
            b.ask(Command::Stop { process: id("up"), now });
            if b.generation("up") == 1 && b.state("up").word() == "pending" {
                b.up("up");
            }
            b.pass(200);
            b.members("up", &[]);
            b.drained("up");
            b.obey();
            assert_eq!(b.state("up").word(), "stopped");
            assert!(b.machine.procs[0].timers.is_empty());
            let starts = b.spawned_names().len();
            b.pass(600_000);
            assert_eq!((b.state("up").word(), b.spawned_names().len()), ("stopped", starts));
        }
    }
}

#[test]
fn p24_what_cannot_be_killed_is_told_and_nobody_waits_for_it() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ask(Command::Stop { process: id("up"), now: true });
    b.give(Input::Stuck { process: id("up"), generation: 1, pids: vec![1001], why: "state D".into() });
    let leak = Leak { pid: Some(1001), command: "cannot be killed: state D".into(), port: None };
    assert_eq!(b.row("up").leaks, [leak]);
    b.drained("up");
    assert_eq!(b.state("up"), &ProcessState::Failed { reason: Failure::CannotBeKilled { pids: vec![1001] } });
    assert_eq!(b.resolved(1), Some(Err("up cannot be killed (1 left)".into())));
    assert_eq!(b.row("up").pid, Some(1001), "it lives, and that is shown");
    assert!(!b.events().any(|e| matches!(e, EventKind::Exited { .. })), "nobody says that it has ended");
    // No second generation beside it.
    b.ask(Command::Start { process: id("up") });
    b.pass(3_000);
    assert_eq!((b.spawned_names().len(), b.state("up").word()), (1, "failed"));
    // It ends after all.
    b.leader_exits("up", Exit::Signal(Signal::KILL));
    b.tree_empty("up");
    assert_eq!(b.row("up").pid, None);
    b.ask(Command::Start { process: id("up") });
    assert_eq!(b.spawned_names().len(), 2);
}

#[test]
fn a_hurried_stop_of_what_is_being_stopped_kills_at_once_and_says_so() {
    let mut b = Bench::new(vec![spec("up", Role::Service)]);
    b.up("up");
    b.ask(Command::Stop { process: id("up"), now: false });
    b.pass(100);
    b.ask(Command::Stop { process: id("up"), now: true });
    assert_eq!(sent(&b), (vec![Signal::TERM, Signal::KILL], vec![Signal::TERM, Signal::KILL]));
    assert_eq!(b.state("up"), &ProcessState::Stopping { kill_at: b.now, by: Actor::You });
}

#[test]
fn a_thousand_processes_are_started_and_stopped_with_a_few_effects_each() {
    let names: Vec<_> = (0..1000).map(|n| format!("p{n}")).collect();
    let mut b = Bench::new(names.iter().map(|name| spec(name, Role::Service)).collect());
    for name in &names {
        b.up(name);
        b.ready(name);
    }
    b.ask(Command::Shutdown { now: false });
    b.obey();
    assert_eq!(b.finished().map(|o| o.exit_code), Some(0));
    assert!(b.effects.len() < 25 * names.len(), "{} effects", b.effects.len());
}
