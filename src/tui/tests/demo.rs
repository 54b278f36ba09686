//! Screens 5 to 7 of the design: the chain before an audience, all well and with the upstream killed.

use super::{
    stories::{NAMES, begin, exited, info, spawned, state},
    theatre::{Story, Theatre, id},
};
use crate::{
    model::{
        Actor, At, Command, EventKind, Exit, Failure, Outcome, ProcessInfo, ProcessState, Role, RunInfo, Signal, StartCause, StepInfo,
        StepStage, Then, Verdict,
    },
    tap::{Answered, Asked, Body, Call, CallKind, Ended, Ending, Note, RequestHead, TrafficStore},
    tui::{app::Outcome as Deed, theme::Role as Look},
};

const STEPS: [(&str, &str); 7] = [
    ("start upstream, proxy, clients", "An MCP server, a proxy before it, two clients."),
    ("traffic through the proxy", "Two clients talk to the upstream through the proxy. Every call is seen twice: left and right of it."),
    ("mark \"before the crash\"", ""),
    ("kill -9 the upstream", "We kill the upstream with SIGKILL. What do the clients see?"),
    ("proxy answers 502", ""),
    ("upstream comes back", ""),
    ("export and replay", ""),
];

/// Who talks over a connection.
const CONNECTIONS: [(u64, &str); 3] = [(1, "client-a"), (2, "client-b"), (3, "proxy")];

fn step(n: u32, stage: StepStage) -> EventKind {
    EventKind::Step { step: n, stage, what: STEPS[n as usize - 1].0.into(), detail: String::new(), took_us: None }
}

/// A call through both taps; through the first alone where the upstream is gone.
fn exchange(traffic: &TrafficStore, n: u64, client: u64, call: &str, at: u64, alive: bool) {
    let (near, far) = (2 * n, 2 * n + 1);
    let at_us = At(at * 1000);
    let asked = |exchange, tap: &str, connection, at: At| {
        let method = call.split(' ').next().unwrap_or_default().to_owned();
        traffic.note(Note::Asked(Asked {
            exchange,
            tap: id(tap),
            connection,
            at,
            http: Some(RequestHead {
                method: "POST".into(),
                target: "/mcp".into(),
                session: Some(format!("session-{client}")),
                fields: Vec::new(),
            }),
            body: Body::default(),
            calls: vec![Call { kind: CallKind::Request, method, label: call.into(), id: None }],
            fault: None,
            pipe: None,
        }));
    };
    let ended = |exchange, at: At, status| {
        traffic.note(Note::Answered(Answered { exchange, at, status, session: None, fields: Vec::new() }));
        traffic.note(Note::Ended(Ended { exchange, at, how: Ending::Answered, body: Body::default(), calls: Vec::new() }));
    };
    asked(near, "proxy", client, at_us);
    if alive {
        asked(far, "upstream", 3, At(at_us.0 + 1000));
        ended(far, At(at_us.0 + 3000), 200);
        ended(near, At(at_us.0 + 4000), 200);
    } else {
        ended(near, At(at_us.0 + 2000), 502);
    }
}

/// A chain with taps, its steps, and calls for 18 seconds.
fn chain(width: u16, height: u16) -> Theatre {
    let mut theatre = Theatre::new(&NAMES).sized(width, height);
    let processes = vec![
        info("upstream", Role::Service, "mock-upstream", false, Some(20001)),
        info("proxy", Role::Service, "shadowcat", true, Some(20002)),
        info("client-a", Role::Test, "test-client", false, None),
        info("client-b", Role::Test, "test-client", false, None),
    ];
    let EventKind::RunStarted(run) = begin("forward", processes) else { unreachable!("it begins a run") };
    let info = |(title, note): (&str, &str)| StepInfo {
        when: String::new(),
        what: "as its title says".into(),
        title: title.into(),
        note: note.into(),
        idle: false,
    };
    let steps = STEPS.map(info).to_vec();
    let mut story = Story::default();
    story.event(0, EventKind::RunStarted(RunInfo { steps, description: "One MCP proxy, two clients, one upstream".into(), ..run }));
    for (name, up) in NAMES.into_iter().zip([ProcessState::Ready, ProcessState::Ready, ProcessState::Running, ProcessState::Running]) {
        story.event(10, spawned(name, 1, 41207, StartCause::Run, false)).event(12, state(name, 1, up));
    }
    story.event(20, step(1, StepStage::Started)).event(30, step(1, StepStage::Done)).event(2000, step(2, StepStage::Started));
    for n in 0..22 {
        story.say(2100 + n, "proxy", format!("INFO Processing tools/call for session-{n}"));
    }
    let told = |name: &str, text: &str| EventKind::Progress { process: id(name), text: text.into() };
    story.event(17_000, told("client-a", "call 5 of 20")).event(17_000, told("client-b", "call 18 of 50"));
    theatre.play(story);
    let traffic = theatre.traffic();
    traffic.note(Note::Gate { tap: id("upstream"), at: At(0), open: true });
    for (connection, client) in CONNECTIONS {
        traffic.note(Note::Client { connection, client: id(client) });
    }
    exchange(&traffic, 1, 1, "initialize", 2100, true);
    exchange(&traffic, 2, 2, "initialize", 2150, true);
    exchange(&traffic, 3, 1, "tools/list", 2200, true);
    for n in 0..20 {
        exchange(&traffic, 4 + n, 1 + n % 2, "tools/call echo", 2300 + n * 700, true);
    }
    theatre.at(18_000);
    theatre
}

/// The upstream is killed; client-a has given up.
fn killed(width: u16, height: u16) -> Theatre {
    let mut theatre = chain(width, height);
    let mut story = Story::default();
    let killed = Failure::Exited { exit: Exit::Signal(Signal::KILL), by: None };
    story
        .event(21_000, step(2, StepStage::Done))
        .event(21_000, step(3, StepStage::Started))
        .event(21_010, step(3, StepStage::Done))
        .event(33_000, step(4, StepStage::Started))
        .event(
            33_000,
            EventKind::Signalled { process: id("upstream"), generation: 1, signal: Signal::KILL, by: Actor::Step(4), stop: false },
        )
        .event(
            33_010,
            EventKind::Exited {
                process: id("upstream"),
                generation: 1,
                exit: Exit::Signal(Signal::KILL),
                asked: false,
                by: Some(Actor::Step(4)),
                up: std::time::Duration::from_secs(33),
                then: Then::Restart { delay_ms: 11_000 },
                same_cause: false,
                tail: Vec::new(),
                progress: None,
                role: None,
            },
        )
        .event(33_010, state("upstream", 1, ProcessState::Backoff { until: At(44_000_000), reason: killed }))
        .event(36_412, exited("client-a", 1, 1, 36_000, Then::Failed { fails_run: true }, false, None))
        .event(36_412, state("client-a", 1, ProcessState::Failed { reason: Failure::Exited { exit: Exit::Code(1), by: None } }))
        .event(40_600, EventKind::Progress { process: id("client-b"), text: "retry 5 of 20".into() })
        .event(36_412, EventKind::VerdictReached { outcome: Outcome::new(Verdict::Failed, 1, "client-a exited with 1") });
    theatre.play(story);
    let traffic = theatre.traffic();
    traffic.note(Note::Gate { tap: id("upstream"), at: At(33_000_000), open: false });
    for (n, (client, at)) in
        [(1, 33_400), (2, 33_600), (1, 34_400), (2, 34_600), (1, 36_400), (2, 36_600), (2, 40_600)].into_iter().enumerate()
    {
        exchange(&traffic, 30 + n as u64, client, "tools/call echo", at, false);
    }
    theatre.at(40_620);
    theatre
}

#[test]
fn screen_5_all_well() {
    insta::assert_snapshot!(chain(160, 48).keys("L L L L").picture());
}

#[test]
fn screen_6_the_upstream_is_killed() {
    let mut theatre = killed(160, 48);
    let picture = theatre.keys("L L L L").picture();
    insta::assert_snapshot!(picture);
    for private in ["41207", "CPU%", "rec"] {
        assert!(!picture.contains(private), "{private}\n{picture}");
    }
}

#[test]
fn screen_7_what_a_hall_can_read() {
    insta::assert_snapshot!(killed(100, 28).keys("L L L L").picture());
}

/// Who was killed, what the proxy answered and how often, that no call was left unanswered, which test failed.
#[test]
fn who_has_seen_nothing_else_can_tell_what_happened_whatever_the_size_of_the_screen() {
    for (width, height) in [(80, 24), (100, 28), (120, 40), (160, 48), (200, 60)] {
        let mut theatre = killed(width, height);
        // Long after it all has scrolled away.
        let traffic = theatre.traffic();
        for n in 0..60 {
            exchange(&traffic, 50 + n, 2, "tools/call echo", 41_000 + n * 50, false);
        }
        theatre.at(44_000);
        let picture = theatre.keys("L L L L").picture();
        for said in [
            "kill -9 upstream  (you, step 4)",
            "upstream gone 10.9 s",
            "proxy answered 502 ×67 in 2 ms each",
            "0 calls left without an answer",
            "client-a failed",
            "▐ FAILED ▌",
        ] {
            assert!(picture.contains(said), "{said}\n{picture}");
        }
    }
}

/// Each waits for the proxy, and nothing has gone through a tap.
fn many(width: u16, height: u16) -> Theatre {
    let names: Vec<String> = (1..=18).map(|n| format!("client-{n}")).chain(["proxy".to_owned(), "upstream".to_owned()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let waits = |name: &str| match name {
        "upstream" => Vec::new(),
        "proxy" => vec!["upstream ready".to_owned()],
        _ => vec!["proxy ready".to_owned()],
    };
    let processes = names.iter().map(|name| {
        let port = ["proxy", "upstream"].contains(name).then_some(20001);
        ProcessInfo {
            waits_for: waits(name),
            ..info(name, if port.is_some() { Role::Service } else { Role::Test }, "test-client", false, port)
        }
    });
    let mut theatre = Theatre::new(&names).sized(width, height);
    let mut story = Story::default();
    story.event(0, begin("many", processes.collect()));
    for name in &names {
        story.event(10, spawned(name, 1, 41207, StartCause::Run, false)).event(12, state(name, 1, ProcessState::Running));
    }
    story.event(2000, exited("client-17", 1, 1, 1990, Then::Failed { fails_run: true }, false, None));
    story.event(2000, state("client-17", 1, ProcessState::Failed { reason: Failure::Exited { exit: Exit::Code(1), by: None } }));
    theatre.play(story);
    theatre
}

#[test]
fn of_many_those_in_trouble_are_shown_and_the_others_are_counted() {
    let picture = many(100, 28).keys("L L L L").picture();
    insta::assert_snapshot!(picture);
    assert!(picture.contains("client-17") && picture.contains("more, all running"), "{picture}");
    for (width, height) in [(80, 24), (120, 40), (160, 48), (200, 60), (40, 10)] {
        let picture = many(width, height).keys("L L L L").picture();
        assert!(picture.contains("client-17  ✗ failed") || width == 40, "{picture}");
    }
}

#[test]
fn the_presenters_keys_take_steps_and_are_shown_with_what_they_did() {
    let mut theatre = chain(100, 28);
    theatre.keys("L L L L").outcomes.clear();
    theatre.keys("PgDn");
    assert_eq!(theatre.outcomes, [Deed::Send(Command::RunStep { step: None })]);
    assert!(theatre.picture().contains("[ PgDn ]  step 2: traffic through the proxy"), "{}", theatre.picture());
    theatre.outcomes.clear();
    theatre.keys(".");
    assert_eq!(theatre.outcomes, [Deed::Send(Command::HoldSteps { held: true })]);
    assert!(theatre.picture().contains("[ . ]  the steps wait"), "{}", theatre.picture());
    theatre.at(22_000);
    assert!(!theatre.picture().contains("[ . ]"), "it stands three seconds");
    theatre.outcomes.clear();
    theatre.keys("L PgDn");
    assert_eq!(theatre.outcomes, [], "elsewhere the key scrolls");
}

#[test]
fn what_was_said_after_the_instant_that_is_shown_is_not_there_yet() {
    let mut theatre = chain(100, 28);
    let mut story = Story::default();
    story.say(17_500, "proxy", "INFO said later");
    theatre.play(story);
    theatre.at(18_000);
    assert!(theatre.keys("L L L L").picture().contains("said later"), "{}", theatre.picture());
    let picture = theatre.keys("[").picture();
    assert!(picture.contains("PAST") && !picture.contains("said later"), "{picture}");
}

#[test]
fn what_is_broken_is_red_and_what_may_recover_is_yellow() {
    let mut theatre = killed(160, 48);
    theatre.keys("L L L L");
    let (buffer, _) = theatre.frame();
    let style = |what: &str| {
        let rows = buffer.area.height;
        let found = (0..rows).find_map(|y| {
            let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            let at = row.find(what)?;
            let column = row[..at].chars().count() as u16;
            Some(buffer[(column, y)].style().fg)
        });
        found.unwrap_or_else(|| panic!("{what} is nowhere"))
    };
    let look = &theatre.stage.options.look;
    assert_eq!(style("connection refused"), look.style(Look::Bad).fg);
    assert_eq!(style("✗  refused"), look.style(Look::Bad).fg);
    assert_eq!(style("┃ client-a"), look.style(Look::Bad).fg);
    assert_eq!(style("┃ upstream"), look.style(Look::Warn).fg);
    assert_eq!(style("answers 502   ×7"), look.style(Look::Warn).fg);
    assert_eq!(style("502 ×7 ◀ 2 ms"), look.style(Look::Warn).fg);
}
