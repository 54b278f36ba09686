//! The restart policy's arithmetic: exponential back-off with a cap, and a bound on how often.

use std::{collections::VecDeque, time::Duration};

use crate::model::{At, Exit, RestartMode, RestartPolicy};

/// `always` gives up after this many exits within [`ALWAYS_WINDOW`].
const ALWAYS_EXITS: usize = 10;
/// See [`ALWAYS_EXITS`].
const ALWAYS_WINDOW: Duration = Duration::from_mins(1);

/// What the policy remembers of a process.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    /// Restarts in a row, since it last lived long enough.
    in_a_row: u32,
    /// Ends under `always`, within the window.
    exits: VecDeque<At>,
}

/// What the policy says to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// No restart, and that is all right or not as the exit says.
    Rest,
    /// Restart number `attempt` after `delay`.
    Restart { attempt: u32, of: Option<u32>, delay: Duration },
    /// It ended so `times` times in a row: enough.
    GiveUp { times: u32 },
}

impl Ledger {
    /// Decides after an end at `now`; `exit` is none if it failed while alive. `draw` is a number in `0.0..1.0`.
    pub(super) fn decide(&mut self, policy: &RestartPolicy, exit: Option<Exit>, up: Duration, now: At, draw: f64) -> Decision {
        let success = exit.is_some_and(Exit::success);
        match policy.mode {
            RestartMode::Never => Decision::Rest,
            RestartMode::OnFailure if success => Decision::Rest,
            RestartMode::OnFailure => {
                if up >= policy.reset_after {
                    self.in_a_row = 0;
                }
                if self.in_a_row >= policy.max_attempts {
                    return Decision::GiveUp { times: self.in_a_row.saturating_add(1) };
                }
                let delay = delay(policy, self.in_a_row, draw);
                self.in_a_row += 1;
                Decision::Restart { attempt: self.in_a_row, of: Some(policy.max_attempts), delay }
            }
            RestartMode::Always => {
                self.exits.retain(|at| now.since(*at) < ALWAYS_WINDOW);
                self.exits.push_back(now);
                if self.exits.len() >= ALWAYS_EXITS {
                    return Decision::GiveUp { times: u32::try_from(self.exits.len()).unwrap_or(u32::MAX) };
                }
                self.in_a_row += 1;
                Decision::Restart { attempt: self.in_a_row, of: None, delay: policy.delay }
            }
        }
    }

    /// Time stood still: what happened before is as recent as it was then.
    pub(super) fn stood_still(&mut self, span: Duration) {
        self.exits.iter_mut().for_each(|at| *at = *at + span);
    }

    /// Somebody started it by hand: count anew.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The delay before restart number `done + 1`: `backoff` doubled `done` times, capped, plus a share at random.
fn delay(policy: &RestartPolicy, done: u32, draw: f64) -> Duration {
    let doubled = policy.backoff.checked_mul(1 << done.min(20)).unwrap_or(Duration::MAX).min(policy.max_backoff);
    let share = (policy.jitter * draw).clamp(0.0, 1.0);
    doubled.saturating_add(doubled.min(Duration::from_hours(24)).mul_f64(share)).min(policy.max_backoff.max(policy.backoff))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: RestartMode) -> RestartPolicy {
        RestartPolicy { mode, max_attempts: 5, ..RestartPolicy::default() }
    }

    fn crash(ledger: &mut Ledger, policy: &RestartPolicy, at: u64) -> Decision {
        ledger.decide(policy, Some(Exit::Code(101)), Duration::from_millis(5), At(at), 0.0)
    }

    #[test]
    fn p8_back_off_doubles_to_its_cap_then_gives_up() {
        let policy = RestartPolicy { max_backoff: Duration::from_secs(5), ..policy(RestartMode::OnFailure) };
        let mut ledger = Ledger::default();
        let delays: Vec<_> = (0..6)
            .map(|n| match crash(&mut ledger, &policy, n) {
                Decision::Restart { delay, .. } => delay.as_millis() as i64,
                Decision::GiveUp { times } => -i64::from(times),
                Decision::Rest => 0,
            })
            .collect();
        assert_eq!(delays, [1000, 2000, 4000, 5000, 5000, -6]);
    }

    #[test]
    fn a_long_life_counts_anew() {
        let policy = policy(RestartMode::OnFailure);
        let mut ledger = Ledger::default();
        for n in 0..5 {
            crash(&mut ledger, &policy, n);
        }
        let lived = ledger.decide(&policy, Some(Exit::Code(1)), Duration::from_mins(1), At(9), 0.0);
        assert_eq!(lived, Decision::Restart { attempt: 1, of: Some(5), delay: Duration::from_secs(1) });
    }

    #[test]
    fn p7_exit_0_is_no_failure_and_p6_always_is_bounded() {
        let ok = Some(Exit::Code(0));
        assert_eq!(Ledger::default().decide(&policy(RestartMode::OnFailure), ok, Duration::ZERO, At(0), 0.0), Decision::Rest);
        let mut ledger = Ledger::default();
        let last = (0..10).map(|n| ledger.decide(&policy(RestartMode::Always), ok, Duration::ZERO, At(n * 1_000_000), 0.0)).last();
        assert_eq!(last, Some(Decision::GiveUp { times: 10 }));
    }

    #[test]
    fn k3_extreme_durations_saturate() {
        let policy = RestartPolicy {
            backoff: Duration::MAX,
            max_backoff: Duration::MAX,
            jitter: 1.0,
            max_attempts: u32::MAX,
            ..policy(RestartMode::OnFailure)
        };
        let mut ledger = Ledger { in_a_row: 60, ..Ledger::default() };
        assert!(matches!(crash(&mut ledger, &policy, 0), Decision::Restart { .. }));
        let zero = RestartPolicy { backoff: Duration::ZERO, max_backoff: Duration::ZERO, ..policy };
        assert!(matches!(crash(&mut ledger, &zero, 0), Decision::Restart { delay: Duration::ZERO, .. }));
    }
}
