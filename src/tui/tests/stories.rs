//! The stories of the design's screens: all well, and an upstream that crash-loops.

use std::time::Duration;

use super::theatre::{Story, Theatre, id};
use crate::{
    explain::{Explanation, Fact},
    model::{
        At, Containment, EventKind, Exit, Failure, ListenPort, Outcome, ProbeOutcome, ProbeRecord, ProcessInfo, ProcessState, Role,
        RunInfo, Sample, StartCause, Then, Verdict,
    },
};

pub(super) const NAMES: [&str; 4] = ["upstream", "proxy", "client-a", "client-b"];
const SESSION: &str = "6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2";
const OTHER: &str = "91aa0d52-1c1d-4f0e-8a77-10de2bf90007";

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn info(name: &str, role: Role, kind: &str, stand_in: bool, port: Option<u16>) -> ProcessInfo {
    ProcessInfo {
        name: id(name),
        role,
        kind: Some(kind.into()),
        stand_in,
        listens: port.map(|port| ListenPort::new(name, port)).into_iter().collect(),
        has_health: port.is_some(),
        waits_for: Vec::new(),
        max_restarts: Some(5),
        argv: vec!["e2e-tui".into(), "part".into(), kind.into()],
        cwd: "/work/demo".into(),
        reads: crate::model::Reads::Nothing,
        taps_pipes: false,
        awaits: String::new(),
        settings: vec![
            ("restart".into(), "on failure, 5 times: after 500ms, 1s, 2s, 4s, 8s; counts anew after 1m alive".into()),
            ("stop".into(), "TERM, KILL after 10s".into()),
            ("env".into(), "TOKEN=**** MODE=demo".into()),
        ],
    }
}

pub(super) fn begin(scenario: &str, processes: Vec<ProcessInfo>) -> EventKind {
    EventKind::RunStarted(RunInfo {
        steps: Vec::new(),
        run: "2026-11-23-0625-forward-k3".into(),
        scenario: scenario.into(),
        description: String::new(),
        origin: format!("bundled {scenario}.toml"),
        started: "2026-11-23T06:25:57.881890Z".into(),
        containment: Containment::Subreaper,
        timeout_ms: None,
        processes,
        expectations: Vec::new(),
    })
}

fn processes() -> Vec<ProcessInfo> {
    let mut all = vec![
        info("upstream", Role::Service, "mock-upstream", false, Some(20001)),
        info("proxy", Role::Service, "shadowcat", true, Some(20002)),
        info("client-a", Role::Test, "test-client", false, None),
        info("client-b", Role::Test, "test-client", false, None),
    ];
    all[1].waits_for = vec!["upstream ready".into()];
    all
}

pub(super) fn state(name: &str, generation: u32, state: ProcessState) -> EventKind {
    EventKind::StateChanged { process: id(name), generation, state }
}

pub(super) fn spawned(name: &str, generation: u32, pid: u32, cause: StartCause, awaits_ready: bool) -> EventKind {
    EventKind::Spawned { process: id(name), generation, pid, cause, awaits_ready }
}

fn ready(name: &str, generation: u32, pid: u32, after: u64, evidence: &str, waited_for: &[&str]) -> EventKind {
    let waited_for = waited_for.iter().map(|w| (*w).to_owned()).collect();
    EventKind::Ready { process: id(name), generation, pid, after: ms(after), evidence: evidence.into(), waited_for, port: None }
}

/// Probes by their latencies in ms; 0 stands for a refused one.
pub(super) fn probed(name: &str, at: u64, latencies: &[u64]) -> EventKind {
    let probe = |latency: &u64| ProbeRecord {
        at: At(at * 1000),
        took: ms((*latency).max(1)),
        outcome: match latency {
            0 => ProbeOutcome::Failed { short: "refused".into(), why: "connect 127.0.0.1:20001: Connection refused".into() },
            _ => ProbeOutcome::Ok,
        },
    };
    EventKind::Probed { process: id(name), generation: 1, probes: latencies.iter().map(probe).collect() }
}

pub(super) fn exited(name: &str, generation: u32, code: i32, up: u64, then: Then, same_cause: bool, progress: Option<&str>) -> EventKind {
    EventKind::Exited {
        process: id(name),
        generation,
        exit: Exit::Code(code),
        asked: false,
        by: None,
        up: ms(up),
        then,
        same_cause,
        tail: Vec::new(),
        progress: progress.map(Into::into),
        role: None,
    }
}

pub(super) fn sampled(all: &[(&str, f32, f64, u32)]) -> EventKind {
    let sample = |(name, cpu_percent, mib, processes): &(&str, f32, f64, u32)| Sample {
        process: id(name),
        cpu_percent: *cpu_percent,
        memory: (mib * 1024.0 * 1024.0) as u64,
        processes: *processes,
    };
    EventKind::Sampled { samples: all.iter().map(sample).collect() }
}

fn progress(name: &str, text: &str) -> EventKind {
    EventKind::Progress { process: id(name), text: text.into() }
}

pub(super) fn opening(scenario: &str) -> Story {
    let mut story = Story::default();
    story
        .event(0, begin(scenario, processes()))
        .event(0, spawned("upstream", 1, 41207, StartCause::Run, true))
        .event(31, ready("upstream", 1, 41207, 31, "listening on 20001 (own process)", &[]))
        .event(31, state("upstream", 1, ProcessState::Ready))
        .event(34, spawned("proxy", 1, 41211, StartCause::Run, true))
        .event(58, ready("proxy", 1, 41211, 24, "listening on 20002 (own process)", &["upstream ready"]))
        .event(58, state("proxy", 1, ProcessState::Ready))
        .event(61, spawned("client-a", 1, 41215, StartCause::Run, false))
        .event(61, state("client-a", 1, ProcessState::Running))
        .event(63, spawned("client-b", 1, 41219, StartCause::Run, false))
        .event(63, state("client-b", 1, ProcessState::Running));
    story
}

/// One call from the client through the proxy to the upstream and back, as all three log it.
fn call(story: &mut Story, at: u64, client: &'static str, n: u32, id: u32) {
    let stamp = |at: u64| format!("2026-11-23T06:25:{:02}.{:03}000Z  INFO ", 57 + at / 1000 % 3, at % 1000);
    story
        .say(at, client, format!("{}tools/call echo #{n}", stamp(at)))
        .say(at + 1, "proxy", format!("{}handle{{session_id=\"{SESSION}\"}}: Processing tools/call for {SESSION}", stamp(at + 1)))
        .say(at + 2, "upstream", format!("{}session={SESSION} id={id} tools/call echo", stamp(at + 2)))
        .say(at + 3, "upstream", format!("{}session={SESSION} id={id} → 200 in 1 ms", stamp(at + 3)))
        .say(at + 4, "proxy", format!("{}handle{{session_id=\"{SESSION}\"}}: upstream answered status=200 elapsed=2ms", stamp(at + 4)))
        .say(at + 4, client, format!("{}tools/call echo #{n} → 200 in 4 ms", stamp(at + 4)));
}

/// Screens 1 and 3: everything is well at 12.4 s.
pub(super) fn all_well(width: u16, height: u16) -> Theatre {
    let mut theatre = Theatre::new(&NAMES).sized(width, height);
    let mut story = opening("forward");
    for n in 0..142 {
        story.say(70 + n, "upstream", format!("INFO warm-up {n}"));
    }
    story
        .say(2086, "client-a", "INFO tools/call echo #5 → 200 in 3 ms")
        .say(2087, "client-a", "INFO 5 of 5 calls passed, p50 4 ms, p99 6 ms")
        .event(2088, exited("client-a", 1, 0, 2088, Then::Completed, false, Some("5 calls")))
        .event(2088, state("client-a", 1, ProcessState::Completed))
        .event(2088, EventKind::Checks { met: 1, of: 2 });
    for (i, at) in [4402u64, 5402, 6402, 7402, 8402, 9402, 10402, 11402].into_iter().enumerate() {
        call(&mut story, at, "client-b", 9 + i as u32, 11 + i as u32);
    }
    story
        .event(11_900, probed("upstream", 11_900, &[1, 1, 1, 1, 4, 1, 1, 1, 1, 2]))
        .event(11_900, probed("proxy", 11_900, &[1, 1, 4, 1, 1, 1, 1, 1, 1, 1]));
    for n in 0..10 {
        story.say(11_500 + n, "upstream", "health probe GET /health → 200");
    }
    story.say(12_003, "upstream", "health probe GET /health → 200");
    call(&mut story, 12_402, "client-b", 17, 19);
    story.event(12_406, sampled(&[("upstream", 0.3, 8.1, 1), ("proxy", 0.9, 9.4, 1), ("client-b", 0.4, 7.7, 1)]));
    story.event(12_406, progress("client-b", "18 of 50 calls"));
    theatre.play(story).at(12_440);
    theatre
}

fn retry(story: &mut Story, at: u64, client: &'static str, text: &str) {
    story.say(at, "proxy", format!("WARN handle{{session_id=\"{SESSION}\"}}: upstream failed error=\"Connection refused\" status=502"));
    story.say(at + 1, client, format!("WARN tools/call echo #3 → 502, {text}"));
}

fn panicked(story: &mut Story, at: u64) {
    for line in ["thread 'main' panicked at src/upstream.rs:42:", "crash_after 3 calls", "note: run with `RUST_BACKTRACE=1`", "  for more"]
    {
        story.say(at, "upstream", line);
    }
}

fn restarted(story: &mut Story, at: u64, generation: u32, pid: u32, after_ms: u64, ready_after: u64) {
    let cause = StartCause::Policy { attempt: generation - 1, of: Some(5), after_ms };
    story.event(at, spawned("upstream", generation, pid, cause, true));
    story.event(at + ready_after, ready("upstream", generation, pid, ready_after, "listening on 20001 (own process)", &[]));
    story.event(at + ready_after, state("upstream", generation, ProcessState::Ready));
}

fn crashed(story: &mut Story, at: u64, generation: u32, up: u64, delay_ms: u64) {
    panicked(story, at - 1);
    story.event(at, exited("upstream", generation, 101, up, Then::Restart { delay_ms }, generation > 1, None));
    let reason = Failure::Exited { exit: Exit::Code(101), by: None };
    story.event(at, state("upstream", generation, ProcessState::Backoff { until: At((at + delay_ms) * 1000), reason }));
}

fn alerted(name: &str, count: u64) -> EventKind {
    EventKind::Alerted { process: id(name), generation: 1, count, line: 1, stream: "out".into(), text: String::new() }
}

/// Screens 2 and 4: the upstream crash-loops, one test has failed, at 7.8 s.
pub(super) fn crash_loop(width: u16, height: u16) -> Theatre {
    let mut theatre = Theatre::new(&NAMES).sized(width, height);
    let mut story = opening("forward");
    story
        .say(871, "client-a", "INFO tools/call echo #3")
        .say(872, "proxy", format!("INFO handle{{session_id=\"{SESSION}\"}}: Processing tools/call for {SESSION}"))
        .say(873, "upstream", format!("INFO session={SESSION} id=5 tools/call echo"));
    crashed(&mut story, 884, 1, 853, 500);
    retry(&mut story, 886, "client-a", "retry 1 of 3");
    retry(&mut story, 1102, "client-a", "retry 2 of 3");
    story.say(1380, "client-b", "WARN tools/call echo #3 → 502, retry 1 of 5");
    restarted(&mut story, 1390, 2, 41240, 500, 16);
    story
        .say(1409, "proxy", format!("INFO handle{{session_id=\"{SESSION}\"}}: Processing tools/call for {SESSION}"))
        .say(1410, "upstream", format!("WARN unknown session {SESSION} → 404"))
        .say(1412, "client-a", "ERROR tools/call #3: HTTP 404, wanted 200")
        .event(1412, exited("client-a", 1, 1, 1351, Then::Failed { fails_run: true }, false, None))
        .event(1412, state("client-a", 1, ProcessState::Failed { reason: Failure::Exited { exit: Exit::Code(1), by: None } }))
        .event(1412, EventKind::VerdictReached { outcome: Outcome::new(Verdict::Failed, 1, "client-a exited with 1") })
        .say(2390, "upstream", format!("INFO session={OTHER} id=9 tools/call echo"));
    crashed(&mut story, 2392, 2, 990, 1000);
    restarted(&mut story, 3402, 3, 41260, 1000, 8);
    crashed(&mut story, 4211, 3, 801, 2000);
    restarted(&mut story, 6222, 4, 41280, 2000, 11);
    crashed(&mut story, 7214, 4, 981, 4000);
    story
        .event(7700, probed("upstream", 7700, &[1, 1, 0, 0, 1, 1, 0, 0, 0]))
        .event(7700, probed("proxy", 7700, &[1, 1, 4, 1, 1, 1, 1, 1, 1, 1]))
        .event(7700, alerted("upstream", 6))
        .event(7700, alerted("proxy", 3))
        .event(7700, alerted("client-a", 1))
        .event(7700, alerted("client-b", 2))
        .event(7700, EventKind::Checks { met: 0, of: 2 })
        .event(7700, progress("client-b", "retry 4 of 5"))
        .event(7700, sampled(&[("proxy", 0.9, 9.4, 1), ("client-b", 0.4, 7.7, 1)]));
    theatre.play(story).at(7814);
    let exit = theatre.seq_of(|kind| matches!(kind, EventKind::Exited { .. }));
    theatre.explain(explanation(exit)).play(more_output()).at(7814);
    theatre
}

/// What is said after the log was parked.
fn more_output() -> Story {
    let mut story = Story::default();
    for n in 0..37 {
        for name in ["upstream", "proxy", "client-b"] {
            story.say(7810, name, format!("INFO later {n}"));
        }
    }
    story
}

/// The facts of screen 2; `exit` is the number of the upstream's first exit, behind the four lines of its panic.
fn explanation(exit: u64) -> Explanation {
    let fact = |process: &str, at: u64, what: &str, quote: Option<&str>, count| Fact {
        process: Some(id(process)),
        generation: 1,
        at: At(at * 1000),
        seq: if at == 884 { exit - 4 } else { exit },
        line: None,
        what: what.into(),
        quote: quote.map(Into::into),
        count,
        after_us: (at - 884) * 1000,
    };
    Explanation {
        facts: vec![
            fact("upstream", 884, "exited 101", Some("panicked at src/upstream.rs:42: crash_after 3 calls"), 1),
            fact("proxy", 886, "502 to client-a", Some("connect 127.0.0.1:20001: Connection refused"), 3),
            fact("upstream", 1390, "restarted by policy (1 of 5), generation 2, pid 41240", None, 1),
            fact("client-a", 1412, "failed, exit 1", Some("tools/call #3: HTTP 404, wanted 200"), 1),
        ],
        also_failed: Vec::new(),
    }
}
