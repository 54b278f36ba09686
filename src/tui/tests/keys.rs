//! Key scripts: what is pressed, and what comes of it.

use super::{
    stories::{NAMES, all_well, crash_loop, ms, opening},
    theatre::{Theatre, id, row},
};
use crate::{
    model::{At, Command, Phase, Reads, Signal},
    tui::{
        Keymap,
        app::{Leaving, Outcome, log::Scope},
        layout::Pane,
    },
};

fn sent(theatre: &Theatre) -> Vec<&Command> {
    let command = |outcome: &'_ Outcome| matches!(outcome, Outcome::Send(_));
    theatre.outcomes.iter().filter(|o| command(o)).map(|o| if let Outcome::Send(c) = o { c } else { unreachable!("filtered") }).collect()
}

fn toast(theatre: &Theatre) -> &str {
    theatre.stage.app.toast.as_ref().map_or("", |toast| &toast.text)
}

#[test]
fn process_keys_act_on_the_selected_row_and_say_on_whom() {
    let mut theatre = all_well(80, 24);
    theatre.keys("j j r");
    assert_eq!(sent(&theatre), [&Command::Restart { process: id("client-a"), now: false }]);
    assert_eq!(toast(&theatre), "restarting client-a");
    theatre.keys("4 x X R");
    let process = || id("client-b");
    let wanted = [
        Command::Restart { process: id("client-a"), now: false },
        Command::Stop { process: process(), now: false },
        Command::Stop { process: process(), now: true },
        Command::Restart { process: process(), now: true },
    ];
    assert_eq!(sent(&theatre), wanted.iter().collect::<Vec<_>>());
}

#[test]
fn in_a_merged_log_process_keys_say_where_they_act() {
    let mut theatre = all_well(80, 24);
    theatre.keys("Tab x");
    assert!(sent(&theatre).is_empty());
    assert_eq!(toast(&theatre), "x acts on one process: choose it in the table (Tab), or open its log there (Enter)");
    let screen = theatre.picture();
    assert!(row(&screen, 22).contains("x acts on one process"), "a long notice takes two rows: {screen}");
    assert!(row(&screen, 23).contains("(Enter)"), "the notice takes the hints' row where there is no other: {screen}");
    theatre.keys("Tab 2 Enter x");
    assert_eq!(sent(&theatre), [&Command::Stop { process: id("proxy"), now: false }]);
}

#[test]
fn commands_that_would_do_nothing_say_so_instead() {
    let mut theatre = all_well(80, 24);
    theatre.keys("s");
    assert_eq!(toast(&theatre), "upstream runs already: r restarts it");
    theatre.keys("3 x");
    assert_eq!(toast(&theatre), "client-a is down already (completed)");
    theatre.keys("9");
    assert_eq!(toast(&theatre), "there is no process 9");
    assert!(sent(&theatre).is_empty());
}

#[test]
fn where_no_line_is_shown_there_is_nothing_to_copy() {
    let mut empty = Theatre::new(&NAMES).sized(80, 24);
    empty.keys("Tab v c");
    assert_eq!(toast(&empty), "there is no line to copy");
    assert!(empty.outcomes.is_empty() && empty.stage.app.log.select_from.is_none());
    let mut filtered = all_well(80, 24);
    filtered.keys("Tab &").type_text("matches nothing at all").keys("Enter");
    filtered.until("0 of");
    filtered.keys("c");
    assert_eq!(toast(&filtered), "there is no line to copy");
}

#[test]
fn a_recording_starts_and_stops_nothing() {
    let mut theatre = all_well(80, 24);
    theatre.stage.abilities.live = false;
    theatre.keys("x C-r");
    assert!(sent(&theatre).is_empty());
    assert!(toast(&theatre).starts_with("this is a recording"));
    theatre.keys("q");
    assert_eq!(theatre.outcomes, [Outcome::Leave]);
}

#[test]
fn a_key_close_behind_escape_counts_by_itself() {
    let mut theatre = all_well(80, 24);
    theatre.keys("i M-j");
    assert!(theatre.stage.app.overlay.is_none());
    assert_eq!(theatre.stage.app.table.selected, 1);
    theatre.keys("/").type_text("two words").keys("M-b");
    assert!(theatre.stage.app.overlay.is_some(), "where text is typed Alt moves by words");
}

#[test]
fn details_go_from_process_to_process() {
    let mut theatre = all_well(80, 24);
    theatre.keys("i Tab");
    assert!(theatre.picture().contains("─ Details  proxy"));
    theatre.keys("4");
    assert!(theatre.picture().contains("─ Details  client-b"));
    theatre.keys("S-Tab c");
    assert!(theatre.picture().contains("─ Details  client-a"));
    let text = "cd /work/demo && env TOKEN=\"$TOKEN\" MODE=demo e2e-tui part test-client".to_owned();
    assert_eq!(theatre.outcomes, [Outcome::CopyText { text, what: "the command".into() }]);
}

#[test]
fn after_a_prefix_the_hints_say_what_may_follow() {
    let mut theatre = all_well(80, 24);
    let user = Keymap::parse("mine.toml", "[everywhere]\n\"Z Z\" = \"quit\"\n\"Z r\" = \"restart\"\n").expect("valid");
    theatre.stage.options.keymap = theatre.stage.options.keymap.clone().overridden_by(user);
    theatre.keys("Z");
    assert!(
        row(&theatre.picture(), 23).starts_with("| Z back or quit (asks while something runs)  r restart it "),
        "{}",
        theatre.picture()
    );
    theatre.keys("r");
    assert_eq!(sent(&theatre), [&Command::Restart { process: id("upstream"), now: false }]);
    theatre.keys("Z k");
    assert!(row(&theatre.picture(), 23).contains("r restart upstream"), "what follows nothing is let go");
}

#[test]
fn a_signal_is_chosen_from_a_list() {
    let mut theatre = all_well(80, 24);
    theatre.keys("2 C-x j j Enter");
    assert_eq!(sent(&theatre), [&Command::Signal { process: id("proxy"), signal: Signal::HUP }]);
    theatre.keys("C-x Esc");
    assert_eq!(sent(&theatre).len(), 1);
}

#[test]
fn quitting_asks_while_something_runs_and_then_ends_in_order() {
    let mut theatre = all_well(80, 24);
    theatre.keys("q");
    assert!(row(&theatre.picture(), 23).contains("3 processes are still up. Stop all and quit?"));
    theatre.keys("Esc");
    assert!(sent(&theatre).is_empty());
    theatre.keys("q Enter");
    assert_eq!(sent(&theatre), [&Command::Shutdown { now: false }]);
    assert_eq!(theatre.stage.app.leaving, Leaving::Stopping);
    theatre.keys("C-c C-c");
    assert_eq!(sent(&theatre).last(), Some(&&Command::Shutdown { now: true }));
    assert_eq!(theatre.outcomes.last(), Some(&Outcome::Leave), "a third time leaves whatever is left");
}

#[test]
fn ctrl_c_in_a_prompt_or_overlay_only_closes_it() {
    for keys in ["/", "?", ":", "i", "V", "C-x", "q", "~"] {
        let mut theatre = all_well(80, 24);
        theatre.keys(keys);
        assert!(theatre.stage.app.overlay.is_some(), "{keys}");
        theatre.keys("C-c");
        assert!(theatre.stage.app.overlay.is_none(), "{keys}");
        assert!(theatre.outcomes.is_empty(), "{keys}");
    }
    let mut theatre = all_well(80, 24);
    theatre.keys("Tab v C-c");
    assert!(theatre.outcomes.is_empty() && theatre.stage.app.log.select_from.is_none(), "a selection is let go");
}

#[test]
fn the_log_follows_until_it_is_scrolled_and_says_what_is_newer() {
    let mut theatre = all_well(80, 24);
    theatre.keys("Tab k k k");
    let title = row(&theatre.picture(), 6).to_owned();
    assert!(title.contains("paused  ▼ 0 newer, G"), "{title}");
    theatre.keys("PgUp PgUp");
    assert!(row(&theatre.picture(), 6).contains("▼ 30 newer"), "{}", theatre.picture());
    theatre.keys("G");
    assert!(row(&theatre.picture(), 6).contains("following"));
    theatre.keys("g");
    assert!(row(&theatre.picture(), 7).starts_with("|▸ ● upstream ready after 31 ms"), "{}", theatre.picture());
    theatre.keys("f");
    assert!(row(&theatre.picture(), 6).contains("following"));
}

#[test]
fn enter_opens_a_processs_log_and_escape_goes_back() {
    let mut theatre = all_well(80, 24);
    theatre.keys("2 Enter");
    assert!(row(&theatre.picture(), 6).contains("─ Logs  proxy  t+s"));
    assert_eq!((theatre.stage.app.focus, theatre.stage.app.log.scope), (Pane::Logs, Scope::One));
    theatre.keys("Esc");
    assert_eq!((theatre.stage.app.focus, theatre.stage.app.log.scope), (Pane::Processes, Scope::All));
}

#[test]
fn the_single_log_is_that_of_the_selected_process() {
    let mut theatre = all_well(80, 24);
    theatre.keys("a j");
    assert!(row(&theatre.picture(), 6).contains("─ Logs  proxy"));
    theatre.keys("3");
    assert!(row(&theatre.picture(), 6).contains("─ Logs  client-a"));
    theatre.keys("a");
    assert!(row(&theatre.picture(), 6).contains("all 4 merged"));
}

#[test]
fn ticked_logs_are_merged_or_stand_side_by_side() {
    let mut theatre = all_well(120, 40);
    theatre.keys("Space j j j Space a");
    assert!(row(&theatre.picture(), 6).contains("─ Logs  2 of 4 merged"));
    theatre.keys("|");
    let title = row(&theatre.picture(), 6).to_owned();
    assert!(title.contains("─ upstream") && title.contains("─ client-b"), "{title}");
}

#[test]
fn times_come_in_four_forms() {
    let mut theatre = all_well(80, 24);
    let last = |theatre: &mut Theatre| row(&theatre.picture(), 22).to_owned();
    theatre.keys("t t");
    assert!(last(&mut theatre).starts_with("|   +0.000  client-b  I tools/call"), "{}", last(&mut theatre));
    theatre.keys("t");
    assert!(last(&mut theatre).starts_with("|06:25:57.406000  client-b"), "{}", last(&mut theatre));
    theatre.keys("t");
    assert!(last(&mut theatre).starts_with("|   12.406  client-b"));
    assert!(row(&theatre.picture(), 6).contains("t+s"));
}

#[test]
fn lines_can_be_shown_as_written_wrapped_and_sideways() {
    let mut theatre = all_well(80, 24);
    theatre.keys("p");
    assert!(theatre.picture().contains("2026-11-23T06:25:57.402000Z  INFO tools/call echo #17"));
    theatre.keys("p w");
    theatre.resize(64, 24);
    let picture = theatre.picture();
    assert!(picture.contains("elapsed=2ms"), "nothing is cut when lines wrap:\n{picture}");
    theatre.resize(80, 24);
    theatre.keys("w Tab l");
    assert!(theatre.picture().contains("client-b  I ll echo #17"), "{}", theatre.picture());
}

#[test]
fn find_goes_to_the_nearest_match_and_on() {
    let mut theatre = all_well(80, 24);
    theatre.keys("/").type_text("echo #1[56]$");
    let prompt = theatre.until("2 found").lines().last().unwrap_or("").to_owned();
    assert!(prompt.starts_with("| /echo #1[56]$"), "{prompt}");
    theatre.keys("Enter");
    let picture = theatre.until("▸  11.402");
    assert!(row(&picture, 6).contains("/echo #1[56]$  2 of 2"), "{picture}");
    theatre.keys("N");
    theatre.until("▸  10.402");
    theatre.keys("N");
    theatre.until("▸  11.402");
    assert_eq!(toast(&theatre), "went on from the other end");
    theatre.keys("Esc");
    assert!(theatre.stage.app.log.find.is_none());
}

#[test]
fn a_filter_stands_in_the_title_with_its_count_and_its_context() {
    let mut theatre = all_well(80, 24);
    theatre.keys("&").type_text("#17").keys("Enter");
    let picture = theatre.until("2 of 214");
    assert!(row(&picture, 6).contains("─ Logs  all 4 merged  & #17  t+s"), "{picture}");
    assert!(row(&picture, 7).contains("tools/call echo #17"));
    theatre.keys("+");
    theatre.until("5 of 214");
    theatre.keys("!").type_text("→ 200").keys("Enter");
    let picture = theatre.until("3 of 214");
    assert!(row(&picture, 6).contains("& #17  ! → 200  ±1"), "{picture}");
    theatre.keys("\\");
    assert!(row(&theatre.picture(), 6).contains("214 lines  following"));
}

#[test]
fn alerts_are_walked_one_by_one() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("e");
    theatre.until("▸ ✗ upstream exited 101");
    theatre.keys("E");
    theatre.until("▸   0.883");
}

#[test]
fn f_walks_along_what_happened() {
    let mut theatre = crash_loop(120, 40);
    assert!(theatre.picture().contains("at 0.884, paused"));
    theatre.keys("G F");
    assert!(theatre.picture().contains("at 0.884, paused"), "from elsewhere it goes to the first");
    theatre.keys("F");
    assert_eq!(theatre.stage.app.fact, Some(1));
}

#[test]
fn the_strip_opens_by_itself_once_and_never_takes_the_view_from_somebody_who_reads() {
    let mut theatre = all_well(120, 40);
    theatre.keys("Tab k k");
    let place = theatre.stage.app.log.place;
    let explanation = crate::explain::Explanation { facts: vec![fact()], ..Default::default() };
    theatre.explain(explanation);
    assert_eq!(theatre.stage.app.log.place, place);
    assert!(theatre.picture().contains("What happened"));
}

fn fact() -> crate::explain::Fact {
    crate::explain::Fact {
        process: Some(id("client-a")),
        generation: 1,
        at: At(2_000_000),
        seq: 5,
        line: None,
        what: "failed, exit 1".into(),
        quote: None,
        count: 1,
        after_us: 0,
    }
}

#[test]
fn a_token_is_highlighted_and_walked_along() {
    let mut theatre = all_well(120, 40);
    theatre.keys("Tab k k o");
    assert!(toast(&theatre).starts_with("highlighting 6f1b8a52-"), "{}", toast(&theatre));
    theatre.until("token ");
}

#[test]
fn who_shares_a_token_is_told_and_where_nobody_does_its_neighbours_in_time_are_marked() {
    let said = |last: &'static str| {
        let mut theatre = Theatre::new(&NAMES).sized(120, 40);
        let mut story = opening("forward");
        story.say(100, "client-a", "long before").say(960, "proxy", "just before").say(1000, "client-a", "call req=zz91 went out");
        story.say(1040, "upstream", last).say(1200, "upstream", "later");
        theatre.play(story).at(1300);
        theatre.keys("Tab k k *");
        theatre
    };
    let mut alone = said("just behind");
    alone.until("token 1 of 1, nobody shares it: ±50 ms marked");
    let picture = alone.picture();
    let marked: Vec<_> = picture.lines().filter(|line| line.starts_with("|±")).map(|line| line.contains("just")).collect();
    assert_eq!(marked, [true, true], "{picture}");
    alone.keys("k *");
    alone.until("no id: ±50 ms marked");
    assert!(toast(&alone).starts_with("this line holds no id"), "{}", toast(&alone));
    let picture = alone.picture();
    let marked: Vec<_> = picture.lines().filter(|line| line.starts_with("|±")).map(|line| line.contains("call req=zz91")).collect();
    assert_eq!(marked, [true], "just before and just behind lie 80 ms apart: {picture}");
    alone.keys("Esc");
    assert!(!alone.picture().contains("|±"));
    let mut shared = said("handles req=zz91 now");
    shared.until("token 1 of 2, shared by client-a, upstream");
    assert!(!shared.picture().contains("|±"));
}

#[test]
fn a_folded_block_unfolds_and_is_copied_as_a_whole() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("c");
    let Some(Outcome::Copy { from, to }) = theatre.outcomes.last() else { panic!("{:?}", theatre.outcomes) };
    assert_eq!(to - from, 3);
    theatre.keys("Enter");
    assert!(theatre.picture().contains("upstream    crash_after 3 calls"), "{}", theatre.picture());
    theatre.keys("Enter");
    assert!(theatre.picture().contains("+3 lines folded"));
}

#[test]
fn a_mark_is_set_with_a_note() {
    let mut theatre = all_well(80, 24);
    theatre.keys("m").type_text("before the crash").keys("Enter");
    assert_eq!(sent(&theatre), [&Command::Mark { text: "before the crash".into() }]);
    theatre.keys("u");
    assert_eq!(toast(&theatre), "there is no mark yet: m sets one");
}

#[test]
fn the_palette_does_what_its_words_say() {
    let mut theatre = all_well(80, 24);
    theatre.keys(":").type_text("rerun").keys("Enter");
    assert_eq!(sent(&theatre), [&Command::RerunTests]);
    theatre.keys(":").type_text("go to proxy").keys("Enter");
    assert_eq!(theatre.stage.app.table.selected, 1);
}

#[test]
fn pasted_text_presses_no_keys() {
    let mut theatre = all_well(80, 24);
    let now = theatre.now;
    theatre.stage.with_world(now, |app, world| app.paste("xxRRq", world));
    assert!(theatre.outcomes.is_empty());
    theatre.keys("/");
    theatre.stage.with_world(now, |app, world| app.paste("two\nlines", world));
    assert!(row(&theatre.picture(), 23).starts_with("| /two lines"));
}

#[test]
fn sorting_takes_an_order_once_and_keeps_it() {
    let mut theatre = crash_loop(120, 40);
    theatre.keys("Tab S");
    let names = |theatre: &mut Theatre| {
        (2..6).map(|n| row(&theatre.picture(), n).chars().skip(5).take(10).collect::<String>().trim().to_owned()).collect::<Vec<_>>()
    };
    let sorted = names(&mut theatre);
    assert_ne!(sorted, NAMES);
    theatre.keys("j j");
    assert_eq!(names(&mut theatre), sorted);
}

#[test]
fn zoom_gives_the_focused_pane_everything() {
    let mut theatre = all_well(80, 24);
    theatre.keys("Tab z");
    assert!(row(&theatre.picture(), 1).starts_with("|─ Logs"));
    theatre.keys("Esc");
    assert!(row(&theatre.picture(), 1).contains("PROCESS"));
}

#[test]
fn a_notice_goes_when_its_time_has_come() {
    let mut theatre = all_well(80, 24);
    theatre.keys("9");
    let later = theatre.now + ms(6000);
    assert!(theatre.stage.app.settle(later) && theatre.stage.app.toast.is_none());
    assert_ne!(theatre.stage.snapshot.phase, Phase::Ended);
}

#[test]
fn on_a_terminal_of_its_own_keys_go_to_the_process_until_one_ends_that() {
    let mut theatre = all_well(80, 24);
    theatre.reads("proxy", Reads::Terminal).reads("upstream", Reads::Pipe);
    theatre.keys("2 >");
    assert!(row(&theatre.picture(), 23).starts_with("| ▐ TYPING ▌ every key goes to proxy"), "{}", theatre.picture());
    assert_eq!(theatre.stage.app.log.scope, Scope::One, "its log is what is looked at");
    let outcomes = theatre.stage.app.typed(b"q\x03".to_vec());
    assert_eq!(outcomes, [Outcome::Send(Command::Type { process: id("proxy"), bytes: b"q\x03".to_vec() })]);
    theatre.keys("C-]");
    assert!(theatre.stage.app.overlay.is_none());
    assert!(theatre.stage.app.typed(b"x".to_vec()).is_empty(), "nobody is typed to any more");
    theatre.keys("Esc 1 >").type_text("hello").keys("Enter");
    assert_eq!(sent(&theatre), [&Command::SendLine { process: id("upstream"), text: "hello".into() }]);
    theatre.keys("4 >");
    assert_eq!(toast(&theatre), "client-b reads nothing: give it `stdin = \"pipe\"` or `tty = true`");
}
