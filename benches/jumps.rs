//! Time travel in a recording of 100,000 events and 10 M lines: `cargo bench --bench jumps`. `E2E_BENCH_EVENTS` and
//! `E2E_BENCH_LINES` say otherwise. A jump is what a key of the dashboard costs but for the drawing: the fold at that instant,
//! and the last lines said by then.
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

#[expect(unreachable_pub, reason = "the tests share it")]
mod recordings;

use std::time::{Duration, Instant};

use e2e_tui::{
    logs::{LogView, Selection},
    model::Snapshot,
    record::Recording,
    supervisor::History,
};
use recordings::{Length, record};

const JUMPS: usize = 500;

fn main() {
    // `cargo test --benches` runs this too, only to see that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let of = |name: &str, usual| std::env::var(name).ok().and_then(|count| count.parse().ok()).unwrap_or(usual);
    let length = Length { events: of("E2E_BENCH_EVENTS", 100_000), lines: of("E2E_BENCH_LINES", 10_000_000) };
    let dir = tempfile::tempdir().expect("a folder");
    record(dir.path(), length);
    println!("{} events, {} lines", length.events, length.lines);
    let opening = Instant::now();
    let recording = Recording::open(dir.path()).expect("it is one");
    println!("opened in {:.2?}", opening.elapsed());
    let counting = Instant::now();
    let (mut history, mut view) = (History::default(), LogView::new(Selection::All));
    history.refresh(&recording.journal);
    let folded = counting.elapsed();
    view.refresh(&recording.logs);
    println!("checkpoints in {folded:.2?}, rows counted in {:.2?}", counting.elapsed().saturating_sub(folded));
    let events = recording.journal.from(0);
    let (mut slowest, mut all) = (Duration::ZERO, Vec::new());
    for n in 0..JUMPS {
        let seq = events[n.wrapping_mul(7_919 * 104_729) % events.len()].seq;
        let started = Instant::now();
        let snapshot = history.at(&recording.journal, seq);
        let row = view.row_at_seq(&recording.logs, snapshot.seq + 1).expect("readable");
        let lines = view.window(&recording.logs, row.saturating_sub(60), 60).expect("readable");
        let took = started.elapsed();
        assert!(snapshot.seq >= seq && lines.iter().all(|line| line.seq <= snapshot.seq));
        slowest = slowest.max(took);
        all.push(took);
    }
    all.sort_unstable();
    println!("jump: median {:.2?}, slowest {slowest:.2?} (at most 50 ms)", all[all.len() / 2]);
    let whole = Instant::now();
    let end = Snapshot::of(events.iter().map(AsRef::as_ref));
    let whole = whole.elapsed();
    assert_eq!(end, *recording.snapshot);
    println!("median jump x{:.3} of one fold of everything", all[all.len() / 2].as_secs_f64() / whole.as_secs_f64());
}
