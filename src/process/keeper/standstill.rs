//! All trees standing still, and going on again: what Ctrl-Z and `fg` do to a job, done to processes of their own sessions.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use nix::libc;

use super::{Keeper, Post};
use crate::{
    model::Signal,
    process::{
        Order, TreeEvent,
        freeze::{freeze, have_stopped},
        signal,
        tree::Identity,
    },
};

/// How long STOP may take to take effect before the standstill is told all the same.
const TAKES_EFFECT: Duration = Duration::from_millis(200);
/// How often somebody new is looked for at most.
const ROUNDS: u32 = 10;

/// A standstill, and what it keeps for later.
#[derive(Default)]
pub(super) struct Standstill {
    /// Who was stopped for it, parents before their children. Whoever had stopped by itself before stays so after it.
    stopped: Vec<Identity>,
    /// Orders that have come meanwhile.
    held: Vec<Order>,
}

impl<P: Post> Keeper<P> {
    /// Stops whatever lives of any tree. Nothing is started and no order is carried out until [`Self::go_on`].
    pub(super) fn stand_still(&mut self) {
        if self.standstill.is_none() {
            // A signal that was ordered before goes out before: later, the CONT after it would let its tree go on.
            self.sweep(Instant::now());
            let stopped = self.stop_all();
            have_stopped(stopped.clone(), TAKES_EFFECT);
            self.standstill = Some(Standstill { stopped, held: Vec::new() });
        }
        self.post.send(TreeEvent::StandStill);
    }

    /// Sends STOP to whoever runs, until a look shows nobody who has not got it. Says who has.
    fn stop_all(&mut self) -> Vec<Identity> {
        let mut stopped = Vec::new();
        for _ in 0..ROUNDS {
            let sent: HashSet<Identity> = stopped.iter().copied().collect();
            let members = self.pass().into_values().flatten();
            let mut running: Vec<Identity> =
                members.filter(|stat| !stat.is_stopped() && !sent.contains(&stat.id)).map(|stat| stat.id).collect();
            if running.is_empty() {
                break;
            }
            // The leaders first: a shell that sees its job stop takes that for the job's own doing.
            running.sort_by_key(|id| (!self.leaders.contains_key(&id.pid), *id));
            stopped.extend(freeze(running, |stat| self.place_newcomer(stat).is_some()));
        }
        stopped
    }

    /// Lets go on whoever was stopped for the standstill, children first, and does what was ordered meanwhile.
    pub(super) fn go_on(&mut self) {
        let Some(Standstill { stopped, held }) = self.standstill.take() else { return };
        for id in stopped.into_iter().rev() {
            // Whoever is gone need not go on.
            _ = signal::send(id, Signal(libc::SIGCONT));
        }
        for order in held {
            self.carry_out(order);
        }
    }

    /// Keeps an order for later if everything stands still, else gives it back.
    pub(super) fn hold(&mut self, order: Order) -> Option<Order> {
        match (&mut self.standstill, &order) {
            (None, _) | (_, Order::StandStill | Order::GoOn | Order::Terminal { .. }) => Some(order),
            (Some(standstill), _) => {
                standstill.held.push(order);
                None
            }
        }
    }
}
