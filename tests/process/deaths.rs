//! Deaths of the supervisor and of the guardian, by every means and at any instant: nobody is left.
//!
//! A supervisor that can be killed is this very test program, run again for its [`host`] alone.

use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{Containment, Exit},
    process::{Guardian, GuardianError, Order, Orphans, Spawner, SpawnerLost, TreeEvent, sweep_dead_runs},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Under, Yard, binary, fresh_mark, living, tiers as all_tiers, until_none_lives, wait_for};
use crate::{extremes, tiers};

/// How long after a death somebody may still be seen.
const BOUND: Duration = Duration::from_secs(5);

/// Scripts of all shapes. The last two end their leader and leave somebody behind.
pub(crate) const SHAPES: [&str; 6] = [
    "echo; exec sleep 3600",
    "trap '' TERM INT HUP QUIT; echo; while :; do sleep 3600; done",
    "set -m; sleep 3600 & echo; wait",
    "setsid sh -c 'sleep 3600 & wait' & echo; wait",
    "sleep 3600 & echo",
    "(setsid sh -c 'sleep 3600 & exec sleep 3601' </dev/null >/dev/null 2>&1 &) ; echo",
];
/// Only a subreaper finds this one again. The mark on its command line is for the test.
pub(crate) const WITHOUT_ENVIRONMENT: &str = "(setsid sh -c 'exec env -i tail -f /dev/null $MARK' </dev/null >/dev/null 2>&1 &) ; echo";

/// Not a test: the program that the tests below run and kill.
#[test]
#[ignore = "it is run by other tests"]
fn host() {
    let Ok(order) = std::env::var("E2E_HOST") else { return };
    let mark = std::env::var("E2E_TEST_MARK").expect("the test sets it");
    let words: Vec<&str> = order.split(' ').collect();
    let [under, end] = words[..] else { panic!("two words: {order}") };
    let under = Under::named(under);
    if end == "refused" {
        return println!("\nrefused {}", under.refused());
    }
    let mut yard = Yard::marked(under, mark);
    println!("\nguardian {}", guardian_of(std::process::id()).unwrap_or(0));
    if let "bomb" | "setuid" | "exhausted" | "first" = end {
        return extremes::play(&mut yard, end);
    }
    match end {
        "listens" => return tiers::listens(&mut yard),
        "privileged" => return tiers::privileged(&mut yard),
        _ => {}
    }
    for shape in SHAPES {
        yard.script(shape);
    }
    if matches!(under, Under::Adopting(by) if by != Containment::Group) {
        yard.script(WITHOUT_ENVIRONMENT);
    }
    println!("ready");
    match end {
        "wait" => loop {
            let why = yard.until_lost();
            println!("lost {why}");
        },
        "panic" => panic!("as ordered"),
        "twice" => {
            struct Bomb;
            impl Drop for Bomb {
                fn drop(&mut self) {
                    panic!("as ordered, again");
                }
            }
            let _bomb = Bomb;
            panic!("as ordered");
        }
        "abort" => std::process::abort(),
        "exit" => std::process::exit(7),
        "reaped" => reap_everything(&mut yard),
        other => panic!("{other}"),
    }
}

/// A host that waits for whatever child ends.
fn reap_everything(yard: &mut Yard) {
    thread::spawn(|| {
        loop {
            _ = nix::sys::wait::wait();
        }
    });
    let mut noticed = false;
    for _ in 0..20 {
        let (tree, _) = yard.start(&["sleep", "0.01"]);
        let exit = yard.exited(tree);
        assert!(matches!(exit, Exit::Code(0 | -1)), "{exit}");
        yard.kill(tree);
        noticed |= yard.has_notice(tree);
    }
    println!("done {noticed}");
}

/// The guardian that is a child of `host`.
fn guardian_of(host: u32) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let is_it = stat.contains("(e2e-tui-guardia)") && stat.rsplit(") ").next()?.split(' ').nth(1)? == host.to_string();
        is_it.then(|| entry.file_name().to_str()?.parse().ok())?
    })
}

/// A running [`host`].
pub(crate) struct Host {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) mark: String,
    pub(crate) guardian: u32,
}

impl Host {
    /// Starts one and returns at once.
    pub(crate) fn start(order: &str) -> Self {
        Self::start_by(Command::new(std::env::current_exe().expect("Linux")), order)
    }

    pub(crate) fn start_by(mut command: Command, order: &str) -> Self {
        let mark = fresh_mark();
        let mut child = command
            .args(["--exact", "deaths::host", "--ignored", "--nocapture", "--test-threads=1"])
            .env("E2E_HOST", order)
            .env("E2E_TEST_MARK", &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this very program");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines, mark, guardian: 0 }
    }

    /// Starts one and waits until all its trees stand.
    fn ready(order: &str) -> Self {
        Self::start(order).standing()
    }

    /// Waits until all its trees stand.
    pub(crate) fn standing(mut self) -> Self {
        self.guardian = self.line("guardian ").parse().expect("a pid");
        self.line("ready");
        self
    }

    /// Waits for a line that begins so, and gives the rest of it.
    pub(crate) fn line(&mut self, begin: &str) -> String {
        for line in self.lines.by_ref() {
            if let Some(rest) = line.expect("text").strip_prefix(begin) {
                return rest.to_owned();
            }
        }
        panic!("it has ended without saying {begin:?}");
    }

    /// Stops it, and waits until it stands still.
    pub(crate) fn freeze(&self) {
        self.kill(Signal::SIGSTOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        wait_for("it stands still", || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")));
    }

    pub(crate) fn kill(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Waits until it has told of the loss of its guardian, or has ended for it.
    pub(crate) fn await_loss(&mut self) {
        for line in self.lines.by_ref() {
            if line.expect("text").starts_with("lost ") {
                return;
            }
        }
    }

    /// Whether nobody of it lives but itself.
    pub(crate) fn alone(&self) -> bool {
        let own = format!("{} ", self.child.id());
        living(&self.mark).iter().all(|line| line.starts_with(&own))
    }

    pub(crate) fn kill_if_alive(&mut self) {
        _ = self.child.kill();
    }

    pub(crate) fn all_gone(mut self) -> Duration {
        let took = until_none_lives(&self.mark, BOUND);
        self.child.wait().expect("it is ours");
        // The guardian may still be at it.
        wait_for("no control group of it is left", || tiers::groups_of(self.child.id()).is_empty());
        took
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Who starts the trees of a host, in turn.
pub(crate) fn everybody() -> Vec<String> {
    let adopting = all_tiers().into_iter().map(Under::Adopting);
    adopting.chain([Under::Guardian(Containment::Subreaper), Under::Local]).map(Under::word).collect()
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).expect("it lives");
}

#[test]
fn s4_kill_9_of_the_supervisor_leaves_nobody() {
    for under in everybody() {
        let host = Host::ready(&format!("{under} wait"));
        assert!(living(&host.mark).len() > SHAPES.len());
        host.kill(Signal::SIGKILL);
        let took = host.all_gone();
        println!("{under}: {took:?}");
    }
}

#[test]
fn s4_a_stopped_guardian_goes_on_when_its_supervisor_is_killed() {
    for under in everybody().into_iter().filter(|under| under != "local") {
        let host = Host::ready(&format!("{under} wait"));
        send(host.guardian, Signal::SIGSTOP);
        host.kill(Signal::SIGKILL);
        println!("{under}: {:?}", host.all_gone());
    }
}

#[test]
fn s4_kill_9_at_any_instant_of_the_start_leaves_nobody() {
    let everybody = everybody();
    for round in 0..12_u64 {
        for under in &everybody {
            let mut host = Host::start(&format!("{under} wait"));
            // From before the first fork to after the last.
            host.line("guardian ");
            thread::sleep(Duration::from_millis(round * 2));
            host.kill(Signal::SIGKILL);
            println!("{under} in round {round}");
            host.all_gone();
        }
    }
}

#[test]
fn s6_kill_9_of_the_guardian_leaves_nobody_and_is_told() {
    for under in everybody().into_iter().filter(|under| under != "local") {
        let mut host = Host::ready(&format!("{under} wait"));
        send(host.guardian, Signal::SIGKILL);
        let why = host.line("lost ");
        assert!(why.contains("was killed by SIGKILL") && why.ends_with("everything it had started was killed"), "{why}");
        let left = living(&host.mark);
        let expected = format!("{} ", host.child.id());
        assert!(left.iter().all(|line| line.starts_with(&expected)), "when the loss is told nobody is left: {left:?}");
        host.kill(Signal::SIGKILL);
        host.all_gone();
    }
}

#[test]
fn s6_what_a_double_kill_leaves_is_swept_by_the_next_start() {
    for by in all_tiers() {
        let runs = tempfile::tempdir().expect("a temp dir");
        let host = killed_with_its_guardian(by, runs.path());
        if by == Containment::Pidns {
            // The namespace ends with its guardian: nobody has to come and sweep.
            println!("{:?}", until_none_lives(&host.mark, BOUND));
            // A killed process is not dead before its last thread is.
            wait_for("its file is gone", || {
                assert_eq!(sweep_dead_runs(runs.path()), []);
                fs::read_dir(runs.path()).expect("it exists").count() == 0
            });
        } else {
            sweep_after(&host, by, runs.path());
        }
        assert_eq!(living(&host.mark), Vec::<String>::new());
        assert_eq!(fs::read_dir(runs.path()).expect("it exists").count(), 0);
        host.all_gone();
    }
}

/// A host with trees of all shapes that was killed in the same instant as its guardian.
pub(crate) fn killed_with_its_guardian(by: Containment, runs: &Path) -> Host {
    let mut command = Command::new(std::env::current_exe().expect("Linux"));
    command.env("E2E_RUNS", runs);
    let mut host = Host::start_by(command, &format!("{} wait", Under::Adopting(by).word()));
    host.guardian = host.line("guardian ").parse().expect("a pid");
    host.line("ready");
    assert_eq!(sweep_dead_runs(runs), [], "both live");
    // Frozen, the supervisor cannot see its guardian die before it dies itself.
    host.freeze();
    send(host.guardian, Signal::SIGKILL);
    host.kill(Signal::SIGKILL);
    let guardian = host.guardian;
    wait_for("both are dead", || {
        let gone = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
        gone(guardian) && gone(host.child.id())
    });
    host
}

fn sweep_after(host: &Host, by: Containment, runs: &Path) {
    assert!(!living(&host.mark).is_empty(), "somebody is left, or this proves nothing");
    // A killed process is not dead before its last thread is.
    let mut swept = Vec::new();
    wait_for("the dead run is swept", || {
        swept = sweep_dead_runs(runs);
        !swept.is_empty()
    });
    let [swept] = &swept[..] else { panic!("one run was dead: {swept:?}") };
    assert_eq!((&swept.run, swept.left.len()), (&host.mark, 0));
    // The one without an environment included, which only its tag or its group gives away.
    let emptied = |command: &str| command.contains("tail -f /dev/null m");
    assert!(by == Containment::Group || swept.killed.iter().any(|member| emptied(&member.command)), "{swept:?}");
    assert!(swept.killed.len() >= 5, "{swept:?}");
}

#[test]
fn s6_the_guardian_is_deaf_to_polite_signals_and_gone_after_its_supervisor() {
    let host = Host::ready("adopt wait");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGTSTP] {
        send(host.guardian, signal);
    }
    let state = || fs::read_to_string(format!("/proc/{}/stat", host.guardian)).unwrap_or_default();
    wait_for("it sleeps again, undisturbed", || state().contains(") S "));
    host.kill(Signal::SIGTERM);
    let guardian = host.guardian;
    host.all_gone();
    wait_for("the guardian itself is gone", || !Path::new(&format!("/proc/{guardian}/fd/0")).exists());
}

#[test]
fn s6_a_frozen_guardian_does_not_hold_up_the_last_resort() {
    let (events, _keep) = unbounded_channel();
    let guardian = Guardian::launch_from(binary(), Orphans::Leave, Containment::Auto, events).expect("the binary was built for this test");
    let yard = Yard::new(Under::Local);
    let launch = yard.quiet(&["sh", "-c", "setsid sleep 3600 & wait"]);
    guardian.send(Order::Spawn { tree: e2e_tui::process::TreeId(1), launch: Box::new(launch) }).expect("it lives");
    wait_for("both run", || living(&yard.mark).len() == 2);
    send(guardian.pid(), Signal::SIGSTOP);
    let started = Instant::now();
    assert_eq!(guardian.kill_all(Duration::from_millis(200)), 0);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(living(&yard.mark), Vec::<String>::new());
    assert_eq!(guardian.send(Order::Kill { tree: e2e_tui::process::TreeId(1) }), Err(SpawnerLost));
    yard.close();
}

#[test]
fn s7_panics_aborts_and_exits_leave_nobody() {
    for under in everybody() {
        for end in ["panic", "twice", "abort", "exit"] {
            let mut host = Host::start(&format!("{under} {end}"));
            host.line("ready");
            host.all_gone();
        }
    }
}

#[test]
fn s10_a_host_that_reaps_everything_is_noticed_and_nothing_hangs() {
    let mut host = Host::start("local reaped");
    host.line("done ");
    host.all_gone();
}

#[test]
fn s10_a_host_that_ignores_sigchld_is_noticed_and_nothing_hangs() {
    // A shell passes what it ignores on to what it becomes.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' CHLD; exec \"$@\"", "sh"]).arg(std::env::current_exe().expect("Linux"));
    let mut host = Host::start_by(command, "local reaped");
    assert_eq!(host.line("done "), "true");
    host.all_gone();
}

#[test]
fn the_guardian_holds_nothing_of_its_supervisor() {
    let leak = fs::File::open("/etc/passwd").expect("exists");
    nix::fcntl::fcntl(&leak, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).expect("it is open");
    let (events, _keep) = unbounded_channel();
    let guardian = Guardian::launch_from(binary(), Orphans::Leave, Containment::Auto, events).expect("the binary was built for this test");
    let proc_dir = format!("/proc/{}", guardian.pid());
    let held: Vec<String> = fs::read_dir(format!("{proc_dir}/fd"))
        .expect("it lives")
        .flatten()
        .filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
        .collect();
    let harmless = |target: &&String| !target.starts_with("anon_inode:") && *target != "/dev/null";
    let others: Vec<&String> = held.iter().filter(harmless).collect();
    assert!(matches!(&others[..], [socket] if socket.starts_with("socket:")), "{held:?}");
    let stat = fs::read_to_string(format!("{proc_dir}/stat")).expect("it lives");
    let session = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3)).expect("a stat line");
    assert_eq!(session, guardian.pid().to_string());
    assert_eq!(fs::read_link(format!("{proc_dir}/cwd")).expect("it lives"), Path::new("/"));
    assert_eq!(fs::read_to_string(format!("{proc_dir}/task/{session}/comm")).expect("it lives"), "e2e-tui-guardia\n");
    assert_eq!(fs::read_dir(format!("{proc_dir}/task")).expect("it lives").count(), 1, "one thread");
}

#[test]
fn what_is_no_guardian_is_refused_with_a_reason() {
    let launch = |program: &str| {
        Guardian::launch_from(Path::new(program), Orphans::Leave, Containment::Auto, unbounded_channel().0).err().expect("no guardian")
    };
    assert!(matches!(launch("/bin/true"), GuardianError::NoAnswer { .. }));
    assert!(matches!(launch("/no/such/binary"), GuardianError::Start { .. }));
    // This program's main is the test harness's.
    let error = Guardian::launch(Containment::Auto, unbounded_channel().0).err().expect("no branch");
    assert!(matches!(error, GuardianError::NoBranch), "{error}");
}

#[test]
fn the_death_of_one_guardian_leaves_the_trees_of_another_alone() {
    let mut first = Yard::new(Under::Guardian(Containment::Subreaper));
    let mut second = Yard::new(Under::Guardian(Containment::Subreaper));
    let mut third = Yard::new(Under::Local);
    for yard in [&mut first, &mut second, &mut third] {
        yard.script("setsid sleep 3600 & echo");
    }
    first.close();
    assert_eq!((living(&second.mark).len(), living(&third.mark).len()), (1, 1));
    third.close();
    assert_eq!(living(&second.mark).len(), 1);
    second.close();
}

#[test]
fn the_last_events_are_told_before_the_end() {
    for under in Under::all() {
        let mut yard = Yard::new(under);
        let (tree, _) = yard.script("trap '' TERM; echo; while :; do sleep 3600; done");
        assert_eq!(yard.spawner.kill_all(BOUND), 0);
        assert!(matches!(yard.exited(tree), Exit::Signal(_)));
        yard.empty(tree);
        assert!(!yard.rest().iter().any(|event| matches!(event, TreeEvent::Lost { .. })), "an end that was asked for is no loss");
        yard.close();
    }
}

/// Kills a whole process group from outside, as a shell's Ctrl-C or a CI runner does.
#[test]
fn a_signal_to_the_supervisors_group_reaches_neither_guardian_nor_trees() {
    let mut command = Command::new(std::env::current_exe().expect("Linux"));
    command.process_group(0);
    let mut host = Host::start_by(command, "adopt wait");
    host.guardian = host.line("guardian ").parse().expect("a pid");
    host.line("ready");
    nix::sys::signal::killpg(Pid::from_raw(host.child.id().cast_signed()), Signal::SIGWINCH).expect("it lives");
    nix::sys::signal::killpg(Pid::from_raw(host.child.id().cast_signed()), Signal::SIGSTOP).expect("it lives");
    let stopped = |pid: &str| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "));
    wait_for("the supervisor is stopped", || stopped(&host.child.id().to_string()));
    let stopped: Vec<String> = living(&host.mark).into_iter().filter(|line| line.split(' ').next().is_some_and(stopped)).collect();
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    host.kill(Signal::SIGKILL);
    host.all_gone();
}
