//! What it costs; a slice of it runs with the other tests. The whole by hand, in release: `cargo test --release --test process costs -- --ignored --nocapture --test-threads=1`.

use std::{
    fs,
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{Containment, Signal},
    process::{Guardian, Order, Orphans, Spawner, TreeEvent, TreeId},
};
use nix::sys::resource::UsageWho;
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Under, Yard, binary, living, tiers};

/// CPU time of a process, its waited-for children left out.
fn cpu(pid: u32) -> Duration {
    // The scheduler's own clock, in nanoseconds; ticks of 10 ms would not do.
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("it lives");
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number"))
}

/// CPU time of this program or thread, its children left out.
fn own(who: UsageWho) -> Duration {
    let usage = nix::sys::resource::getrusage(who).expect("always");
    let time = |t: nix::sys::time::TimeVal| Duration::from_micros((t.tv_sec() * 1_000_000 + t.tv_usec()).cast_unsigned());
    time(usage.user_time()) + time(usage.system_time())
}

#[test]
#[ignore = "a measurement"]
fn a_thousand_starts_and_a_thousand_stops_at_once() {
    for by in tiers() {
        println!("under {}", by.word());
        thousand(by);
    }
}

fn thousand(by: Containment) {
    let (sender, mut events) = unbounded_channel();
    let guardian = Guardian::launch_from(binary(), Orphans::Leave, by, sender).expect("the binary was built for this test");
    let yard = Yard::new(Under::Local);
    for (name, argv) in [("true", &["true"][..]), ("sleep", &["sleep", "3600"][..])] {
        let (before_own, before) = (own(UsageWho::RUSAGE_SELF), cpu(guardian.pid()));
        let started = Instant::now();
        let count = 1000;
        for n in 0..count {
            guardian.send(Order::Spawn { tree: TreeId(n), launch: Box::new(yard.quiet(argv)) }).expect("it lives");
        }
        let mut pids = 0;
        let mut exits = 0;
        while pids < count || (name == "true" && exits < count) {
            match events.blocking_recv().expect("it lives") {
                TreeEvent::Spawned { .. } => pids += 1,
                TreeEvent::Exited { .. } => exits += 1,
                other => panic!("{other:?}"),
            }
        }
        let took = started.elapsed();
        let guardian_cpu = cpu(guardian.pid()).saturating_sub(before);
        println!(
            "{name}: {count} starts in {took:?}; guardian {:?} each, supervisor {:?} each",
            guardian_cpu / 1000,
            own(UsageWho::RUSAGE_SELF).saturating_sub(before_own) / 1000
        );

        let (before_own, before) = (own(UsageWho::RUSAGE_SELF), cpu(guardian.pid()));
        let started = Instant::now();
        for n in 0..count {
            guardian.send(Order::AwaitEmpty { tree: TreeId(n) }).expect("it lives");
            guardian.send(Order::Signal { tree: TreeId(n), signal: Signal::TERM }).expect("it lives");
        }
        let mut empty = 0;
        while empty < count {
            if let TreeEvent::Empty { .. } = events.blocking_recv().expect("it lives") {
                empty += 1;
            }
        }
        println!(
            "{name}: {count} stops in {:?}; guardian {:?} each, supervisor {:?} each",
            started.elapsed(),
            cpu(guardian.pid()).saturating_sub(before) / 1000,
            own(UsageWho::RUSAGE_SELF).saturating_sub(before_own) / 1000
        );
    }
    let idle = 20;
    for n in 0..idle {
        guardian.send(Order::Spawn { tree: TreeId(n), launch: Box::new(yard.quiet(&["sleep", "3600"])) }).expect("it lives");
    }
    std::thread::sleep(Duration::from_millis(300));
    let before = cpu(guardian.pid());
    for _ in 0..20 {
        guardian.send(Order::Sample { trees: (0..idle).map(TreeId).collect(), whole: false }).expect("it lives");
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{}", fs::read_to_string(format!("/proc/{}/stat", guardian.pid())).expect("it lives"));
    println!("20 samples of 20 trees: guardian {:?}", cpu(guardian.pid()).saturating_sub(before));
    drop(guardian);
    assert_eq!(living(&yard.mark), Vec::<String>::new());
}

/// How much CPU time the guardian takes for a start, as a multiple of what `fork` and `exec` cost the standard library.
fn times_a_bare_start(by: Containment) -> f64 {
    const COUNT: u64 = 200;
    let (sender, mut events) = unbounded_channel();
    let guardian = Guardian::launch_from(binary(), Orphans::Leave, by, sender).expect("the binary was built for this test");
    let yard = Yard::new(Under::Local);
    let before = own(UsageWho::RUSAGE_THREAD);
    for _ in 0..COUNT {
        std::process::Command::new("true").spawn().and_then(|mut child| child.wait()).expect("it is there");
    }
    let bare = own(UsageWho::RUSAGE_THREAD).saturating_sub(before);
    let before = cpu(guardian.pid());
    for n in 0..COUNT {
        guardian.send(Order::Spawn { tree: TreeId(n), launch: Box::new(yard.quiet(&["true"])) }).expect("it lives");
    }
    let mut exits = 0;
    while exits < COUNT {
        exits += u64::from(matches!(events.blocking_recv().expect("it lives"), TreeEvent::Exited { .. }));
    }
    let ours = cpu(guardian.pid()).saturating_sub(before);
    drop(guardian);
    assert_eq!(living(&yard.mark), Vec::<String>::new());
    ours.as_secs_f64() / bare.as_secs_f64()
}

#[test]
fn a_start_costs_some_bare_ones_and_not_dozens() {
    for by in tiers() {
        let times = times_a_bare_start(by);
        println!("under {}: {times:.1} bare starts", by.word());
        assert!(times < 30.0, "under {}: {times:.1}", by.word());
    }
}
