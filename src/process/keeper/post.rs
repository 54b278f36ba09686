//! What a keeper is told and where: its mail, and whose house it lives in.

use std::os::fd::BorrowedFd;

use crate::process::{Order, TreeEvent, watcher::Board};

/// Where orders come from and events go to.
pub(crate) trait Post {
    /// Readable when there may be orders.
    fn ready(&self) -> BorrowedFd<'_>;
    /// Takes at most `most` of the orders that have arrived, without waiting.
    fn take(&mut self, most: usize, orders: &mut Vec<Order>) -> Mail;
    /// Sends an event, at the latest with the next [`flush`](Self::flush). One that nobody will read is dropped.
    fn send(&mut self, event: TreeEvent);
    /// Nothing more is to be sent for now.
    fn flush(&mut self) {}
}

/// What [`Post::take`] has left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mail {
    /// Nothing.
    Taken,
    /// More orders, which [`Post::ready`] does not announce again.
    More,
    /// Nothing, and nothing will ever come: the one who gave orders is gone.
    Closed,
}

/// Whose process the keeper lives in.
pub(crate) enum Household {
    /// Its own: every child is its to reap, and as a subreaper it adopts orphans.
    Own,
    /// A stranger's: it reaps by pid, finds orphans wherever they went, and keeps the watcher's board.
    Guest(Board),
}
