//! The capture thread's loop.

use std::{
    io,
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    heard::{CaptureEvent, CaptureStream},
    orders::{Order, Orders},
    pipe::set_nonblocking,
    source::{Got, Source},
    store::LogStore,
};
use crate::{
    model::{Generation, ProcessId},
    redact::Redactor,
};

/// What is read at once from one stream; then it is the next one's turn.
const READ: usize = 256 << 10;

/// Streams looked at per round. The kernel hands them out in turn.
const ROUND: usize = 256;

/// Wake-ups in a row, each within [`PACE`] of the last, after which the thread lets output gather for a moment: each
/// wake-up costs more than what is read by it.
const STREAK: u32 = 32;

/// How long output may gather.
const PACE: Duration = Duration::from_millis(1);

/// The pause before a disk that refused is tried again on its own account.
const RETRY: Duration = Duration::from_secs(1);

/// The token of the thread's own wake-up.
const WAKE: u64 = u64::MAX;

/// The thread's state.
pub(super) struct Reader {
    store: Arc<LogStore>,
    redactor: Redactor,
    events: UnboundedSender<CaptureEvent>,
    orders: Arc<Orders>,
    epoll: Epoll,
    sources: Vec<Option<Source>>,
    drains: Vec<Drain>,
    room: Vec<u8>,
    /// Bytes lost before the spell in which the disk refuses output, while there is one.
    trouble: Option<u64>,
    retry: Option<Instant>,
    due: Option<Instant>,
}

/// A generation whose end is awaited.
struct Drain {
    process: ProcessId,
    generation: Generation,
    until: Instant,
}

impl Reader {
    pub(super) fn new(
        store: Arc<LogStore>,
        redactor: Redactor,
        events: UnboundedSender<CaptureEvent>,
        orders: Arc<Orders>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&orders.wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let room = vec![0; redactor.longest_held() + READ];
        Ok(Self {
            store,
            redactor,
            events,
            orders,
            epoll,
            sources: Vec::new(),
            drains: Vec::new(),
            room,
            trouble: None,
            retry: None,
            due: None,
        })
    }

    /// Runs until told to stop.
    pub(super) fn run(&mut self) {
        let mut ready = [EpollEvent::empty(); ROUND];
        let (mut streak, mut last) = (0, Instant::now());
        loop {
            let count = match self.epoll.wait(&mut ready, self.timeout()) {
                Ok(count) => count,
                Err(nix::errno::Errno::EINTR) => 0,
                // Nothing but a broken descriptor of our own could fail here; spinning would not mend it.
                Err(_) => return self.stop(),
            };
            let (mut woken, mut pressing) = (false, false);
            for event in &ready[..count] {
                match event.data() {
                    WAKE => woken = true,
                    slot => pressing |= self.read_is_pressing(slot as usize),
                }
            }
            if woken {
                let _ = self.orders.wake.read();
                if !self.obey() {
                    return self.stop();
                }
            }
            let now = Instant::now();
            if self.due.is_some_and(|due| due <= now) {
                self.tick(now);
            }
            streak = if now - last < PACE && count > 0 { streak + 1 } else { 0 };
            last = now;
            // A pipe that is half full may be full before the pause is over, and its child would stand still.
            if streak > STREAK && !pressing {
                std::thread::sleep(PACE);
                // Sleeping must not look like a pause of the children.
                last = Instant::now();
            }
        }
    }

    /// How long nothing needs to be done.
    fn timeout(&self) -> EpollTimeout {
        let Some(due) = self.due else { return EpollTimeout::NONE };
        // Rounded up: waking early would only mean another round.
        let wait = due.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        EpollTimeout::try_from(u32::try_from(wait).unwrap_or(u32::MAX).min(i32::MAX as u32)).unwrap_or(EpollTimeout::MAX)
    }

    /// Reads once from a stream; true if its pipe was at least half full.
    fn read_is_pressing(&mut self, slot: usize) -> bool {
        let half = self.sources.get(slot).and_then(Option::as_ref).map_or(0, |source| source.capacity / 2);
        self.read(slot) >= half
    }

    /// Reads once from a stream and returns how much came.
    fn read(&mut self, slot: usize) -> usize {
        let Some(source) = self.sources.get_mut(slot).and_then(Option::as_mut) else { return 0 };
        let (got, trouble) = source.read(&mut self.room, &self.store);
        let (due, matched) = (source.due(), source.has_matched());
        self.note_trouble(trouble);
        self.note_due(due);
        if matched {
            self.forget_ready(slot);
        }
        match got {
            Got::Bytes(count) => count,
            Got::Nothing => 0,
            Got::End => {
                self.close(slot);
                0
            }
        }
    }

    /// Reads what is in a pipe at this moment: what its writers left when they died, not what others add meanwhile.
    fn read_what_is_there(&mut self, slot: usize) {
        let Some(source) = self.sources.get(slot).and_then(Option::as_ref) else { return };
        let mut left = rustix::io::ioctl_fionread(&source.fd).unwrap_or(0);
        // The last read finds the end, if that is what comes.
        loop {
            let count = self.read(slot) as u64;
            if count == 0 || left == 0 {
                return;
            }
            left = left.saturating_sub(count);
        }
    }

    /// One stream of a process was enough to make it ready.
    fn forget_ready(&mut self, slot: usize) {
        let Some(source) = &self.sources[slot] else { return };
        for slot in self.slots_of(&source.process.clone(), source.generation) {
            if let Some(source) = &mut self.sources[slot] {
                source.forget_ready();
            }
        }
    }

    /// Does what was ordered; false if that was to stop.
    fn obey(&mut self) -> bool {
        for order in self.orders.take() {
            match order {
                Order::Add(stream) => self.add(*stream),
                Order::Drain { process, generation, linger } => self.drain(process, generation, linger),
                Order::Flush => self.flush(),
                Order::Stop => return false,
            }
        }
        true
    }

    fn add(&mut self, stream: CaptureStream) {
        let slot = self.sources.iter().position(Option::is_none).unwrap_or(self.sources.len());
        if slot == self.sources.len() {
            self.sources.push(None);
        }
        let mut source = Source::new(stream, &self.store, &self.redactor, self.events.clone());
        let watched = set_nonblocking(&source.fd)
            .and_then(|()| Ok(self.epoll.add(source.fd.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, slot as u64))?));
        match watched {
            Ok(()) => self.sources[slot] = Some(source),
            // Only something that is no pipe or terminal cannot be watched.
            Err(_) => drop(source.end(&self.store)),
        }
    }

    fn drain(&mut self, process: ProcessId, generation: Generation, linger: Duration) {
        for slot in self.slots_of(&process, generation) {
            self.read_what_is_there(slot);
        }
        self.drains.push(Drain { process, generation, until: Instant::now() + linger });
        self.finish_drains(Instant::now());
    }

    fn slots_of(&self, process: &ProcessId, generation: Generation) -> Vec<usize> {
        let is = |source: &Source| source.generation == generation && source.process == *process;
        (0..self.sources.len()).filter(|slot| self.sources[*slot].as_ref().is_some_and(is)).collect()
    }

    /// Tells which drains are over.
    fn finish_drains(&mut self, now: Instant) {
        let mut index = 0;
        while index < self.drains.len() {
            let Drain { process, generation, until } = &self.drains[index];
            let slots = self.slots_of(process, *generation);
            if slots.is_empty() || *until <= now {
                let still_open = !slots.is_empty();
                let Drain { process, generation, .. } = self.drains.swap_remove(index);
                self.drained(process, generation, &slots, still_open);
            } else {
                let until = *until;
                self.note_due(Some(until));
                index += 1;
            }
        }
    }

    fn drained(&mut self, process: ProcessId, generation: Generation, slots: &[usize], still_open: bool) {
        for &slot in slots {
            // Alerts of what was said so far come before the end they may explain.
            if let Some(source) = &mut self.sources[slot] {
                source.tell_all();
            }
        }
        let tail = self.store.tail(&process, generation).unwrap_or_default();
        let _ = self.events.send(CaptureEvent::Drained { process, generation, still_open, tail });
    }

    /// A stream has ended.
    fn close(&mut self, slot: usize) {
        let Some(mut source) = self.sources.get_mut(slot).and_then(Option::take) else { return };
        let _ = self.epoll.delete(source.fd.as_fd());
        let trouble = source.end(&self.store);
        self.note_trouble(trouble);
        self.finish_drains(Instant::now());
    }

    fn tick(&mut self, now: Instant) {
        self.due = None;
        for slot in 0..self.sources.len() {
            if let Some(source) = &mut self.sources[slot] {
                if source.due().is_some_and(|due| due <= now) {
                    source.tick(now);
                }
                let (due, matched) = (source.due(), source.has_matched());
                self.note_due(due);
                if matched {
                    self.forget_ready(slot);
                }
            }
        }
        self.finish_drains(now);
        self.retry(now);
    }

    fn note_due(&mut self, due: Option<Instant>) {
        self.due = [self.due, due].into_iter().flatten().min();
    }

    fn note_trouble(&mut self, trouble: Option<io::Error>) {
        let Some(error) = trouble else { return };
        if !self.store.is_refused() {
            let _ = self.events.send(CaptureEvent::CapNotKept { error: error.to_string() });
        } else if self.trouble.is_none() {
            self.trouble = Some(self.store.lost());
            self.retry = Some(Instant::now() + RETRY);
            self.note_due(self.retry);
            let _ = self.events.send(CaptureEvent::DiskTrouble { error: error.to_string() });
        }
    }

    /// Reads what is in all pipes, and tells everything.
    fn flush(&mut self) {
        for slot in 0..self.sources.len() {
            self.read_what_is_there(slot);
            if let Some(source) = &mut self.sources[slot] {
                source.tell_all();
            }
        }
        let _ = self.events.send(CaptureEvent::Flushed);
    }

    /// While the disk refuses output: tries it again, also for those who fell silent, and tells when it is over.
    fn retry(&mut self, now: Instant) {
        let (Some(before), Some(due)) = (self.trouble, self.retry) else { return };
        if due > now {
            return self.note_due(Some(due));
        }
        self.store.settle();
        if self.store.is_refused() {
            self.retry = Some(now + RETRY);
            return self.note_due(self.retry);
        }
        (self.trouble, self.retry) = (None, None);
        let lost = self.store.lost().saturating_sub(before);
        let _ = self.events.send(CaptureEvent::DiskRecovered { lost });
    }

    /// Reads what is there, tells everything, and lets go.
    fn stop(&mut self) {
        for slot in 0..self.sources.len() {
            self.read_what_is_there(slot);
        }
        for slot in 0..self.sources.len() {
            if let Some(mut source) = self.sources[slot].take() {
                let trouble = source.end(&self.store);
                self.note_trouble(trouble);
            }
        }
        self.finish_drains(Instant::now());
        self.store.settle();
    }
}
