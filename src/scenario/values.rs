//! Durations, sizes and the like, as the file writes them.

use std::time::Duration;

/// Why a text is no duration or size. Printed under the marked text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    /// `5`
    #[error("a unit is missing")]
    NoUnit,
    /// `-1s`
    #[error("it cannot be negative")]
    Negative,
    /// `5 parsecs`
    #[error("`{0}` is no unit")]
    Unit(String),
    /// `1e99h`
    #[error("`{0}` is no number")]
    Number(String),
    /// `99999999999999999h`
    #[error("it is too long to count")]
    TooLarge,
    /// An empty text.
    #[error("nothing stands here")]
    Empty,
}

/// The units of [`duration`], in nanoseconds.
const DURATION_UNITS: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// The units of [`size`], in bytes.
const SIZE_UNITS: &[(&str, u128)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
];

/// What a duration may look like, for help lines.
pub(super) const DURATION_FORMS: &str = "durations look like \"250ms\", \"5s\", \"1m30s\" or \"1h\"";
/// What a size may look like, for help lines.
pub(super) const SIZE_FORMS: &str = "sizes look like \"500MiB\", \"2GB\" or \"64KiB\"";

/// Reads `250ms`, `5s`, `1m30s`, `1.5h`. A bare number is an error, but for `0`.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    let nanos = quantity(text, |unit| DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, n)| *n))?;
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| ValueError::TooLarge)?;
    // Beyond a century it is a mistake, and arithmetic on it would have to be guarded everywhere.
    if seconds > 100 * 366 * 86_400 {
        return Err(ValueError::TooLarge);
    }
    Ok(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).unwrap_or(0)))
}

/// Reads `500MiB`, `2GB`; units in any case. A bare number is an error, but for `0`.
pub(super) fn size(text: &str) -> Result<u64, ValueError> {
    let find = |unit: &str| SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, n)| *n);
    u64::try_from(quantity(text, find)?).map_err(|_| ValueError::TooLarge)
}

/// A sum of numbers with units, in the smallest unit.
fn quantity(text: &str, unit_of: impl Fn(&str) -> Option<u128>) -> Result<u128, ValueError> {
    let text = text.trim();
    match text {
        "" => return Err(ValueError::Empty),
        "0" => return Ok(0),
        _ if text.starts_with('-') => return Err(ValueError::Negative),
        _ => {}
    }
    let mut rest = text;
    let mut sum: u128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let after = after.trim_start();
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c.is_whitespace() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        if number.is_empty() {
            return Err(ValueError::Number(super::suggest::shown(text)));
        }
        if unit.is_empty() {
            return Err(ValueError::NoUnit);
        }
        let factor = unit_of(unit).ok_or_else(|| ValueError::Unit(super::suggest::shown(unit)))?;
        let part = scaled(number, factor)?;
        sum = sum.checked_add(part).ok_or(ValueError::TooLarge)?;
        rest = next.trim_start();
    }
    Ok(sum)
}

/// `number` times `factor`, exact for up to nine decimals.
fn scaled(number: &str, factor: u128) -> Result<u128, ValueError> {
    let bad = || ValueError::Number(super::suggest::shown(number));
    let digits = number.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.is_empty() || (digits.contains('.') && fraction.is_empty()) || fraction.contains('.') {
        return Err(bad());
    }
    if whole.len() > 25 || fraction.len() > 9 {
        return Err(ValueError::TooLarge);
    }
    let whole: u128 = whole.parse().map_err(|_| bad())?;
    let mut result = whole.checked_mul(factor).ok_or(ValueError::TooLarge)?;
    if !fraction.is_empty() {
        let parts: u128 = fraction.parse().map_err(|_| bad())?;
        let of = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(9));
        result = result.checked_add(parts.checked_mul(factor).ok_or(ValueError::TooLarge)? / of).ok_or(ValueError::TooLarge)?;
    }
    Ok(result)
}

/// A duration as the file would write it: `250ms`, `1m30s`.
pub(super) fn duration_text(d: Duration) -> String {
    let nanos = d.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    if !nanos.is_multiple_of(1_000_000_000) {
        return match nanos {
            n if n % 1_000_000 == 0 => format!("{}ms", n / 1_000_000),
            n if n % 1_000 == 0 => format!("{}us", n / 1_000),
            n => format!("{n}ns"),
        };
    }
    let seconds = d.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect::<Vec<_>>().concat()
}

/// Bytes as people write them: `500 MiB`, `4 GB`.
pub(super) fn size_text(bytes: u64) -> String {
    const UNITS: &[(u64, &str)] =
        &[(1 << 30, "GiB"), (1_000_000_000, "GB"), (1 << 20, "MiB"), (1_000_000, "MB"), (1 << 10, "KiB"), (1_000, "KB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn c4_durations_are_read_with_their_units_and_nothing_else() {
        let ms = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(ms("250ms"), Ok(250));
        assert_eq!(ms("1m30s"), Ok(90_000));
        assert_eq!(ms("1.5h"), Ok(5_400_000));
        assert_eq!(ms(" 1 min "), Ok(60_000));
        assert_eq!(ms("0"), Ok(0));
        assert_eq!(ms("5"), Err(ValueError::NoUnit));
        assert_eq!(ms("1m30"), Err(ValueError::NoUnit));
        assert_eq!(ms("-1s"), Err(ValueError::Negative));
        assert_eq!(ms("1e99h"), Err(ValueError::Unit("e".into())));
        assert_eq!(ms("5 parsecs"), Err(ValueError::Unit("parsecs".into())));
        assert_eq!(ms("s"), Err(ValueError::Number("s".into())));
        assert_eq!(ms(""), Err(ValueError::Empty));
        assert_eq!(ms("99999999999999999999h"), Err(ValueError::TooLarge));
        assert_eq!(ms("1..5s"), Err(ValueError::Number("1..5".into())));
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        assert_eq!(size("500MiB"), Ok(500 << 20));
        assert_eq!(size("2gb"), Ok(2_000_000_000));
        assert_eq!(size("1.5 KiB"), Ok(1536));
        assert_eq!(size("500"), Err(ValueError::NoUnit));
        assert_eq!(size("5M"), Err(ValueError::Unit("M".into())));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0_u64..3_000_000_000, ms in 0_u64..1000) {
            let d = Duration::from_secs(seconds) + Duration::from_millis(ms);
            prop_assert_eq!(duration(&duration_text(d)), Ok(d));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (duration(&text), size(&text));
        }
    }
}
