//! Orders on their way to the guardian. Each goes out at once while the socket has room; where it has none, since the guardian
//! is busy for a moment, a thread waits for it, and nobody else does.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use nix::sys::socket::{Shutdown, shutdown};

use super::{Order, SpawnerLost, socket, wire};

/// The way to the guardian.
pub(super) struct Orders {
    /// None once the end was asked for.
    open: Mutex<Option<Queue>>,
    socket: Arc<OwnedFd>,
}

/// What the socket had no room for, in order.
#[derive(Default)]
struct Queue {
    /// How much of it has not been sent yet.
    waiting: Arc<AtomicUsize>,
    /// To the thread that sends it, once there is one.
    thread: Option<mpsc::Sender<Letter>>,
}

/// What is left to send.
enum Letter {
    /// All of this.
    Order(Order),
    /// The end of one that is on its way.
    Rest(Vec<u8>),
}

impl Orders {
    pub(super) fn new(socket: Arc<OwnedFd>) -> Self {
        Self { open: Mutex::new(Some(Queue::default())), socket }
    }

    /// Sends it, sooner or later. Does not wait.
    pub(super) fn send(&self, order: Order) -> Result<(), SpawnerLost> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = open.as_mut().ok_or(SpawnerLost)?;
        if queue.waiting.load(Ordering::Acquire) > 0 {
            return queue.push(Letter::Order(order), &self.socket);
        }
        let (frame, fds) = wire::order_frame(&order);
        match socket::send_what_fits(self.socket.as_fd(), &frame, &fds) {
            Ok(sent) if sent == frame.len() => Ok(()),
            Ok(0) => queue.push(Letter::Order(order), &self.socket),
            Ok(sent) => queue.push(Letter::Rest(frame[sent..].to_vec()), &self.socket),
            Err(_) => Err(SpawnerLost),
        }
    }

    /// No more of them: the guardian sees their end, whatever still waits here.
    pub(super) fn close(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        _ = shutdown(std::os::fd::AsRawFd::as_raw_fd(&self.socket), Shutdown::Write);
    }
}

impl Queue {
    fn push(&mut self, letter: Letter, socket: &Arc<OwnedFd>) -> Result<(), SpawnerLost> {
        let thread = match &self.thread {
            Some(thread) => thread,
            None => self.thread.insert(self.employ(socket.clone())?),
        };
        self.waiting.fetch_add(1, Ordering::AcqRel);
        thread.send(letter).map_err(|_| SpawnerLost)
    }

    fn employ(&self, socket: Arc<OwnedFd>) -> Result<mpsc::Sender<Letter>, SpawnerLost> {
        let (letters, queue) = mpsc::channel();
        let waiting = self.waiting.clone();
        let work = move || {
            for letter in queue {
                let sent = match letter {
                    Letter::Order(order) => {
                        let (frame, fds) = wire::order_frame(&order);
                        socket::send(socket.as_fd(), &frame, &fds)
                    }
                    Letter::Rest(frame) => socket::send(socket.as_fd(), &frame, &[]),
                };
                if sent.is_err() {
                    return;
                }
                waiting.fetch_sub(1, Ordering::AcqRel);
            }
        };
        thread::Builder::new().name("guardian-orders".into()).spawn(work).map_err(|_| SpawnerLost)?;
        Ok(letters)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::process::{
        TreeId,
        socket::{Filled, Inbox},
    };

    #[test]
    fn a_guardian_that_does_not_read_holds_nobody_up_and_gets_all_in_order() {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let orders = Orders::new(Arc::new(ours.into()));
        const MANY: u64 = 200;
        // Far more than a socket has room for, and cut anywhere.
        let padding: Vec<TreeId> = (0..1000).map(TreeId).collect();
        let order = |n: u64| Order::Sample { trees: [&[TreeId(n)][..], &padding].concat(), whole: false };
        for n in 0..MANY {
            orders.send(order(n)).expect("it is sent or waits");
        }
        let mut inbox = Inbox::default();
        let mut next = 0;
        while next < MANY {
            assert_eq!(inbox.fill(&theirs, true), Filled::Some);
            while let Some(frame) = inbox.frame().expect("frames") {
                let arrived = wire::read_order(frame, Vec::new()).expect("an order");
                assert_eq!(format!("{arrived:?}"), format!("{:?}", order(next)));
                next += 1;
            }
        }
        orders.send(order(MANY)).expect("there is room again");
        orders.close();
        assert!(orders.send(order(0)).is_err(), "after its end");
        while inbox.fill(&theirs, true) == Filled::Some {}
        assert!(inbox.frame().expect("a frame").is_some(), "what was sent before the end arrives");
        assert!(inbox.frame().expect("no garbage").is_none(), "and nothing after it");
    }
}
