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
    logs::{Color, LogLine, LogStore, LogView, MAX_LINE, Selection, Source, Stretch, TextStyle, plain, styled},
    model::ProcessId,
};

/// What comes within this time is printed together: a flood of small chunks costs no look each.
const GATHER: Duration = Duration::from_millis(10);

/// Bytes of many lines that are printed at once: memory must be bounded, however short they are.
const AT_ONCE: usize = 2 * MAX_LINE;

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

/// Prints what a log holds, as far as it is there.
struct Printing<W> {
    view: LogView,
    /// The first row not looked at yet.
    next: u64,
    /// Rows that were not whole when their turn came.
    held: VecDeque<u64>,
    pen: Pen<W>,
}

/// Writes lines, each behind its process's name.
pub(super) struct Pen<W> {
    names: usize,
    colour: Colour,
    line: Vec<u8>,
    out: W,
}

impl<W: Write> Printing<W> {
    fn new(logs: &LogStore, colour: Colour, out: W) -> Self {
        Self { view: LogView::new(Selection::All), next: 0, held: VecDeque::new(), pen: Pen::new(logs, colour, out) }
    }

    fn follow(&mut self, logs: &LogStore, wake: &Wake) -> io::Result<()> {
        loop {
            // Armed before the look: what comes during it rings.
            logs.arm();
            self.print_new(logs, false)?;
            if wake.wait() || wake.pause(GATHER) {
                return self.print_new(logs, true);
            }
        }
    }

    /// Prints rows that are whole, and with `last` those that never will be.
    fn print_new(&mut self, logs: &LogStore, last: bool) -> io::Result<()> {
        self.view.refresh(logs);
        let Self { view, next, held, pen } = self;
        for row in std::mem::take(held) {
            for line in view.window(logs, row, 1)? {
                pen.row(&line, last, held)?;
            }
        }
        while *next < view.len() {
            let behind = view.stretches(logs, *next, pen.colour == Colour::Yes, &mut |stretch| match stretch {
                Stretch::Lines { process, text } => pen.lines(process, text),
                Stretch::Row(line) => pen.row(&line, last, held),
            })?;
            if behind == *next {
                break;
            }
            *next = behind;
        }
        pen.out.flush()
    }
}

impl<W: Write> Pen<W> {
    pub(super) fn new(logs: &LogStore, colour: Colour, out: W) -> Self {
        let names = logs.processes().iter().map(|p| p.as_str().len()).max().unwrap_or(0);
        Self { names, colour, line: Vec::new(), out }
    }

    /// Nothing more comes.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes a row, or holds it back if it is not whole.
    fn row(&mut self, line: &LogLine, last: bool, held: &mut VecDeque<u64>) -> io::Result<()> {
        if line.partial && !last {
            held.push_back(line.row);
            return Ok(());
        }
        self.print(line)
    }

    /// Writes whole lines of text, as many at once as they are.
    fn lines(&mut self, process: &ProcessId, text: &[u8]) -> io::Result<()> {
        let mut prefix = Vec::new();
        self.prefix(&mut prefix, process.as_str(), '|')?;
        // In colour, tabs are spaces and marks do not pile up; nowhere does a line command a CI system.
        let as_they_are = memchr::memmem::find(text, b"##").is_none()
            && (self.colour == Colour::No || text.is_ascii() && memchr::memchr(b'\t', text).is_none());
        let mut rest = text;
        if as_they_are {
            while !rest.is_empty() {
                // No line is longer than that.
                let end = memchr::memrchr(b'\n', &rest[..rest.len().min(AT_ONCE)]).map_or(rest.len(), |end| end + 1);
                let used = behind_prefixes(&mut self.line, &prefix, &rest[..end]);
                self.out.write_all(&self.line[..used])?;
                rest = &rest[end..];
            }
            return Ok(());
        }
        self.line.clear();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.line.extend_from_slice(&prefix);
            paint(&mut self.line, self.colour, &rest[..end])?;
            self.line.push(b'\n');
            rest = &rest[end + 1..];
        }
        self.out.write_all(&self.line)
    }

    fn prefix(&self, into: &mut Vec<u8>, name: &str, mark: char) -> io::Result<()> {
        let width = self.names;
        match self.colour {
            Colour::Yes => write!(into, "\x1b[{}m{name:<width$} {mark}\x1b[0m ", name_colour(name)),
            Colour::No => write!(into, "{name:<width$} {mark} "),
        }
    }

    pub(super) fn print(&mut self, line: &LogLine) -> io::Result<()> {
        let mut text = std::mem::take(&mut self.line);
        text.clear();
        let name = line.process.as_ref().map_or("e2e-tui", ProcessId::as_str);
        self.prefix(&mut text, name, if matches!(line.source, Source::Lifecycle(_)) { '*' } else { '|' })?;
        match &line.source {
            Source::Lifecycle(narration) => text.extend_from_slice(narration.log_text().unwrap_or_default().as_bytes()),
            Source::Out | Source::Err if line.lost => {
                text.extend_from_slice("(gone: dropped to stay within the disk cap, or refused by the disk)".as_bytes());
            }
            Source::Out | Source::Err => paint(&mut text, self.colour, &line.bytes)?,
        }
        if line.cut {
            write!(text, " … (cut here: {} of {})", size(line.bytes.len() as u64), size(line.size))?;
        }
        text.push(b'\n');
        self.line = text;
        self.out.write_all(&self.line)
    }
}

/// Writes `prefix` and a line of `text` by turns into `room`, which grows as it must, and returns how many bytes they are.
/// What a line costs here, a run to a file costs a million times: so no line asks whether there is room for it, and most
/// prefixes are copied at a size the compiler knows.
fn behind_prefixes(room: &mut Vec<u8>, prefix: &[u8], text: &[u8]) -> usize {
    const WIDTH: usize = 16;
    let lines = memchr::memchr_iter(b'\n', text).count();
    let needed = text.len() + lines * prefix.len() + WIDTH;
    if room.len() < needed {
        room.resize(needed, 0);
    }
    let short: Option<[u8; WIDTH]> = (prefix.len() <= WIDTH).then(|| {
        let mut padded = [0; WIDTH];
        padded[..prefix.len()].copy_from_slice(prefix);
        padded
    });
    let (mut at, mut start) = (0, 0);
    for end in memchr::memchr_iter(b'\n', text).map(|end| end + 1) {
        match &short {
            // The line is written over what it is too long by.
            Some(padded) => room[at..at + WIDTH].copy_from_slice(padded),
            None => room[at..at + prefix.len()].copy_from_slice(prefix),
        }
        at += prefix.len();
        room[at..at + end - start].copy_from_slice(&text[start..end]);
        at += end - start;
        start = end;
    }
    at
}

/// `64 KiB`, `1.5 MiB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// What a child said: in colour what it coloured, as far as the allow-list lets it through.
fn paint(line: &mut Vec<u8>, colour: Colour, bytes: &[u8]) -> io::Result<()> {
    if colour == Colour::No {
        line.extend_from_slice(disarm(&plain(bytes)).as_bytes());
        return Ok(());
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prefixes_stand_before_every_line(
            texts in proptest::collection::vec("([a-z ]{0,40}\n){0,8}", 1..4),
            prefix in "[a-z]{1,30} \\| ",
        ) {
            let mut room = Vec::new();
            for text in texts {
                let used = behind_prefixes(&mut room, prefix.as_bytes(), text.as_bytes());
                let expected: String = text.lines().flat_map(|line| [prefix.as_str(), line, "\n"]).collect();
                prop_assert_eq!(str::from_utf8(&room[..used]).expect("text"), expected);
            }
        }
    }
}
