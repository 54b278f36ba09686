//! Every pane, layout and overlay, and every state worth telling, on four sizes of screen. One picture file a scene.

use std::{fmt::Write, time::Duration};

use ratatui::style::Modifier;

use super::{
    panes::expecting,
    stories::{all_well, begin, crash_loop, exited, info, ms, probed, spawned, state},
    theatre::{Item, Story, Theatre, id},
};
use crate::model::{Actor, At, EventKind, Exit, Failure, Leak, Outcome, ProcessState, Role, Signal, StartCause, Then, Verdict};

const SIZES: [(u16, u16); 4] = [(200, 60), (120, 40), (80, 24), (40, 10)];

type Scene = fn(u16, u16) -> Theatre;

/// The states worth telling.
const STATES: [(&str, Scene); 15] = [
    ("starting", starting),
    ("healthy", all_well),
    ("crash_loop_and_a_failed_test", crash_loop),
    ("expectations", expecting),
    ("stopping", stopping),
    ("passed", passed),
    ("leaked", leaked),
    ("held", held),
    ("flood", flood),
    ("one_process", |w, h| many(1, w, h)),
    ("thirty_processes", |w, h| many(30, w, h)),
    ("long_names", long_names),
    ("wide_characters", wide),
    ("replay", replay),
    ("nothing_yet", |w, h| Theatre::new(&[]).sized(w, h)),
];

/// Keys that lead to each overlay, prompt and layout, from the crash loop with the focus in the log.
const KEYS: [(&str, &str); 22] = [
    ("help", "?"),
    ("help_searched", "? / s t o p"),
    ("palette", ": r e s t a r t"),
    ("details", "Tab i"),
    ("timeline", "V"),
    ("alerts", "C-a"),
    ("no_expectations", "W"),
    ("line_as_written", "j j Enter"),
    ("own_log", "~"),
    ("signals", "Tab 4 C-x"),
    ("ask_quit", "q"),
    ("prompt_find", "/"),
    ("prompt_filter_in", "&"),
    ("prompt_filter_out", "!"),
    ("prompt_mark", "m h e r e"),
    ("selection", "v j j j"),
    ("unfolded_as_written_wrapped", "Enter p w"),
    ("delta_times_sideways", "t t l"),
    ("zoomed_log", "z"),
    ("side_by_side", "|"),
    ("layout_logs", "L"),
    ("layout_debug", "L L L"),
];

/// The pictures of a scene on all sizes; rows end with their last sign.
fn pictures(scene: impl Fn(u16, u16) -> Theatre) -> String {
    let mut all = String::new();
    for (width, height) in SIZES {
        let picture = scene(width, height).picture();
        let _ = writeln!(all, "{width}x{height}");
        for line in picture.lines() {
            let _ = writeln!(all, "{}", line.trim_start_matches('|').trim_end_matches('|').trim_end());
        }
    }
    all
}

#[test]
fn states() {
    for (name, scene) in STATES {
        insta::assert_snapshot!(name, pictures(scene));
    }
}

#[test]
fn overlays_prompts_and_layouts() {
    for (name, keys) in KEYS {
        let scene = |width, height| {
            let mut theatre = crash_loop(width, height);
            theatre.frame();
            theatre.keys(keys);
            theatre
        };
        insta::assert_snapshot!(name, pictures(scene));
    }
}

#[test]
fn layouts_with_many_processes() {
    let scene = |width, height| {
        let mut theatre = many(30, width, height);
        theatre.keys("L L");
        theatre
    };
    insta::assert_snapshot!("layout_grid", pictures(scene));
    let scene = |width, height| {
        let mut theatre = expecting(width, height);
        theatre.keys("W j");
        theatre
    };
    insta::assert_snapshot!("list_of_expectations", pictures(scene));
}

/// Only badges and what is chosen are reversed or have a ground of their own, whatever is shown.
#[test]
fn nothing_but_badges_is_reversed() {
    for (name, scene) in STATES {
        for (width, height) in SIZES {
            let mut theatre = scene(width, height);
            let badges = ["RUNNING", "PASSED", "FAILED", "STOPPED", "LEAKED", "REPLAY", "HELD", "STOPPING"];
            let (buffer, _) = theatre.frame();
            for y in 0..height {
                let mut ground = String::new();
                for x in 0..width {
                    let cell = &buffer[(x, y)];
                    if cell.bg != ratatui::style::Color::Reset || cell.modifier.contains(Modifier::REVERSED) {
                        ground.push_str(cell.symbol());
                    }
                }
                let words: Vec<&str> = ground.split_whitespace().filter(|word| !["TEST"].contains(word)).collect();
                assert!(words.iter().all(|word| badges.contains(word)), "{name} {width}x{height} row {y}: {words:?}");
            }
        }
    }
}

/// A run of these services; each is ready, with a port.
fn begun(names: &[&'static str], width: u16, height: u16) -> Theatre {
    let mut theatre = Theatre::new(names).sized(width, height);
    let port = |n: usize| Some(20_001 + n as u16);
    let processes = names.iter().enumerate().map(|(n, name)| info(name, Role::Service, "mock-upstream", false, port(n))).collect();
    let mut story = Story::default();
    story.event(0, begin("gallery", processes));
    for (n, name) in names.iter().enumerate() {
        story.event(5, spawned(name, 1, 40_000 + n as u32, StartCause::Run, true)).event(30, state(name, 1, ProcessState::Ready));
    }
    theatre.play(story);
    theatre
}

fn starting(width: u16, height: u16) -> Theatre {
    let mut theatre = Theatre::new(&["upstream", "proxy", "client"]).sized(width, height);
    let mut processes = vec![
        info("upstream", Role::Service, "mock-upstream", false, Some(20_001)),
        info("proxy", Role::Service, "shadowcat", true, Some(20_002)),
        info("client", Role::Test, "test-client", false, None),
    ];
    processes[1].waits_for = vec!["upstream ready".into()];
    processes[2].waits_for = vec!["proxy ready".into()];
    let waits = |process: &str| ProcessState::Pending { waits_for: vec![process.to_owned()] };
    let mut story = Story::default();
    story
        .event(0, begin("slow-start", processes))
        .event(5, spawned("upstream", 1, 41_207, StartCause::Run, true))
        .event(5, state("upstream", 1, ProcessState::Starting { since: At(5000), deadline: At(30_005_000) }))
        .event(5, state("proxy", 0, waits("upstream ready")))
        .event(5, state("client", 0, waits("proxy ready")))
        .say(20, "upstream", "INFO reading its configuration");
    theatre.play(story).at(3200);
    theatre
}

fn stopping(width: u16, height: u16) -> Theatre {
    let mut theatre = all_well(width, height);
    theatre.keys("Q");
    let mut story = Story::default();
    story.event(12_500, EventKind::StoppingRun { by: Actor::You, now: false });
    for name in ["upstream", "proxy", "client-b"] {
        story.event(12_500, state(name, 1, ProcessState::Stopping { kill_at: At(22_500_000), by: Actor::You }));
    }
    story.event(12_600, state("client-b", 1, ProcessState::Stopped { by: Actor::You, signal: Some(Signal::TERM) }));
    theatre.play(story).at(13_000);
    theatre
}

fn passed(width: u16, height: u16) -> Theatre {
    let mut theatre = all_well(width, height);
    let mut story = Story::default();
    story
        .event(12_500, exited("client-b", 1, 0, 12_437, Then::Completed, false, Some("50 of 50 calls")))
        .event(12_500, state("client-b", 1, ProcessState::Completed))
        .event(12_500, EventKind::Checks { met: 2, of: 2 })
        .event(12_500, EventKind::VerdictReached { outcome: Outcome::new(Verdict::Passed, 0, "2 tests passed") });
    theatre.play(story).at(12_600);
    theatre
}

fn leaked(width: u16, height: u16) -> Theatre {
    let mut theatre = passed(width, height);
    let leaks = vec![Leak { pid: Some(4711), command: "sleep 600".into(), port: None }];
    let mut story = Story::default();
    story
        .event(12_700, EventKind::Leaked { process: id("client-b"), generation: 1, leaks })
        .event(12_700, EventKind::VerdictReached { outcome: Outcome::new(Verdict::Leaked, 5, "client-b left sleep 600 behind") });
    theatre.play(story).at(12_800);
    theatre
}

fn held(width: u16, height: u16) -> Theatre {
    let mut theatre = all_well(width, height);
    let mut story = Story::default();
    story.event(12_440, EventKind::HoldChanged { process: id("proxy"), held: true, by: Actor::You });
    theatre.play(story).at(12_500);
    theatre
}

fn flood(width: u16, height: u16) -> Theatre {
    let mut theatre = begun(&["loud", "louder"], width, height);
    let mut story = Story::default();
    for n in 0..3000u64 {
        let name = if n % 3 == 0 { "loud" } else { "louder" };
        story.0.push((
            1000 + n,
            Item::Say(name, format!("INFO line {n} of a flood that nobody reads, with id 6f1b8a529c1d4f0e8a7710de2bf900c2")),
        ));
    }
    theatre.play(story).at(4100);
    theatre
}

fn many(n: usize, width: u16, height: u16) -> Theatre {
    const NAMES: [&str; 30] = [
        "api",
        "auth",
        "billing",
        "cache",
        "catalog",
        "cron",
        "db-primary",
        "db-replica",
        "dns",
        "email",
        "events",
        "files",
        "gateway",
        "geo",
        "images",
        "index",
        "jobs",
        "kafka",
        "ledger",
        "mail",
        "metrics",
        "nginx",
        "orders",
        "pay",
        "queue",
        "redis",
        "search",
        "stock",
        "users",
        "zookeeper",
    ];
    let mut theatre = begun(&NAMES[..n], width, height);
    let mut story = Story::default();
    for name in &NAMES[..n] {
        story.say(40, name, format!("INFO {name} is up")).event(900, probed(name, 900, &[1, 2, 1]));
    }
    if n > 20 {
        let exit = Failure::Exited { exit: Exit::Code(3), by: None };
        story
            .say(950, "redis", "FATAL out of memory")
            .event(951, exited("redis", 1, 3, 946, Then::Restart { delay_ms: 4000 }, false, None))
            .event(951, state("redis", 1, ProcessState::Backoff { until: At(4_951_000), reason: exit }));
    }
    theatre.play(story).at(1200);
    theatre
}

fn long_names(width: u16, height: u16) -> Theatre {
    const NAMES: [&str; 4] = [
        "the-upstream-behind-the-proxy-1",
        "the-upstream-behind-the-proxy-2",
        "a",
        "a-name-of-sixty-four-characters-which-is-all-that-there-may-be-x",
    ];
    let mut theatre = begun(&NAMES, width, height);
    let mut story = Story::default();
    for name in NAMES {
        story.say(50, name, "INFO what it says is not about its name");
    }
    let long = "a progress text that goes on and on and says more than any column has room for";
    story.event(60, EventKind::Progress { process: id(NAMES[1]), text: long.into() });
    theatre.play(story).at(1000);
    theatre
}

fn wide(width: u16, height: u16) -> Theatre {
    let mut theatre = begun(&["upstream"], width, height);
    let mut story = Story::default();
    for n in 0..80u64 {
        let text = format!("WARN 警告 {n}: 上流サーバーが応答しません🦀 retrying in {} ms 👩‍👩‍👧 e\u{301}t\u{302}c", n * 3);
        story.say(100 + n, "upstream", text);
    }
    story.event(300, EventKind::Progress { process: id("upstream"), text: "待っています 3 of 9".into() });
    theatre.play(story);
    theatre.now = At::START + ms(1000) + Duration::ZERO;
    theatre
}

fn replay(width: u16, height: u16) -> Theatre {
    let mut theatre = crash_loop(width, height);
    theatre.stage.abilities.live = false;
    theatre
}
