//! Orders on their way to the guardian. Each goes out at once while the socket has room; where it has none, since the guardian
//! is busy for a moment, a thread waits for it, and nobody else does.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use nix::sys::socket::{Shutdown, shutdown};
use rustix::io::Errno;

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

    /// Sends it, sooner or later, without waiting for the guardian.
    pub(super) fn send(&self, order: Order) -> Result<(), SpawnerLost> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = open.as_mut().ok_or(SpawnerLost)?;
        queue.send(order, &self.socket).map_err(|_| {
            // An order that is left out, or half of one, would change what the next ones mean: then there are none.
            *open = None;
            end(&self.socket);
            SpawnerLost
        })
    }

    /// No more of them: the guardian sees their end, whatever still waits here.
    pub(super) fn close(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        end(&self.socket);
    }
}

/// The guardian sees the end of its orders, ends everything, and that ends the run.
fn end(socket: &OwnedFd) {
    _ = shutdown(socket.as_raw_fd(), Shutdown::Write);
}

impl Queue {
    fn send(&mut self, order: Order, socket: &Arc<OwnedFd>) -> Result<(), Errno> {
        if self.waiting.load(Ordering::Acquire) > 0 {
            return self.push(Letter::Order(order), socket);
        }
        let (frame, fds) = wire::order_frame(&order);
        match socket::send_what_fits(socket.as_fd(), &frame, &fds)? {
            sent if sent == frame.len() => Ok(()),
            0 => self.push(Letter::Order(order), socket),
            sent => self.push(Letter::Rest(frame[sent..].to_vec()), socket),
        }
    }

    fn push(&mut self, letter: Letter, socket: &Arc<OwnedFd>) -> Result<(), Errno> {
        if self.thread.is_none() {
            self.thread = self.employ(socket.clone());
        }
        // Where no thread can be had this one waits: a moment, since all that the guardian does is short.
        let Some(thread) = &self.thread else { return letter.deliver(socket) };
        self.waiting.fetch_add(1, Ordering::AcqRel);
        thread.send(letter).map_err(|_| Errno::PIPE)
    }

    fn employ(&self, socket: Arc<OwnedFd>) -> Option<mpsc::Sender<Letter>> {
        let (letters, queue) = mpsc::channel::<Letter>();
        let waiting = self.waiting.clone();
        let work = move || {
            for letter in queue {
                if letter.deliver(&socket).is_err() {
                    return end(&socket);
                }
                waiting.fetch_sub(1, Ordering::AcqRel);
            }
        };
        thread::Builder::new().name("guardian-orders".into()).spawn(work).ok().map(|_| letters)
    }
}

impl Letter {
    fn deliver(&self, socket: &OwnedFd) -> Result<(), Errno> {
        match self {
            Letter::Order(order) => {
                let (frame, fds) = wire::order_frame(order);
                socket::send(socket.as_fd(), &frame, &fds)
            }
            Letter::Rest(rest) => socket::send(socket.as_fd(), rest, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };

    use super::*;
    use crate::{
        model::Limits,
        process::{
            Launch, TreeId,
            socket::{Filled, Inbox},
        },
    };

    const MANY: u64 = 200;

    fn way() -> (Orders, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        (Orders::new(Arc::new(ours.into())), theirs)
    }

    /// So long that a socket takes a part of it.
    fn sample(n: u64) -> Order {
        let padding = (0..20_000).map(TreeId);
        Order::Sample { trees: std::iter::once(TreeId(n)).chain(padding).collect(), whole: false }
    }

    /// A start whose stdout is a pipe; what comes out of it is told by the returned end.
    fn start(n: u64) -> (Order, std::io::PipeReader) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").expect("it exists"));
        let launch = Launch {
            argv: vec!["true".into()],
            program: "/bin/true".into(),
            env: Vec::new(),
            cwd: "/".into(),
            stdin: None,
            stdout: writer.into(),
            stderr: null(),
            limits: Limits::default(),
            tty: false,
        };
        (Order::Spawn { tree: TreeId(n), launch: Box::new(launch) }, reader)
    }

    #[test]
    fn a_guardian_that_does_not_read_holds_nobody_up_and_gets_all_in_order() {
        let (orders, theirs) = way();
        let mut pipes = Vec::new();
        for n in 0..MANY {
            orders.send(sample(n)).expect("it is sent or waits");
            let (order, reader) = start(n);
            orders.send(order).expect("it is sent or waits");
            pipes.push(reader);
        }
        let mut inbox = Inbox::default();
        let mut next = 0;
        while next < 2 * MANY {
            assert_eq!(inbox.fill(&theirs, true), Filled::Some);
            while let Some(frame) = inbox.frame().expect("frames").map(<[u8]>::to_vec) {
                let fds = if next % 2 == 1 { inbox.descriptors() } else { Vec::new() };
                match wire::read_order(&frame, fds).expect("an order") {
                    Order::Sample { trees, .. } => assert_eq!((trees[0], trees.len()), (TreeId(next / 2), 20_001)),
                    Order::Spawn { tree, launch } => {
                        assert_eq!(tree, TreeId(next / 2));
                        let mut said = [0];
                        std::fs::File::from(launch.stdout).write_all(b"!").expect("somebody reads");
                        pipes[usize::try_from(next / 2).expect("few")].read_exact(&mut said).expect("it is its own pipe");
                    }
                    other => panic!("{other:?}"),
                }
                next += 1;
            }
        }
        orders.send(sample(MANY)).expect("there is room again");
        orders.close();
        assert!(orders.send(sample(0)).is_err(), "after its end");
    }

    #[test]
    fn a_guardian_that_is_gone_takes_none() {
        let (orders, theirs) = way();
        drop(theirs);
        assert!(orders.send(sample(0)).is_err());
        let (order, _reader) = start(1);
        assert!(orders.send(order).is_err());
    }

    #[test]
    fn where_no_thread_can_be_had_the_sender_waits() {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let reader = std::thread::spawn(move || {
            let mut inbox = Inbox::default();
            while inbox.frame().expect("frames").is_none() {
                assert_eq!(inbox.fill(&theirs, true), Filled::Some);
            }
        });
        assert_eq!(Letter::Order(sample(1)).deliver(&ours.into()), Ok(()));
        reader.join().expect("it came whole");
    }
}
