//! Time travel stays far below what folding everything again would cost; the whole measure is in `benches/jumps.rs`.

#[path = "../benches/recordings/mod.rs"]
#[expect(unreachable_pub, reason = "the bench shares it")]
mod recordings;

use std::time::Instant;

use e2e_tui::{
    logs::{LogView, Selection},
    model::Snapshot,
    record::Recording,
    supervisor::History,
};
use recordings::{Length, record};

#[test]
fn a_jump_costs_a_fraction_of_a_fold_and_shows_what_the_fold_shows() {
    let dir = tempfile::tempdir().expect("a folder");
    record(dir.path(), Length { events: 30_000, lines: 300_000 });
    let recording = Recording::open(dir.path()).expect("it is one");
    let (mut history, mut view) = (History::default(), LogView::new(Selection::All));
    history.refresh(&recording.journal);
    view.refresh(&recording.logs);
    let events = recording.journal.from(0);
    let mut ratios = Vec::new();
    for n in 1..=15 {
        let place = events.len() * n / 15 - 1;
        let started = Instant::now();
        let snapshot = history.at(&recording.journal, events[place].seq);
        let row = view.row_at_seq(&recording.logs, snapshot.seq + 1).expect("readable");
        let lines = view.window(&recording.logs, row.saturating_sub(60), 60).expect("readable");
        let jump = started.elapsed();
        assert!(lines.len() == 60 && lines.iter().all(|line| line.seq <= snapshot.seq));
        let started = Instant::now();
        let naive = Snapshot::of(events.iter().filter(|event| event.seq <= snapshot.seq).map(AsRef::as_ref));
        let fold = started.elapsed();
        assert_eq!(snapshot, naive);
        ratios.push(jump.as_secs_f64() / fold.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    // About a fifteenth: a checkpoint is every 2,000 of 30,000 events. A busy machine may interrupt either.
    assert!(ratios[ratios.len() / 2] < 0.5, "{ratios:.3?}");
}
