//! One clock a run: monotonic microseconds since its start, with a single wall-clock anchor.

use std::{
    fmt,
    ops::Add,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A moment of a run: microseconds since its start, on the monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct At(pub u64);

impl At {
    /// The run's start.
    pub const START: At = At(0);

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: At) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds since the run's start, as reports count.
    pub fn millis(self) -> u64 {
        self.0 / 1000
    }

    /// Seconds with milliseconds, as the log's time column shows them: `12.402`.
    pub fn seconds(self) -> String {
        format!("{}.{:03}", self.0 / 1_000_000, self.0 / 1000 % 1000)
    }
}

impl Add<Duration> for At {
    type Output = At;
    /// Saturates: a deadline of centuries is "never", not an overflow.
    fn add(self, d: Duration) -> At {
        At(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.seconds())
    }
}

/// The run's clock. Order comes from the monotonic part; the anchor only translates to dates.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    started: Instant,
    wall: Timestamp,
    /// The moment at which the clock of a recording stands.
    stands_at: Option<At>,
}

impl RunClock {
    /// A run that starts now.
    pub fn start() -> Self {
        Self { started: Instant::now(), wall: Timestamp::now(), stands_at: None }
    }

    /// The clock of a run that is over: it stands at `at`. `wall` is when the run started.
    pub fn standing(wall: Timestamp, at: At) -> Self {
        Self { started: Instant::now(), wall, stands_at: Some(at) }
    }

    /// The present moment of the run.
    pub fn now(&self) -> At {
        self.stands_at.unwrap_or_else(|| At::START + self.started.elapsed())
    }

    /// The moment of the run that `instant` is.
    pub fn at(&self, instant: Instant) -> At {
        At::START + instant.saturating_duration_since(self.started)
    }

    /// The instant that `at` is.
    pub fn instant(&self, at: At) -> Instant {
        self.started.checked_add(Duration::from_micros(at.0)).unwrap_or_else(|| self.started + Duration::from_hours(24 * 365 * 30))
    }

    /// The wall-clock time of the run's start.
    pub fn wall(&self) -> Timestamp {
        self.wall
    }
}

/// A duration as people write it, in the unit that keeps it short: `2 ms`, `3.4 s`, `1m02s`, `2h05m`.
pub fn human_duration(d: Duration) -> String {
    let ms = d.as_millis();
    match ms {
        0 => "<1 ms".to_owned(),
        1..1000 => format!("{ms} ms"),
        1000..60_000 => {
            let tenths = ms / 100;
            if tenths.is_multiple_of(10) { format!("{} s", tenths / 10) } else { format!("{}.{} s", tenths / 10, tenths % 10) }
        }
        60_000..3_600_000 => format!("{}m{:02}s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{}h{:02}m", ms / 3_600_000, ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let show = |ms| human_duration(Duration::from_millis(ms));
        assert_eq!(
            [show(0), show(2), show(999), show(1000), show(3400), show(62_000), show(7_500_000)],
            ["<1 ms", "2 ms", "999 ms", "1 s", "3.4 s", "1m02s", "2h05m"]
        );
    }

    #[test]
    fn far_deadlines_saturate() {
        assert_eq!(At(5) + Duration::MAX, At(u64::MAX));
        let clock = RunClock::start();
        assert!(clock.instant(At(u64::MAX)) > Instant::now());
    }
}
