//! Ends that nobody asked the dashboard for; their ids are those of the reliability board.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::{
    QUIET, assert_restored, open,
    support::Bench,
    terminal::{PATIENCE, Terminal},
};

fn signal(terminal: &Terminal, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &terminal.child.id().to_string()]).status();
    assert!(status.expect("kill is there").success());
}

#[test]
fn t3_a_hang_up_stops_the_children() {
    let bench = Bench::new("hang-up");
    let mut terminal = open(&bench, QUIET, 80, 24);
    terminal.wait_for("two is up");
    signal(&terminal, "HUP");
    assert_eq!(terminal.ended().code(), Some(129));
    bench.assert_nothing_left(Duration::from_secs(2));
    assert_restored(&terminal);
}

#[test]
fn t3_a_request_from_outside_is_shown_while_children_take_their_time() {
    let bench = Bench::new("slow-end");
    let slow =
        "name = \"slow\"\n[process.deaf]\nshell = \"trap '' TERM; echo up; while :; do sleep 0.2; done\"\nstop = { grace = \"20s\" }\n";
    let mut terminal = open(&bench, slow, 100, 30);
    terminal.wait_for("● ready");
    signal(&terminal, "TERM");
    let screen = terminal.wait_for("STOPPING");
    assert!(screen.contains("◐ stopping"), "{screen}");
    terminal.wait_for("kills them now");
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(143));
    bench.assert_nothing_left(Duration::from_secs(2));
}

/// A session leader that ignores the hang-up passes none on: what is left to see is that reads and writes fail.
#[test]
fn t4_a_terminal_gone_without_a_hang_up_is_noticed() {
    let bench = Bench::new("no-hang-up");
    let file = bench.write("scenario.toml", QUIET);
    let mut command = bench.command_of("sh");
    let line = format!("trap '' HUP; '{}' --scenario '{}'; exit $?", env!("CARGO_BIN_EXE_e2e-tui"), file.display());
    command.args(["-c", &line]);
    let mut terminal = Terminal::start(&command, 80, 24);
    terminal.wait_for("two is up");
    let cpu = terminal.cpu();
    let gone = Instant::now();
    terminal.vanish();
    terminal.ended();
    assert!(gone.elapsed() < Duration::from_secs(2), "{:?}", gone.elapsed());
    assert!(terminal.cpu().saturating_sub(cpu) < Duration::from_millis(500));
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t9_a_panic_in_an_actor_or_a_probe_ends_it_the_same_way() {
    for part in ["actor", "probe"] {
        let bench = Bench::new("panic-part");
        let watched = format!("{QUIET}health = {{ exec = [\"true\"], interval = \"50ms\" }}\n");
        let file = bench.write("scenario.toml", &watched);
        let mut command = bench.command();
        command.arg(file).env("E2E_TUI_TEST_PANIC", part).env("RUST_BACKTRACE", "0");
        let mut terminal = Terminal::start(&command, 100, 30);
        assert_eq!(terminal.ended().code(), Some(101), "{part}: {}", terminal.text());
        let told = terminal.wait_for("e2e-tui has a bug and ends");
        assert!(told.contains(&format!("a test wanted its {part} to fail")), "{told}");
        assert_restored(&terminal);
        bench.assert_nothing_left(Duration::from_secs(5));
    }
}

#[test]
fn t9_a_panic_in_a_frame_gives_the_terminal_back_first() {
    let bench = Bench::new("panic");
    let file = bench.write("scenario.toml", QUIET);
    let mut command = bench.command();
    command.arg(file).env("E2E_TUI_TEST_PANIC", "draw").env("RUST_BACKTRACE", "0");
    let mut terminal = Terminal::start(&command, 100, 30);
    assert_eq!(terminal.ended().code(), Some(101));
    let told = terminal.wait_for("e2e-tui has a bug and ends");
    assert!(told.contains("a frame that a test wanted to fail"), "{told}");
    terminal.wait_for("The recording is in");
    assert_restored(&terminal);
    bench.assert_nothing_left(Duration::from_secs(5));
}

#[test]
fn t11_killed_outright_it_leaves_no_process() {
    let bench = Bench::new("killed");
    let scenario = "name = \"tree\"\n[process.parent]\nshell = \"sleep 601 & setsid sleep 602 & echo up; wait\"\n";
    let mut terminal = open(&bench, scenario, 80, 24);
    terminal.wait_for("● ready");
    signal(&terminal, "KILL");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(5));
}

#[test]
fn t14_an_editor_may_have_the_terminal_again_and_again() {
    let bench = Bench::new("editor");
    bench.write("here.rs", "// a line\n");
    bench.write("edit.sh", "echo the editor has it; while [ ! -e go ]; do sleep 0.01; done; rm go\n");
    let file = bench.write("scenario.toml", "name = \"edit\"\n[process.one]\nshell = \"echo look at here.rs:1; exec sleep 600\"\n");
    let mut command = bench.command();
    command.arg(file).env("VISUAL", format!("sh {}", bench.dir.path().join("edit.sh").display()));
    let mut terminal = Terminal::start(&command, 100, 30);
    terminal.wait_for("look at here.rs:1");
    terminal.send("\t\x15");
    terminal.wait_for("paused");
    let raw = terminal.settings();
    for _ in 0..3 {
        terminal.send("\x1b[H");
        terminal.wait("the cursor on the line", |text| text.lines().any(|l| l.starts_with('▸') && l.contains("here.rs:1")));
        terminal.send("\x05");
        let shown = terminal.wait_for("the editor has it");
        assert!(!terminal.screen(vt100::Screen::alternate_screen), "the editor has the normal screen: {shown}");
        bench.write("go", "");
        terminal.wait_for("? keys");
        let deadline = Instant::now() + PATIENCE;
        while terminal.settings() != raw {
            assert!(Instant::now() < deadline, "the modes do not come back");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    terminal.send("\x03");
    terminal.ended();
    terminal.wait_for("Recorded:");
    assert_restored(&terminal);
    bench.assert_nothing_left(Duration::from_secs(2));
}
