//! What the supervisor does around policy, on the real binary: the order of what is told, commands on the side, readiness,
//! limits, and what later runs find of earlier ones.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
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
    // Stopped, the supervisor cannot see its guardian die; the other way round, the guardian goes on when its supervisor dies.
    send(running.id(), Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", running.id());
    wait_for("the supervisor to stand still", SOON, || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")));
    send(guardian, Signal::SIGKILL);
    send(running.id(), Signal::SIGKILL);
    running.wait().expect("it was killed");
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
    let tasks: Vec<String> = (0..60).map(|i| format!("[process.t{i}]\nrole = \"task\"\ncommand = [\"echo\", \"hello\"]\n")).collect();
    let run = bench.run(&format!("name = \"x\"\n{}", tasks.concat()), &[]);
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
fn s2_who_is_in_a_hurry_hears_what_clean_up_is_waited_for_and_a_third_signal_leaves() {
    let bench = Bench::new("hurriedclean");
    let cleanup = "[[cleanup]]\nshell = \"touch cleaning; sleep 600\"\n";
    let running = start(&bench, &format!("name = \"x\"\n{cleanup}{QUICK_TEST}"));
    wait_for_file(&bench, "cleaning");
    send(running.id(), Signal::SIGINT);
    send(running.id(), Signal::SIGTERM);
    let mut said = String::new();
    let mut running = running;
    let mut lines = BufReader::new(running.stdout.take().expect("it is piped")).lines();
    while !said.contains("another signal leaves at once") {
        said.push_str(&lines.next().expect("it says so before its end").expect("text"));
    }
    assert!(said.contains("touch cleaning; sleep 600` may take "), "{said}");
    send(running.id(), Signal::SIGINT);
    assert_eq!(running.wait().expect("it is ours").code(), Some(130));
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

/// A run whose supervisor and guardian were killed together left a daemon that holds no port; how the next run, of one test with
/// this command, ended.
fn next_run_after_a_double_kill(bench: &Bench, argv: &str) -> Finished {
    let runtime = bench.dir.path().join("runtime");
    fs::create_dir(&runtime).expect("the folder can be written");
    let file = bench.write("scenario.toml", "name = \"x\"\n[process.daemon]\nshell = \"setsid sleep 600 & touch up; sleep 600\"\n");
    let command = || {
        let mut command = bench.command();
        command.env("XDG_RUNTIME_DIR", &runtime);
        command
    };
    let mut running = command().arg("run").arg(&file).spawn().expect("the binary runs");
    wait_for_file(bench, "up");
    kill_both(bench, &mut running);
    let next = bench.write("next.toml", &format!("name = \"y\"\n[process.test]\nrole = \"test\"\ncommand = {argv}\n"));
    let next = Finished::of(&command().arg("run").arg(next).output().expect("the binary runs"));
    next.assert_code(0);
    next
}

#[test]
fn s6_leftovers_that_hold_no_port_are_ended_behind_the_next_run() {
    let bench = Bench::new("doublequiet");
    let next = next_run_after_a_double_kill(&bench, "[\"sleep\", \"1\"]");
    assert!(next.stdout.contains("e2e-tui * the run "), "{}", next.stdout);
    bench.assert_nothing_left(SOON);
}

#[test]
fn s6_leftovers_that_a_run_ends_which_is_over_at_once_are_told_all_the_same() {
    let bench = Bench::new("doublebrief");
    let next = next_run_after_a_double_kill(&bench, "[\"true\"]");
    let told = "was killed together with its guardian; what it had left was ended now: pid ";
    let late = next.stderr.lines().any(|line| line.starts_with("warning: the run ") && line.contains(told));
    // On a slow machine it is not over at once.
    assert!(late || next.stdout.contains(told), "{}{}", next.stdout, next.stderr);
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
fn s6_what_the_next_run_ends_of_a_dead_one_is_told_to_those_who_want_no_output_too() {
    let bench = Bench::new("quiet");
    let runtime = bench.dir.path().join("runtime");
    fs::create_dir(&runtime).expect("the folder can be written");
    let file =
        bench.write("scenario.toml", "name = \"x\"\n[process.server]\nshell = \"setsid sh -c 'echo $$ > left; exec sleep 600' & wait\"\n");
    let command = || {
        let mut command = bench.command();
        command.env("XDG_RUNTIME_DIR", &runtime);
        command
    };
    let mut running = command().arg("run").arg(&file).spawn().expect("the binary runs");
    wait_for("the server to stand", SOON, || fs::read_to_string(bench.dir.path().join("left")).is_ok_and(|pid| pid.ends_with('\n')));
    kill_both(&bench, &mut running);
    let test = "[process.test]\nrole = \"test\"\nshell = \"while kill -0 $(cat left) 2>/dev/null; do sleep 0.02; done\"\n";
    let next = bench.write("next.toml", &format!("name = \"y\"\n{test}"));
    let next = Finished::of(&command().args(["run", "--quiet"]).arg(next).output().expect("the binary runs"));
    next.assert_code(0);
    assert_eq!(next.stdout, "");
    let told = next.stderr.lines().find(|line| line.starts_with("warning: the run ")).unwrap_or_default();
    assert!(told.contains("was killed together with its guardian; what it had left was ended now: pid "), "{}", next.stderr);
    bench.assert_nothing_left(SOON);
}

#[test]
fn a_limit_on_cpu_is_held_or_refused_before_anything_starts() {
    let bench = Bench::new("cpu");
    let run = bench.run("name = \"x\"\n[process.test]\nrole = \"test\"\nshell = \"touch started\"\nlimits = { cpu = 0.5 }\n", &[]);
    if run.code == Some(0) {
        return;
    }
    let why = run.stderr.lines().find(|line| line.contains("`limits.cpu` cannot be held: ")).unwrap_or_default();
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED a_limit_on_cpu_is_held: under cgroup: {why}\n").as_bytes());
    run.assert_code(2);
    assert!(why.starts_with("error: process test: "), "{}", run.stderr);
    assert!(!bench.dir.path().join("started").exists());
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

#[test]
fn p19_a_fork_bomb_that_leaves_no_thread_for_the_supervisor_is_no_panic() {
    if !nix::unistd::getuid().is_root() {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED p19_a_fork_bomb: as this user other programs' processes count, too\n",
        );
        return;
    }
    // A user of its own, whose processes nobody else adds to, and who can read and write all that it takes.
    let (bench, user) = (Bench::new("bomb"), 61_000 + std::process::id() % 4000);
    let binary = bench.dir.path().join("e2e-tui");
    fs::copy(bench.command().get_program(), &binary).expect("there is room for it");
    std::os::unix::fs::chown(bench.dir.path(), Some(user), Some(user)).expect("root may");
    let bomb = "[process.bomb]\ncommand = [\"bash\", \"-c\", \"for i in $(seq 400); do sleep 600 & done; wait\"]\n";
    let test = "[process.test]\nrole = \"test\"\ncommand = [\"sleep\", \"2\"]\n";
    let file = bench.write("scenario.toml", &format!("name = \"x\"\n{bomb}{test}"));
    let mut shell = bench.command_of("sh");
    shell.args(["-c", "ulimit -p 60 2>/dev/null || ulimit -u 60; exec \"$@\"", "sh"]).arg(binary).arg("run").arg(file);
    shell.env("XDG_RUNTIME_DIR", bench.dir.path()).env("HOME", bench.dir.path());
    shell.uid(user).gid(user);
    let run = Finished::of(&shell.output().expect("the binary runs"));
    assert!(run.stdout.contains("bomb | bash: fork: "), "it takes all there is: {}", run.stdout);
    run.assert_code(0);
    bench.assert_nothing_left(SOON);
}

/// Lines of a process in what a run printed.
fn lines_of(run: &Finished, name: &str) -> Vec<String> {
    let begin = |line: &&str| line.split_whitespace().take(2).eq([name, "|"]);
    run.stdout.lines().filter(begin).map(|line| line.split_once("| ").map_or("", |(_, text)| text).to_owned()).collect()
}

#[test]
fn a_process_with_a_terminal_has_one_and_all_it_says_is_kept() {
    let bench = Bench::new("tty");
    let script = "test -t 0 && test -t 1 && test -t 2 && echo three; stty size; ps -o tty= -p $$ | grep -q pts && echo controlling; echo $TERM; \
                  i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo to stderr >&2; printf 'no end'";
    let run = bench
        .run(&format!("name = \"x\"\n[process.t]\nrole = \"test\"\ntty = true\nenv = {{ TERM = \"xterm\" }}\nshell = \"{script}\"\n"), &[]);
    run.assert_code(0);
    let lines = lines_of(&run, "t");
    assert_eq!(lines[..4], ["three", "40 120", "controlling", "xterm"], "{}", run.stdout);
    assert_eq!(lines.len(), 4 + 2000 + 2, "{:?}", &lines[lines.len() - 3..]);
    assert_eq!(lines[2003..], ["line 1999", "to stderr", "no end"]);
    let bytes = fs::read(bench.recording().join("logs/t.out")).expect("it was recorded");
    assert!(!bytes.contains(&b'\r'), "lines end as the process ended them");
    bench.assert_nothing_left(SOON);
}

#[test]
fn a_process_with_a_terminal_is_stopped_with_all_its_tree() {
    let bench = Bench::new("ttystop");
    let script = "(trap '' HUP TERM; echo deaf; while :; do sleep 0.05; done) & setsid sleep 600 & sleep 600";
    let server =
        format!("[process.server]\ntty = true\nshell = \"{script}\"\nstop = {{ grace = \"300ms\" }}\nready = {{ log = \"deaf\" }}\n");
    let test = "[process.test]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = [\"server\"]\n";
    bench.run(&format!("name = \"x\"\n{server}{test}"), &[]).assert_code(0);
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn h11_probes_by_command_say_when_it_is_ready_and_how_it_is() {
    let bench = Bench::new("exec");
    let server = "[process.server]\nshell = \"sleep 0.3; touch up; exec sleep 600\"\nenv = { MARKER = \"up\" }\nready = { exec = [\"sh\", \"-c\", \"test -e $MARKER\"] }\nhealth = { exec = [\"sh\", \"-c\", \"echo asked >> asked; test ! -e broken\"], interval = \"50ms\", failures = 2 }\n";
    let test = "[process.test]\nrole = \"test\"\nshell = \"while test $(wc -l < asked) -lt 3; do sleep 0.02; done; touch broken; while ! test -e told; do sleep 0.02; done\"\ndepends_on = { server = \"healthy\" }\n";
    let watcher = "[process.watcher]\nrole = \"task\"\nshell = \"while ! test -e broken; do sleep 0.02; done; sleep 0.5; touch told\"\n";
    let run = bench.run(&format!("name = \"x\"\n{server}{test}{watcher}"), &[]);
    assert!(bench.dir.path().join("told").exists(), "{}", run.stdout);
    let events = fs::read_to_string(bench.recording().join("events.jsonl")).expect("the run was recorded");
    assert!(events.contains("its readiness probe"), "{events}");
    assert!(events.contains("exited with 1"), "{events}");
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn h11_a_probe_that_forks_and_hangs_dies_with_its_tree_when_its_time_is_over_and_when_the_run_is() {
    let bench = Bench::new("hang");
    let server = "[process.server]\ncommand = [\"sleep\", \"600\"]\nready = { exec = [\"sh\", \"-c\", \"touch probed; setsid sleep 600 & trap '' TERM; sleep 600\"], timeout = \"500ms\" }\n";
    let run = bench.run(&format!("name = \"x\"\n{server}"), &[]);
    run.assert_code(3);
    assert!(bench.dir.path().join("probed").exists());
    bench.assert_nothing_left(SOON);
}

/// Answers lines: `ping` with `pong`, JSON-RPC requests with an error and their id, both after something unasked.
const TALKER: &str = r#"import sys, json
print("hello", flush=True)
for line in sys.stdin:
    with open("heard", "a") as log: log.write(line)
    print("unasked", flush=True)
    if line.strip() == "ping": print("pong", flush=True)
    elif line.startswith("{"): print(json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], "error": {"code": -32601, "message": "no"}}), flush=True)
"#;

#[test]
fn probes_by_stdio_are_answered_by_the_process_itself() {
    for (send, expect) in [("ping", "^pong$"), (r#"{"jsonrpc":"2.0","id":"e2e-7","method":"ping"}"#, "result")] {
        let bench = Bench::new("stdio");
        bench.write("talker.py", TALKER);
        let probe = format!("{{ send = '{send}', expect = '{expect}' }}");
        let server = format!(
            "[process.server]\ncommand = [\"python3\", \"talker.py\"]\nstdin = \"pipe\"\nready = {{ stdio = {probe} }}\nhealth = {{ stdio = {probe}, interval = \"50ms\" }}\n"
        );
        let test = "[process.test]\nrole = \"test\"\nshell = \"while test $(wc -l < heard) -lt 4; do sleep 0.02; done\"\ndepends_on = { server = \"healthy\" }\n";
        let run = bench.run(&format!("name = \"x\"\ntimeout = \"20s\"\n{server}{test}"), &[]);
        run.assert_code(0);
        assert!(lines_of(&run, "server").contains(&"hello".to_owned()), "what a probe hears is in the log all the same");
        bench.assert_nothing_left(Duration::from_millis(500));
    }
}

#[test]
fn a_lazy_health_check_asks_only_while_somebody_waits() {
    let bench = Bench::new("lazy");
    let server = |name: &str| {
        format!(
            "[process.{name}]\ncommand = [\"sleep\", \"600\"]\nhealth = {{ exec = [\"sh\", \"-c\", \"echo asked >> asked-{name}\"], interval = \"20ms\", lazy = true }}\n"
        )
    };
    let test = "[process.test]\nrole = \"test\"\ncommand = [\"sleep\", \"0.5\"]\ndepends_on = { awaited = \"healthy\" }\n";
    let run = bench.run(&format!("name = \"x\"\n{}{}{test}", server("awaited"), server("alone")), &[]);
    run.assert_code(0);
    let asked = |name: &str| fs::read_to_string(bench.dir.path().join(format!("asked-{name}"))).unwrap_or_default().lines().count();
    assert_eq!(asked("alone"), 0);
    assert!((1..=2).contains(&asked("awaited")), "{} times, though nobody waited any more", asked("awaited"));
    bench.assert_nothing_left(Duration::from_millis(500));
}

#[test]
fn containment_by_groups_alone_ends_its_trees_too_also_when_it_is_killed() {
    let bench = Bench::new("group");
    let daemon = "[process.daemon]\nshell = \"setsid sleep 600 & touch up; sleep 600\"\n";
    let test = "[process.test]\nrole = \"test\"\nshell = \"while ! test -e up; do sleep 0.01; done\"\n";
    let run = bench.run(&format!("name = \"x\"\ncontainment = \"group\"\n{daemon}{test}"), &[]);
    run.assert_code(0);
    bench.assert_nothing_left(Duration::from_millis(500));
    let events = fs::read_to_string(bench.recording().join("events.jsonl")).expect("the run was recorded");
    assert!(events.contains("\"containment\":\"group\""), "{events}");

    fs::remove_file(bench.dir.path().join("up")).expect("it is there");
    let mut running = start(&bench, &format!("name = \"x\"\ncontainment = \"group\"\n{daemon}"));
    wait_for_file(&bench, "up");
    send(running.id(), Signal::SIGKILL);
    running.wait().expect("it was killed");
    bench.assert_nothing_left(SOON);
}

/// How long a run of so many that ignore TERM takes from the first TERM to its end.
fn takes_to_end(ignorers: usize) -> Duration {
    let bench = Bench::new("ignorers");
    let ignorer = |n| format!("[process.p{n}]\nshell = \"trap '' TERM; : > ready-{n}; while :; do sleep 600; done\"\n");
    let run = start(
        &bench,
        &format!("name = \"x\"\n[defaults]\nstop = {{ grace = \"2s\" }}\n{}", (0..ignorers).map(ignorer).collect::<String>()),
    );
    (0..ignorers).for_each(|n| wait_for_file(&bench, &format!("ready-{n}")));
    let asked = Instant::now();
    send(run.id(), Signal::SIGTERM);
    finish(run).assert_code(143);
    let took = asked.elapsed();
    bench.assert_nothing_left(Duration::ZERO);
    took
}

#[test]
fn fifty_that_ignore_term_are_gone_as_soon_as_one_is() {
    let (one, fifty) = (takes_to_end(1), takes_to_end(50));
    assert!(one >= Duration::from_secs(2), "the grace is theirs: {one:?}");
    assert!(fifty < one * 5 / 4, "one takes {one:?}, fifty {fifty:?}");
}
