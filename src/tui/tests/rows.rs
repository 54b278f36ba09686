//! Rows of the table and styles that carry meaning.

use ratatui::style::{Color, Modifier, Style};

use super::{
    stories::{all_well, begin, crash_loop, exited, info, ms, probed, spawned, state},
    theatre::{Story, Theatre, id, row},
};
use crate::{
    model::{
        Actor, At, EventKind, Exit, Failure, Outcome, ProbeOutcome, ProbeRecord, ProcessState, Role, Signal, StartCause, Then, Verdict,
    },
    tui::{GlyphSet, theme::Colours},
};

const RUN: StartCause = StartCause::Run;

/// A screen of upstream, proxy and client-a at 62.1 s, after `story`.
fn waiting(story: Story) -> String {
    let mut theatre = Theatre::new(&["upstream", "proxy", "client-a"]).sized(80, 24);
    let processes = vec![
        info("upstream", Role::Service, "mock-upstream", false, Some(20001)),
        info("proxy", Role::Service, "shadowcat", false, Some(20002)),
        info("client-a", Role::Test, "test-client", false, None),
    ];
    let mut opening = Story::default();
    opening.event(0, begin("forward", processes));
    theatre.play(opening).play(story).at(62_100);
    theatre.picture().lines().skip(2).take(3).collect::<Vec<_>>().join("\n")
}

fn failure(exit: Exit) -> Failure {
    Failure::Exited { exit, by: None }
}

fn alerted(name: &str, count: u64) -> EventKind {
    EventKind::Alerted { process: id(name), generation: 1, count, line: 1, stream: "err".into(), text: String::new() }
}

#[test]
fn waiting_for_others() {
    let mut story = Story::default();
    story
        .event(61_700, spawned("upstream", 1, 7, RUN, true))
        .event(61_700, state("upstream", 1, ProcessState::Starting { since: At(61_700_000), deadline: At(71_700_000) }))
        .event(61_700, state("proxy", 0, ProcessState::Pending { waits_for: vec!["upstream ready".into()] }))
        .event(61_700, state("client-a", 0, ProcessState::Pending { waits_for: vec!["proxy ready".into()] }));
    insta::assert_snapshot!(waiting(story), @"
    |▌ 1 upstream   ◐ starting  0.4 of 10 s    ········  none   0   0.4s  20001   ·  |
    |  2 proxy      ○ pending  upstream ready  -                0      -  20002   ·  |
    |  3 client-a   ○ pending  proxy ready     -                0      -      -   ·  |
    ");
}

#[test]
fn in_trouble() {
    let timeouts = ProbeRecord {
        at: At(60_000_000),
        took: ms(2000),
        outcome: ProbeOutcome::Failed { short: "timeout".into(), why: "no answer within 2 s".into() },
    };
    let mut story = Story::default();
    story
        .event(0, spawned("upstream", 1, 7, RUN, true))
        .event(0, spawned("proxy", 1, 8, RUN, true))
        .event(50, probed("upstream", 50, &[1, 1, 1, 1, 1]))
        .event(60_000, EventKind::Probed { process: id("upstream"), generation: 1, probes: vec![timeouts; 3] })
        .event(60_000, state("upstream", 1, ProcessState::Unhealthy { failed: 3, of: 3 }))
        .event(60_000, alerted("upstream", 4))
        .event(60_000, state("proxy", 1, ProcessState::Stopping { kill_at: At(71_200_000), by: Actor::You }))
        .event(60_000, probed("proxy", 60_000, &[1; 8]));
    insta::assert_snapshot!(waiting(story), @"
    |▌ 1 upstream   ▲ unhealthy  3 of 3 failed ▁▁▁▁▁×××  2.0s   0  1m02s  20001   4  |
    |  2 proxy      ◐ stopping  9.1 s to KILL  ▁▁▁▁▁▁▁▁  1 ms   0  1m02s  20002   ·  |
    |  3 client-a   ○ pending  about to start  -                0      -      -   ·  |
    ");
}

#[test]
fn ended() {
    let taken = Failure::NotStarted { error: "port 20001 is taken by pid 4".into(), short: "20001 taken".into() };
    let segv = Exit::Signal(Signal::parse("SEGV").expect("a signal"));
    let mut story = Story::default();
    story
        .event(0, state("upstream", 0, ProcessState::Failed { reason: taken }))
        .event(0, alerted("upstream", 1))
        .event(0, spawned("proxy", 1, 8, RUN, true))
        .event(
            62_050,
            EventKind::Exited {
                process: id("proxy"),
                generation: 1,
                exit: segv,
                asked: false,
                by: None,
                up: ms(62_050),
                then: Then::Failed { fails_run: false },
                same_cause: false,
                tail: Vec::new(),
                progress: None,
                role: None,
            },
        )
        .event(62_050, alerted("proxy", 2))
        .event(62_050, state("proxy", 1, ProcessState::Failed { reason: failure(segv) }))
        .event(62_050, state("client-a", 0, ProcessState::Skipped { because: "proxy failed".into() }));
    insta::assert_snapshot!(waiting(story), @"
    |▌ 1 upstream   ✗ failed  20001 taken      -                0      -  20001   1  |
    |  2 proxy      ✗ failed  SIGSEGV          -                0  1m02s  20002   2  |
    |  3 client-a   ○ skipped  proxy failed    -                0      -      -   ·  |
    ");
}

#[test]
fn given_up_and_stopped() {
    let mut story = Story::default();
    for generation in 1..=6 {
        let cause = if generation == 1 { RUN } else { StartCause::Policy { attempt: generation - 1, of: Some(5), after_ms: 1 } };
        story.event(u64::from(generation), spawned("upstream", generation, 7, cause, true));
        story.event(u64::from(generation), exited("upstream", generation, 101, 1, Then::GaveUp, true, None));
    }
    story
        .event(10, state("upstream", 6, ProcessState::GaveUp { reason: failure(Exit::Code(101)), times: 6 }))
        .event(10, alerted("upstream", 18))
        .event(10, spawned("proxy", 1, 8, RUN, true))
        .event(20, state("proxy", 1, ProcessState::Stopped { by: Actor::You, signal: Some(Signal::TERM) }));
    insta::assert_snapshot!(waiting(story), @"
    |▌ 1 upstream   ■ gave-up  exit 101 ×6     -                5      -  20001  18  |
    |  2 proxy      ○ stopped  by you, TERM    -                0      -  20002   ·  |
    |  3 client-a   ○ pending  about to start  -                0      -      -   ·  |
    ");
}

fn many(n: usize) -> Theatre {
    let names: Vec<String> = (1..=n).map(|i| format!("service-{i:03}-with-a-long-name")).collect();
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut theatre = Theatre::new(&borrowed).sized(80, 24);
    let mut story = Story::default();
    story.event(0, begin("many", names.iter().map(|name| info(name, Role::Service, "x", false, None)).collect()));
    for name in &names {
        story.event(1, spawned(name, 1, 7, RUN, true)).event(1, state(name, 1, ProcessState::Ready));
    }
    let last = names.last().expect("some");
    story.event(2, state(last, 1, ProcessState::Failed { reason: failure(Exit::Code(1)) }));
    theatre.play(story).at(1000);
    theatre
}

#[test]
fn of_many_processes_those_in_trouble_stay_in_view_and_nothing_moves() {
    let mut theatre = many(22);
    let table =
        |theatre: &mut Theatre| theatre.picture().lines().skip(1).take(9).map(|l| l[..44].trim_end().to_owned()).collect::<Vec<_>>();
    insta::assert_snapshot!(table(&mut theatre).join("\n"), @"
    |  # PROCESS    STATE                      H
    |▌ 1 service-0… ● ready
    |  2 service-0… ● ready
    |  3 service-0… ● ready
    |  4 service-0… ● ready
    |  5 service-0… ● ready
    |  6 service-0… ● ready
    | 22 service-0… ✗ failed  exit 1
    |    +15 more, all ready
    ");
    theatre.keys("j j j j j j j j j j");
    insta::assert_snapshot!(table(&mut theatre).join("\n"), @"
    |  # PROCESS    STATE                      H
    |  9 service-0… ● ready
    | 10 service-0… ● ready
    |▌11 service-0… ● ready
    | 12 service-0… ● ready
    | 13 service-0… ● ready
    | 14 service-0… ● ready
    | 22 service-0… ✗ failed  exit 1
    |    +15 more, all ready
    ");
    assert_eq!(theatre.stage.app.table.selected, 10);
}

#[test]
fn a_thousand_processes_are_no_trouble() {
    let mut theatre = many(1000);
    assert!(theatre.picture().contains("+993 more"), "{}", theatre.picture());
    theatre.keys("G");
    assert!(row(&theatre.picture(), 8).contains("▌   service-1… ✗ failed"), "{}", theatre.picture());
}

/// The style of the first cell in which `needle` begins.
fn style_of(theatre: &mut Theatre, line: u16, needle: &str) -> Style {
    let buffer = theatre.frame().0;
    let cells: Vec<&str> = (0..buffer.area().width).map(|x| buffer[(x, line)].symbol()).collect();
    let at = (0..cells.len()).find(|x| cells[*x..].concat().starts_with(needle)).unwrap_or_else(|| panic!("no {needle:?} in {cells:?}"));
    buffer[(at as u16, line)].style()
}

fn has(style: Style, weight: Modifier) -> bool {
    style.add_modifier.contains(weight)
}

#[test]
fn the_verdict_word_is_what_the_eye_sees_first() {
    let bg = |mut theatre: Theatre, word: &str| style_of(&mut theatre, 0, word).bg;
    assert_eq!(bg(all_well(120, 40), "RUNNING"), Some(Color::Indexed(25)), "blue");
    assert_eq!(bg(crash_loop(120, 40), "FAILED"), Some(Color::Indexed(160)), "red");
    let mut theatre = all_well(120, 40);
    let mut story = Story::default();
    story.event(12_410, EventKind::VerdictReached { outcome: Outcome::new(Verdict::Passed, 0, "2 tests passed") });
    theatre.play(story);
    assert_eq!(bg(theatre, "PASSED"), Some(Color::Indexed(28)), "green");
}

#[test]
fn states_levels_and_lifecycle_lines_have_their_colours() {
    let mut theatre = crash_loop(120, 40);
    let (warn, bad) = (Some(Color::Indexed(214)), Some(Color::Indexed(203)));
    assert_eq!(style_of(&mut theatre, 2, "↻ backoff").fg, warn);
    assert_eq!(style_of(&mut theatre, 4, "✗ failed").fg, bad);
    assert_eq!(style_of(&mut theatre, 3, "● ready").fg, Some(Color::Indexed(35)));
    assert_eq!(style_of(&mut theatre, 15, "E thread").fg, bad);
    assert_ne!(style_of(&mut theatre, 15, "thread").fg, bad, "only the letter is red");
    assert_eq!(style_of(&mut theatre, 16, "╌ ✗").fg, bad);
    let title = style_of(&mut theatre, 6, "What happened");
    assert!(title.fg == bad && has(title, Modifier::BOLD));
    assert!(has(style_of(&mut theatre, 7, "exited"), Modifier::BOLD), "the first fact is bold");
}

#[test]
fn a_process_has_one_colour_everywhere() {
    let mut theatre = crash_loop(120, 40);
    let hue = style_of(&mut theatre, 3, "2 proxy").fg;
    assert_eq!(style_of(&mut theatre, 8, "proxy").fg, hue, "in the strip");
    assert_eq!(style_of(&mut theatre, 13, "proxy").fg, hue, "in the log");
}

#[test]
fn the_selected_row_and_the_focused_title_are_bold() {
    let mut theatre = all_well(120, 40);
    assert!(has(style_of(&mut theatre, 2, "upstream"), Modifier::BOLD));
    assert!(!has(style_of(&mut theatre, 3, "proxy"), Modifier::BOLD));
    assert!(has(style_of(&mut theatre, 1, "PROCESS"), Modifier::BOLD));
    assert!(!has(style_of(&mut theatre, 6, "Logs"), Modifier::BOLD));
    theatre.keys("Tab");
    assert!(has(style_of(&mut theatre, 6, "Logs"), Modifier::BOLD));
}

#[test]
fn only_badges_and_the_selection_are_reversed() {
    let mut theatre = crash_loop(120, 40);
    theatre.stage.options.look = theatre.stage.options.look.clone().without_colours();
    theatre.keys("v j j");
    let buffer = theatre.frame().0;
    for y in 0..40 {
        let reversed = (0..120).any(|x| has(buffer[(x, y)].style(), Modifier::REVERSED));
        let allowed = y == 0 || y == 38 || (11..31).contains(&y);
        assert!(allowed || !reversed, "row {y}");
    }
}

#[test]
fn without_colours_nothing_is_coloured_and_all_is_said() {
    let mut theatre = crash_loop(120, 40);
    let coloured = theatre.picture();
    theatre.stage.options.look = theatre.stage.options.look.clone().without_colours();
    let buffer = theatre.frame().0;
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert_eq!(theatre.picture(), coloured);
    assert_eq!(theatre.stage.options.look.colours, Colours::None);
}

#[test]
fn ascii_terminals_get_ascii_signs() {
    let mut theatre = crash_loop(80, 24);
    theatre.stage.options.look.glyphs = GlyphSet::Ascii;
    let picture = theatre.picture();
    let odd: String = picture.lines().take(7).flat_map(str::chars).filter(|c| !c.is_ascii()).collect();
    assert_eq!(odd, "", "{picture}");
    insta::assert_snapshot!(picture.lines().take(7).collect::<Vec<_>>().join("\n"), @"
    | forward   FAILED   7.8 s  client-a exit 1 at 1.412  alerts 12      * rec  LIVE |
    |  # PROCESS    STATE                      HEALTH         RST     UP   PORT ERR  |
    |> 1 upstream   ~ backoff 3.4 s  exit 101  .XX..XXX refus~  3      -  20001   6 *|
    |  2 proxy      * ready  stand-in          ........  1 ms   0   7.7s  20002   3 *|
    |  3 client-a   x failed  exit 1           -                0   1.3s      -   1  |
    |  4 client-b   @ running  retry 4 of 5    -                0   7.7s      -   2 *|
    |= What happened ================================================= F jumps here =|
    ");
}
