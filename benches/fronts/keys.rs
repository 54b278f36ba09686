//! From a key to its answer on the screen, while four children flood without end.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::{children::await_ready, load::scenario, setting, support::Bench, terminal::Terminal};

/// Keys pressed in a go.
const PRESSES: usize = 30;
/// A key that is not answered by then is not answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Presses `keys` in turn; each shows a process with its own letter. How long each answer took, and how many never came.
fn press(terminal: &mut Terminal, keys: [&str; 2]) -> (Vec<Duration>, usize) {
    let (mut took, mut missed) = (Vec::new(), 0);
    for n in 0..PRESSES {
        let wanted = if n % 2 == 0 { "B" } else { "A" }.repeat(19);
        let pressed = Instant::now();
        terminal.send(keys[n % 2]);
        while !terminal.text().contains(&wanted) && pressed.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_micros(200));
        }
        if pressed.elapsed() >= PATIENCE {
            missed += 1;
        }
        took.push(pressed.elapsed());
        std::thread::sleep(Duration::from_millis(150));
    }
    took.sort_unstable();
    (took, missed)
}

fn ours() -> (Vec<Duration>, usize) {
    let bench = Bench::new("keys");
    let file = bench.write("keys.toml", &scenario(bench.dir.path(), 4, &["forever"]));
    let mut program = bench.command();
    program.arg("--scenario").arg(file);
    let mut terminal = Terminal::start(&program, 160, 48);
    await_ready(bench.dir.path(), 4);
    // From the merged log to that of the selected process.
    terminal.send("a");
    std::fs::write(bench.dir.path().join("go"), "").expect("a disk");
    terminal.wait_for(&"A".repeat(19));
    std::thread::sleep(Duration::from_secs(1));
    let result = press(&mut terminal, ["j", "k"]);
    terminal.send("\x03\x03");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(5));
    result
}

fn tmux() -> Option<(Vec<Duration>, usize)> {
    Command::new("tmux").arg("-V").output().ok()?;
    let bench = Bench::new("tmux");
    let socket = bench.dir.path().join("socket").display().to_string();
    let mut program = bench.command_of("tmux");
    program.args(["-S", &socket, "-f", "/dev/null", "new-session"]).args(super::children::command(bench.dir.path(), 0, &["forever"]));
    for id in 1..4 {
        program.args([";", "new-window", "-d"]).args(super::children::command(bench.dir.path(), id, &["forever"]));
    }
    let mut terminal = Terminal::start(&program, 160, 48);
    await_ready(bench.dir.path(), 4);
    std::fs::write(bench.dir.path().join("go"), "").expect("a disk");
    terminal.wait_for(&"A".repeat(19));
    std::thread::sleep(Duration::from_secs(1));
    let result = press(&mut terminal, ["\x02n", "\x02p"]);
    let _ = bench.command_of("tmux").args(["-S", &socket, "kill-server"]).status();
    terminal.ended();
    Some(result)
}

pub(crate) fn measure() {
    let tell = |name: &str, (took, missed): (Vec<Duration>, usize)| {
        let p95 = took[took.len() * 95 / 100];
        println!(
            "a key in a flood, {name}: p50 {:.1?}, p95 {p95:.1?}, slowest {:.1?}, {missed} of {PRESSES} unanswered",
            took[took.len() / 2],
            took[took.len() - 1]
        );
        p95.as_secs_f64()
    };
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..=setting("E2E_BENCH_PAIRS", 5) {
        mine.push(tell("dashboard", ours()));
        theirs.extend(tmux().map(|told| tell("tmux", told)));
    }
    let (mine, theirs) = (super::median(mine), super::median(theirs));
    println!(
        "a key in a flood: median of p95 {:.1} ms (at most 10 ms, or twice tmux's {:.1} ms; slowest at most 50 ms)",
        mine * 1e3,
        theirs * 1e3
    );
}
