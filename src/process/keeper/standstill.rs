//! All trees standing still, and going on again: what Ctrl-Z and `fg` do to a job, done to processes of their own sessions.

use nix::libc;

use super::{Keeper, Post};
use crate::{
    model::Signal,
    process::{Order, TreeEvent, freeze::freeze, signal, tree::Identity},
};

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
            let members = self.pass();
            // The leaders first: a shell that sees its job stop takes that for the job's own doing.
            let leaders = |id: &Identity| !self.leaders.contains_key(&id.pid);
            let mut running: Vec<Identity> =
                members.into_values().flatten().filter(|stat| !stat.is_stopped()).map(|stat| stat.id).collect();
            running.sort_by_key(|id| (leaders(id), *id));
            let stopped = freeze(running, |stat| {
                let below = stat.ppid == self.me.pid;
                self.place(stat, below).is_some()
            });
            self.standstill = Some(Standstill { stopped, held: Vec::new() });
        }
        self.post.send(TreeEvent::StandStill);
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
