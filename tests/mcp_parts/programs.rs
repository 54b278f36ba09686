//! The parts as programs: their lines, their answers to signals, their exit codes, and nothing left.

use std::{
    io::Read,
    os::fd::OwnedFd,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use nix::{fcntl::OFlag, sys::signal::Signal, unistd::Pid};

use crate::support::DEADLINE;

/// A part that runs, with what it writes to stderr and stdout.
struct Program {
    child: std::process::Child,
    stdin: Option<std::process::ChildStdin>,
    /// What came in one `write(2)` each.
    writes: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    /// Starts `part` with these words. Both outputs go into one packet pipe, where each write stays by itself.
    fn start(words: &[&str]) -> Self {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT).expect("a pipe");
        let also: OwnedFd = writer.try_clone().expect("a descriptor");
        let mut child = Command::new(env!("CARGO_BIN_EXE_e2e-tui"))
            .arg("part")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(also)
            .stderr(writer)
            .spawn()
            .expect("it starts");
        let (sender, writes) = mpsc::channel();
        std::thread::spawn(move || {
            let mut reader = std::fs::File::from(reader);
            let mut buffer = vec![0; 1 << 16];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(String::from_utf8_lossy(&buffer[..n]).into_owned()).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, writes, seen: Vec::new() }
    }

    /// Waits for a write that holds `what`, and gives it.
    fn says(&mut self, what: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let write = self.writes.recv_timeout(left).unwrap_or_else(|_| panic!("it never said {what:?}: {:#?}", self.seen));
            self.seen.push(write.clone());
            if write.contains(what) {
                return write;
            }
        }
    }

    /// The port in its listening line.
    fn port(&mut self) -> u16 {
        let line = self.says("listening on 127.0.0.1:");
        let rest = line.split("127.0.0.1:").nth(1).expect("an address");
        rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|port| port.parse().ok()).expect("a port")
    }

    fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it lives");
    }

    /// Its children by now.
    fn children(&self) -> Vec<i32> {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("Linux");
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Waits for its end; its status and all that it wrote.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        drop(self.stdin.take());
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {:#?}", self.seen);
            std::thread::sleep(Duration::from_millis(5));
        };
        self.seen.extend(self.writes.iter());
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only a failed test gets here with a child that lives.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_gone(pid: i32) -> bool {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie waits for pid 1 to reap it, and is as good as gone.
        if stat.is_empty() || stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn upstream(more: &[&str]) -> (Program, u16) {
    let mut upstream = Program::start(&[&["mock-upstream", "--port", "0"], more].concat());
    let port = upstream.port();
    (upstream, port)
}

fn run(words: &[&str]) -> (Option<i32>, Vec<String>) {
    let (status, writes) = Program::start(words).end();
    (status.code(), writes)
}

#[test]
fn a_chain_of_programs_passes_its_test_and_ends_on_sigterm() {
    let (up, up_port) = upstream(&[]);
    let mut proxy =
        Program::start(&["proxy", "reverse", "--bind", "127.0.0.1:0", "--upstream", &format!("http://127.0.0.1:{up_port}/mcp")]);
    let proxy_port = proxy.port();
    let (code, client) =
        run(&["test-client", "--target", &format!("http://127.0.0.1:{proxy_port}/mcp"), "--scenario", "tools", "--calls", "3"]);
    assert_eq!(code, Some(0), "{client:#?}");
    assert!(client.last().is_some_and(|line| line.contains(" INFO 3 of 3 calls passed, p50 ")), "{client:#?}");
    proxy.signal(Signal::SIGTERM);
    up.signal(Signal::SIGINT);
    for (program, signal) in [(proxy, "SIGTERM"), (up, "SIGINT")] {
        let (status, writes) = program.end();
        assert_eq!(status.code(), Some(0), "{writes:#?}");
        assert!(writes.iter().any(|line| line.contains(&format!("received {signal}, shutting down"))), "{writes:#?}");
        for write in &writes {
            assert!(write.ends_with('\n') && write.matches('\n').count() == 1, "one line a write: {write:?}");
            assert!(!write.contains('\x1b'), "no colours: {write:?}");
        }
    }
}

#[test]
fn lines_have_the_form_of_the_tracing_crate() {
    let (up, port) = upstream(&[]);
    let (_, client) = run(&["test-client", "--target", &format!("http://127.0.0.1:{port}/mcp"), "--calls", "1"]);
    up.signal(Signal::SIGTERM);
    let (_, served) = up.end();
    let form = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (DEBUG| INFO| WARN|ERROR) \S").expect("a pattern");
    for line in served.iter().chain(client.iter().filter(|line| !line.starts_with("##e2e "))) {
        assert!(form.is_match(line), "{line}");
    }
    let call = regex::Regex::new(r"Z  INFO session=[0-9a-f-]{36} id=3 tools/call echo\n$").expect("a pattern");
    assert_eq!(served.iter().filter(|line| call.is_match(line)).count(), 1, "{served:#?}");
    assert_eq!(client.iter().filter(|line| *line == "##e2e progress 1 of 1 calls\n").count(), 1, "{client:#?}");
}

#[test]
fn a_crash_is_a_real_panic_with_its_place_and_code_101() {
    let (up, port) = upstream(&["--crash-after", "3 calls"]);
    let (code, client) = run(&["test-client", "--target", &format!("http://127.0.0.1:{port}/mcp")]);
    assert_eq!(code, Some(1));
    let last = client.last().expect("a last line");
    assert!(last.contains("ERROR tools/call #3: connection to 127.0.0.1:"), "{client:#?}");
    let (status, served) = up.end();
    assert_eq!(status.code(), Some(101));
    let panic = served.iter().find(|write| write.contains("panicked")).expect("a panic");
    assert!(panic.starts_with("thread 'main' panicked at src/mcp/upstream/faults.rs:"), "{panic}");
    assert!(panic.lines().next().is_some_and(|line| line.ends_with(": crash_after 3 calls")), "{panic}");
}

#[test]
fn a_taken_port_ends_the_program_before_it_says_that_it_listens() {
    let (up, port) = upstream(&[]);
    let taken = port.to_string();
    for words in [
        vec!["mock-upstream", "--port", &taken],
        vec!["proxy", "forward", "http", "--port", &taken, "--target", "http://127.0.0.1:9/mcp"],
        vec!["proxy", "reverse", "--bind", &format!("127.0.0.1:{port}"), "--upstream", "http://127.0.0.1:9/mcp"],
    ] {
        let (code, writes) = run(&words);
        assert_eq!(code, Some(1), "{writes:#?}");
        assert_eq!(writes.len(), 1, "{writes:#?}");
        assert!(writes[0].contains(&format!("ERROR cannot listen on 127.0.0.1:{port}: Address already in use")), "{writes:#?}");
    }
    up.signal(Signal::SIGTERM);
    assert_eq!(up.end().0.code(), Some(0));
}

#[test]
fn sigterm_during_the_start_delay_ends_it_at_once() {
    let mut up = Program::start(&["mock-upstream", "--port", "0", "--start-delay", "10m"]);
    up.says("starting, 600s to go");
    up.signal(Signal::SIGTERM);
    assert_eq!(up.end().0.code(), Some(0));
}

#[test]
fn a_test_that_is_told_to_stop_exits_with_1_and_says_so() {
    let (up, port) = upstream(&[]);
    let target = format!("http://127.0.0.1:{port}/mcp");
    let mut client = Program::start(&["test-client", "--target", &target, "--calls", "100", "--rate", "5"]);
    client.says("##e2e progress 1 of 100 calls");
    client.signal(Signal::SIGTERM);
    let (status, writes) = client.end();
    assert_eq!(status.code(), Some(1));
    assert!(writes.last().is_some_and(|line| line.ends_with(" of 100 calls: interrupted\n")), "{writes:#?}");
    up.signal(Signal::SIGTERM);
    up.end();
}

#[test]
fn the_stdio_proxy_leaves_no_server_however_it_ends() {
    let binary = env!("CARGO_BIN_EXE_e2e-tui");
    let start = || {
        let mut proxy = Program::start(&["proxy", "forward", "stdio", "--", binary, "part", "mock-upstream", "--stdio"]);
        proxy.says("MCP server on stdio");
        let children = proxy.children();
        assert_eq!(children.len(), 1);
        (proxy, children[0])
    };
    let (proxy, server) = start();
    let (status, writes) = proxy.end();
    assert_eq!(status.code(), Some(0), "stdin was closed: {writes:#?}");
    assert!(is_gone(server));

    let (proxy, server) = start();
    proxy.signal(Signal::SIGTERM);
    let (status, writes) = proxy.end();
    assert_eq!(status.code(), Some(0), "{writes:#?}");
    assert!(is_gone(server));

    let (proxy, server) = start();
    proxy.signal(Signal::SIGKILL);
    proxy.end();
    assert!(is_gone(server), "its stdin ended with the proxy");

    let (mut proxy, server) = start();
    nix::sys::signal::kill(Pid::from_raw(server), Signal::SIGKILL).expect("it lives");
    proxy.says("was killed by SIGKILL");
    let (status, writes) = proxy.end();
    assert_eq!(status.code(), Some(1));
    assert!(writes.last().is_some_and(|line| line.ends_with(" was killed by SIGKILL by itself\n")), "{writes:#?}");
}

#[test]
fn the_token_comes_from_the_environment_too() {
    let words = ["mock-upstream", "--port", "0"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_e2e-tui"));
    command.arg("part").args(words).env("E2E_TUI_TOKEN", "demo-token").stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut reader = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).expect("a line");
    let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(',').next()).expect("a port");
    let target = format!("http://127.0.0.1:{port}/mcp");
    let (code, writes) = run(&["test-client", "--target", &target]);
    assert_eq!(code, Some(1), "{writes:#?}");
    let (code, writes) = run(&["test-client", "--target", &target, "--scenario", "auth", "--token", "demo-token"]);
    assert_eq!(code, Some(0), "{writes:#?}");
    nix::sys::signal::kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).expect("it lives");
    assert!(child.wait().expect("our child").success());
}
