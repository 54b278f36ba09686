//! What the dashboard shows of secrets: nothing, on no screen, nor in any byte that it writes.

use std::time::Duration;

use super::{
    support::{Bench, planted::Planted},
    terminal::Terminal,
};

/// Keys, and what shows that they have done something. Between them they open everything that shows text of processes.
const TOUR: &[(&str, &str)] = &[
    ("G", "following"),
    ("z", "header=["),
    ("w", "header=["),
    ("p", "header=["),
    ("A", "alerts only"),
    ("A", "header=["),
    ("/header", "found"),
    ("\r", "header=["),
    ("\x1b", "header=["),
    ("&end1", "shown"),
    ("\x1b", "header=["),
    ("z", "PROCESS"),
    ("V", "mark"),
    ("\x1b", "PROCESS"),
    ("\x01", "ERROR"),
    ("\x1b", "PROCESS"),
    ("1i", "chunks"),
    ("\x1b", "PROCESS"),
    ("2i", "argv"),
    ("\x1b", "PROCESS"),
    ("3i", "leaker"),
    ("\x1b", "PROCESS"),
    ("4i", "missing"),
    ("\x1b", "PROCESS"),
    ("F", "What happened"),
    ("G", "following"),
    ("{", "PAST "),
    ("=", "LIVE"),
];

#[test]
fn c15_the_dashboard_shows_no_planted_secret_on_any_screen() {
    let bench = Bench::new("planted-screen");
    let planted = Planted::in_bench(&bench);
    for (width, height) in [(80, 24), (200, 60)] {
        let mut command = bench.command();
        planted.tell(&mut command).arg("--scenario").arg(&planted.scenario);
        let mut terminal = Terminal::start(&command, width, height);
        let mut screens = vec![terminal.wait("the run has failed", |text| text.contains("FAILED") && text.contains("header=["))];
        for (keys, shows) in TOUR {
            terminal.send(keys);
            screens.push(terminal.wait(&format!("{shows:?} after {keys:?} at {width}x{height}"), |text| text.contains(shows)));
        }
        terminal.send("Q");
        terminal.ended();
        screens.push(terminal.wait_for("Recorded:"));
        assert!(screens.iter().any(|screen| screen.contains("header=[****")), "masked lines were shown");
        for (n, screen) in screens.iter().enumerate() {
            // What is wrapped stands in two rows.
            planted.assert_absent(&format!("screen {n} at {width}x{height}"), screen.as_bytes());
            planted.assert_absent(&format!("screen {n} in one row"), screen.replace('\n', "").as_bytes());
        }
        planted.assert_absent(&format!("what was written at {width}x{height}"), &terminal.written());
        bench.assert_nothing_left(Duration::from_secs(2));
    }
}
