//! Ctrl-Z: the run stands still until `fg`, its processes and everything that is counted in time.
//!
//! ```text
//!   RunHandle::suspend ──▶ Runtime ──Order::StandStill──▶ guardian: STOP to whatever runs
//!                             │  timers rest, probes that were under way will be asked again
//!   Suspended dropped  ──▶ Runtime ──Order::GoOn──▶ guardian: CONT to whom it had stopped
//!                             └─ deadlines move by the time that has passed, also in what states tell
//! ```
//!
//! In between the machine's clock stands, too: what is told meanwhile (somebody was killed from the shell) happened when the
//! run began to stand still, and what follows from it moves with the rest.
//!
//! Who stops the program itself is the front's affair, which has a terminal to give back: see
//! [`stop_group_until_continued`](crate::process::stop_group_until_continued).
//!
//! Other standstills count the same. Of the machine's sleep nothing is seen: the monotonic clock of Linux stands still, too.
//! Where it goes on while this program does not (a paused container or virtual machine, STOP from outside), the loop notices
//! that it wakes much later than it meant to, and moves all deadlines by that before it does anything else: nobody fails for
//! time in which nobody watched.

use std::{cmp::Reverse, io, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{RunHandle, handle::Wish, machine::Input, runtime::Runtime};
use crate::{
    model::{At, EventKind, NoticeLevel, human_duration},
    process::{Order, stop_until_continued},
};

/// How long is waited for processes to stand still before the program itself is stopped all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waking so much later than meant is no matter of a busy machine any more.
const OVERSLEPT: Duration = Duration::from_secs(2);

/// How often the run has been suspended, and whether it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    still: bool,
    times: u64,
    total: Duration,
}

/// A suspended run. It goes on when this is dropped.
#[derive(Debug)]
#[must_use = "the run goes on when this is dropped"]
pub struct Suspended(RunHandle);

impl Drop for Suspended {
    fn drop(&mut self) {
        drop(self.0.ask(Wish::GoOn));
    }
}

impl RunHandle {
    /// Suspends the run: stops every process of it, and the clock of every grace, back-off, timeout and probe. Resolves once all
    /// stand still. Dropped before that, it lets the run go on.
    pub async fn suspend(&self) -> Suspended {
        let still = self.ask(Wish::StandStill);
        let suspended = Suspended(self.clone());
        if timeout(PATIENCE, still.done()).await.is_err() {
            tracing::warn!("not everything stands still after {}", human_duration(PATIENCE));
        }
        suspended
    }
}

/// Stops this program like any that is asked to by Ctrl-Z (TSTP), and `run` with it, until the task is aborted; goes on when the
/// shell says so. For a front without a terminal to give back. Must be called within a tokio runtime.
pub fn stop_when_asked(run: RunHandle) -> io::Result<JoinHandle<()>> {
    let mut asked = signal(SignalKind::from_raw(nix::libc::SIGTSTP))?;
    Ok(tokio::spawn(async move {
        while asked.recv().await.is_some() {
            let suspended = run.suspend().await;
            stop_until_continued();
            drop(suspended);
        }
    }))
}

/// What the runtime knows of it.
#[derive(Debug, Default)]
pub(super) struct Suspension {
    since: Option<At>,
    told: watch::Sender<Standing>,
    /// Who waits for everything to stand still.
    waiting: Vec<u64>,
}

impl Suspension {
    /// Whether the run stands still.
    pub(super) fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// For tasks that measure time.
    pub(super) fn patience(&self) -> Patience {
        Patience(self.told.subscribe())
    }
}

impl Runtime {
    /// What time it is for the machine: while the run stands still, when that began.
    pub(super) fn time(&self) -> At {
        self.suspension.since.unwrap_or_else(|| self.parts.clock.now())
    }

    pub(super) fn stand_still(&mut self, ticket: u64) {
        self.suspension.waiting.push(ticket);
        if self.suspension.since.is_none() {
            self.suspension.since = Some(self.parts.clock.now());
            self.suspension.told.send_modify(|standing| (standing.still, standing.times) = (true, standing.times + 1));
        }
        if self.parts.spawner.send(Order::StandStill).is_err() {
            self.stands_still();
        }
    }

    /// Everything does, or never will.
    pub(super) fn stands_still(&mut self) {
        for ticket in std::mem::take(&mut self.suspension.waiting) {
            self.resolve(ticket, Ok(()));
        }
    }

    pub(super) fn go_on(&mut self) {
        if let Some(since) = self.suspension.since.take() {
            let span = self.parts.clock.now().since(since);
            self.stood_still(span, format!("suspended for {}: processes and timers stood still", human_duration(span)));
            self.order(Order::GoOn);
        }
    }

    /// The loop, which meant to wake at `meant`, is awake. Was it kept from that for so long that nothing may count it?
    pub(super) fn woke_up(&mut self, meant: Instant) {
        let late = meant.elapsed();
        if late >= OVERSLEPT && !self.suspension.is_on() {
            self.suspension.told.send_modify(|standing| standing.times += 1);
            self.stood_still(late, format!("e2e-tui could not run for {}: deadlines are moved by that", human_duration(late)));
        }
    }

    fn stood_still(&mut self, span: Duration, text: String) {
        self.timers = self.timers.drain().map(|Reverse((at, timer))| Reverse((at + span, timer))).collect();
        self.emit(EventKind::Notice { level: NoticeLevel::Info, text });
        self.feed(Input::StoodStill { span });
        self.suspension.told.send_modify(|standing| (standing.still, standing.total) = (false, standing.total + span));
    }
}

/// Measures time during which the run was not suspended.
#[derive(Debug, Clone)]
pub(super) struct Patience(watch::Receiver<Standing>);

impl Patience {
    /// Lets `span` pass.
    pub(super) async fn sleep(&mut self, span: Duration) {
        let mut left = span;
        while !left.is_zero() {
            let before = self.goes_on().await;
            let began = Instant::now();
            sleep(left).await;
            // What woke this may be the end of a suspension that is still to be told of.
            let stood = self.goes_on().await.total.saturating_sub(before.total);
            left = left.saturating_sub(began.elapsed().saturating_sub(stood));
        }
    }

    /// Waits until the run is not suspended, and says how often it has been.
    pub(super) async fn times(&mut self) -> u64 {
        self.goes_on().await.times
    }

    async fn goes_on(&mut self) -> Standing {
        // Without its runtime nothing will ever be suspended again.
        self.0.wait_for(|standing| !standing.still).await.map_or_else(|_| Standing::default(), |standing| *standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_that_stood_still_does_not_count() {
        let suspension = Suspension::default();
        let mut patience = suspension.patience();
        let began = Instant::now();
        let sleeper = tokio::spawn(async move {
            patience.sleep(Duration::from_secs(10)).await;
            began.elapsed()
        });
        sleep(Duration::from_secs(4)).await;
        suspension.told.send_modify(|standing| (standing.still, standing.times) = (true, 1));
        sleep(Duration::from_mins(1)).await;
        assert!(!sleeper.is_finished(), "it waits for the end of the suspension");
        suspension.told.send_modify(|standing| (standing.still, standing.total) = (false, Duration::from_mins(1)));
        let took = sleeper.await.expect("it does not panic");
        assert_eq!(took.as_secs(), 70, "{took:?}");
    }
}
