//! The story of screens 2 and 9 as events and output: an upstream that panics, a proxy that answers 502, a client that
//! gives up.

use std::{sync::Arc, time::Duration};

use super::{Closing, Explanation, closing_block, explain, explain_broken_off, explanation_text, first_failure, replay_command};
use crate::{
    logs::{LogStore, Stream},
    model::{
        Actor, At, Containment, Event, EventKind, Exit, Failure, Leak, Outcome, ProcessId, ProcessInfo, ProcessState, Role, RunClock,
        RunInfo, Signal, StartCause, Then, Verdict, exit_code,
    },
};

const NAMES: [&str; 3] = ["upstream", "proxy", "client-a"];

fn id(name: &str) -> ProcessId {
    ProcessId::new(name).expect("a name")
}

/// A run told by hand; what is said stands in a real store, so that places in the log are real.
struct Story {
    store: Arc<LogStore>,
    events: Vec<Arc<Event>>,
    _folder: tempfile::TempDir,
}

impl Story {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names: Vec<_> = NAMES.iter().map(|n| id(n)).collect();
        let store = LogStore::create(folder.path().join("logs"), &names, RunClock::start()).expect("the folder can be written");
        let mut story = Self { store, events: Vec::new(), _folder: folder };
        let processes = NAMES.iter().map(|name| ProcessInfo {
            name: id(name),
            role: if *name == "client-a" { Role::Test } else { Role::Service },
            kind: None,
            stand_in: false,
            listens: Vec::new(),
            has_health: false,
            waits_for: Vec::new(),
            max_restarts: Some(5),
            argv: Vec::new(),
            cwd: String::new(),
            reads: crate::model::Reads::Nothing,
            taps_pipes: false,
            awaits: String::new(),
            settings: Vec::new(),
        });
        story.event(
            0,
            EventKind::RunStarted(RunInfo {
                steps: Vec::new(),
                run: "x".into(),
                scenario: "crash-restart".into(),
                description: String::new(),
                origin: "crash-restart.toml".into(),
                started: String::new(),
                containment: Containment::Subreaper,
                timeout_ms: None,
                processes: processes.collect(),
                expectations: Vec::new(),
            }),
        );
        story
    }

    fn event(&mut self, ms: u64, kind: EventKind) {
        let seq = self.store.stamp();
        self.events.push(Arc::new(Event { seq, at: At(ms * 1000), kind }));
    }

    fn start(&mut self, ms: u64, name: &str) {
        let (process, cause) = (id(name), StartCause::Run);
        self.event(ms, EventKind::Spawned { process, generation: 1, pid: 41_000, cause, awaits_ready: false });
    }

    /// `name` says `text` on stderr; line `alert` of the stream, if it is one, raises an alert 10 ms later.
    fn say(&mut self, ms: u64, name: &str, generation: u32, text: &str, alert: Option<u64>) {
        assert!(self.store.append(&id(name), Stream::Err, generation, At(ms * 1000), text.as_bytes()).is_none(), "the disk takes it");
        if let Some(line) = alert {
            let text = text.lines().next().unwrap_or_default().to_owned();
            self.event(ms + 10, EventKind::Alerted { process: id(name), generation, count: 1, line, stream: "err".into(), text });
        }
    }

    fn exit(&mut self, ms: u64, name: &str, generation: u32, code: i32, then: Then) {
        self.exited(ms, name, generation, Exit::Code(code), then);
    }

    fn exited(&mut self, ms: u64, name: &str, generation: u32, exit: Exit, then: Then) {
        let process = id(name);
        let up = Duration::from_millis(ms);
        let state = match &then {
            Then::Failed { .. } => ProcessState::Failed { reason: crate::model::Failure::Exited { exit, by: None } },
            _ => ProcessState::Running,
        };
        self.event(
            ms,
            EventKind::Exited {
                process: process.clone(),
                generation,
                exit,
                asked: false,
                by: None,
                up,
                then,
                same_cause: false,
                tail: Vec::new(),
                progress: None,
                role: None,
            },
        );
        self.event(ms, EventKind::StateChanged { process, generation, state });
    }

    fn crash_restart() -> Self {
        let mut story = Self::new();
        for name in NAMES {
            story.start(30, name);
        }
        story.say(870, "upstream", 1, "session=6f1b id=5 tools/call echo\n", None);
        story.say(883, "upstream", 1, "thread 'main' panicked at src/upstream.rs:42:\ncrash_after 3 calls\n", Some(2));
        story.exit(884, "upstream", 1, 101, Then::Restart { delay_ms: 500 });
        for (line, ms) in [886, 1102].into_iter().enumerate() {
            let text = format!("2026-11-23T06:25:57.88{ms}Z  WARN upstream failed error=\"Connection refused\" status=502\n");
            story.say(ms, "proxy", 1, &text, Some(line as u64 + 1));
        }
        let cause = StartCause::Policy { attempt: 1, of: Some(5), after_ms: 500 };
        story.event(1390, EventKind::Spawned { process: id("upstream"), generation: 2, pid: 41240, cause, awaits_ready: true });
        story.say(1411, "client-a", 1, "tools/call #3: HTTP 404, wanted 200\n", Some(1));
        story.exit(1412, "client-a", 1, 1, Then::Failed { fails_run: true });
        story
    }

    fn explanation(&self) -> Explanation {
        explain(&self.events, &self.store).expect("a test has failed")
    }
}

#[test]
fn what_happened_is_told_from_the_first_abnormal_event_to_the_failure() {
    let story = Story::crash_restart();
    insta::assert_snapshot!(explanation_text(&story.explanation(), ""), @r#"
    0.884  upstream  exited 101  "panicked at src/upstream.rs:42: crash_after 3 calls"   first abnormal event
    0.886  proxy     said  "upstream failed error="Connection refused" status=502"  ×2   2 ms later
    1.390  upstream  restarted by policy (1 of 5), generation 2, pid 41240   506 ms later
    1.412  client-a  failed, exit 1  "tools/call #3: HTTP 404, wanted 200"   528 ms later
    "#);
    let exit = story.events.iter().find(|e| matches!(e.kind, EventKind::Exited { .. })).expect("it exited");
    assert!(story.explanation().facts[0].seq < exit.seq, "the log is parked at the panic's own line, before the exit");
}

#[test]
fn the_first_failure_quotes_the_panic() {
    let story = Story::crash_restart();
    let first = first_failure(&story.events, &story.store).expect("something has failed");
    assert_eq!((first.process.as_str(), first.generation, first.at_ms, first.what.as_str()), ("upstream", 1, 884, "exited with 101"));
    let line = first.line.expect("it said something");
    assert_eq!((line.number, line.stream.as_str(), line.text.as_str()), (2, "err", "thread 'main' panicked at src/upstream.rs:42:"));
}

#[test]
fn a_failure_out_of_nothing_says_so() {
    let mut story = Story::new();
    story.start(30, "client-a");
    story.say(90, "client-a", 1, "assertion failed: left == right\n", Some(1));
    story.exit(100, "client-a", 1, 1, Then::Failed { fails_run: true });
    insta::assert_snapshot!(explanation_text(&story.explanation(), ""), @r#"    0.100  client-a  failed, exit 1  "assertion failed: left == right"   no abnormal event before the failure"#);
}

#[test]
fn a_run_in_which_nothing_failed_needs_no_explanation() {
    let story = Story::new();
    assert_eq!(explain(&story.events, &story.store), None);
}

#[test]
fn the_closing_block_tells_it_all_in_a_few_lines() {
    let mut story = Story::crash_restart();
    story.event(1500, EventKind::Checks { met: 0, of: 1 });
    let outcome = Outcome::new(Verdict::Failed, exit_code::TEST_FAILED, "client-a exited with 1");
    story.event(1800, EventKind::RunEnded { outcome, stopped: 2, killed: 0, took: Duration::from_millis(300), clean_up: Duration::ZERO });
    let explanation = story.explanation();
    let closing = Closing {
        events: &story.events,
        logs: &story.store,
        explanation: Some(&explanation),
        replay: Some(replay_command("x", None)),
        archives: &[],
        full: true,
    };
    insta::assert_snapshot!(closing_block(&closing), @r#"
    crash-restart: FAILED (exit 1) after 1.5 s   client-a exit 1   1 test: 1 failed   checks 0/1
        0.884  upstream  exited 101  "panicked at src/upstream.rs:42: crash_after 3 calls"   first abnormal event
        0.886  proxy     said  "upstream failed error="Connection refused" status=502"  ×2   2 ms later
        1.390  upstream  restarted by policy (1 of 5), generation 2, pid 41240   506 ms later
        1.412  client-a  failed, exit 1  "tools/call #3: HTTP 404, wanted 200"   528 ms later
    Stopped 2 processes in 0.3 s, none needed SIGKILL, no process or port left.
    Recorded: e2e-tui replay x
    "#);
}

impl Story {
    fn state(&mut self, ms: u64, name: &str, state: ProcessState) {
        self.event(ms, EventKind::StateChanged { process: id(name), generation: 1, state });
    }

    fn verdict(&mut self, ms: u64, outcome: Outcome) {
        self.event(ms, EventKind::VerdictReached { outcome });
    }

    /// The run ends: all is taken down in 100 ms.
    fn end(&mut self, ms: u64, outcome: Outcome) {
        self.event(ms, EventKind::RunEnded { outcome, stopped: 1, killed: 0, took: Duration::from_millis(100), clean_up: Duration::ZERO });
    }

    fn told(&self) -> String {
        explain(&self.events, &self.store).map_or_else(|| "nothing".into(), |told| explanation_text(&told, ""))
    }

    fn block(&self) -> String {
        let explanation = explain(&self.events, &self.store);
        let (events, logs) = (&self.events[..], &*self.store);
        closing_block(&Closing { events, logs, explanation: explanation.as_ref(), replay: None, archives: &[], full: true })
    }
}

fn leak(pid: u32, command: &str) -> Leak {
    Leak { pid: Some(pid), command: command.into(), port: None }
}

#[test]
fn a_run_that_leaked_tells_who_left_what() {
    let mut story = Story::new();
    story.start(30, "client-a");
    story.say(40, "client-a", 1, "ERROR retried once\n", Some(1));
    story.exit(100, "client-a", 1, 0, Then::Completed);
    story.event(300, EventKind::Leaked { process: id("client-a"), generation: 1, leaks: vec![leak(4711, "sleep 600"), leak(4712, "sh")] });
    story.verdict(400, Outcome::new(Verdict::Passed, 0, "1 test passed"));
    let port = Leak { pid: None, command: "python3 (pid 77)".into(), port: Some(20_001) };
    story.event(450, EventKind::Leaked { process: id("upstream"), generation: 1, leaks: vec![port] });
    story.end(500, Outcome::new(Verdict::Leaked, 5, "client-a, upstream leaked"));
    insta::assert_snapshot!(story.told(), @r#"
    0.300  client-a  left pid 4711 behind  "sleep 600"   first abnormal event
    0.300  client-a  left pid 4712 behind  "sh"   <1 ms later
    0.450  upstream  left port 20001 bound  "python3 (pid 77)"   150 ms later
    "#);
}

#[test]
fn a_run_that_took_too_long_tells_for_whom_it_waited() {
    let mut story = Story::new();
    story.start(30, "upstream");
    story.start(40, "client-a");
    story.state(40, "client-a", ProcessState::Running);
    story.say(90, "upstream", 1, "ERROR no answer from backend\n", Some(1));
    let outcome = Outcome::new(Verdict::TimedOut, 4, "timed out after 300 ms");
    story.verdict(300, outcome.clone());
    story.event(
        301,
        EventKind::Signalled { process: id("client-a"), generation: 1, signal: Signal::TERM, by: Actor::Supervisor, stop: true },
    );
    story.end(400, outcome);
    insta::assert_snapshot!(story.told(), @r#"
    0.090  upstream  said  "no answer from backend"   first abnormal event
    0.300  e2e-tui   timed out after 300 ms, waiting for client-a (running)   210 ms later
    "#);
}

#[test]
fn a_lost_guardian_is_told() {
    let mut story = Story::new();
    story.start(30, "upstream");
    let outcome = Outcome::new(Verdict::Failed, 3, "guardian lost");
    story.verdict(250, outcome.clone());
    story.end(300, outcome);
    insta::assert_snapshot!(story.told(), @r#"    0.250  e2e-tui  guardian lost   no abnormal event before the failure"#);
}

#[test]
fn a_recording_that_breaks_off_says_where_and_who_was_alive() {
    let mut story = Story::new();
    story.start(30, "upstream");
    story.start(40, "client-a");
    story.exit(60, "client-a", 1, 0, Then::Completed);
    story.say(700, "upstream", 1, "still at it\n", None);
    assert_eq!(story.told(), "nothing", "as far as anybody knows it goes on");
    let told = explain_broken_off(&story.events, &story.store).expect("that is something to tell");
    insta::assert_snapshot!(explanation_text(&told, ""), @r#"    0.700  e2e-tui  the recording breaks off: the supervisor was killed or the machine died; alive then: upstream   no abnormal event before the failure"#);
    // A failure before is the story; the break is its end.
    let story = Story::crash_restart();
    let told = explain_broken_off(&story.events, &story.store).expect("that is something to tell");
    insta::assert_snapshot!(explanation_text(&told, ""), @r#"
    0.884  upstream  exited 101  "panicked at src/upstream.rs:42: crash_after 3 calls"   first abnormal event
    0.886  proxy     said  "upstream failed error="Connection refused" status=502"  ×2   2 ms later
    1.390  upstream  restarted by policy (1 of 5), generation 2, pid 41240   506 ms later
    1.412  client-a  failed, exit 1  "tools/call #3: HTTP 404, wanted 200"   528 ms later
    1.412  e2e-tui   the recording breaks off: the supervisor was killed or the machine died; alive then: upstream, proxy   528 ms later
    "#);
    // What has ended has not broken off.
    let mut story = Story::new();
    story.end(500, Outcome::new(Verdict::Passed, 0, "everything has ended well"));
    assert_eq!(explain_broken_off(&story.events, &story.store), None);
}

#[test]
fn a_process_that_could_not_be_started_is_told_once_at_its_time() {
    let mut story = Story::new();
    let reason = Failure::NotStarted { error: "`nginx` was not found in PATH (/bin)".into(), short: "not found".into() };
    story.event(12, EventKind::Failed { process: id("proxy"), generation: 1, reason: reason.clone(), fatal: true });
    story.state(12, "proxy", ProcessState::Failed { reason });
    story.state(13, "client-a", ProcessState::Skipped { because: "proxy failed".into() });
    let outcome = Outcome::new(Verdict::Failed, 3, "proxy `nginx` was not found in PATH (/bin)");
    story.verdict(13, outcome.clone());
    story.event(900, EventKind::StoppingRun { by: Actor::Supervisor, now: false });
    story.end(1000, outcome);
    insta::assert_snapshot!(story.block(), @r#"
    crash-restart: FAILED (exit 3) after 900 ms   proxy not found   1 test: 1 skipped   checks 0/0
        0.012  proxy  failed  "`nginx` was not found in PATH (/bin)"   no abnormal event before the failure
    Stopped 1 process in 0.1 s, none needed SIGKILL, no process or port left.
    "#);
}

#[test]
fn what_the_user_killed_explains_nothing_on_a_passed_run() {
    let mut story = Story::new();
    story.start(30, "upstream");
    story.event(100, EventKind::Signalled { process: id("upstream"), generation: 1, signal: Signal::KILL, by: Actor::You, stop: false });
    let exit = Exit::Signal(Signal::KILL);
    story.exited(110, "upstream", 1, exit, Then::Failed { fails_run: true });
    story.state(110, "upstream", ProcessState::Failed { reason: Failure::Exited { exit, by: Some(Actor::You) } });
    story.exit(200, "client-a", 1, 0, Then::Completed);
    let outcome = Outcome::new(Verdict::Passed, 0, "1 test passed");
    story.verdict(200, outcome.clone());
    assert_eq!(story.told(), "nothing");
    assert_eq!(first_failure(&story.events, &story.store), None);
    story.end(300, outcome);
    assert!(!story.block().contains("KILL)"), "{}", story.block());
}

#[test]
fn everybody_who_failed_is_named_beside_the_first() {
    let mut story = Story::crash_restart();
    let outcome = Outcome::new(Verdict::Failed, 1, "client-a exited with 1");
    story.verdict(1412, outcome.clone());
    story.say(1500, "proxy", 1, "FATAL out of memory\n", None);
    story.exit(1510, "proxy", 1, 9, Then::Failed { fails_run: true });
    story.event(1700, EventKind::StoppingRun { by: Actor::Supervisor, now: false });
    story.end(1800, outcome);
    insta::assert_snapshot!(story.block(), @r#"
    crash-restart: FAILED (exit 1) after 1.7 s   client-a exit 1   1 test: 1 failed   checks 0/0
        0.884  upstream  exited 101  "panicked at src/upstream.rs:42: crash_after 3 calls"   first abnormal event
        0.886  proxy     said  "upstream failed error="Connection refused" status=502"  ×2   2 ms later
        1.390  upstream  restarted by policy (1 of 5), generation 2, pid 41240   506 ms later
        1.412  client-a  failed, exit 1  "tools/call #3: HTTP 404, wanted 200"   528 ms later
        1.510  proxy     failed, exit 9  "out of memory"   also failed
    Stopped 1 process in 0.1 s, none needed SIGKILL, no process or port left.
    "#);
}

#[test]
fn tests_run_again_are_a_story_of_their_own() {
    let mut story = Story::crash_restart();
    story.verdict(1412, Outcome::new(Verdict::Failed, 1, "client-a exited with 1"));
    story.event(2000, EventKind::Rerun { by: Actor::You, process: None });
    assert_eq!(story.told(), "nothing", "the verdict is open again");
    story.say(2100, "client-a", 2, "second try: no\n", None);
    story.exit(2110, "client-a", 2, 1, Then::Failed { fails_run: true });
    story.verdict(2110, Outcome::new(Verdict::Failed, 1, "client-a exited with 1"));
    insta::assert_snapshot!(story.told(), @r#"    2.110  client-a  failed, exit 1  "second try: no"   no abnormal event before the failure"#);
}

/// Every alert used to walk the log from its end: a flood of them took a square of its length.
#[test]
fn a_flood_of_alerts_is_explained_with_a_bounded_look_at_the_log() {
    let mut story = Story::new();
    story.start(1, "upstream");
    let word = |n: u32| n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect::<String>();
    for n in 0..20_000 {
        story.say(u64::from(n), "upstream", 1, &format!("ERROR failed with {}\n", word(n)), Some(u64::from(n) + 1));
    }
    story.exit(50_000, "client-a", 1, 1, Then::Failed { fails_run: true });
    let told = story.explanation();
    assert_eq!(told.facts.len(), 100);
    assert_eq!(told.facts[0].at, At(0), "at its line's time, not at its event's");
    assert!(super::gather::LOOK_UPS.with(std::cell::Cell::get) <= 200, "only what is shown is looked up");
}

#[test]
fn the_dashboard_leaves_six_lines_however_much_went_wrong() {
    let mut story = Story::new();
    for generation in 1..=30 {
        story.start(u64::from(generation) * 100, "upstream");
        story.exit(
            u64::from(generation) * 100 + 50,
            "upstream",
            generation,
            100 + i32::from(generation as u8),
            Then::Restart { delay_ms: 50 },
        );
    }
    story.start(4000, "client-a");
    story.exit(4001, "client-a", 1, 1, Then::Failed { fails_run: true });
    let outcome = Outcome::new(Verdict::Failed, exit_code::TEST_FAILED, "client-a exited with 1");
    story.event(4002, EventKind::RunEnded { outcome, stopped: 2, killed: 0, took: Duration::from_millis(300), clean_up: Duration::ZERO });
    let explanation = story.explanation();
    let replay = Some(replay_command("x", Some(std::path::Path::new("/my runs"))));
    let closing =
        Closing { events: &story.events, logs: &story.store, explanation: Some(&explanation), replay, archives: &[], full: false };
    insta::assert_snapshot!(closing_block(&closing), @r"
    crash-restart: FAILED (exit 1) after 3.7 s   client-a exit 1   1 test: 1 failed   checks 0/0
        0.150  upstream  exited 101   first abnormal event
               … 29 more in between
        4.001  client-a  failed, exit 1   3.8 s later
    Stopped 2 processes in 0.3 s, none needed SIGKILL, no process or port left.
    Recorded: e2e-tui replay x --recordings-dir '/my runs'
    ");
}
