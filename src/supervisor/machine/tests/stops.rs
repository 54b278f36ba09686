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
