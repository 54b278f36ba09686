//! Recordings as long as anybody's, made without running anything.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use e2e_tui::{
    logs::{LogStore, Stream},
    model::{
        At, Containment, Event, EventKind, Exit, Failure, ProcessId, ProcessInfo, ProcessState, Reads, Role, RunClock, RunInfo, Sample,
        StartCause, Then, narrate,
    },
};

/// How much a recording holds.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    pub events: usize,
    pub lines: usize,
}

const PROCESSES: usize = 5;
/// From event to event, in microseconds.
const STEP: u64 = 20_000;

fn process(n: usize) -> ProcessId {
    ProcessId::new(&format!("p{}", n % PROCESSES)).expect("a name")
}

fn run() -> RunInfo {
    let info = |n| ProcessInfo {
        name: process(n),
        role: Role::Service,
        kind: None,
        stand_in: false,
        listens: Vec::new(),
        has_health: true,
        waits_for: Vec::new(),
        max_restarts: None,
        reads: Reads::default(),
        taps_pipes: false,
        argv: vec!["server".into()],
        cwd: "/srv".into(),
        awaits: String::new(),
        settings: Vec::new(),
    };
    RunInfo {
        steps: Vec::new(),
        run: "2026-11-23-0625-long-k3".into(),
        scenario: "long".into(),
        description: String::new(),
        origin: "long.toml".into(),
        started: "2026-11-23T06:25:57.881890Z".into(),
        containment: Containment::Subreaper,
        timeout_ms: None,
        processes: (0..PROCESSES).map(info).collect(),
        expectations: Vec::new(),
    }
}

/// The `n`th event: processes that are sampled, crash and come back.
fn event(n: usize) -> EventKind {
    let (process, generation) = (process(n / 10), (n / (10 * PROCESSES)) as u32 + 1);
    let reason = Failure::Exited { exit: Exit::Code(101), by: None };
    match n % 10 {
        0 => EventKind::Spawned {
            process,
            generation,
            pid: 1000 + n as u32,
            cause: StartCause::Policy { attempt: generation, of: None, after_ms: 500 },
            awaits_ready: true,
        },
        1 => EventKind::StateChanged { process, generation, state: ProcessState::Ready },
        8 => EventKind::Exited {
            process,
            generation,
            exit: Exit::Code(101),
            asked: false,
            by: None,
            up: Duration::from_millis(140),
            then: Then::Restart { delay_ms: 500 },
            same_cause: true,
            tail: vec!["panicked at src/main.rs:1".into()],
            progress: None,
            role: None,
        },
        9 => {
            let until = At(n as u64 * STEP + 500_000);
            EventKind::StateChanged { process, generation, state: ProcessState::Backoff { until, reason } }
        }
        _ => {
            let sample = |p| Sample { process: self::process(p), cpu_percent: n as f32 % 100.0, memory: n as u64, processes: 1 };
            EventKind::Sampled { samples: (0..PROCESSES).map(sample).collect() }
        }
    }
}

/// Makes a recording in `dir`. Lines have some hundred bytes and no two are the same.
pub fn record(dir: &Path, length: Length) {
    let names: Vec<_> = (0..PROCESSES).map(process).collect();
    let run = run();
    let lease = serde_json::json!({ "pid": 1, "start_ticks": 1, "boot_id": "gone" });
    let manifest = serde_json::json!({
        "format": 1, "id": run.run, "scenario": run.scenario, "origin": run.origin, "started": run.started, "version": "0",
        "containment": run.containment, "processes": names, "lease": lease,
    });
    fs::write(dir.join("manifest.json"), manifest.to_string()).expect("a disk");
    fs::write(dir.join("scenario.toml"), "name = \"long\"\n").expect("a disk");
    let store = LogStore::create(dir.join("logs"), &names, RunClock::start()).expect("a disk");
    let (mut events, mut said, mut line) = (String::new(), String::new(), 0);
    for n in 0..length.events {
        let at = At(n as u64 * STEP);
        let kind = if n == 0 { EventKind::RunStarted(run.clone()) } else { event(n) };
        let mut event = Event { seq: 0, at, kind };
        event.seq = narrate(&event).map_or_else(|| store.stamp(), |told| store.note(at, told));
        writeln!(events, "{}", serde_json::to_string(&event).expect("plain data")).expect("memory");
        said.clear();
        while line * length.events < (n + 1) * length.lines {
            let call = line.wrapping_mul(2_654_435_761) % 4_294_967_291;
            writeln!(
                said,
                "2026-11-23T06:25:57.{:06}Z  INFO proxy::http: POST /mcp 200 OK in {} ms session={call:08x} id={line}",
                line % 1_000_000,
                call % 97
            )
            .expect("memory");
            line += 1;
        }
        let refused = store.append(&names[n % PROCESSES], Stream::ALL[n / PROCESSES % 2], 1, at, said.as_bytes());
        assert!(refused.is_none(), "a disk");
    }
    store.settle();
    fs::write(dir.join("events.jsonl"), events).expect("a disk");
}
