//! Times of day for millions of lines: most of them share their second.

use std::io::{self, Write};

use crate::model::At;

/// Writes moments of a run as RFC 3339 with microseconds.
pub(super) struct Clock {
    /// The run's start, in microseconds since the epoch.
    started: i64,
    second: Option<i64>,
    /// That second: `2026-11-23T06:25:57`.
    text: String,
}

impl Clock {
    pub(super) fn new(started: jiff::Timestamp) -> Self {
        Self { started: started.as_microsecond(), second: None, text: String::new() }
    }

    /// Writes `at`.
    pub(super) fn write(&mut self, at: At, out: &mut impl Write) -> io::Result<()> {
        let moment = self.started.saturating_add(i64::try_from(at.0).unwrap_or(i64::MAX));
        let (second, micros) = (moment.div_euclid(1_000_000), moment.rem_euclid(1_000_000));
        if self.second != Some(second) {
            // A moment beyond the calendar is some stranger's: that of the start does as well.
            let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            self.text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            self.second = Some(second);
        }
        let mut digits = *b".000000Z";
        let mut rest = micros.unsigned_abs();
        for digit in digits[1..7].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.write_all(self.text.as_bytes())?;
        out.write_all(&digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_what_the_calendar_says() {
        let started: jiff::Timestamp = "2026-11-23T06:25:57.881890Z".parse().expect("a time");
        let mut clock = Clock::new(started);
        for micros in [0, 1, 118_109, 118_110, 5_000_000, 86_400_000_000, 7] {
            let mut out = Vec::new();
            clock.write(At(micros), &mut out).expect("memory");
            let wanted = started.checked_add(std::time::Duration::from_micros(micros)).expect("a time");
            assert_eq!(String::from_utf8(out).expect("text"), format!("{wanted:.6}"));
        }
        clock.write(At(u64::MAX), &mut Vec::new()).expect("any moment is written somehow");
    }
}
