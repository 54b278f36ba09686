//! The dashboard killed in a way that leaves it no time: its guardian gives the terminal back, and nothing is left.

use std::{process::Command, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{QUIET, assert_restored, open, support::Bench, terminal::Terminal};

/// `command` in the folder and environment of `bench`.
fn at(bench: &Bench, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(bench.dir.path());
    for (name, value) in bench.command().get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}

/// Kills the dashboard, which is on the screen.
fn kill_dashboard(bench: &Bench, terminal: &Terminal) {
    terminal.wait_for("two is up");
    assert!(terminal.screen(vt100::Screen::alternate_screen), "it has taken the screen");
    let binary = env!("CARGO_BIN_EXE_e2e-tui");
    let dashboard = bench.alive().into_iter().find(|(_, command)| command.starts_with(binary) && command.contains("--scenario"));
    let (pid, _) = dashboard.expect("it runs");
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("it lives");
}

fn wait_for_the_normal_screen(terminal: &Terminal) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while terminal.screen(vt100::Screen::alternate_screen) {
        assert!(std::time::Instant::now() < deadline, "the dashboard's screen is still there:\n{}", terminal.text());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn shell_line(bench: &Bench) -> String {
    format!("{} --scenario {}", env!("CARGO_BIN_EXE_e2e-tui"), bench.write("scenario.toml", QUIET).display())
}

#[test]
fn t11_a_killed_dashboard_leaves_the_terminal_as_it_was() {
    let bench = Bench::new("t11");
    let script = format!("{}; echo over; exec sleep 600", shell_line(&bench));
    let terminal = Terminal::start(&at(&bench, "sh", &["-c", &script]), 80, 24);
    kill_dashboard(&bench, &terminal);
    wait_for_the_normal_screen(&terminal);
    assert_restored(&terminal);
}

#[test]
fn t11_a_shell_that_has_the_terminal_again_can_be_used() {
    let bench = Bench::new("t11shell");
    let mut command = at(&bench, "bash", &["--norc", "--noprofile", "-i"]);
    command.env("PS1", "ready> ");
    let mut terminal = Terminal::start(&command, 80, 24);
    terminal.wait_for("ready> ");
    terminal.send(&format!("{}\r", shell_line(&bench)));
    kill_dashboard(&bench, &terminal);
    wait_for_the_normal_screen(&terminal);
    terminal.send("echo it is $((6 * 7))\r");
    terminal.wait_for("it is 42");
    terminal.screen(|screen| {
        assert!(!screen.alternate_screen() && !screen.hide_cursor());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    });
    terminal.send("exit\r");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t11_even_where_the_dashboard_led_the_session_the_screen_is_left() {
    let bench = Bench::new("t11leader");
    let mut terminal = open(&bench, QUIET, 80, 24);
    kill_dashboard(&bench, &terminal);
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
    wait_for_the_normal_screen(&terminal);
    terminal.screen(|screen| assert!(!screen.alternate_screen() && !screen.hide_cursor()));
}

#[test]
fn t11_a_program_that_has_the_terminal_by_then_is_left_alone() {
    let bench = Bench::new("t11other");
    let mut command = at(&bench, "bash", &["--norc", "--noprofile", "-i"]);
    command.env("PS1", "ready> ");
    let mut terminal = Terminal::start(&command, 80, 24);
    terminal.wait_for("ready> ");
    terminal.send(&format!("{}\r", shell_line(&bench)));
    terminal.wait_for("two is up");
    // Suspended, it has given the terminal back itself.
    terminal.send("\x1a");
    terminal.wait_for("Stopped");
    let binary = env!("CARGO_BIN_EXE_e2e-tui");
    let dashboard = bench.alive().into_iter().find(|(_, command)| command.starts_with(binary) && command.contains("--scenario"));
    let (pid, _) = dashboard.expect("it is stopped, not gone");
    let before = terminal.written().len();
    terminal.send("cat\r");
    terminal.wait("cat to run", |text| text.trim_end().ends_with("cat"));
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("it is there");
    // Only the shell and its job may live on.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while bench.alive().iter().any(|(_, command)| !command.starts_with("bash") && !command.starts_with("cat")) {
        assert!(std::time::Instant::now() < deadline, "{:?}", bench.alive());
        std::thread::sleep(Duration::from_millis(5));
    }
    let written = terminal.written();
    assert!(!String::from_utf8_lossy(&written[before..]).contains("\x1b[?1049l"), "nothing was written to another's screen");
    terminal.send("\x04");
    terminal.send("exit\r");
    terminal.send("exit\r");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}
