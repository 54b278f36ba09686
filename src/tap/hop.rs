//! The hop: every byte goes on as it came, and is looked at on its way.
//!
//! Two pumps a connection, one each way. As long as nothing is to be disturbed a pump writes what it has read before
//! anything else happens; only a request that a fault may be meant for is held until it is whole.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::net::sockopt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex as AsyncMutex, Notify, Semaphore},
    time::sleep,
};

use super::{
    answer::{made_up, wants_close},
    conversation::{Conversation, Counter, Mark, Setting},
    fault::{Chosen, Deed, Faults},
    gate::OpenGate,
    note::Note,
};
use crate::{
    aside::aside,
    model::{At, FaultSpec, ProcessId},
};

/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// A request over this is not held for a fault.
const LONGEST_HELD: usize = 1 << 20;
/// How much of a body that trickles comes at once.
const DROP: usize = 16;
/// After a failed `accept` (no descriptor is free, say).
const ACCEPT_AGAIN: Duration = Duration::from_millis(20);

/// Who has made a connection is looked for once more after so long.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How many look at once for whoever has made a connection.
static LOOKUPS: Semaphore = Semaphore::const_new(4);

/// What a tap tells, and whom it asks. Called from the thread of the taps, and from those that write to tapped pipes and read
/// from them.
pub trait Observer: Send + Sync + std::fmt::Debug + 'static {
    /// The present moment of the run.
    fn now(&self) -> At;
    /// Something happened.
    fn note(&self, note: Note);
    /// The fault of a tap was for so many requests, and they have been.
    fn fault_over(&self, tap: &ProcessId);
    /// Whose the local end of a connection is that comes from this port. May take milliseconds.
    fn client(&self, port: u16) -> Option<ProcessId>;
    /// Whether anybody listens on this port.
    fn listens(&self, port: u16) -> bool;
    /// Something went by so fast that it is not recorded.
    fn lost(&self) {}
}

/// One tap.
pub(crate) struct Hop {
    setting: Setting,
    /// Where the process listens.
    target: SocketAddr,
    faults: Faults,
    connections: Counter,
    observer: Arc<dyn Observer>,
    /// Nobody listened where the process should.
    lost: Notify,
}

impl Hop {
    pub(crate) fn new(setting: Setting, port: u16, connections: Counter, observer: Arc<dyn Observer>) -> Self {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { setting, target, faults: Faults::default(), connections, observer, lost: Notify::new() }
    }

    /// In front of whom.
    pub(crate) fn tap(&self) -> &ProcessId {
        &self.setting.tap
    }

    /// Whether anybody listens behind it.
    pub(crate) fn listens(&self) -> bool {
        self.observer.listens(self.target.port())
    }

    /// From now on this fault.
    pub(crate) fn disturb(&self, spec: FaultSpec) {
        self.faults.set(spec);
    }

    /// Takes connections until nobody listens any more. Those that it has taken go on.
    pub(crate) async fn serve(self: &Arc<Self>, gate: OpenGate) {
        loop {
            tokio::select! {
                () = self.lost.notified() => return,
                accepted = gate.accept() => match accepted {
                    Ok((client, port)) => {
                        tokio::spawn(Arc::clone(self).pass(client, port));
                    }
                    Err(_) => sleep(ACCEPT_AGAIN).await,
                },
            }
        }
    }

    /// Says whether connections come in.
    pub(crate) fn note_gate(&self, open: bool) {
        self.observer.note(Note::Gate { tap: self.setting.tap.clone(), at: self.observer.now(), open });
    }

    async fn pass(self: Arc<Self>, client: TcpStream, port: u16) {
        let number = self.connections.next();
        let mut talk = Conversation::new(self.setting.clone(), number);
        let Ok(server) = TcpStream::connect(self.target).await else {
            talk.refused(self.observer.now());
            talk.take_notes().into_iter().for_each(|note| self.observer.note(note));
            reset_when_dropped(&client);
            self.lost.notify_one();
            return;
        };
        // What is small would wait for more otherwise.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        tokio::spawn(name_client(Arc::clone(&self.observer), number, port));
        Connection::new(self, talk).run(client, server).await;
    }
}

/// Finds out who has made a connection. A process that connects as soon as it lives may do so before it is known to live.
async fn name_client(observer: Arc<dyn Observer>, connection: u64, port: u16) {
    for pause in [Duration::ZERO, LOOK_AGAIN] {
        sleep(pause).await;
        // Where no thread is to be had it stays unknown; the semaphore is never closed.
        let _turn = LOOKUPS.acquire().await;
        let asked = Arc::clone(&observer);
        match aside(move || asked.client(port)).await {
            Ok(Some(client)) => return observer.note(Note::Client { connection, client }),
            Ok(None) => {}
            Err(e) => tracing::debug!("who has made connection {connection} is not looked up: {e}"),
        }
    }
}

/// One connection through it.
struct Connection {
    hop: Arc<Hop>,
    talk: Mutex<Conversation>,
    /// An answer is complete.
    answered: Notify,
    /// The way back to the client is closed: what the process says goes nowhere.
    deaf: AtomicBool,
}

/// The way to the client: the pump of answers writes there, and the other one where it answers in the process's place.
type Back = AsyncMutex<OwnedWriteHalf>;

/// How a pump ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its source says no more.
    Closed,
    /// The connection of the client broke, or is to break; the other goes the same way.
    ClientGone,
    /// That of the process did.
    ServerGone,
}

/// What becomes of the connection after a request was disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    /// What the client sends goes nowhere from now on.
    Swallow,
    Break(End),
}

impl Connection {
    fn new(hop: Arc<Hop>, talk: Conversation) -> Self {
        Self { hop, talk: Mutex::new(talk), answered: Notify::new(), deaf: AtomicBool::new(false) }
    }

    async fn run(self, client: TcpStream, server: TcpStream) {
        let ((mut from_client, to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
        let back = Back::new(to_client);
        let (end, first) = {
            let requests = self.requests(&mut from_client, &mut to_server, &back);
            let answers = self.answers(&mut from_server, &back);
            tokio::pin!(requests, answers);
            tokio::select! {
                end = &mut requests => (if end == End::Closed { answers.await } else { end }, End::ClientGone),
                end = &mut answers => (if end == End::Closed { requests.await } else { end }, End::ServerGone),
            }
        };
        if end != End::Closed {
            // A half that is dropped says goodbye; a reset says nothing.
            for half in [to_server, back.into_inner()] {
                reset_when_dropped(half.as_ref());
                half.forget();
            }
        }
        let now = self.hop.observer.now();
        let by_client = if end == End::Closed { first } else { end } == End::ClientGone;
        self.look(|talk| talk.over(by_client, now));
    }

    /// The pump of what the client sends.
    async fn requests(&self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, back: &Back) -> End {
        let mut chunk = vec![0; CHUNK];
        let mut held = Held::default();
        let mut swallow = false;
        loop {
            let n = match from.read(&mut chunk).await {
                Ok(0) => {
                    // Of a request that was never whole; whoever reads it decides what that means.
                    let ended = to.write_all(&held.take()).await.and(to.shutdown().await);
                    return if ended.is_ok() { End::Closed } else { End::ServerGone };
                }
                Ok(n) => n,
                Err(_) => return End::ClientGone,
            };
            let bytes = &chunk[..n];
            let (mut at, mut from) = (0, 0);
            let now = self.hop.observer.now();
            loop {
                if self.hop.faults.armed() && !held.holding && self.talk().is_between_requests() {
                    if !swallow && to.write_all(&bytes[from..at]).await.is_err() {
                        return End::ServerGone;
                    }
                    (held.holding, from) = (true, at);
                }
                let (taken, mark) = self.talk().request(&bytes[at..], now);
                at += taken;
                if (taken, mark) == (0, Mark::Within) {
                    break;
                }
                if held.holding {
                    held.bytes.extend_from_slice(&bytes[at - taken..at]);
                    from = at;
                    let then = match mark {
                        Mark::End if swallow => Then::Swallow,
                        Mark::End => self.disturb(held.take(), to, back).await,
                        _ if mark == Mark::Opaque || held.bytes.len() > LONGEST_HELD || self.talk().expects_word() => {
                            pass(&held.take(), to).await
                        }
                        _ => Then::GoOn,
                    };
                    match then {
                        Then::GoOn => {}
                        Then::Swallow => swallow = true,
                        Then::Break(end) => return end,
                    }
                }
            }
            self.look(|_| ());
            if !swallow && to.write_all(&bytes[from..at]).await.is_err() {
                return End::ServerGone;
            }
        }
    }

    /// Does to a whole request, the one that was read last, what the fault wants. Passes it on, if anything does.
    async fn disturb(&self, request: Vec<u8>, to: &mut OwnedWriteHalf, back: &Back) -> Then {
        let Some(Chosen { kind, deed, last }) = self.hop.faults.choose(self.talk().last_request()) else {
            return pass(&request, to).await;
        };
        self.look(|talk| talk.disturb(kind, deed));
        if last {
            self.hop.observer.fault_over(&self.hop.setting.tap);
        }
        match deed {
            Deed::Wait(delay) => {
                sleep(delay).await;
                pass(&request, to).await
            }
            Deed::Trickle(_) | Deed::Truncate => pass(&request, to).await,
            Deed::Answer(status) => self.answer_here(status, &request, back).await,
            Deed::Drop => Then::Swallow,
            Deed::Reset => Then::Break(End::ClientGone),
            Deed::HalfClose => {
                self.deaf.store(true, Ordering::Release);
                let _ = back.lock().await.shutdown().await;
                pass(&request, to).await
            }
        }
    }

    /// Answers in the process's place, once those before have their answers.
    async fn answer_here(&self, status: u16, request: &[u8], back: &Back) -> Then {
        while self.talk().unanswered() > 1 {
            self.answered.notified().await;
        }
        let closes = wants_close(request);
        let answer = made_up(status, request.starts_with(b"HEAD "), closes);
        let now = self.hop.observer.now();
        let written = back.lock().await.write_all(answer.as_bytes()).await;
        self.look(|talk| talk.answered_here(status, now));
        if closes {
            let _ = back.lock().await.shutdown().await;
            return Then::Break(End::Closed);
        }
        if written.is_ok() { Then::GoOn } else { Then::Break(End::ClientGone) }
    }

    /// The pump of what the process answers.
    async fn answers(&self, from: &mut OwnedReadHalf, back: &Back) -> End {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from.read(&mut chunk).await;
            let now = self.hop.observer.now();
            let n = match read {
                Ok(0) => {
                    self.look(|talk| talk.server_closed(now));
                    let _ = back.lock().await.shutdown().await;
                    return End::Closed;
                }
                Ok(n) => n,
                Err(_) => {
                    self.look(|talk| talk.server_closed(now));
                    return End::ServerGone;
                }
            };
            let passed = if self.talk().has_plans() {
                self.answer_disturbed(&chunk[..n], now, back).await
            } else {
                self.answer(&chunk[..n], now, back).await
            };
            if let Then::Break(end) = passed {
                return end;
            }
        }
    }

    /// Passes on, then looks.
    async fn answer(&self, bytes: &[u8], now: At, back: &Back) -> Then {
        let passed = self.give_back(bytes, back).await;
        self.look(|talk| {
            let mut at = 0;
            loop {
                let (taken, mark) = talk.answer(&bytes[at..], now);
                at += taken;
                match (taken, mark) {
                    (0, Mark::Within) => break,
                    (_, Mark::End) => self.answered.notify_one(),
                    _ => {}
                }
            }
        });
        passed
    }

    /// Looks at each piece before it is passed on: the answer that it belongs to may be one that is disturbed.
    async fn answer_disturbed(&self, bytes: &[u8], now: At, back: &Back) -> Then {
        let mut at = 0;
        loop {
            let plan = self.talk().plan();
            let (taken, mark) = self.look(|talk| talk.answer(&bytes[at..], now));
            let piece = &bytes[at..at + taken];
            at += taken;
            let then = match (mark, plan) {
                (Mark::Within, _) if taken == 0 => return Then::GoOn,
                (Mark::Body, Some(Deed::Trickle(pause))) => self.trickle(piece, pause, back).await,
                (Mark::Body, Some(Deed::Truncate)) => {
                    let _ = self.give_back(&piece[..piece.len() / 2], back).await;
                    let _ = back.lock().await.shutdown().await;
                    self.deaf.store(true, Ordering::Release);
                    Then::GoOn
                }
                _ => self.give_back(piece, back).await,
            };
            if mark == Mark::End {
                self.answered.notify_one();
            }
            if then != Then::GoOn {
                return then;
            }
        }
    }

    async fn trickle(&self, bytes: &[u8], pause: Duration, back: &Back) -> Then {
        for drop in bytes.chunks(DROP) {
            sleep(pause).await;
            if self.give_back(drop, back).await != Then::GoOn {
                return Then::Break(End::ClientGone);
            }
        }
        Then::GoOn
    }

    async fn give_back(&self, bytes: &[u8], back: &Back) -> Then {
        if self.deaf.load(Ordering::Acquire) || back.lock().await.write_all(bytes).await.is_ok() {
            Then::GoOn
        } else {
            Then::Break(End::ClientGone)
        }
    }

    fn talk(&self) -> MutexGuard<'_, Conversation> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the conversation, and tells what there is to tell of it.
    fn look<T>(&self, look: impl FnOnce(&mut Conversation) -> T) -> T {
        let (seen, notes) = {
            let mut talk = self.talk();
            let seen = look(&mut talk);
            (seen, talk.take_notes())
        };
        for note in notes {
            self.hop.observer.note(note);
        }
        seen
    }
}

/// A request, or more, that waits for its end.
#[derive(Debug, Default)]
struct Held {
    holding: bool,
    bytes: Vec<u8>,
}

impl Held {
    /// Ends the waiting.
    fn take(&mut self) -> Vec<u8> {
        self.holding = false;
        std::mem::take(&mut self.bytes)
    }
}

async fn pass(request: &[u8], to: &mut OwnedWriteHalf) -> Then {
    if to.write_all(request).await.is_ok() { Then::GoOn } else { Then::Break(End::ServerGone) }
}

/// When its last owner lets go of it, the peer sees a reset instead of an end.
fn reset_when_dropped(stream: &TcpStream) {
    // An error says that the connection is gone already.
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

#[cfg(test)]
#[path = "hop_tests.rs"]
mod tests;
