//! Every state and everything that can happen in it, as one table: a row a situation, a column an input, in each cell the
//! state that follows (`.`: the same).

use std::fmt::Write;

use super::bench::*;

/// A name, and how it comes about.
type Named<T> = (&'static str, T);

/// What a process is before something happens: how it gets there.
const SITUATIONS: [Named<fn() -> Bench>; 19] = [
    ("pending", || Bench::new(vec![spec("z", Role::Service), needs(subject(), "z", Condition::Ready)])),
    ("by-hand", || Bench::new(vec![ProcessSpec { autostart: false, ..subject() }])),
    ("spawning", || Bench::new(vec![subject()])),
    ("starting", || with(|_| {})),
    ("running", || {
        let mut b = Bench::new(vec![ProcessSpec { role: Role::Task, ..subject() }]);
        b.up("p");
        b
    }),
    ("ready", || with(|b| b.ready("p"))),
    ("unhealthy", || {
        let mut b = Bench::new(vec![ProcessSpec { restart: RestartPolicy::default(), ..subject() }]);
        b.up("p");
        b.ready("p");
        b.probe("p", false);
        b
    }),
    ("stopping", || with(|b| stop(b, false))),
    ("killing", || with(|b| stop(b, true))),
    ("ending", || with(|b| b.leader_exits("p", Exit::Code(1)))),
    ("backoff", || with(|b| b.ends("p", Exit::Code(1)))),
    ("clearing", || {
        with(|b| {
            b.leader_exits("p", Exit::Code(0));
            b.drained("p");
            b.ask(Command::Start { process: id("p") });
        })
    }),
    ("stopped", || {
        with(|b| {
            stop(b, false);
            b.obey();
        })
    }),
    ("completed", || with(|b| b.ends("p", Exit::Code(0)))),
    ("leaky", || {
        with(|b| {
            b.leader_exits("p", Exit::Code(0));
            b.drained("p");
            b.pass(300);
        })
    }),
    ("failed", || {
        let mut b = Bench::new(vec![spec("p", Role::Service)]);
        b.up("p");
        b.ends("p", Exit::Code(1));
        b
    }),
    ("unkillable", || {
        with(|b| {
            stop(b, true);
            b.give(Input::Stuck { process: id("p"), generation: b.generation("p"), pids: vec![7], why: String::new() });
            b.drained("p");
        })
    }),
    ("gave-up", || {
        with(|b| {
            b.ends("p", Exit::Code(1));
            b.pass(1000);
            b.up("p");
            b.ends("p", Exit::Code(1));
        })
    }),
    ("skipped", || {
        let mut b = Bench::new(vec![spec("z", Role::Service), needs(subject(), "z", Condition::Ready)]);
        b.up("z");
        b.ends("z", Exit::Code(1));
        b
    }),
];

/// What can happen to it.
const INPUTS: [Named<fn(&mut Bench)>; 33] = [
    ("start", |b| _ = b.ask(Command::Start { process: id("p") })),
    ("stop", |b| stop(b, false)),
    ("kill", |b| stop(b, true)),
    ("restart", |b| _ = b.ask(Command::Restart { process: id("p"), now: false })),
    ("restart!", |b| _ = b.ask(Command::Restart { process: id("p"), now: true })),
    ("signal", |b| _ = b.ask(Command::Signal { process: id("p"), signal: Signal::HUP })),
    ("hold", |b| _ = b.ask(Command::Hold { process: id("p"), held: true })),
    ("release", |b| _ = b.ask(Command::Hold { process: id("p"), held: false })),
    ("type", |b| _ = b.ask(Command::Type { process: id("p"), bytes: vec![3] })),
    ("spawned", |b| b.up("p")),
    ("no spawn", |b| {
        let reason = Failure::NotStarted { error: "no".into(), short: "no".into() };
        b.give(Input::SpawnFailed { process: id("p"), generation: b.generation("p"), reason });
    }),
    ("is there", |b| {
        b.give(Input::AlreadyDone { process: id("p"), generation: b.generation("p"), path: "out".into() });
    }),
    ("not yet", |b| {
        let report = ReadyReport::NotYet { why: "refused".into() };
        b.give(Input::Ready { process: id("p"), generation: b.generation("p"), report });
    }),
    ("answers", |b| b.ready("p")),
    ("foreign", |b| {
        let report = ReadyReport::Foreign { pid: 4, port: 5 };
        b.give(Input::Ready { process: id("p"), generation: b.generation("p"), report });
    }),
    ("well", |b| b.probe("p", true)),
    ("unwell", |b| b.probe("p", false)),
    ("limit", |b| {
        b.give(Input::LimitHit { process: id("p"), generation: b.generation("p"), what: "memory".into() });
    }),
    ("changed", |b| _ = b.give(Input::Changed { process: id("p"), file: "main.rs".into(), more: 0 })),
    ("looked at", |b| _ = b.give(Input::Observed { looking: true })),
    ("standstill", |b| _ = b.give(Input::StoodStill { span: Duration::from_secs(100) })),
    ("exit 0", |b| b.ends("p", Exit::Code(0))),
    ("exit 1", |b| b.ends("p", Exit::Code(1))),
    ("SIGKILL", |b| b.ends("p", Exit::Signal(Signal::KILL))),
    ("1 lives", |b| b.members("p", &[9])),
    ("empty", |b| b.tree_empty("p")),
    ("drained", |b| b.drained("p")),
    ("stuck", |b| {
        b.give(Input::Stuck { process: id("p"), generation: b.generation("p"), pids: vec![7], why: String::new() });
    }),
    ("1 s", |b| b.pass(1_000)),
    ("40 s", |b| b.pass(40_000)),
    ("quit", |b| _ = b.ask(Command::Shutdown { now: false })),
    ("quit!", |b| _ = b.ask(Command::Shutdown { now: true })),
    ("lost", |b| _ = b.give(Input::SpawnerLost { why: "killed".into() })),
];

/// A service with one restart, one probe that makes it unhealthy, and a longest life of 35 s.
fn subject() -> ProcessSpec {
    ProcessSpec { health: Some(health()), timeout: Some(Duration::from_secs(35)), ..on_failure(spec("p", Role::Service), 1) }
}

fn with(then: impl FnOnce(&mut Bench)) -> Bench {
    let mut b = Bench::new(vec![subject()]);
    b.up("p");
    then(&mut b);
    b
}

fn stop(b: &mut Bench, now: bool) {
    b.ask(Command::Stop { process: id("p"), now });
}

#[test]
fn each_state_takes_each_input_as_the_table_says() {
    let mut table = format!("{:>10} ", "");
    for (input, _) in INPUTS {
        let _ = write!(table, " {input:<10}");
    }
    for (situation, arrange) in SITUATIONS {
        let _ = write!(table, "\n{situation:>10}:");
        for (_, act) in INPUTS {
            let mut b = arrange();
            let before = b.state("p").clone();
            act(&mut b);
            let after = b.state("p");
            let word = if *after == before { "." } else { after.word() };
            let _ = write!(table, " {word:<10}");
        }
    }
    let table: Vec<_> = table.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(table.join("\n"));
}
