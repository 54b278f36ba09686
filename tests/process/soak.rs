//! The same deaths, hundreds of times. Run by hand:
//! `cargo test --test process soak -- --ignored --nocapture --test-threads=1`; `E2E_SOAK=1.0` is the whole of it, and the
//! default. A slice of each runs with the other tests.

use std::{thread, time::Duration};

use e2e_tui::{
    model::{Containment, Signal},
    process::Order,
};
use nix::sys::signal::Signal as Sent;

use crate::{
    deaths::{Host, SHAPES, WITHOUT_ENVIRONMENT, everybody, send},
    support::{Under, Yard, living, tiers},
};

fn rounds(whole: u32) -> u32 {
    let share: f64 = std::env::var("E2E_SOAK").ok().and_then(|share| share.parse().ok()).unwrap_or(1.0);
    (f64::from(whole) * share).ceil() as u32
}

/// A number below `most`, different every time but the same in every run of the test.
fn dice(round: u32, most: u64) -> u64 {
    // Knuth's multiplicative hash.
    (u64::from(round).wrapping_mul(2_654_435_761) >> 7) % most
}

#[test]
#[ignore = "takes minutes"]
fn starts_and_stops_of_seven_shapes() {
    for by in tiers() {
        println!("under {}", by.word());
        seven_shapes(by);
    }
}

fn seven_shapes(by: Containment) {
    let mut yard = Yard::new(Under::Guardian(by));
    // Without adoption the last shape can only be reported.
    let emptied = (by != Containment::Group).then_some(WITHOUT_ENVIRONMENT);
    let shapes: Vec<&str> = SHAPES.into_iter().chain(emptied).collect();
    for round in 0..rounds(1000) {
        let (tree, _) = yard.script(shapes[round as usize % shapes.len()]);
        yard.order(Order::AwaitEmpty { tree });
        yard.signal(tree, Signal::TERM);
        thread::sleep(Duration::from_millis(dice(round, 8)));
        yard.kill(tree);
        if round % 50 == 0 {
            assert_eq!(living(&yard.mark), Vec::<String>::new(), "round {round}");
        }
        yard.rest();
    }
    yard.close();
}

#[test]
#[ignore = "takes minutes"]
fn kill_9_of_the_supervisor() {
    let everybody = everybody();
    for round in 0..rounds(200) {
        let mut host = Host::start(&format!("{} wait", everybody[round as usize % everybody.len()]));
        host.line("guardian ");
        thread::sleep(Duration::from_micros(dice(round, 60_000)));
        host.kill(Sent::SIGKILL);
        host.all_gone();
    }
}

#[test]
#[ignore = "takes minutes"]
fn kill_9_of_the_guardian() {
    let guardians: Vec<String> = everybody().into_iter().filter(|under| under != "local").collect();
    for round in 0..rounds(200) {
        let mut host = Host::start(&format!("{} wait", guardians[round as usize % guardians.len()]));
        let guardian: u32 = host.line("guardian ").parse().expect("a pid");
        thread::sleep(Duration::from_micros(dice(round, 60_000)));
        send(guardian, Sent::SIGKILL);
        // In the middle of its start the host fails for want of its spawner; later it tells of the loss.
        host.await_loss();
        assert!(host.alone(), "round {round}: {:?}", living(&host.mark));
        host.kill_if_alive();
        host.all_gone();
    }
}

#[test]
#[ignore = "takes minutes"]
fn panics_aborts_and_exits() {
    let everybody = everybody();
    for round in 0..rounds(200) {
        let under = &everybody[round as usize % everybody.len()];
        let end = ["panic", "twice", "abort", "exit"][round as usize / everybody.len() % 4];
        Host::start(&format!("{under} {end}")).all_gone();
    }
}
