//! Two runs on one machine never share a port: not in one process, not in many, not after one of them was killed.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use e2e_tui::scenario::{Lease, LeaseError, Leases, PortRequest};

const DIR: &str = "E2E_TUI_TEST_LEASES";

fn lease_many(dir: &Path, count: usize) -> Vec<Lease> {
    let mut leases = Leases::in_dir(dir).expect("a lock file");
    (0..count).map(|_| leases.lease(PortRequest::Any).expect("there are thousands")).collect()
}

/// Not a test of its own: the program that the others start many times.
#[test]
fn helper_that_leases_and_waits() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let leases = lease_many(Path::new(&dir), 10);
    let ports: Vec<_> = leases.iter().map(|l| l.port().to_string()).collect();
    writeln!(std::io::stdout(), "\nports {}", ports.join(" ")).expect("the parent listens");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("until the parent closes it");
}

struct Other {
    child: Child,
    ports: BTreeSet<u16>,
}

impl Other {
    fn start(dir: &Path) -> Self {
        let exe = std::env::current_exe().expect("this test");
        let mut child = Command::new(exe)
            .args(["--exact", "helper_that_leases_and_waits", "--nocapture"])
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test can be started again");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let line = out.lines().map_while(Result::ok).find(|l| l.starts_with("ports ")).expect("it says what it leased");
        let ports = line.split_whitespace().skip(1).map(|p| p.parse().expect("a number")).collect();
        Self { child, ports }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn harnesses_of_one_process_never_share_a_port() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path().join("leases");
    let all: Vec<Lease> = thread::scope(|s| {
        let threads: Vec<_> = (0..8).map(|_| s.spawn(|| lease_many(&dir, 10))).collect();
        threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect()
    });
    let ports: BTreeSet<_> = all.iter().map(Lease::port).collect();
    assert_eq!(ports.len(), 80, "{ports:?}");
}

#[test]
fn runs_in_many_processes_never_share_a_port_and_a_killed_one_gives_its_ports_back() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path().join("leases");
    let mut others: Vec<Other> = thread::scope(|s| {
        let threads: Vec<_> = (0..4).map(|_| s.spawn(|| Other::start(&dir))).collect();
        threads.into_iter().map(|t| t.join().expect("it starts")).collect()
    });
    let own = lease_many(&dir, 10);
    let mut ports: Vec<u16> = others.iter().flat_map(|o| o.ports.iter().copied()).chain(own.iter().map(Lease::port)).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 50);

    let victim = others.pop().expect("four of them");
    let (port, pid) = (*victim.ports.first().expect("ten ports"), victim.child.id());
    let mut leases = Leases::in_dir(&dir).expect("a lock file");
    let error = leases.lease(PortRequest::Exactly(port)).expect_err("it is leased");
    assert_eq!(error.to_string(), format!("port {port} is leased by another run (pid {pid})"));
    drop(victim);
    lease_soon(&mut leases, port);
}

/// What was just let go of may be held for a moment longer by a child between its fork and its exec.
fn lease_soon(leases: &mut Leases, port: u16) -> Lease {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match leases.lease(PortRequest::Exactly(port)) {
            Ok(lease) => return lease,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_dropped_lease_is_free_again() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut one = Leases::in_dir(&dir.path().join("l")).expect("a lock file");
    let mut other = Leases::in_dir(&dir.path().join("l")).expect("a lock file");
    let lease = one.lease(PortRequest::Any).expect("there are thousands");
    let port = lease.port();
    assert!(other.lease(PortRequest::Exactly(port)).is_err());
    assert!(one.lease(PortRequest::Exactly(port)).is_err(), "nor twice by the same run");
    drop(lease);
    lease_soon(&mut other, port);
}

#[test]
fn c7_a_taken_port_is_named_with_the_program_that_holds_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut leases = Leases::in_dir(&dir.path().join("l")).expect("a lock file");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let error = leases.lease(PortRequest::Exactly(port)).expect_err("taken");
    let text = error.to_string();
    assert!(text.starts_with(&format!("port {port} is taken by pid {} (", std::process::id())), "{text}");
    assert!(text.contains("scenario_ports"), "{text}");
    assert!(error.help().is_some_and(|h| h.contains("auto")));
    drop(listener);
    lease_soon(&mut leases, port);
}

#[test]
fn automatic_ports_stay_out_of_the_systems_own_range_and_out_of_taken_ones() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut leases = Leases::in_dir(&dir.path().join("l")).expect("a lock file");
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("Linux has it");
    let range: Vec<u16> = range.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let first = leases.lease(PortRequest::Any).expect("there are thousands").port();
    let taken = TcpListener::bind(("127.0.0.1", first)).expect("it is free");
    let second = leases.lease(PortRequest::Within(first..=first + 20)).expect("some are left").port();
    assert_ne!(second, first);
    if range[0] > 20_100 {
        assert!(first < range[0] || first > range[1]);
    }
    let error = leases.lease(PortRequest::Within(first..=first)).expect_err("the only one is taken");
    assert_eq!(error.to_string(), format!("no port from {first} to {first} is free"));
    drop(taken);
}

#[test]
fn a_lock_folder_that_others_could_have_made_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (real, link, open) = (dir.path().join("real"), dir.path().join("link"), dir.path().join("open"));
    Leases::in_dir(&real).expect("made with the right mode");
    assert_eq!(std::fs::metadata(&real).expect("made").permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(real.join("ports.lock")).expect("made").permissions().mode() & 0o777, 0o600);
    symlink(&real, &link).expect("a link");
    assert!(Leases::in_dir(&link).expect_err("a link").to_string().contains("not a folder"));
    let with_mode = |path: &Path, mode| {
        std::fs::create_dir(path).and_then(|()| std::fs::set_permissions(path, PermissionsExt::from_mode(mode))).expect("made");
    };
    with_mode(&open, 0o777);
    assert!(Leases::in_dir(&open).expect_err("open to all").to_string().contains("others may use it"));
    let planted = dir.path().join("planted");
    with_mode(&planted, 0o700);
    symlink("/etc/passwd", planted.join("ports.lock")).expect("a link");
    assert!(matches!(Leases::in_dir(&planted), Err(LeaseError::LockFile { .. })));
}

#[test]
fn runs_with_different_runtime_folders_still_see_each_other() {
    // The same question asked by two programs whose environments differ, as a test suite and a terminal do.
    let other = |runtime: &Path| {
        let exe = std::env::current_exe().expect("this test");
        let out = Command::new(exe)
            .args(["--exact", "helper_that_leases_for_the_user", "--nocapture"])
            .env(DIR, "the user's")
            .env("XDG_RUNTIME_DIR", runtime)
            .stdin(Stdio::null())
            .output()
            .expect("this test can be started again");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = said.lines().find(|l| l.starts_with("ports ")).unwrap_or_else(|| panic!("{said}")).to_owned();
        line.split_whitespace().skip(1).map(|p| p.parse().expect("a number")).collect::<BTreeSet<u16>>()
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut leases = Leases::new().expect("the lock files of this user");
    let own: Vec<Lease> = (0..5).map(|_| leases.lease(PortRequest::Any).expect("there are thousands")).collect();
    let theirs = other(dir.path());
    assert!(own.iter().all(|l| !theirs.contains(&l.port())), "{own:?} {theirs:?}");
}

/// Not a test of its own: the program that the one above starts.
#[test]
fn helper_that_leases_for_the_user() {
    if std::env::var_os(DIR).is_none_or(|d| d != "the user's") {
        return;
    }
    let mut leases = Leases::new().expect("the lock files of this user");
    let all: Vec<Lease> = (0..5).map(|_| leases.lease(PortRequest::Any).expect("there are thousands")).collect();
    let ports: Vec<_> = all.iter().map(|l| l.port().to_string()).collect();
    writeln!(std::io::stdout(), "\nports {}", ports.join(" ")).expect("the parent listens");
}
