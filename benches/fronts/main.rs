//! The fronts under load, as users run them, beside the least that anything could cost: `cargo bench --bench fronts`, or
//! some of it: `cargo bench --bench fronts -- flood run keys many lines bounds`. Medians of ratios; `E2E_BENCH_PAIRS` says
//! of how many (5), `E2E_BENCH_LINES` how long a flood is (5,000,000 lines of 100 bytes).
#![expect(clippy::print_stdout, reason = "it is what a bench is for")]

mod bounds;
mod children;
mod keys;
mod lines;
mod load;
#[path = "../../tests/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/dashboard/terminal.rs"]
mod terminal;

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "--say") {
        return children::say(&args[1..]);
    }
    if args.first().is_some_and(|arg| arg == "--sink") {
        return children::sink(&args[1..]);
    }
    // `cargo test --benches` runs this too, only to see that it starts.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    args.retain(|arg| !arg.starts_with('-'));
    let wanted = |name: &str| args.is_empty() || args.iter().any(|arg| arg == name);
    if wanted("flood") {
        load::flood(1);
        load::flood(4);
    }
    if wanted("run") {
        load::run_to_a_file();
    }
    if wanted("keys") {
        keys::measure();
    }
    if wanted("many") {
        load::many();
    }
    if wanted("lines") {
        lines::measure();
    }
    if wanted("bounds") {
        bounds::measure();
    }
}

/// A number from the environment.
fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// The median of some ratios.
fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}
