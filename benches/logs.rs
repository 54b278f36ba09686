//! The log engine beside its floors, as medians of ratios: `cargo bench --bench logs`. `E2E_BENCH_LINES` says how many
//! lines are captured and filtered (2,000,000 of 100 bytes).
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

#[expect(unreachable_pub, reason = "the tests share it")]
mod measures;

use measures::{PATTERNS, capture, cat, filter, first_screen, jumps, lines, median_ratio, rg, store_of};

const PAIRS: usize = 5;

fn main() {
    // `cargo test --benches` runs this too, only to see that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let count = std::env::var("E2E_BENCH_LINES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000_000);
    let dir = tempfile::tempdir().expect("a folder");
    let input = dir.path().join("input");
    let said = lines(count);
    std::fs::write(&input, &said).expect("a disk");
    println!("{count} lines of 100 bytes; medians of {PAIRS} ratios");
    for (producers, secrets) in [(1, 0), (1, 3), (4, 3)] {
        let mut walls = Vec::new();
        let cpu = median_ratio(PAIRS, || {
            let (floor, ours) = (cat(&input, dir.path(), producers), capture(&input, dir.path(), producers, secrets, count));
            walls.push(ours.wall.as_secs_f64() / floor.wall.as_secs_f64());
            (ours.cpu, floor.cpu)
        });
        walls.sort_by(f64::total_cmp);
        let wall = walls[walls.len() / 2];
        println!(
            "capture, {producers} producers, {secrets} secrets: CPU x{cpu:.2} of `cat >file` (at most 2), wall x{wall:.2} (at most 2)"
        );
    }
    let store = store_of(&said, &dir.path().join("logs"));
    let segment = dir.path().join("logs/p0.out");
    if rg(&segment, "x").is_none() {
        println!("filter: 4 measures skipped, `rg` is not installed");
    } else {
        for pattern in PATTERNS {
            let ratio = median_ratio(PAIRS, || {
                let (theirs, count) = rg(&segment, pattern).expect("it is installed");
                let (ours, found) = filter(&store, pattern);
                assert_eq!(found, count, "both find the same");
                (ours, theirs)
            });
            println!("filter {pattern:?}: x{ratio:.2} of `rg -j1 --no-mmap -c` (at most 2)");
        }
    }
    let first = (0..=PAIRS).map(|_| first_screen(&store, "ERROR", 50)).min().unwrap_or_default();
    println!("first full screen of a pattern with a hit in 64 lines: {first:.2?} (at most 50 ms)");
    let all = jumps(&store, 1000);
    println!("jump to any line: median {:.2?}, slowest {:.2?} (at most 5 ms)", all[all.len() / 2], all[all.len() - 1]);
}
