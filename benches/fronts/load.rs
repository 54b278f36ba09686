//! What a flood costs in the dashboard and in `run`, and what many children that say little cost.

use std::{
    fmt::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    children::{await_ready, command, go},
    median, setting,
    support::Bench,
    terminal::Terminal,
};

/// CPU time, the time until the children had said everything, and the highest mark of memory in KiB.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
    memory: u64,
}

/// A scenario of children that say `what`.
pub(crate) fn scenario(dir: &Path, count: usize, what: &[&str]) -> String {
    let mut text = String::from("name = \"load\"\n");
    for id in 0..count {
        let _ = writeln!(text, "[process.p{id}]\ncommand = {:?}", command(dir, id, what));
    }
    text
}

/// What a program and its own helpers have used so far; what others made of it is not theirs.
pub(crate) fn used(pid: u32) -> (Duration, u64) {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let guardians = children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
    std::iter::once(pid).chain(guardians).fold((Duration::ZERO, 0), |(cpu, memory), pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks: u64 = [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<u64>().ok()).sum();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        (cpu + Duration::from_millis(ticks * 10), memory + peak.unwrap_or(0))
    })
}

/// Waits until a program does nothing more of note: it may still be at what its children said last.
fn settled(pid: u32) -> (Duration, u64) {
    let mut last = used(pid);
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = used(pid);
        if now.0.saturating_sub(last.0) <= Duration::from_millis(10) {
            return now;
        }
        last = now;
    }
}

fn dashboard(count: usize, what: &[&str]) -> Cost {
    let bench = Bench::new("load");
    let file = bench.write("load.toml", &scenario(bench.dir.path(), count, what));
    let mut program = bench.command();
    program.arg("--scenario").arg(file);
    let mut terminal = Terminal::start(&program, 160, 48);
    await_ready(bench.dir.path(), count);
    std::thread::sleep(Duration::from_millis(500));
    let before = used(terminal.child.id()).0;
    let wall = go(bench.dir.path(), count);
    let (cpu, memory) = settled(terminal.child.id());
    terminal.send("\x03\x03");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(5));
    Cost { cpu: cpu.saturating_sub(before), wall, memory }
}

/// `cat >file` behind the same children, all on one pipe.
fn cat(count: usize, what: &[&str]) -> Cost {
    let bench = Bench::new("floor");
    let (read, write) = std::io::pipe().expect("a pipe");
    let to = std::fs::File::create(bench.dir.path().join("out")).expect("a file");
    let mut cat = Command::new("cat").stdin(read).stdout(to).spawn().expect("cat is everywhere");
    let start = |id: usize| {
        let line = command(bench.dir.path(), id, what);
        let pipe = write.try_clone().expect("a descriptor");
        bench.command_of(&line[0]).args(&line[1..]).stdout(pipe).stderr(Stdio::null()).spawn().expect("a child")
    };
    let mut children: Vec<_> = (0..count).map(start).collect();
    drop(write);
    await_ready(bench.dir.path(), count);
    let before = used(cat.id()).0;
    let wall = go(bench.dir.path(), count);
    let (cpu, memory) = settled(cat.id());
    for child in &mut children {
        child.kill().and_then(|()| child.wait()).expect("a child of ours");
    }
    cat.wait().expect("it ends with its input");
    Cost { cpu: cpu.saturating_sub(before), wall, memory }
}

/// The dashboard in a flood of `count` producers.
pub(crate) fn flood(count: usize) {
    let total = setting("E2E_BENCH_LINES", 5_000_000);
    let each = (total / count).to_string();
    let what = ["flood", each.as_str()];
    let (mut cpu, mut wall, mut memory) = (Vec::new(), Vec::new(), 0);
    for pair in 0..=setting("E2E_BENCH_PAIRS", 5) {
        let (floor, ours) = (cat(count, &what), dashboard(count, &what));
        if pair > 0 {
            cpu.push(ours.cpu.as_secs_f64() / floor.cpu.as_secs_f64());
            wall.push(ours.wall.as_secs_f64() / floor.wall.as_secs_f64());
        }
        memory = memory.max(ours.memory);
    }
    println!(
        "flood of {total} lines, {count} producers: CPU x{:.2} of `cat >file` (at most 2) {cpu:.2?}, producers' wall x{:.2} (at most 2), peak {} MiB (at most 48)",
        median(cpu.clone()),
        median(wall),
        memory >> 10
    );
}

/// `e2e-tui run FILE > file`.
pub(crate) fn run_to_a_file() {
    let total = setting("E2E_BENCH_LINES", 5_000_000).to_string();
    let what = ["flood", total.as_str()];
    let run = || {
        let bench = Bench::new("run");
        let file = bench.write("load.toml", &scenario(bench.dir.path(), 1, &what));
        let out = std::fs::File::create(bench.dir.path().join("out")).expect("a file");
        let mut child = bench.command().arg("run").arg(file).stdout(out).stderr(Stdio::null()).spawn().expect("it starts");
        await_ready(bench.dir.path(), 1);
        let before = used(child.id()).0;
        go(bench.dir.path(), 1);
        let (cpu, memory) = settled(child.id());
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), nix::sys::signal::Signal::SIGTERM).expect("it runs");
        child.wait().expect("a child of ours");
        let lines = std::fs::read(bench.dir.path().join("out")).map_or(0, |out| memchr::memchr_iter(b'\n', &out).count());
        assert!(lines >= total.parse().unwrap_or(0), "{lines} lines were printed");
        (cpu.saturating_sub(before), memory)
    };
    let (mut ratios, mut peak) = (Vec::new(), 0);
    for pair in 0..=setting("E2E_BENCH_PAIRS", 5) {
        let (floor, (cpu, memory)) = (cat(1, &what), run());
        if pair > 0 {
            ratios.push(cpu.as_secs_f64() / floor.cpu.as_secs_f64());
        }
        peak = peak.max(memory);
    }
    println!("run FILE > file: CPU x{:.2} of `cat >file` (at most 4) {ratios:.2?}, peak {} MiB", median(ratios.clone()), peak >> 10);
}

/// 200 children that say ten lines a second each, for 20 s.
pub(crate) fn many() {
    const COUNT: usize = 200;
    let what = ["rate", "10", "20"];
    let sink = || {
        let bench = Bench::new("sink");
        let own = std::env::current_exe().expect("this program");
        let dir = bench.dir.path().display().to_string();
        let mut sink = bench.command_of(own);
        sink.args(["--sink", &dir, &COUNT.to_string()]).args(what).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = sink.spawn().expect("it starts");
        await_ready(bench.dir.path(), COUNT);
        go(bench.dir.path(), COUNT);
        let deadline = Instant::now() + Duration::from_secs(20);
        let told = loop {
            match std::fs::read_to_string(bench.dir.path().join("sink")) {
                Ok(told) if told.contains(' ') => break told,
                _ => assert!(Instant::now() < deadline, "the sink does not end"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        drop(child.stdin.take());
        child.wait().expect("a child of ours");
        Duration::from_micros(told.split(' ').next().and_then(|micros| micros.parse().ok()).unwrap_or(0))
    };
    let (mut ratios, mut peak) = (Vec::new(), 0);
    for pair in 0..=setting("E2E_BENCH_PAIRS", 5) {
        let (floor, ours) = (sink(), dashboard(COUNT, &what));
        if pair > 0 {
            ratios.push(ours.cpu.as_secs_f64() / floor.as_secs_f64());
        }
        peak = peak.max(ours.memory);
    }
    println!(
        "{COUNT} children, 10 lines/s each for 20 s: CPU x{:.2} of a bare sink (at most 2.5) {ratios:.2?}, peak {} MiB (at most 48)",
        median(ratios.clone()),
        peak >> 10
    );
}
