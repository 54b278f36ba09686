//! Ctrl-Z and `fg`: the terminal is the shell's meanwhile, and all processes and timers stand still.

use std::{
    os::unix::process::CommandExt,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    QUIET, open,
    support::{Bench, Finished, wait_for},
    terminal::{PATIENCE, Terminal},
};

#[test]
fn t5_stopped_from_outside_it_comes_back_with_its_modes() {
    let bench = Bench::new("stopped");
    let mut terminal = open(&bench, QUIET, 80, 24);
    terminal.wait_for("two is up");
    let raw = terminal.settings();
    let signal = |name: &str| {
        let status = Command::new("kill").args([&format!("-{name}"), &terminal.child.id().to_string()]).status();
        assert!(status.expect("kill is there").success());
    };
    signal("STOP");
    terminal.cook();
    assert_ne!(terminal.settings(), raw);
    signal("CONT");
    let deadline = Instant::now() + PATIENCE;
    while terminal.settings() != raw {
        assert!(Instant::now() < deadline, "the modes do not come back");
        std::thread::sleep(Duration::from_millis(10));
    }
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
}

/// A shell with job control in which the binary is a job.
struct Shell {
    terminal: Terminal,
    /// Its prompt is a number that rises, so that each is seen once.
    line: u32,
}

impl Shell {
    /// Starts the binary with `args`, which follow the scenario's file.
    fn start(bench: &Bench, scenario: &str, how: &str) -> Self {
        let file: PathBuf = bench.write("scenario.toml", scenario);
        let surroundings = bench.command();
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile", "-i"]).current_dir(bench.dir.path()).env("PS1", "ready> ");
        for (name, value) in surroundings.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let mut terminal = Terminal::start(&command, 100, 30);
        terminal.wait_for("ready> ");
        terminal.send(&format!("{} {how} {}\r", surroundings.get_program().display(), file.display()));
        Self { terminal, line: 0 }
    }

    /// Presses Ctrl-Z and waits until the shell is back.
    fn suspend(&mut self) {
        self.terminal.send("\x1a");
        let shown = self.terminal.wait_for("Stopped");
        assert!(!self.terminal.screen(vt100::Screen::alternate_screen), "{shown}");
    }

    /// Has the shell say something, so that what was said before is off the screen when the next wait begins.
    fn foreground(&mut self) {
        self.line += 1;
        self.terminal.send(&format!("clear; echo line {}; fg\r", self.line));
    }
}

/// The state of a process: `T` is stopped.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('-')
}

/// Those that the scenario has started, by their command.
fn children(bench: &Bench, command: &str) -> Vec<u32> {
    bench.alive().into_iter().filter(|(_, c)| c.starts_with(command)).map(|(pid, _)| pid).collect()
}

fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal).expect("it lives");
}

/// Suspends and goes on so often; every time the terminal's modes are right and everything runs again.
fn suspend_and_go_on(rounds: u32) {
    let bench = Bench::new("suspend");
    let mut shell = Shell::start(&bench, QUIET, "--scenario");
    shell.terminal.wait_for("two is up");
    shell.terminal.wait_for("? keys");
    let raw = shell.terminal.settings();
    let sleeping = children(&bench, "sleep 600");
    assert_eq!(sleeping.len(), 2);
    for round in 0..rounds {
        shell.suspend();
        // STOP was sent before the shell came back; a busy machine lets it take effect a moment later.
        wait_for("they stand still", PATIENCE, || sleeping.iter().all(|pid| state(*pid) == 'T'));
        assert_ne!(shell.terminal.settings(), raw, "round {round}");
        shell.foreground();
        shell.terminal.wait("the dashboard is back", |text| text.contains("? keys") && text.contains("suspended for"));
        wait_for("they go on", PATIENCE, || sleeping.iter().all(|pid| state(*pid) == 'S'));
        wait_for("its modes are back", PATIENCE, || shell.terminal.settings() == raw);
    }
    shell.terminal.send("\x03");
    shell.terminal.wait_for("Recorded:");
    shell.terminal.send("exit\r");
    shell.terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t5_suspending_gives_the_terminal_to_the_shell_and_takes_it_back() {
    suspend_and_go_on(12);
}

#[test]
#[ignore = "takes minutes"]
fn t5_a_thousand_suspensions() {
    suspend_and_go_on(1000);
}

#[test]
fn t5_deadlines_wait_for_fg_and_who_had_stopped_by_itself_stays_so() {
    let bench = Bench::new("suspend-time");
    // Deaf to TERM, with a grace that a suspension outlasts; and one with a longest life.
    let scenario = r#"
name = "deadlines"
[process.deaf]
shell = "trap '' TERM; echo deaf is up; while :; do sleep 0.1; done"
stop = { grace = "3s" }
[process.itself]
command = ["sleep", "700"]
[process.short]
shell = "echo short is up; exec sleep 800"
timeout = "4s"
"#;
    let mut shell = Shell::start(&bench, scenario, "--scenario");
    shell.terminal.wait_for("deaf is up");
    shell.terminal.wait_for("short is up");
    let [itself] = children(&bench, "sleep 700")[..] else { panic!("one sleeps") };
    signal(itself, nix::sys::signal::Signal::SIGSTOP);
    wait_for("it has stopped", PATIENCE, || state(itself) == 'T');
    shell.terminal.send("1x");
    shell.terminal.wait_for("stopping");
    shell.suspend();
    // Longer than either deadline: were time counted, both would be over.
    let suspended = Instant::now();
    while suspended.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    shell.foreground();
    let back = shell.terminal.wait_for("suspended for");
    assert!(back.contains("stopping") && !back.contains("timed out"), "{back}");
    shell.terminal.wait("the grace ends all the same", |text| text.contains("stopped  by you, KILL"));
    shell.terminal.wait("and so does the longest life", |text| text.contains("timed out after 4 s"));
    assert_eq!(state(itself), 'T', "it had stopped by itself");
    shell.terminal.send("\x03");
    shell.terminal.wait_for("Recorded:");
    shell.terminal.send("exit\r");
    shell.terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t5_a_headless_run_stands_still_with_its_processes() {
    let bench = Bench::new("suspend-run");
    let scenario = r#"
name = "counting"
[process.counter]
role = "test"
shell = "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo count $i; sleep 0.1; done"
timeout = "6s"
"#;
    let mut shell = Shell::start(&bench, scenario, "run");
    shell.terminal.wait_for("count 3");
    shell.suspend();
    let counts = || bench.alive().iter().filter(|(pid, _)| state(*pid) == 'T').count() >= 3;
    wait_for("they stand still", PATIENCE, counts);
    let alive = bench.alive();
    let (stopped, guardian): (Vec<_>, Vec<_>) = alive.iter().partition(|(pid, _)| state(*pid) == 'T');
    assert!(stopped.len() >= 3, "it, the shell of the test and its sleep: {alive:?}");
    assert!(guardian.iter().all(|(_, command)| !command.contains("sleep 0.1")), "{alive:?}");
    let suspended = Instant::now();
    while suspended.elapsed() < Duration::from_secs(6) {
        std::thread::sleep(Duration::from_millis(50));
    }
    shell.foreground();
    shell.terminal.wait_for("counting: PASSED");
    shell.terminal.send("exit\r");
    shell.terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t5_who_is_sent_tstp_itself_stops_alone() {
    let bench = Bench::new("suspend-alone");
    let file = bench.write(
        "scenario.toml",
        "name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"touch up; while test ! -e done; do sleep 0.05; done\"\n",
    );
    // A script that runs it, and does something else beside it.
    let run = bench.command();
    let mut script = bench.command_of("sh");
    script.args(["-c", "\"$@\" & run=$!; while test ! -e done; do echo >> beside; sleep 0.02; done; wait $run", "sh"]);
    script.arg(run.get_program()).arg("run").arg(&file).process_group(0);
    let script = script.spawn().expect("a shell");
    let at = |name: &str| bench.dir.path().join(name);
    wait_for("it is up", PATIENCE, || at("up").exists());
    let running = children(&bench, &format!("{} run ", run.get_program().display()));
    let [running] = running[..] else { panic!("one runs: {:?}", bench.alive()) };
    signal(running, nix::sys::signal::Signal::SIGTSTP);
    wait_for("it stands still", PATIENCE, || state(running) == 'T');
    let done = || std::fs::metadata(at("beside")).map_or(0, |beside| beside.len());
    let before = done();
    wait_for("the script goes on", PATIENCE, || done() > before + 5);
    signal(running, nix::sys::signal::Signal::SIGCONT);
    bench.write("done", "");
    let ended = Finished::of(&script.wait_with_output().expect("it ends"));
    ended.assert_code(0);
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t5_s4_killed_while_it_is_suspended_it_leaves_nothing() {
    let bench = Bench::new("suspend-kill");
    let mut shell = Shell::start(&bench, QUIET, "--scenario");
    shell.terminal.wait_for("two is up");
    shell.suspend();
    let [dashboard] = bench.alive().iter().filter(|(_, c)| c.contains("--scenario")).map(|(pid, _)| *pid).collect::<Vec<_>>()[..] else {
        panic!("one dashboard: {:?}", bench.alive())
    };
    signal(dashboard, nix::sys::signal::Signal::SIGKILL);
    wait_for("nothing is left", PATIENCE, || bench.alive().iter().all(|(_, command)| command.starts_with("bash")));
    shell.terminal.send("exit\r");
    shell.terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t5_asked_to_end_while_it_is_suspended_it_does_so_in_order_from_the_background() {
    let bench = Bench::new("suspend-term");
    let scenario = r#"
name = "deaf"
[process.deaf]
shell = "trap '' TERM; echo deaf is up; while :; do sleep 0.1; done"
stop = { grace = "1s" }
"#;
    let mut shell = Shell::start(&bench, scenario, "--scenario");
    shell.terminal.wait_for("deaf is up");
    shell.terminal.wait_for("? keys");
    shell.suspend();
    // The shell sends TERM, and CONT to a job that is stopped; it keeps the terminal.
    let modes = shell.terminal.settings();
    shell.terminal.send("kill %1\r");
    let only_the_shell = || bench.alive().iter().all(|(_, command)| command.starts_with("bash"));
    wait_for("the grace ends, and the run with it", Duration::from_secs(10), only_the_shell);
    let shown = shell.terminal.wait_for("Recorded:");
    assert!(!shell.terminal.screen(vt100::Screen::alternate_screen), "{shown}");
    assert_eq!(shell.terminal.settings(), modes, "the modes are the shell's");
    shell.terminal.send("exit\r");
    shell.terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t5_in_the_background_it_goes_on_without_a_screen_until_fg() {
    let bench = Bench::new("suspend-bg");
    let mut shell = Shell::start(&bench, QUIET, "--scenario");
    shell.terminal.wait_for("two is up");
    shell.terminal.wait_for("? keys");
    let raw = shell.terminal.settings();
    shell.suspend();
    let sleeping = children(&bench, "sleep 600");
    wait_for("they stand still", PATIENCE, || sleeping.iter().all(|pid| state(*pid) == 'T'));
    let taken = shell.terminal.taken();
    shell.terminal.send("bg\r");
    wait_for("they go on", PATIENCE, || sleeping.iter().all(|pid| state(*pid) == 'S'));
    shell.terminal.send("clear; echo the shell\\'s own\r");
    shell.terminal.wait_for("the shell's own");
    assert_eq!(shell.terminal.taken(), taken, "the screen is the shell's");
    shell.foreground();
    shell.terminal.wait_for("? keys");
    wait_for("its modes are back", PATIENCE, || shell.terminal.settings() == raw);
    shell.terminal.send("\x03");
    shell.terminal.wait_for("Recorded:");
    shell.terminal.send("exit\r");
    shell.terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn t5_started_in_the_background_it_starts_nothing_before_it_is_in_front() {
    let bench = Bench::new("start-bg");
    let file = bench.write("scenario.toml", QUIET);
    let mut shell = Shell::start(&bench, QUIET, "check");
    shell.terminal.wait_for("Start, each as soon as");
    let program = bench.command().get_program().display().to_string();
    shell.terminal.send(&format!("clear; {program} --scenario {} &\r", file.display()));
    let dashboard = || children(&bench, &format!("{program} --scenario"));
    wait_for("it stops itself", PATIENCE, || dashboard().iter().any(|pid| state(*pid) == 'T'));
    let alive = bench.alive();
    assert_eq!(alive.len(), 2, "it and the shell: {alive:?}");
    shell.foreground();
    shell.terminal.wait_for("two is up");
    shell.terminal.send("\x03");
    shell.terminal.wait_for("Recorded:");
    shell.terminal.send("exit\r");
    shell.terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(2));
}

#[test]
fn k2_a_machine_that_was_frozen_fails_nobody_for_the_time_it_stood_still() {
    let bench = Bench::new("frozen");
    // Ready after a second of its own time; it has two.
    let scenario = r#"
name = "frozen"
[process.slow]
shell = "i=0; while [ $i -lt 10 ]; do i=$((i+1)); sleep 0.1; done; echo slow is ready; exec sleep 600"
ready = { log = "slow is ready", timeout = "3s" }
"#;
    let mut terminal = open(&bench, scenario, 100, 30);
    terminal.wait_for("starting");
    let all: Vec<u32> = bench.alive().into_iter().map(|(pid, _)| pid).collect();
    for pid in &all {
        signal(*pid, nix::sys::signal::Signal::SIGSTOP);
    }
    let frozen = Instant::now();
    while frozen.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    for pid in all.iter().filter(|pid| state(**pid) == 'T') {
        signal(*pid, nix::sys::signal::Signal::SIGCONT);
    }
    terminal.wait_for("● ready");
    let shown = terminal.wait_for("could not run for");
    assert!(!shown.contains("not ready in"), "{shown}");
    terminal.send("\x03");
    assert_eq!(terminal.ended().code(), Some(0));
    bench.assert_nothing_left(Duration::from_secs(2));
}
