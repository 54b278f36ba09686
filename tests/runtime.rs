//! What the supervisor does around policy, on the real binary: the order of what is told, commands on the side, readiness,
//! limits, and what later runs find of earlier ones.

mod support;

use std::{
    fs,
    process::Child,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use support::{Bench, Finished, wait_for};

const SOON: Duration = Duration::from_secs(20);

fn start(bench: &Bench, scenario: &str) -> Child {
    let file = bench.write("scenario.toml", scenario);
    bench.command().arg("run").arg(file).spawn().expect("the binary runs")
}

fn finish(child: Child) -> Finished {
    Finished::of(&child.wait_with_output().expect("it ends"))
}

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).expect("it is not reaped yet");
}

/// The guardian of a run: its only child.
fn guardian_of(bench: &Bench, run: &Child) -> u32 {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    let guardian = bench.alive().into_iter().map(|(pid, _)| pid).find(|pid| parent(*pid) == Some(run.id()));
    guardian.expect("the supervisor's child is the guardian")
}

/// Kills supervisor and guardian so that neither sees the other die.
fn kill_both(bench: &Bench, running: &mut Child) {
    let guardian = guardian_of(bench, running);
    send(guardian, Signal::SIGSTOP);
    send(running.id(), Signal::SIGKILL);
    running.wait().expect("it was killed");
    send(guardian, Signal::SIGKILL);
    wait_for("the guardian to be dead", SOON, || {
        let stat = fs::read_to_string(format!("/proc/{guardian}/stat"));
        stat.is_ok_and(|stat| stat.contains(") Z ")) || !std::path::Path::new(&format!("/proc/{guardian}")).exists()
    });
}

fn wait_for_file(bench: &Bench, name: &str) {
    wait_for(&format!("{name} to be written"), SOON, || bench.dir.path().join(name).exists());
}

#[test]
fn the_start_of_a_process_is_told_before_what_it_says() {
    let bench = Bench::new("order");
    let tasks: String = (0..60).map(|i| format!("[process.t{i}]\nrole = \"task\"\ncommand = [\"echo\", \"hello\"]\n")).collect();
    let run = bench.run(&format!("name = \"x\"\n{tasks}"), &[]);
    run.assert_code(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    for i in 0..60 {
        let of_it = |mark: &str| {
            let begins = |line: &&&str| line.split_whitespace().take(2).eq([format!("t{i}").as_str(), mark]);
            lines.iter().filter(begins).copied().collect::<Vec<_>>()
        };
        assert_eq!(of_it("|").len(), 1, "{}", run.stdout);
        let (started, said, ended) = (of_it("*")[0], of_it("|")[0], of_it("*")[1]);
        let place = |wanted: &str| lines.iter().position(|line| *line == wanted);
        assert!(started.contains("started ") && ended.contains("completed"), "{started} … {ended}");
        assert!(place(started) < place(said) && place(said) < place(ended), "{started} … {said} … {ended}");
    }
}

const QUICK_TEST: &str = "[process.test]\nrole = \"test\"\ncommand = [\"true\"]\n";

#[test]
fn s6_a_guardian_lost_while_a_clean_up_command_runs_ends_the_run() {
    let bench = Bench::new("lostclean");
    let cleanup = "[[cleanup]]\nshell = \"touch cleaning; sleep 600\"\n[[cleanup]]\ncommand = [\"true\"]\n";
    let running = start(&bench, &format!("name = \"x\"\n{cleanup}{QUICK_TEST}"));
    wait_for_file(&bench, "cleaning");
    send(guardian_of(&bench, &running), Signal::SIGKILL);
    let killed = Instant::now();
    let run = finish(running);
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    assert!(run.stdout.contains("guardian lost") || run.stderr.contains("guardian lost"), "{}\n{}", run.stdout, run.stderr);
    run.assert_code(3);
    bench.assert_nothing_left(SOON);
}

#[test]
fn s6_a_guardian_lost_while_a_stop_command_runs_ends_the_run() {
    let bench = Bench::new("loststop");
    let stop = "stop = { command = [\"sh\", \"-c\", \"touch stopping; sleep 600\"], grace = \"60s\" }";
    let running = start(&bench, &format!("name = \"x\"\n[process.server]\ncommand = [\"sleep\", \"600\"]\n{stop}\n{QUICK_TEST}"));
    wait_for_file(&bench, "stopping");
    send(guardian_of(&bench, &running), Signal::SIGKILL);
    let killed = Instant::now();
    finish(running).assert_code(3);
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    bench.assert_nothing_left(SOON);
}

#[test]
fn a_chatty_clean_up_or_stop_command_runs_to_its_end() {
    let bench = Bench::new("chatty");
    let chatty = |then: &str| format!("head -c 3000000 /dev/zero | tr '\\\\\\\\0' x; {then}");
    let stop = format!("stop = {{ command = [\"sh\", \"-c\", \"{}\"], grace = \"30s\" }}", chatty("kill $(cat pid); touch stopped"));
    let server = format!("[process.server]\nshell = \"echo $$ > pid; exec sleep 600\"\n{stop}\n");
    let test = "[process.test]\nrole = \"test\"\nshell = \"while ! test -s pid; do sleep 0.01; done\"\n";
    let cleanup = format!("[[cleanup]]\nshell = \"{}\"\n", chatty("touch cleaned; echo; echo last words >&2; exit 3"));
    let began = Instant::now();
    let run = bench.run(&format!("name = \"x\"\n{cleanup}{server}{test}"), &[]);
    run.assert_code(0);
    assert!(bench.dir.path().join("stopped").exists() && bench.dir.path().join("cleaned").exists(), "{}", run.stdout);
    assert!(run.stdout.contains("ended with exit 3: last words"), "{}", run.stdout);
    assert!(began.elapsed() < Duration::from_secs(9), "nothing was killed for taking too long");
}

#[test]
fn a_clean_up_command_of_the_run_is_not_limited_like_some_process() {
    let bench = Bench::new("plainclean");
    let first = "[process.first]\nrole = \"task\"\ncommand = [\"true\"]\nlimits = { open_files = 17 }\nfiles = { \"a.txt\" = { text = \"x\" } }\ncleanup = [[\"sh\", \"-c\", \"ls -la ${process.dir}/a.txt > own.txt\"]]\n";
    let cleanup = "[[cleanup]]\nshell = \"ulimit -n > open_files.txt; pwd > cwd.txt\"\n";
    let run = bench.run(&format!("name = \"x\"\n{cleanup}{first}"), &[]);
    run.assert_code(0);
    let said = |name: &str| fs::read_to_string(bench.dir.path().join(name)).unwrap_or_default().trim().to_owned();
    assert_ne!(said("open_files.txt"), "17");
    assert_eq!(said("cwd.txt"), fs::canonicalize(bench.dir.path()).expect("it is there").to_string_lossy());
    assert!(said("own.txt").contains("a.txt"), "the files of a process are there until its own clean-up has run");
}

/// A port that nobody listens on, as far as anybody can know.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound").port()
}

#[test]
fn a_ready_line_of_a_service_that_does_not_listen_is_not_enough() {
    let bench = Bench::new("notlistening");
    let port = free_port();
    let ports = format!("[ports]\nmain = {port}\n");
    let server = "[process.server]\nshell = \"echo listening; exec sleep 600\"\nlistens = \"main\"\nready = { log = \"listening\", timeout = \"600ms\" }\n";
    let test = "[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n";
    let run = bench.run(&format!("name = \"x\"\n{ports}{server}{test}"), &[]);
    run.assert_code(3);
    let events = fs::read_to_string(bench.recording().join("events.jsonl")).expect("the run was recorded");
    assert!(events.contains(&format!("nobody listens on port {port}")), "{events}");
    assert!(!run.stdout.contains("server * ready"), "{}", run.stdout);
    bench.assert_nothing_left(Duration::from_millis(500));
}

/// Listens on the ports that its arguments name, one every half second, and says so before it does.
const LATE: &str = r#"import socket, sys, time
print("listening", flush=True)
held = []
for port in sys.argv[1:]:
    time.sleep(0.5)
    held.append(socket.create_server(("127.0.0.1", int(port))))
time.sleep(600)
"#;

#[test]
fn who_says_that_it_is_ready_too_early_is_ready_once_it_listens_on_all_its_ports() {
    let bench = Bench::new("late");
    bench.write("late.py", LATE);
    let ports = format!("[ports]\nmain = {}\nadmin = {}\n", free_port(), free_port());
    let server = "[process.server]\ncommand = [\"python3\", \"late.py\", \"${ports.main}\", \"${ports.admin}\"]\nlistens = [\"main\", \"admin\"]\nready = { log = \"listening\" }\n";
    let test = "[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n";
    let run = bench.run(&format!("name = \"x\"\n{ports}{server}{test}"), &[]);
    run.assert_code(0);
    let ready = run.stdout.lines().find(|line| line.contains("server * ready")).expect("it became ready");
    assert_eq!(ready.matches("own process").count(), 2, "{ready}");
}

#[test]
fn h10_a_second_port_that_somebody_else_holds_is_no_readiness() {
    let bench = Bench::new("foreign");
    let main = free_port();
    let server = format!(
        "[process.server]\nshell = \"echo listening; exec python3 late.py {main}\"\nlistens = [\"main\", \"admin\"]\nready = {{ log = \"listening\" }}\n"
    );
    bench.write("late.py", LATE);
    let ports = format!("[ports]\nmain = {main}\nadmin = {}\n", free_port());
    let thief = "[process.thief]\nshell = \"echo mine; exec python3 late.py ${ports.admin}\"\n";
    let test = "[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n";
    let run = bench.run(&format!("name = \"x\"\n{ports}{thief}{server}{test}"), &[]);
    run.assert_code(3);
    assert!(run.stdout.contains("foreign listener (pid ") || run.stderr.contains("foreign listener (pid "), "{}", run.stdout);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn s6_what_is_left_when_supervisor_and_guardian_are_killed_at_once_is_ended_by_the_next_run() {
    let bench = Bench::new("double");
    let runtime = bench.dir.path().join("runtime");
    fs::create_dir(&runtime).expect("the folder can be written");
    let port = free_port();
    let scenario = format!(
        "name = \"x\"\n[ports]\nmain = {port}\n[process.server]\nshell = \"setsid python3 late.py {port} & wait\"\nlistens = \"main\"\n"
    );
    bench.write("late.py", LATE);
    let file = bench.write("scenario.toml", &scenario);
    let command = || {
        let mut command = bench.command();
        command.env("XDG_RUNTIME_DIR", &runtime);
        command
    };
    let mut running = command().arg("run").arg(&file).spawn().expect("the binary runs");
    wait_for("the server to listen", SOON, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    kill_both(&bench, &mut running);
    let server = "[process.server]\ncommand = [\"python3\", \"late.py\", \"${ports.main}\"]\nlistens = \"main\"\n";
    let test = "[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n";
    let quick = bench.write("quick.toml", &format!("name = \"y\"\n[ports]\nmain = {port}\n{server}{test}"));
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(), "somebody is left, or this proves nothing");
    let next = Finished::of(&command().arg("run").arg(quick).output().expect("the binary runs"));
    next.assert_code(0);
    assert!(next.stderr.contains("was killed together with its guardian; what it had left was ended now: pid "), "{}", next.stderr);
    bench.assert_nothing_left(SOON);
    let left = fs::read_dir(runtime.join("e2e-tui/runs")).expect("it was made").count();
    assert_eq!(left, 0, "runs that end in order leave no word");
}

#[test]
fn s6_leftovers_that_hold_no_port_are_ended_behind_the_next_run() {
    let bench = Bench::new("doublequiet");
    let runtime = bench.dir.path().join("runtime");
    fs::create_dir(&runtime).expect("the folder can be written");
    let file = bench.write("scenario.toml", "name = \"x\"\n[process.daemon]\nshell = \"setsid sleep 600 & touch up; sleep 600\"\n");
    let command = || {
        let mut command = bench.command();
        command.env("XDG_RUNTIME_DIR", &runtime);
        command
    };
    let mut running = command().arg("run").arg(&file).spawn().expect("the binary runs");
    wait_for_file(&bench, "up");
    kill_both(&bench, &mut running);
    let next = bench.write("next.toml", "name = \"y\"\n[process.test]\nrole = \"test\"\ncommand = [\"sleep\", \"1\"]\n");
    let next = Finished::of(&command().arg("run").arg(next).output().expect("the binary runs"));
    next.assert_code(0);
    assert!(next.stdout.contains("e2e-tui * the run "), "{}", next.stdout);
    bench.assert_nothing_left(SOON);
}

#[test]
fn d2_a_limit_on_the_size_of_files_is_a_full_disk_and_no_death() {
    let bench = Bench::new("fsize");
    let say = "i=0; while [ $i -lt 3000 ]; do echo line $i of what is said here; i=$((i+1)); done";
    let file = bench.write("scenario.toml", &format!("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"{say}; trap\"\n"));
    let mut shell = std::process::Command::new("sh");
    let binary = bench.command();
    shell.args(["-c", "ulimit -f 32; exec \"$@\"", "sh"]).arg(binary.get_program()).arg("run").arg(&file).current_dir(bench.dir.path());
    binary.get_envs().for_each(|(name, value)| {
        value.map(|value| shell.env(name, value));
    });
    let run = Finished::of(&shell.output().expect("a shell"));
    run.assert_code(0);
    assert_eq!(run.stdout.lines().filter(|line| line.starts_with("test | line")).count(), 3000, "nothing is lost");
    assert!(run.stdout.contains("refuses output (File too large"), "{}", run.stdout);
    bench.assert_nothing_left(SOON);
}

#[test]
fn a_tree_that_uses_more_memory_than_it_may_is_stopped_and_the_limit_is_named() {
    let bench = Bench::new("memory");
    let hog = "[process.hog]\nshell = \"python3 -c 'x = bytearray(120000000); import time; time.sleep(600)' & wait\"\nlimits = { memory = \"60MiB\" }\n";
    let modest = "[process.modest]\ncommand = [\"sleep\", \"600\"]\nlimits = { memory = \"60MiB\" }\n";
    let test = "[process.test]\nrole = \"test\"\nshell = \"sleep 600\"\n";
    let running = start(&bench, &format!("name = \"x\"\ntimeout = \"15s\"\n{hog}{modest}{test}"));
    wait_for("the hog to be stopped", SOON, || {
        let recorded = bench.dir.path().join("state/e2e-tui/recordings").exists();
        let recorded = recorded.then(|| fs::read_to_string(bench.recording().join("events.jsonl")).ok()).flatten().unwrap_or_default();
        recorded.contains("of 60 MiB") && recorded.contains("\"state\":\"failed\"")
    });
    send(running.id(), Signal::SIGTERM);
    let run = finish(running);
    assert!(
        run.stdout.lines().any(|line| line.starts_with("hog ") && line.contains("failed") && line.contains("of 60 MiB")),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.lines().any(|line| line.starts_with("modest ") && line.contains("failed")), "{}", run.stdout);
    bench.assert_nothing_left(SOON);
}

#[test]
fn p19_more_processes_than_allowed_are_stopped_even_where_the_system_does_not_care() {
    let bench = Bench::new("processes");
    let bomb = "[process.bomb]\nshell = \"for i in 1 2 3 4 5 6 7 8; do sleep 600 & done; wait\"\nlimits = { processes = 4 }\n";
    let run = bench.run(&format!("name = \"x\"\ntimeout = \"15s\"\n{bomb}"), &[]);
    run.assert_code(3);
    if nix::unistd::getuid().is_root() {
        assert!(run.stdout.contains("bomb: limits.processes = 4: the system does not hold a privileged user to it"), "{}", run.stdout);
        assert!(run.stdout.lines().any(|line| line.starts_with("bomb ") && line.contains("9 of 4 processes")), "{}", run.stdout);
    }
    bench.assert_nothing_left(SOON);
}
