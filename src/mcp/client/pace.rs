//! Which call comes next, and when.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Lateness up to here is made up for.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Gives out the calls of a test to all who make them: numbered, paced, and up to an end.
#[derive(Debug)]
pub(super) struct Pace {
    /// The last number, if there is one.
    total: Option<u32>,
    /// How long calls are given out.
    duration: Option<Duration>,
    /// The time between two calls.
    period: Option<Duration>,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    given: u32,
    next: Option<Instant>,
}

impl Pace {
    /// Starts now.
    pub(super) fn new(total: Option<u32>, duration: Option<Duration>, rate: Option<f64>) -> Self {
        let period = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        Self { total, duration, period, started: Instant::now(), state: Mutex::default() }
    }

    /// The number of the next call, when its time has come; none once there is no more.
    pub(super) async fn next(&self) -> Option<u32> {
        let (number, when) = self.reserve()?;
        if let Some(when) = when {
            tokio::time::sleep_until(when).await;
        }
        Some(number)
    }

    fn reserve(&self) -> Option<(u32, Option<Instant>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.total.is_some_and(|total| state.given >= total) {
            return None;
        }
        let now = Instant::now();
        // Timers are late by a millisecond or so, which is made up for, or a fast rate would never be reached. A
        // slow answer is not: it delays the calls after it, and no burst follows.
        let when = state.next.filter(|next| now.saturating_duration_since(*next) <= CATCH_UP).unwrap_or(now);
        if self.duration.is_some_and(|duration| when.saturating_duration_since(self.started) >= duration) {
            return None;
        }
        state.given += 1;
        state.next = self.period.map(|period| when + period);
        Some((state.given, self.period.map(|_| when)))
    }

    /// How far a test is: `18 of 50 calls`, `18 calls, 12 s of 30 s`.
    pub(super) fn progress(&self, done: u32) -> String {
        match (self.total, self.duration) {
            (Some(total), _) => format!("{done} of {total} calls"),
            (None, Some(duration)) => {
                let passed = self.started.elapsed().min(duration).as_secs();
                format!("{done} calls, {passed} s of {:.0} s", duration.as_secs_f64())
            }
            (None, None) => format!("{done} calls"),
        }
    }

    /// Whether that many calls are all there will be.
    pub(super) fn is_last(&self, done: u32) -> bool {
        self.total == Some(done)
    }

    /// The last number, if there is one.
    pub(super) fn total(&self) -> Option<u32> {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_are_numbered_and_paced_without_bursts() {
        let pace = Pace::new(Some(4), None, Some(10.0));
        let started = Instant::now();
        let mut at = Vec::new();
        while let Some(number) = pace.next().await {
            at.push((number, started.elapsed().as_millis()));
            if number == 2 {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
        assert_eq!(at, [(1, 0), (2, 100), (3, 350), (4, 450)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_little_lateness_does_not_add_up() {
        let pace = Pace::new(None, Some(Duration::from_secs(1)), Some(100.0));
        let mut calls = 0;
        while pace.next().await.is_some() {
            calls += 1;
            tokio::time::sleep(Duration::from_millis(if calls % 10 == 0 { 30 } else { 1 })).await;
        }
        assert_eq!(calls, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_duration_ends_the_calls() {
        let pace = Pace::new(None, Some(Duration::from_secs(1)), Some(4.0));
        let mut calls = 0;
        while pace.next().await.is_some() {
            calls += 1;
        }
        assert_eq!(calls, 4, "at 0, 250, 500 and 750 ms");
        assert_eq!(pace.progress(4), "4 calls, 0 s of 1 s");
    }
}
