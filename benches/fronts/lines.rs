//! Numbered lines of processes that restart again and again: none may be lost, none doubled.

use std::{fmt::Write, time::Instant};

use super::{setting, support::Bench};

const PROCESSES: usize = 8;

/// `E2E_BENCH_RESTARTS` starts of each process (1,000), `E2E_BENCH_NUMBERED` lines in all (10,000,000).
pub(crate) fn measure() {
    let (lives, total) = (setting("E2E_BENCH_RESTARTS", 1000), setting("E2E_BENCH_NUMBERED", 10_000_000));
    let each = total / PROCESSES / lives;
    let bench = Bench::new("lines");
    let mut text = String::from("name = \"lines\"\n");
    for id in 0..PROCESSES {
        // Each start counts its own starts in a file; the last of them ends well.
        let count = format!("n=$(($(cat n{id} 2>/dev/null || echo 0)+1)); echo $n >n{id}");
        let say = format!("seq -f \"$n %.0f\" 1 {each}; printf \"last words of $n\"; test $n -ge {lives}");
        let restart = format!("{{ policy = \"on-failure\", max_attempts = {lives}, backoff = \"1ms\", max_backoff = \"1ms\" }}");
        let _ = write!(text, "[process.p{id}]\nrole = \"task\"\nshell = '''{count}; {say}'''\nrestart = {restart}\n");
    }
    let started = Instant::now();
    bench.run(&text, &["--quiet"]).assert_code(0);
    let took = started.elapsed();
    for id in 0..PROCESSES {
        let said = std::fs::read(bench.recording().join(format!("logs/p{id}.out"))).expect("the segment");
        let mut rest = said.as_slice();
        for life in 1..=lives {
            let lines = (1..=each).map(|n| format!("{life} {n}\n"));
            for line in lines.chain([format!("last words of {life}")]) {
                rest = rest.strip_prefix(line.as_bytes()).unwrap_or_else(|| panic!("p{id} did not say {line:?} where it should have"));
            }
        }
        assert!(rest.is_empty(), "p{id} says more than it said");
    }
    let lines = PROCESSES * lives * (each + 1);
    println!("{PROCESSES} processes, {lives} starts each, {lines} lines: none lost, none doubled, in {took:.1?}");
}
