//! How much may come out of an archive: caps that count while it is read, so that a bomb goes off in nobody's memory.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, Read, Write},
    rc::Rc,
};

/// Caps on what may come out of an archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// Bytes kept, of all entries together: a run's default cap on disk, and some.
    pub(super) kept: u64,
    /// Bytes looked at: logs are there twice, once merged and with times.
    pub(super) passed: u64,
    /// Bytes of the archive itself.
    pub(super) packed: u64,
    /// Bytes of the events.
    pub(super) events: u64,
    /// Events: each takes some three hundred bytes of memory, however short its line is.
    pub(super) count: u64,
    /// Bytes of the manifest and of the scenario, each.
    pub(super) document: u64,
    /// Entries of any kind.
    pub(super) entries: usize,
    /// How many times the archive's size may come out of it, beyond `free`. The same line over and over packs to a
    /// ten-thousandth.
    pub(super) ratio: u64,
    /// What may come out of it whatever its size.
    pub(super) free: u64,
}

pub(super) const CAPS: Caps = Caps {
    kept: 12 << 30,
    passed: 40 << 30,
    packed: 4 << 30,
    events: 1 << 30,
    count: 4_000_000,
    document: 16 << 20,
    entries: 10_000,
    ratio: 20_000,
    free: 64 << 20,
};

/// What went in and came out so far, and whether that was too much.
#[derive(Debug, Clone)]
pub(super) struct Gauge(Rc<GaugeState>);

#[derive(Debug)]
struct GaugeState {
    caps: Caps,
    packed: Cell<u64>,
    passed: Cell<u64>,
    kept: Cell<u64>,
    exceeded: RefCell<Option<String>>,
}

impl Gauge {
    pub(super) fn new(caps: Caps) -> Self {
        Self(Rc::new(GaugeState {
            caps,
            packed: Cell::default(),
            passed: Cell::default(),
            kept: Cell::default(),
            exceeded: RefCell::default(),
        }))
    }

    pub(super) fn exceed(&self, what: String) -> io::Error {
        *self.0.exceeded.borrow_mut() = Some(what);
        io::Error::other("more than an archive may hold")
    }

    pub(super) fn exceeded(&self) -> Option<String> {
        self.0.exceeded.borrow().clone()
    }

    /// The caps it measures by.
    pub(super) fn caps(&self) -> &Caps {
        &self.0.caps
    }

    fn packed(&self, more: usize) -> io::Result<usize> {
        self.0.packed.set(self.0.packed.get() + more as u64);
        if self.0.packed.get() > self.0.caps.packed {
            return Err(self.exceed(format!("it is larger than {}", size(self.0.caps.packed))));
        }
        Ok(more)
    }

    fn passed(&self, more: usize) -> io::Result<usize> {
        let passed = self.0.passed.get() + more as u64;
        self.0.passed.set(passed);
        if passed > self.0.caps.passed {
            return Err(self.exceed(format!("it unpacks to more than {}", size(self.0.caps.passed))));
        }
        if passed > self.0.packed.get().saturating_mul(self.0.caps.ratio).saturating_add(self.0.caps.free) {
            return Err(self.exceed(format!("it unpacks to more than {} times its size", self.0.caps.ratio)));
        }
        Ok(more)
    }

    pub(super) fn keep(&self, more: u64) -> io::Result<()> {
        self.0.kept.set(self.0.kept.get().saturating_add(more));
        if self.0.kept.get() > self.0.caps.kept {
            return Err(self.exceed(format!("its logs are larger than {}", size(self.0.caps.kept))));
        }
        Ok(())
    }
}

/// `12 GiB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{bytes} bytes"),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

/// The archive as it is read.
pub(super) struct Packed {
    pub(super) file: File,
    pub(super) gauge: Gauge,
}

impl Read for Packed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.gauge.packed(self.file.read(into)?)
    }
}

/// What comes out of it.
pub(super) struct Passed<R> {
    pub(super) decoder: R,
    pub(super) gauge: Gauge,
}

impl<R: Read> Read for Passed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.gauge.passed(self.decoder.read(into)?)
    }
}

/// A file of events as it is written: its lines are counted.
pub(super) struct Counted<'a> {
    pub(super) file: &'a mut File,
    pub(super) gauge: &'a Gauge,
    pub(super) lines: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.lines += memchr::memchr_iter(b'\n', &bytes[..written]).count() as u64;
        let most = self.gauge.caps().count;
        if self.lines > most {
            return Err(self.gauge.exceed(format!("it holds more than {most} events")));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
