//! Whatever a child, a user or a stranger's archive writes into whichever field of whichever event: no front prints a
//! byte of it that acts on a terminal.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;

use super::{Manifest, Recording, archive};
use crate::{
    explain::{Closing, closing_block, explain, explanation_text, first_failure},
    headless::{Colour, Printer, Report},
    logs::LogStore,
    model::*,
    redact::Redactor,
    supervisor::fit_for_record,
};

const NASTY: &str = "x\x1b]0;title\x07\x1b[2J\x1b[31mred\r\n\tnext\u{9b}31m\u{202e}\x7f\0\u{85}y";

/// One event of each kind, with all its optional parts.
#[expect(clippy::too_many_lines, reason = "a list")]
fn all_kinds() -> Vec<EventKind> {
    let process = ProcessId::new("up").expect("a name");
    let (generation, text) = (1, "t".to_owned());
    let info = ProcessInfo {
        name: process.clone(),
        role: Role::Test,
        kind: Some(text.clone()),
        stand_in: true,
        listens: vec![ListenPort::new(text.clone(), 1)],
        has_health: true,
        waits_for: vec![text.clone()],
        max_restarts: Some(1),
        argv: vec![text.clone()],
        cwd: text.clone(),
        reads: crate::model::Reads::Nothing,
        taps_pipes: false,
        awaits: text.clone(),
        settings: vec![(text.clone(), text.clone())],
    };
    let what = Expected::MustNotSee { pattern: regex::Regex::new("x").expect("a pattern") };
    let expectation = ExpectationInfo::of(&Expectation { process: process.clone(), what, within: None });
    let run = RunInfo {
        steps: Vec::new(),
        run: text.clone(),
        scenario: text.clone(),
        description: text.clone(),
        origin: text.clone(),
        started: text.clone(),
        containment: Containment::Subreaper,
        timeout_ms: Some(1),
        processes: vec![info],
        expectations: vec![expectation],
    };
    let failures = [
        Failure::NotStarted { error: text.clone(), short: text.clone() },
        Failure::NeverReady { last: text.clone(), awaited: text.clone(), after_ms: 1 },
        Failure::ForeignListener { pid: 1, port: 1 },
        Failure::Unhealthy { last: text.clone() },
        Failure::LimitHit { what: text.clone() },
        Failure::CannotBeKilled { pids: vec![1] },
        Failure::Dependency { process: process.clone(), state: text.clone() },
    ];
    let probe = |outcome| ProbeRecord { at: At(1), took: Duration::ZERO, outcome };
    let outcome = Outcome::new(Verdict::Failed, 1, text.clone());
    let leak = Leak { pid: None, command: text.clone(), port: None };
    let mut all = vec![
        EventKind::RunStarted(run),
        EventKind::Spawned { process: process.clone(), generation, pid: 1, cause: StartCause::Rerun, awaits_ready: false },
        EventKind::Ready {
            process: process.clone(),
            generation,
            pid: 1,
            after: Duration::ZERO,
            evidence: text.clone(),
            waited_for: vec![text.clone()],
            port: None,
        },
        EventKind::NotReady { process: process.clone(), generation, why: text.clone() },
        EventKind::Progress { process: process.clone(), text: text.clone() },
        EventKind::Probed {
            process: process.clone(),
            generation,
            probes: vec![
                probe(ProbeOutcome::Degraded { why: text.clone() }),
                probe(ProbeOutcome::Failed { short: text.clone(), why: text.clone() }),
            ],
        },
        EventKind::HealthChanged { process: process.clone(), generation, health: Health::Unhealthy, detail: text.clone() },
        EventKind::Alerted { process: process.clone(), generation, count: 1, line: 1, stream: "err".into(), text: text.clone() },
        EventKind::Leaked { process: process.clone(), generation, leaks: vec![leak] },
        EventKind::LeaksEnded { process: process.clone(), generation, pids: vec![1], killed: true },
        EventKind::Marked { process: None, text: text.clone(), by: Actor::You },
        EventKind::Notice { level: NoticeLevel::Warning, text: text.clone() },
        EventKind::StateChanged { process: process.clone(), generation, state: ProcessState::Pending { waits_for: vec![text.clone()] } },
        EventKind::StateChanged { process: process.clone(), generation, state: ProcessState::Skipped { because: text.clone() } },
    ];
    for reason in failures {
        all.push(EventKind::Failed { process: process.clone(), generation, reason: reason.clone(), fatal: true });
        all.push(EventKind::GaveUp {
            process: process.clone(),
            generation,
            reason: reason.clone(),
            times: 1,
            same_cause: true,
            fatal: true,
        });
        all.push(EventKind::StateChanged { process: process.clone(), generation, state: ProcessState::Failed { reason } });
    }
    all.push(EventKind::Exited {
        process: process.clone(),
        generation,
        exit: Exit::Code(1),
        asked: false,
        by: None,
        up: Duration::ZERO,
        then: Then::Failed { fails_run: true },
        same_cause: true,
        tail: vec![text.clone()],
        progress: Some(text.clone()),
        role: Some(Role::Test),
    });
    all.push(EventKind::StopCommand { process, generation, command: text.clone(), by: Actor::You });
    all.push(EventKind::GuardianLost { why: text.clone() });
    all.push(EventKind::Expected {
        process: ProcessId::new("up").expect("a name"),
        expectation: 0,
        standing: Standing::Violated,
        seen: 1,
        what: text.clone(),
        detail: text.clone(),
        line: Some(1),
        stream: Some(text),
    });
    all.push(EventKind::VerdictReached { outcome: outcome.clone() });
    all.push(EventKind::RunEnded { outcome, stopped: 1, killed: 1, took: Duration::ZERO, clean_up: Duration::ZERO });
    all
}

/// Replaces every string by something nasty, one at a time, where the event stays an event.
fn poisoned(kind: &EventKind) -> EventKind {
    fn walk(value: &mut Value, at: &mut usize, wanted: usize) {
        match value {
            Value::String(text) => {
                if *at == wanted {
                    NASTY.clone_into(text);
                }
                *at += 1;
            }
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, at, wanted)),
            Value::Object(fields) => fields.values_mut().for_each(|field| walk(field, at, wanted)),
            _ => {}
        }
    }
    let mut whole = serde_json::to_value(kind).expect("plain data");
    for wanted in 0.. {
        let (mut changed, mut count) = (whole.clone(), 0);
        walk(&mut changed, &mut count, wanted);
        if wanted >= count {
            break;
        }
        if serde_json::from_value::<EventKind>(changed.clone()).is_ok_and(|kind| kind != EventKind::Unknown) {
            whole = changed;
        }
    }
    serde_json::from_value(whole).expect("each step was one")
}

fn poisoned_events() -> Vec<Event> {
    (1..).zip(all_kinds()).map(|(seq, kind)| Event { seq, at: At(seq * 1000), kind: poisoned(&kind) }).collect()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn printed(logs: Arc<LogStore>) -> String {
    let out = Shared::default();
    Printer::start(logs, out.clone(), Colour::No, |_| {}).expect("a thread").finish().expect("memory takes all");
    let bytes = out.0.lock().expect("no panic").clone();
    String::from_utf8(bytes).expect("text")
}

fn assert_harmless(what: &str, text: &str) {
    let bad = text.chars().find(|c| c.is_control() && !"\n\t".contains(*c) || matches!(c, '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}'));
    assert!(bad.is_none(), "{what} prints {bad:?}:\n{}", text.escape_debug());
    assert!(!text.is_empty(), "{what} prints nothing");
}

#[test]
fn each_text_is_visited_wherever_it_stands() {
    for kind in all_kinds() {
        let mut visited = kind.clone();
        visited.each_text(&mut |text| NASTY.clone_into(text));
        visited.each_name(&mut |text| NASTY.clone_into(text));
        assert_eq!(visited, poisoned(&kind), "a string of {kind:?} is neither a text nor a name");
    }
}

#[test]
fn names_survive_masking_and_texts_do_not() {
    let redactor = Redactor::new(["up-and-running".to_owned()]);
    let name = ProcessId::new("up-and-running").expect("a name");
    for kind in all_kinds() {
        let mut said = kind;
        said.each_text(&mut |text| "it said up-and-running".clone_into(text));
        let told = fit_for_record(said, &redactor);
        let json = serde_json::to_string(&told).expect("plain data");
        assert!(!json.contains("up-and-running"), "{json}");
    }
    let progress = EventKind::Progress { process: name.clone(), text: "up-and-running".into() };
    let masked = EventKind::Progress { process: name, text: "**************".into() };
    assert_eq!(fit_for_record(progress, &redactor), masked);
}

#[test]
fn o4_no_front_prints_what_acts_on_a_terminal() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = ProcessId::new("up").expect("a name");
    let events = poisoned_events();
    // As a stranger's recording.
    let info = match &events[0].kind {
        EventKind::RunStarted(info) => RunInfo { run: NASTY.into(), ..info.clone() },
        other => unreachable!("{other:?}"),
    };
    let outcome = Some(Outcome::new(Verdict::Failed, 1, NASTY));
    let begun = Manifest::begin(&info);
    let manifest = Manifest { processes: vec![process.clone()], version: NASTY.into(), outcome, ..begun };
    std::fs::write(dir.path().join("manifest.json"), manifest.to_json()).expect("a disk");
    let lines: String = events.iter().map(|event| serde_json::to_string(event).expect("plain data") + "\n").collect();
    std::fs::write(dir.path().join("events.jsonl"), lines).expect("a disk");
    let logs = LogStore::create(dir.path().join("logs"), std::slice::from_ref(&process), RunClock::start()).expect("a disk");
    assert!(logs.append(&process, crate::logs::Stream::Err, 1, At(9), format!("{NASTY}\nERROR {NASTY}\n").as_bytes()).is_none());
    logs.settle();
    let recording = Recording::open(dir.path()).expect("it is one");
    let target = dir.path().join("x.tar.zst");
    archive::export(dir.path(), &target, false).expect("it can be packed");
    let mut unpacked = tar::Archive::new(zstd::Decoder::new(std::fs::File::open(&target).expect("it is there")).expect("zstd"));
    for entry in unpacked.entries().expect("tar") {
        let mut entry = entry.expect("whole");
        let name = entry.path().expect("a name").display().to_string();
        if ["summary.md", "merged.log"].contains(&name.as_str()) {
            let mut text = String::new();
            io::Read::read_to_string(&mut entry, &mut text).expect("text");
            assert_harmless(&name, &text);
        }
    }
    assert_fronts_harmless("recorded", &recording.journal.from(0), recording.logs.clone());
}

/// What prints a run, live or recorded.
fn assert_fronts_harmless(which: &str, events: &[Arc<Event>], logs: Arc<LogStore>) {
    let explanation = explain(events, &logs).expect("something has failed");
    assert_harmless(&format!("{which}: explain"), &explanation_text(&explanation, ""));
    assert_harmless(&format!("{which}: explain json"), &serde_json::to_string_pretty(&explanation).expect("plain data"));
    let first = first_failure(events, &logs).expect("something has failed");
    assert_harmless(&format!("{which}: first failure"), &serde_json::to_string(&first).expect("plain data"));
    let closing =
        Closing { events, logs: &logs, explanation: Some(&explanation), replay: Some(NASTY.into()), archives: &[NASTY.into()], full: true };
    assert_harmless(&format!("{which}: block"), &closing_block(&closing));
    assert_harmless(&format!("{which}: report"), &Report::of(events, &logs, None, None).to_json());
    for told in events.iter().filter_map(|event| narrate(event)) {
        assert_harmless(&format!("{which}: events"), &told.event_text());
    }
    assert_harmless(&format!("{which}: run"), &printed(logs));
}

#[test]
fn o4_no_front_prints_it_while_the_run_is_live_either() {
    let process = ProcessId::new("up").expect("a name");
    let logs = LogStore::in_memory(&[process], RunClock::start());
    let mut events = Vec::new();
    for mut kind in all_kinds() {
        kind.each_text(&mut |text| NASTY.clone_into(text));
        let mut event = Event { seq: 0, at: At(1), kind: fit_for_record(kind, &Redactor::default()) };
        event.seq = narrate(&event).map_or_else(|| logs.stamp(), |told| logs.note(event.at, told));
        events.push(Arc::new(event));
    }
    assert_fronts_harmless("live", &events, logs);
}

/// An archive of a few kilobytes that speaks of more than any run has: many steps and expectations, begun over and over, and
/// events enough for a checkpoint of the fold at every turn.
fn boastful_archive(target: &std::path::Path) {
    let line = |value: Value| serde_json::to_string(&value).expect("plain data") + "\n";
    let info = RunInfo {
        run: "x".into(),
        scenario: "x".into(),
        description: String::new(),
        origin: "x".into(),
        started: "2026-11-23T06:25:57.881890Z".into(),
        containment: Containment::Subreaper,
        timeout_ms: None,
        processes: Vec::new(),
        expectations: Vec::new(),
        steps: Vec::new(),
    };
    let manifest = Manifest::begin(&info);
    let mut begin = serde_json::to_value(Event { seq: 1, at: At(0), kind: EventKind::RunStarted(info) }).expect("plain data");
    begin["steps"] = Value::Array(vec![serde_json::json!({}); 200_000]);
    let begin = line(begin);
    let checks = |seq: u64| line(serde_json::json!({ "seq": seq, "at_us": seq * 10_000, "event": "checks", "met": 0, "of": seq % 7 }));
    let file = std::fs::File::create(target).expect("a disk");
    let mut archive = tar::Builder::new(zstd::Encoder::new(file, 3).expect("zstd"));
    let events: String = std::iter::repeat_n(begin, 4).chain((2..200_000).map(checks)).collect();
    for (name, content) in [("manifest.json", manifest.to_json()), ("events.jsonl", events.into_bytes())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, content.as_slice()).expect("a disk");
    }
    archive.into_inner().and_then(zstd::Encoder::finish).expect("a disk");
}

#[test]
fn r2_what_a_strangers_archive_boasts_of_is_not_kept_in_every_checkpoint() {
    let dir = tempfile::tempdir().expect("a folder");
    let target = dir.path().join("x.tar.zst");
    boastful_archive(&target);
    assert!(std::fs::metadata(&target).expect("it is there").len() < 2 << 20, "it is small");
    let recording = Recording::open_named(&target.display().to_string(), dir.path()).expect("it is one");
    let events = recording.journal.from(0);
    assert_eq!(events.iter().filter(|event| matches!(event.kind, EventKind::RunStarted(_))).count(), 1, "a run begins once");
    assert_eq!(recording.snapshot.steps.len(), 10_000, "more than anybody has, and no more than that");
    let mut history = crate::supervisor::History::default();
    history.refresh(&recording.journal);
    assert!(history.bytes() <= 64 << 20, "{} bytes", history.bytes());
    let halfway = history.at(&recording.journal, 100_000);
    assert_eq!((halfway.steps.len(), halfway.checks), (10_000, (0, u32::try_from(100_000 % 7).expect("small"))));
}
