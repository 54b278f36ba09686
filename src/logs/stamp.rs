//! Time stamps in the spellings that programs use.

use std::{ops::Range, sync::LazyLock};

use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use super::structure::pattern;

/// The length of the time stamp that `text` begins with.
pub(super) fn time_at(text: &str) -> Option<usize> {
    static STAMP: LazyLock<Regex> = LazyLock::new(|| {
        pattern(concat!(
            r"^(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)*(?:Z| UTC| ?[+-]\d\d:?\d\d)?",
            r"|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?",
            r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?",
            r"|[IWEFD]\d{4} \d\d:\d\d:\d\d\.\d+",
            r"|\d\d:\d\d:\d\d(?:[.,]\d+)?",
            r"|\d{1,2}:\d\d[AP]M",
            r"|1\d{9}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?|1\.\d{3,}e\+?0?9)",
        ))
    });
    // Cheap first: most lines that carry no time begin with neither a digit nor one of these letters.
    text.as_bytes().first().filter(|b| b.is_ascii_digit() || b.is_ascii_uppercase())?;
    STAMP.find(text).map(|found| found.end())
}

/// The time in an access line: `127.0.0.1 - - [23/Nov/2026:06:21:16 +0000] "GET …`; and what goes with it.
pub(super) fn bracketed_time(text: &str) -> Option<(Range<usize>, Range<usize>)> {
    static STAMP: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^.{1,120}?\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?)\] ?"));
    text.contains('[').then(|| STAMP.captures(text)).flatten().and_then(|found| {
        let time = found.get(1)?.range();
        Some((time.clone(), time.start - 1..found.get(0)?.end()))
    })
}

/// `1763879157.9`, `1763879157904`: a time since 1970 in seconds, milli-, micro- or nanoseconds, as one can read it (UTC).
/// Any other text is left as it is.
pub(super) fn readable(text: String) -> String {
    const SECOND: f64 = 1e9;
    let Ok(number) = text.parse::<f64>() else { return text };
    let (unit, digits) = match number {
        1e9..1e11 if number.fract() == 0.0 => (SECOND, 0),
        1e9..1e11 => (SECOND, 3),
        1e12..1e14 => (1e6, 3),
        1e15..1e17 => (1e3, 6),
        1e18..1e19 => (1.0, 6),
        _ => return text,
    };
    // A double holds microseconds of our days exactly enough; whole numbers are not sent through one.
    let nanos = text.parse::<i64>().map_or((number * unit) as i128, |whole| i128::from(whole) * unit as i128);
    let nanos = if digits == 3 { (nanos + 500_000) / 1_000_000 * 1_000_000 } else { nanos };
    let at = Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_nanos_i128(nanos));
    at.map_or(text, |at| format!("{at:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn times_since_1970_become_readable_in_any_unit() {
        for (written, seen) in [
            ("1763879157", "2025-11-23T06:25:57Z"),
            ("1763879157.9", "2025-11-23T06:25:57.900Z"),
            ("1.763879157904e+09", "2025-11-23T06:25:57.904Z"),
            ("1763879157904", "2025-11-23T06:25:57.904Z"),
            ("1763879157904537", "2025-11-23T06:25:57.904537Z"),
            ("1763879157904537123", "2025-11-23T06:25:57.904537Z"),
            ("12.5", "12.5"),
            ("nan", "nan"),
            ("-1763879157", "-1763879157"),
            ("2025-11-23T06:25:57Z", "2025-11-23T06:25:57Z"),
        ] {
            assert_eq!(readable(written.into()), seen);
        }
    }
}
