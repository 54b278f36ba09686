//! The children of the bench: this program again, in other roles. They wait for a file `go`, say what they are to say, leave
//! a file `done.ID`, and stay until they are killed.

use std::{
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::resource::{UsageWho, getrusage},
};

/// The command line of a child that says `what`.
pub(crate) fn command(dir: &Path, id: usize, what: &[&str]) -> Vec<String> {
    let own = std::env::current_exe().expect("this program");
    let first = [own.display().to_string(), "--say".into(), dir.display().to_string(), id.to_string()];
    first.into_iter().chain(what.iter().map(|word| (*word).to_owned())).collect()
}

/// Lets the children begin, and waits until `count` of them are done; how long that took.
pub(crate) fn go(dir: &Path, count: usize) -> Duration {
    std::fs::write(dir.join("go"), "").expect("a disk");
    let started = Instant::now();
    let done = || (0..count).all(|id| dir.join(format!("done.{id}")).exists());
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(200), "the children are not done in time");
        std::thread::sleep(Duration::from_millis(1));
    }
    started.elapsed()
}

/// Waits until `count` children are ready to begin.
pub(crate) fn await_ready(dir: &Path, count: usize) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !(0..count).all(|id| dir.join(format!("ready.{id}")).exists()) {
        assert!(Instant::now() < deadline, "the children do not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `--say DIR ID KIND …`
pub(crate) fn say(args: &[String]) {
    let (dir, id) = (PathBuf::from(&args[0]), args[1].parse::<usize>().expect("a number"));
    let number = |at: usize| args[at].parse::<usize>().expect("a number");
    std::fs::write(dir.join(format!("ready.{id}")), "").expect("a disk");
    while !dir.join("go").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut out = std::io::stdout().lock();
    let mut write = |bytes: &[u8]| out.write_all(bytes).and_then(|()| out.flush()).expect("somebody reads it");
    match args[2].as_str() {
        "flood" => {
            let block = block(id);
            let count = number(3) / LINES;
            (0..count).for_each(|_| write(&block));
        }
        "forever" => {
            let block = block(id);
            loop {
                write(&block);
            }
        }
        "rate" => {
            let (every, count) = (Duration::from_secs(1) / number(3) as u32, number(3) * number(4));
            let started = Instant::now();
            for n in 0..count {
                write(&block(id)[n % LINES * 100..][..100]);
                std::thread::sleep((every * (n as u32 + 1)).saturating_sub(started.elapsed()));
            }
        }
        "one-line" => {
            write(args[3].replace("ESC", "\x1b").as_bytes());
            let block = vec![b'x'; 1 << 20];
            (0..number(4)).for_each(|_| write(&block));
            write(b"\n");
        }
        other => panic!("{other} is nothing to say"),
    }
    std::fs::write(dir.join(format!("done.{id}")), "").expect("a disk");
    std::thread::sleep(Duration::from_mins(10));
}

/// Lines in a block.
const LINES: usize = 1000;

/// Lines of 100 bytes as services print them, with this child's letter in each: one in 64 an alert, and near misses.
fn block(id: usize) -> Vec<u8> {
    let texts = [
        "proxy::http: POST /mcp 200 OK in 12 ms",
        "session: created 6f1b for 127.0.0.1",
        "upstream: response 1500 bytes, errors=0",
        "pool: reused connection, 51 left of 5000",
        "auth: token accepted, refuse=false",
        "cache: hit for tools/list after 7 us",
        "timer: tick, timeout in 30 s",
        "sse: event 2005 sent, no panic",
    ];
    let letter = String::from(char::from(b'A' + (id % 26) as u8)).repeat(19);
    let line = |n: usize| {
        let (level, text) = if n % 64 == 13 { ("ERROR", "upstream: status 502 Bad Gateway, giving up") } else { ("INFO ", texts[n % 8]) };
        format!("g{id:03} {n:010} {letter} {level} {text}")
    };
    (0..LINES).flat_map(|n| format!("{:.<99.99}\n", line(n)).into_bytes()).collect()
}

/// `--sink DIR COUNT KIND …`: the floor of any supervisor. Starts the children, reads their pipes, counts newlines, keeps
/// nothing; tells its CPU time in a file `sink` once they are done.
pub(crate) fn sink(args: &[String]) {
    let (dir, count) = (PathBuf::from(&args[0]), args[1].parse::<usize>().expect("a number"));
    let what: Vec<&str> = args[2..].iter().map(String::as_str).collect();
    let mut children = Vec::new();
    let mut pipes: Vec<OwnedFd> = Vec::new();
    for id in 0..count {
        let line = command(&dir, id, &what);
        let mut child = Command::new(&line[0]).args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a child");
        pipes.push(child.stdout.take().expect("a pipe").into());
        children.push(child);
    }
    await_ready(&dir, count);
    let cpu = || {
        let used = getrusage(UsageWho::RUSAGE_SELF).expect("it is always known");
        let of = |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
        of(used.user_time()) + of(used.system_time())
    };
    let before = cpu();
    let (mut buffer, mut newlines) = (vec![0; 64 << 10], 0);
    while !(0..count).all(|id| dir.join(format!("done.{id}")).exists()) {
        let mut fds: Vec<_> = pipes.iter().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut fds, PollTimeout::from(200u16));
        let ready: Vec<bool> = fds.iter().map(|fd| fd.revents().is_some_and(|events| events.contains(PollFlags::POLLIN))).collect();
        for (pipe, _) in pipes.iter().zip(ready).filter(|(_, ready)| *ready) {
            let read = rustix::io::read(pipe, &mut buffer).unwrap_or(0);
            newlines += memchr::memchr_iter(b'\n', &buffer[..read]).count();
        }
    }
    std::fs::write(dir.join("sink"), format!("{} {newlines}", cpu().saturating_sub(before).as_micros())).expect("a disk");
    for child in &mut children {
        let _ = child.kill();
        let _ = child.wait();
    }
    let _ = std::io::stdin().read(&mut [0]);
}
