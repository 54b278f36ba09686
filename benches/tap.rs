//! What a tap adds to a request, and to an event of a stream, beside a direct connection: `cargo bench --bench tap`.
//! `E2E_BENCH_SECONDS` says how long each goes on (10).
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

#[expect(unreachable_pub, reason = "the tests share it")]
mod traffic;

use std::{
    thread,
    time::{Duration, Instant},
};

use e2e_tui::tap::Note;
use traffic::Rig;

/// Requests a second, on either way.
const RATE: u32 = 1000;
/// Events a second.
const EVENTS: u32 = 200;
/// What a tap may add to a request, at the median.
const MOST: Duration = Duration::from_micros(200);

fn main() {
    // `cargo test --benches` runs this too, only to see that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let seconds = std::env::var("E2E_BENCH_SECONDS").ok().and_then(|count| count.parse().ok()).unwrap_or(10);
    requests(seconds);
    events(seconds);
}

/// Each of both ways in turn, at its rate, whatever the last one took.
fn requests(seconds: u32) {
    let rig = Rig::new();
    let (mut direct, mut tapped) = (Rig::connect(rig.direct), Rig::connect(rig.tapped));
    let (mut plain, mut through) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for n in 0..seconds * RATE {
        wait_until(start + Duration::from_secs(1) / RATE * n);
        if n % 2 == 0 {
            plain.push(Rig::ask(&mut direct));
            through.push(Rig::ask(&mut tapped));
        } else {
            through.push(Rig::ask(&mut tapped));
            plain.push(Rig::ask(&mut direct));
        }
    }
    let rate = f64::from(seconds * RATE) / start.elapsed().as_secs_f64();
    drop((direct, tapped));
    let ended = rig.notes(through.len(), |note| matches!(note, Note::Ended(_))).len();
    println!("{} requests either way, {rate:.0}/s; {ended} notes, {} lost", plain.len(), rig.store.lost());
    let (plain, through) = (Spread::of(plain), Spread::of(through));
    println!("direct  {plain}\ntapped  {through}");
    let added = through.p50.saturating_sub(plain.p50);
    let verdict = if added <= MOST { "holds" } else { "does not hold" };
    println!("added at p50: {added:.1?} (at most {MOST:.1?}: {verdict})");
}

/// The same events to two who listen, one of them through the tap.
fn events(seconds: u32) {
    let rig = Rig::new();
    let all = usize::try_from(seconds * EVENTS).expect("few");
    let listen = |port| {
        let mut stream = Rig::listen(port);
        thread::spawn(move || {
            let hear = |number| {
                Rig::hear(&mut stream, number);
                Instant::now()
            };
            (1..=all).map(hear).collect::<Vec<_>>()
        })
    };
    let listeners = [listen(rig.direct), listen(rig.tapped)];
    let start = Instant::now();
    let mut sent = Vec::new();
    for n in 0..seconds * EVENTS {
        wait_until(start + Duration::from_secs(1) / EVENTS * n);
        sent.push(Instant::now());
        rig.grant();
    }
    println!("{all} events, {EVENTS}/s, to both");
    for (name, listener) in ["direct", "tapped"].into_iter().zip(listeners) {
        let heard = listener.join().expect("all are heard");
        let late = sent.iter().skip(1).zip(&heard).filter(|(next, heard)| heard > next).count();
        let delays = sent.iter().zip(&heard).map(|(sent, heard)| heard.duration_since(*sent)).collect();
        println!("{name}  {}   {late} after the next was sent", Spread::of(delays));
    }
}

fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}

struct Spread {
    p50: Duration,
    p99: Duration,
    most: Duration,
}

impl Spread {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        let at = |part: usize| all[(all.len() * part / 100).min(all.len() - 1)];
        Self { p50: at(50), p99: at(99), most: all[all.len() - 1] }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:>8.1?}   p99 {:>8.1?}   most {:>8.1?}", self.p50, self.p99, self.most)
    }
}
