//! Memory, whatever the children do: a line without an end, a title without an end, a terminal that does not read.

use std::time::Duration;

use super::{
    children::{await_ready, go},
    load::{scenario, used},
    setting,
    support::Bench,
    terminal::Terminal,
};

/// How much the dashboard's memory grows, at its worst, while `meanwhile` happens.
fn growth(what: &[&str], meanwhile: impl FnOnce(&Bench, &mut Terminal)) -> u64 {
    let bench = Bench::new("bounds");
    let file = bench.write("bounds.toml", &scenario(bench.dir.path(), 1, what));
    let mut program = bench.command();
    program.arg("--scenario").arg(file);
    let mut terminal = Terminal::start(&program, 160, 48);
    await_ready(bench.dir.path(), 1);
    std::thread::sleep(Duration::from_secs(1));
    let before = used(terminal.child.id()).1;
    meanwhile(&bench, &mut terminal);
    let after = used(terminal.child.id()).1;
    terminal.stall(false);
    terminal.send("\x03\x03");
    terminal.ended();
    bench.assert_nothing_left(Duration::from_secs(5));
    after.saturating_sub(before)
}

/// `E2E_BENCH_MIB` says how long such a line is (1024), `E2E_BENCH_STALL` for how many seconds nobody reads (60).
pub(crate) fn measure() {
    let mib = setting("E2E_BENCH_MIB", 1024).to_string();
    for (name, begins) in [("a line without an end", "begins "), ("a title without an end", "ESC]0;")] {
        let grown = growth(&["one-line", begins, &mib], |bench, _| {
            go(bench.dir.path(), 1);
        });
        println!("{name}, {mib} MiB: memory grows by {} MiB (at most 16)", grown >> 10);
    }
    let seconds = Duration::from_secs(setting("E2E_BENCH_STALL", 60) as u64);
    let grown = growth(&["forever"], |bench, terminal| {
        terminal.stall(true);
        std::fs::write(bench.dir.path().join("go"), "").expect("a disk");
        std::thread::sleep(seconds);
    });
    println!("a terminal that reads nothing for {seconds:?} of a flood: memory grows by {} MiB (at most 16)", grown >> 10);
}
