//! The panes beside table and log: expectations live, holds, and one moment for all of them.

use ratatui::style::Modifier;

use super::{
    stories::{all_well, begin, crash_loop, info, spawned, state},
    theatre::{Story, Theatre, id, row},
};
use crate::{
    model::{Actor, Command, EventKind, ExpectationInfo, ProcessState, Role, RunInfo, Standing, StartCause},
    tui::{app::Outcome, layout::Pane, theme::Role as Look},
};

fn expectation(process: &str, must_see: Option<&str>, must_not_see: Option<&str>) -> ExpectationInfo {
    ExpectationInfo {
        process: id(process),
        must_see: must_see.map(Into::into),
        count: None,
        must_not_see: must_not_see.map(Into::into),
        metric: None,
        p50: None,
        p95: None,
        p99: None,
        max: None,
        within_ms: None,
    }
}

/// A run that expects four things: one is met, one is violated, two are open.
pub(super) fn expecting(width: u16, height: u16) -> Theatre {
    let mut theatre = Theatre::new(&["nginx", "client"]).sized(width, height);
    let processes = vec![info("nginx", Role::Service, "nginx", false, Some(20001)), info("client", Role::Test, "test-client", false, None)];
    let EventKind::RunStarted(run) = begin("expecting", processes) else { unreachable!("it begins a run") };
    let expectations = vec![
        expectation("nginx", Some("start worker process"), None),
        expectation("nginx", None, Some(" 5\\d\\d ")),
        expectation("client", Some("calls passed"), None),
        ExpectationInfo { count: Some(">= 300".into()), ..expectation("client", Some("call"), None) },
    ];
    let decided = |expectation: u32, process: &str, standing, line: u64, detail: &str| EventKind::Expected {
        process: id(process),
        expectation,
        standing,
        seen: 1,
        what: "must see".into(),
        detail: detail.into(),
        line: Some(line),
        stream: Some("out".into()),
    };
    let mut story = Story::default();
    story.event(0, EventKind::RunStarted(RunInfo { expectations, ..run }));
    for name in ["nginx", "client"] {
        story.event(10, spawned(name, 1, 7, StartCause::Run, false)).event(12, state(name, 1, ProcessState::Ready));
    }
    story.say(20, "nginx", "start worker process 7").event(20, decided(0, "nginx", Standing::Met, 1, ""));
    for n in 0..30 {
        story.say(30 + n, "nginx", format!("GET /mcp {n} 200 in 3 ms"));
    }
    story.say(812, "nginx", "GET /mcp 502 in 1 ms").event(812, decided(1, "nginx", Standing::Violated, 32, "GET /mcp 502 in 1 ms"));
    story.event(
        900,
        EventKind::Expected {
            process: id("client"),
            expectation: 3,
            standing: Standing::Open,
            seen: 2,
            what: String::new(),
            detail: "2 of >= 300".into(),
            line: None,
            stream: None,
        },
    );
    theatre.play(story).at(1000);
    theatre
}

#[test]
fn expectations_are_shown_as_they_stand() {
    let mut theatre = expecting(120, 40);
    let screen = theatre.picture();
    insta::assert_snapshot!(screen.lines().skip(4).take(6).collect::<Vec<_>>().join("\n"), @r#"
    |─ Expectations ───────────────────────────────────────────────────────────────────────────── 1 violated, 2 open, 1 met ─|
    |    0.020  ● met       nginx     must see "start worker process"                                                        |
    |    0.812  ✗ violated  nginx     must not see " 5\d\d "   GET /mcp 502 in 1 ms                                          |
    |        -  ○ open      client    must see "calls passed"                                                                |
    |        -  ○ open      client    must see "call", >= 300 times   2 of >= 300                                            |
    |─ Logs  all 2 merged   t+s ────────────────────────────────────────────────────────────────────── 35 lines   following ─|
    "#);
    let (buffer, _) = theatre.frame();
    let styles = |text: &str| {
        let y = screen.lines().position(|line| line.contains(text)).expect("it is shown") as u16;
        buffer[(11, y)].style()
    };
    let look = &theatre.stage.options.look;
    assert_eq!(styles("● met").fg, look.style(Look::Good).fg);
    assert_eq!(styles("✗ violated").fg, look.style(Look::Bad).fg);
}

#[test]
fn the_list_of_expectations_leads_to_the_lines_that_decided_them() {
    let mut theatre = expecting(80, 24);
    assert!(!theatre.picture().contains("Expectations"), "a small screen has no room for the pane");
    theatre.keys("W j");
    insta::assert_snapshot!(theatre.picture());
    theatre.keys("Enter");
    let screen = theatre.picture();
    assert!(screen.lines().any(|line| line.starts_with("|▸") && line.contains("GET /mcp 502")), "{screen}");
    theatre.keys("W G Enter");
    let toast = theatre.stage.app.toast.as_ref().map_or("", |toast| &toast.text);
    assert_eq!(toast, "no line has decided it: client must see \"call\", >= 300 times");
    let mut none = all_well(80, 24);
    none.keys("W");
    assert!(none.picture().contains("the scenario has no [[expect]]"));
}

#[test]
fn a_process_is_held_by_name_and_wears_a_badge() {
    let mut theatre = all_well(120, 40);
    theatre.keys(":").type_text("hold proxy").keys("Enter");
    let held = theatre.outcomes.iter().find(|outcome| matches!(outcome, Outcome::Send(Command::Hold { .. })));
    assert_eq!(held, Some(&Outcome::Send(Command::Hold { process: id("proxy"), held: true })));
    let mut story = Story::default();
    story.event(12_440, EventKind::HoldChanged { process: id("proxy"), held: true, by: Actor::You });
    theatre.play(story);
    let screen = theatre.picture();
    assert!(row(&screen, 3).contains("● ready ▐ HELD ▌"), "{screen}");
    let (buffer, _) = theatre.frame();
    let badge = theatre.stage.options.look.style(Look::BadgeStopped);
    assert_eq!((buffer[(35, 3)].fg, buffer[(35, 3)].bg), (badge.fg.unwrap_or_default(), badge.bg.unwrap_or_default()));
    theatre.keys("2 i");
    assert!(theatre.picture().contains("held         for a debugger: no probe, deadline or policy acts on it"), "{}", theatre.picture());
    theatre.keys("Esc :").type_text("hold proxy").keys("Enter");
    assert_eq!(theatre.outcomes.last(), Some(&Outcome::Send(Command::Hold { process: id("proxy"), held: false })));
}

#[test]
fn every_pane_tells_of_the_moment_that_the_log_shows() {
    let mut theatre = crash_loop(120, 40);
    assert!(theatre.picture().contains("── 6 of 14 ─"), "parked by itself, the newest events stay: {}", theatre.picture());
    theatre.keys("F");
    let events = |theatre: &mut Theatre| theatre.picture().lines().skip(31).take(7).map(str::to_owned).collect::<Vec<_>>();
    theatre.keys("g");
    let shown = events(&mut theatre);
    assert!(shown[1].starts_with("|    0.000  ▶ upstream"), "the log is at its beginning, so are the events: {shown:#?}");
    theatre.keys("G S-Tab S-Tab");
    assert_eq!(theatre.stage.app.focus, Pane::Events);
    theatre.keys("k k");
    let shown = events(&mut theatre);
    assert!(shown.iter().any(|line| line.starts_with("|▸   6.222  ↻ upstream")), "{shown:#?}");
    assert!(theatre.picture().contains("at 6.2"), "the log went along: {}", theatre.picture());
    theatre.keys("Enter");
    assert_eq!(theatre.stage.app.focus, Pane::Logs);
    theatre.keys("S-Tab S-Tab Esc");
    assert_eq!(theatre.stage.app.focus, Pane::Processes);
}

#[test]
fn focus_goes_backwards_through_all_that_is_shown() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("L L L S-Tab");
    let mut walked = Vec::new();
    for _ in 0..6 {
        walked.push(theatre.stage.app.focus);
        theatre.keys("S-Tab");
    }
    assert_eq!(walked, [Pane::Processes, Pane::Events, Pane::Alerts, Pane::Details, Pane::Happened, Pane::Logs]);
    theatre.keys("S-Tab S-Tab S-Tab j j j");
    assert_eq!(theatre.stage.app.focus, Pane::Details);
    assert_eq!(theatre.stage.app.panes.details, 3);
    theatre.keys("G k k");
    let picture = theatre.picture();
    let (first, last) = picture.split_once("─ Details ").and_then(|(_, rest)| rest.split_once(" to ")).expect("it can be scrolled");
    assert!(!first.trim_end().ends_with(" 1"), "it stands near its end: {last}");
    // Where the pane is not shown any more, the table has the focus.
    theatre.keys("L");
    assert_eq!(theatre.stage.app.focus, Pane::Processes);
}

#[test]
fn alerts_have_a_sparkline_of_their_own() {
    let mut theatre = all_well(160, 48);
    let mut story = Story::default();
    let alerted =
        |count| EventKind::Alerted { process: id("proxy"), generation: 1, count, line: 1, stream: "out".into(), text: "WARN 502".into() };
    story.event(13_000, alerted(4)).event(14_500, alerted(1)).say(15_000, "proxy", "INFO on");
    theatre.play(story).at(16_600);
    let screen = theatre.picture();
    assert!(row(&screen, 3).contains('▲'), "{screen}");
    let (buffer, _) = theatre.frame();
    let x = (0..160).rev().find(|x| buffer[(*x, 3)].symbol() == "▲").expect("it is there");
    assert_eq!(buffer[(x, 3)].style().fg, theatre.stage.options.look.style(Look::Warn).fg);
    assert!(!buffer[(x, 3)].style().add_modifier.contains(Modifier::REVERSED));
}
