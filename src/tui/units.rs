//! Numbers as the screen shows them: short, and of one width for long stretches.

use std::time::Duration;

use crate::model::human_duration;

/// A span that grows: `12.4s`, `1m02s`, `2h05m`, `3d04h`. With a blank before the unit in running text.
pub(crate) fn uptime(d: Duration, blank: bool) -> String {
    let secs = d.as_secs();
    let gap = if blank { " " } else { "" };
    match secs {
        0..60 => format!("{}.{}{gap}s", secs, d.subsec_millis() / 100),
        60..86_400 => human_duration(d),
        _ => format!("{}d{:02}h", secs / 86_400, secs / 3600 % 24),
    }
}

/// A span that shrinks: `3.4 s`, `1m02s`.
pub(crate) fn countdown(d: Duration) -> String {
    // Rounded up, so that it ends with the thing it waits for and not before.
    uptime(Duration::from_millis(d.as_micros().div_ceil(100_000) as u64 * 100), true)
}

/// A latency in at most seven cells: `2 ms`, `2.0s`, `75s`.
pub(crate) fn latency(d: Duration) -> String {
    match d.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms @ 1000..100_000 => format!("{}.{}s", ms / 1000, ms / 100 % 10),
        ms => format!("{}s", ms / 1000),
    }
}

/// Bytes in at most seven cells: `8.1 MiB`, `45 MiB`, `1.2 GiB`.
pub(crate) fn memory(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// CPU use in at most five cells.
pub(crate) fn cpu(percent: f32) -> String {
    if percent < 99.95 { format!("{percent:.1}") } else { format!("{percent:.0}") }
}

/// A count in at most `cells` cells (3 or more): `812`, `12k`, `3M`.
pub(crate) fn count(n: u64, cells: usize) -> String {
    let plain = n.to_string();
    if plain.len() <= cells {
        return plain;
    }
    for (size, unit) in [(1000, 'k'), (1_000_000, 'M'), (1_000_000_000, 'G'), (1_000_000_000_000, 'T')] {
        let whole = n / size;
        let short = if whole == 0 { format!(".{}{unit}", n * 10 / size) } else { format!("{whole}{unit}") };
        if short.len() <= cells {
            return short;
        }
    }
    "max".into()
}

/// A count with its noun: `1 line`, `2 lines`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `1 process`, `2 processes`.
pub(crate) fn processes(n: u64) -> String {
    if n == 1 { "1 process".into() } else { format!("{n} processes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn spans_keep_short() {
        let shown: Vec<_> = [0, 12_499, 59_999, 62_000, 7_500_000, 273_600_000].iter().map(|t| uptime(ms(*t), false)).collect();
        assert_eq!(shown, ["0.0s", "12.4s", "59.9s", "1m02s", "2h05m", "3d04h"]);
        assert_eq!([countdown(ms(3400)), countdown(ms(1)), countdown(ms(0)), countdown(ms(62_000))], ["3.4 s", "0.1 s", "0.0 s", "1m02s"]);
        assert_eq!([latency(ms(2)), latency(ms(2000)), latency(ms(150_000))], ["2 ms", "2.0s", "150s"]);
    }

    #[test]
    fn amounts_fit_their_columns() {
        let mib = |n: f64| memory((n * 1024.0 * 1024.0) as u64);
        assert_eq!(
            [mib(8.1), mib(9.4), mib(45.3), mib(812.0), mib(1229.0), memory(0)],
            ["8.1 MiB", "9.4 MiB", "45 MiB", "812 MiB", "1.2 GiB", "0.0 KiB"]
        );
        for bytes in (0..64).map(|bit| 1u64 << bit) {
            assert!(memory(bytes).len() <= 7, "{bytes}");
        }
        assert_eq!(
            [count(7, 3), count(1234, 3), count(123_456, 3), count(123_456, 6), count(u64::MAX, 3)],
            ["7", "1k", ".1M", "123456", "max"]
        );
        assert_eq!([cpu(0.3), cpu(99.9), cpu(800.0)], ["0.3", "99.9", "800"]);
    }
}
