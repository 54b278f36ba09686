//! Whatever size, state and text: a frame is drawn, and nothing foreign gets beyond its cells.

use proptest::prelude::*;

use super::{
    stories::{all_well, begin, crash_loop, info, state},
    theatre::{Story, Theatre, id, text},
};
use crate::{
    model::{EventKind, Failure, Leak, NoticeLevel, Outcome, ProcessState, Role, Verdict},
    tui::{
        action::Action,
        term::decode::{Decoder, Input},
    },
};

#[test]
fn t1_no_size_is_too_small_or_too_large() {
    for (width, height) in [(0, 0), (1, 1), (1, 500), (1000, 1), (2, 3), (7, 4), (39, 9), (1000, 500)] {
        let mut theatre = crash_loop(width, height);
        theatre.picture();
        theatre.keys("Tab j j | ? Esc i Esc : Esc V Esc w z");
    }
}

#[test]
fn an_empty_run_is_drawn() {
    let mut theatre = Theatre::new(&[]);
    assert!(theatre.picture().contains("nothing has been said yet"));
    theatre.keys("j k x s Enter a i Esc V Enter | Tab k G / x Enter n e F o * c C m x Enter S Space A M H");
}

/// Texts that terminals do not agree on, or that mean to act on them.
const NASTY: [&str; 12] = [
    "\x1b]0;title\x07\x1b[2J\x1b[10;10Hover there",
    "\u{9b}31m\u{9d}52;c;ZXZpbA==\u{9c}",
    "日本語のログ🦀🦀",
    "👩\u{200d}👩\u{200d}👧\u{200d}👦 family ❤\u{fe0f} 👍🏽",
    "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}",
    "\u{202e}desrever\u{202c} مرحبا שלום",
    "a\tb\r\nc\0d",
    "\u{feff}\u{200b}\u{2060}",
    "🇩🇪🇫🇷",
    "ﷺ ꧅ ﷽",
    "x\u{2028}y\u{85}z",
    "",
];

#[test]
fn o4_nothing_that_a_child_says_reaches_the_terminal_but_text() {
    let mut theatre = Theatre::new(&["nasty"]).sized(120, 40);
    let mut story = Story::default();
    story.event(0, begin("nasty", vec![info("nasty", Role::Service, "\x1b[2Jkind", false, Some(1))]));
    for text in NASTY {
        story.say(1, "nasty", text);
        story.event(1, EventKind::Progress { process: id("nasty"), text: text.into() });
        story.event(1, EventKind::Notice { level: NoticeLevel::Error, text: text.into() });
        story.event(1, EventKind::Marked { process: None, text: text.into(), by: crate::model::Actor::You });
    }
    let leaks = vec![Leak { pid: None, command: NASTY[0].into(), port: None }];
    story.event(2, EventKind::Leaked { process: id("nasty"), generation: 1, leaks });
    let failed = Failure::NotStarted { error: NASTY[0].into(), short: NASTY[1].into() };
    story.event(2, state("nasty", 0, ProcessState::Failed { reason: failed }));
    story.event(2, EventKind::VerdictReached { outcome: Outcome::new(Verdict::Failed, 3, NASTY[0]) });
    theatre.play(story);
    for keys in ["", "Tab k", "p", "w", "i", "Esc V", "Esc Enter", "Esc :", "Esc |", "z"] {
        theatre.keys(keys);
        let buffer = theatre.frame().0;
        for cell in buffer.content() {
            assert!(
                !cell
                    .symbol()
                    .contains(|c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{fe0f}'))
            );
        }
        assert!(!text(&buffer).contains('\u{1b}'));
    }
}

#[test]
fn every_row_is_as_wide_as_the_screen_whatever_is_in_it() {
    let mut theatre = Theatre::new(&["nasty"]).sized(97, 40);
    let mut story = Story::default();
    story.event(0, begin("nasty", vec![info("nasty", Role::Service, "x", false, Some(1))]));
    NASTY.iter().cycle().take(60).for_each(|text| {
        story.say(1, "nasty", format!("{text}{text}{text}"));
    });
    theatre.play(story);
    for (n, line) in theatre.picture().lines().enumerate() {
        assert_eq!(crate::tui::text::width(line), 99, "row {n}: {line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn view_never_panics(
        width in 0u16..240, height in 0u16..80, typed in "\\PC{0,12}", said in proptest::collection::vec(".{0,200}", 0..12),
        keys in proptest::collection::vec(any::<u8>(), 0..40), well in any::<bool>(), walk in proptest::collection::vec(any::<prop::sample::Index>(), 0..16),
        sizes in proptest::collection::vec((0u16..260, 0u16..90), 1..4),
    ) {
        let mut theatre = if well { all_well(width, height) } else { crash_loop(width, height) };
        let mut story = Story::default();
        for text in &said {
            story.say(13_000, "upstream", text.clone());
            story.event(13_000, EventKind::Progress { process: id("proxy"), text: text.clone() });
        }
        theatre.play(story);
        theatre.type_text(&typed);
        theatre.picture();
        // Every action from anywhere, on screens that change under it.
        let actions: Vec<_> = Action::all().collect();
        for (n, index) in walk.iter().enumerate() {
            let now = theatre.now;
            drop(theatre.stage.with_world(now, |app, world| app.act(*index.get(&actions), world)));
            let (width, height) = sizes[n % sizes.len()];
            theatre.resize(width, height);
            theatre.picture();
        }
        let mut decoder = Decoder::default();
        decoder.feed(&keys);
        while let Some(input) = decoder.next(theatre.stage.app.keys_are_for()) {
            let now = theatre.now;
            match input {
                Input::Key(key) => {
                    theatre.press(key);
                }
                Input::Paste(text) => theatre.stage.with_world(now, |app, world| app.paste(&text, world)),
                Input::Raw(bytes) => drop(theatre.stage.app.typed(bytes)),
                Input::Mouse(_) | Input::Focus | Input::Keyboard | Input::Attributes => {}
            }
            theatre.frame();
        }
        theatre.picture();
    }
}
