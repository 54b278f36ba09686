//! Lines of all processes on stdout, each behind its process's name, whole lines only, as they come.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
    time::Duration,
};

use super::ci::disarm;
use crate::{
    logs::{Color, LogLine, LogStore, LogView, Selection, Source, TextStyle, plain, styled},
    model::ProcessId,
};

/// What comes within this time is printed together: a flood of small chunks costs no look each.
const GATHER: Duration = Duration::from_millis(10);

/// Whether stdout takes colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Names and what the child coloured itself, from the allow-list.
    Yes,
    /// No escape sequence at all.
    No,
}

/// Prints a run's log until told to finish.
#[derive(Debug)]
pub struct Printer {
    thread: JoinHandle<io::Result<()>>,
    wake: Arc<Wake>,
}

/// Wakes the printer: it sleeps while nobody says anything.
#[derive(Debug, Default)]
struct Wake {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// There is more to print.
    more: bool,
    /// Nothing comes any more.
    done: bool,
}

impl Wake {
    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until it is done, at most `patience`.
    fn pause(&self, patience: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.lock(), patience, |told| !told.done);
        waiting.unwrap_or_else(PoisonError::into_inner).0.done
    }

    /// Waits for more, or the end.
    fn wait(&self) -> bool {
        let mut told = self.changed.wait_while(self.lock(), |told| !told.more && !told.done).unwrap_or_else(PoisonError::into_inner);
        told.more = false;
        told.done
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Two flags are whole at every instant.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Printer {
    /// Starts printing to `out`. `on_trouble` is called once if `out` does not take any more, with what it said; nothing is
    /// printed after that.
    pub fn start(
        logs: Arc<LogStore>,
        out: impl Write + Send + 'static,
        colour: Colour,
        on_trouble: impl FnOnce(&io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let wake = Arc::new(Wake::default());
        let bell = wake.clone();
        logs.ring_when_changed(move || bell.tell(|told| told.more = true));
        let told = wake.clone();
        let thread = Builder::new().name("printer".into()).spawn(move || {
            let mut printing = Printing::new(&logs, colour, out);
            let result = printing.follow(&logs, &told);
            if let Err(error) = &result {
                on_trouble(error);
            }
            result
        })?;
        Ok(Self { thread, wake })
    }

    /// Prints what is left and ends. An error is what `out` said.
    pub fn finish(self) -> io::Result<()> {
        self.wake.tell(|told| told.done = true);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the printer's thread panicked")))
    }
}

/// Prints lines, each behind its process's name.
pub(super) struct Printing<W> {
    view: LogView,
    /// The first row not looked at yet.
    next: u64,
    /// Rows that were not whole when their turn came.
    held: VecDeque<u64>,
    names: usize,
    colour: Colour,
    line: Vec<u8>,
    out: W,
}

impl<W: Write> Printing<W> {
    pub(super) fn new(logs: &LogStore, colour: Colour, out: W) -> Self {
        let names = logs.processes().iter().map(|p| p.as_str().len()).max().unwrap_or(0);
        Self { view: LogView::new(Selection::All), next: 0, held: VecDeque::new(), names, colour, line: Vec::new(), out }
    }

    /// Nothing more comes.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn follow(&mut self, logs: &LogStore, wake: &Wake) -> io::Result<()> {
        loop {
            // Armed before the look: what comes during it rings.
            logs.arm();
            self.print_new(logs, false)?;
            if wake.wait() || wake.pause(GATHER) {
                self.print_new(logs, true)?;
                return self.out.flush();
            }
        }
    }

    /// Prints rows that are whole, and with `last` those that never will be.
    fn print_new(&mut self, logs: &LogStore, last: bool) -> io::Result<()> {
        self.view.refresh(logs);
        for row in std::mem::take(&mut self.held) {
            let line = self.view.window(logs, row, 1)?;
            self.take(line, last)?;
        }
        while self.next < self.view.len() {
            let lines = self.view.batch(logs, self.next)?;
            if lines.is_empty() {
                break;
            }
            self.next += lines.len() as u64;
            self.take(lines, last)?;
        }
        self.out.flush()
    }

    fn take(&mut self, lines: Vec<LogLine>, last: bool) -> io::Result<()> {
        for line in lines {
            if line.partial && !last {
                self.held.push_back(line.row);
            } else {
                self.print(&line)?;
            }
        }
        Ok(())
    }

    pub(super) fn print(&mut self, line: &LogLine) -> io::Result<()> {
        self.line.clear();
        let name = line.process.as_ref().map_or("e2e-tui", ProcessId::as_str);
        let (mark, colour) = match &line.source {
            Source::Lifecycle(_) => ('*', self.colour),
            Source::Out | Source::Err => ('|', self.colour),
        };
        if colour == Colour::Yes {
            write!(self.line, "\x1b[{}m{name:<width$} {mark}\x1b[0m ", name_colour(name), width = self.names)?;
        } else {
            write!(self.line, "{name:<width$} {mark} ", width = self.names)?;
        }
        match &line.source {
            Source::Lifecycle(narration) => self.line.extend_from_slice(narration.log_text().unwrap_or_default().as_bytes()),
            Source::Out | Source::Err if line.lost => {
                self.line.extend_from_slice("(gone: dropped to stay within the disk cap, or refused by the disk)".as_bytes());
            }
            Source::Out | Source::Err if colour == Colour::Yes => paint(&mut self.line, &line.bytes)?,
            Source::Out | Source::Err => self.line.extend_from_slice(disarm(&plain(&line.bytes)).as_bytes()),
        }
        if line.cut {
            write!(self.line, " … (cut here: {} of {})", size(line.bytes.len() as u64), size(line.size))?;
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }
}

/// `64 KiB`, `1.5 MiB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// What the child coloured, again in colour: only what the allow-list let through.
fn paint(line: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    for span in styled(bytes) {
        let text = disarm(&span.text);
        if span.style == TextStyle::default() {
            line.extend_from_slice(text.as_bytes());
        } else {
            write!(line, "{}{text}\x1b[0m", sgr(&span.style))?;
        }
    }
    Ok(())
}

/// The escape sequence of a style, made here: nothing that a child printed is repeated.
fn sgr(style: &TextStyle) -> String {
    let flags = [(style.bold, "1"), (style.dim, "2"), (style.italic, "3"), (style.underline, "4")];
    let mut codes: Vec<String> = flags.into_iter().filter(|(on, _)| *on).map(|(_, code)| code.to_owned()).collect();
    codes.extend(style.fg.map(|colour| colour_code(colour, 30)));
    codes.extend(style.bg.map(|colour| colour_code(colour, 40)));
    format!("\x1b[{}m", codes.join(";"))
}

fn colour_code(colour: Color, base: u8) -> String {
    match colour {
        Color::Indexed(n @ 0..8) => (base + n).to_string(),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

/// A colour for a name: the same name has the same one everywhere; none is red, green or yellow, which mean something.
fn name_colour(name: &str) -> u8 {
    const COLOURS: [u8; 6] = [36, 35, 34, 96, 95, 94];
    let sum = name.bytes().fold(7_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
    COLOURS[sum as usize % COLOURS.len()]
}
