//! The progress line: how a run stands, in the last row of a terminal, below all that is printed.
//!
//! It is drawn by whoever prints lines and by a thread of its own that keeps its time; both hold the line while they do.
//! It goes before anything else is said on that terminal.

use std::{
    io::{self, Write},
    os::fd::AsFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{Builder, JoinHandle},
    time::Duration,
};

use crate::{
    model::{Phase, ProcessState, Role, Snapshot},
    supervisor::RunHandle,
};

/// How often the line is made anew: its tenths of seconds are seen to move.
const TICK: Duration = Duration::from_millis(200);
/// Names of those that are waited for, at most.
const NAMES: usize = 3;
/// To the row's beginning, and nothing in it any more.
const CLEAR: &[u8] = b"\r\x1b[K";

/// A terminal with a line below what is printed on it.
#[derive(Debug)]
struct Line<W> {
    out: W,
    text: String,
    /// Whether it stands there now.
    drawn: bool,
    /// Whether what was printed last ended its row: only then there is a row for it.
    at_start: bool,
}

impl<W: Write> Line<W> {
    fn draw(&mut self) -> io::Result<()> {
        if self.text.is_empty() || !self.at_start {
            return Ok(());
        }
        self.drawn = true;
        write!(self.out, "\r\x1b[K{}", self.text)?;
        self.out.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) {
            self.out.write_all(CLEAR)?;
        }
        Ok(())
    }

    /// Prints above the line.
    fn print(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.clear()?;
        self.out.write_all(bytes)?;
        if let Some(last) = bytes.last() {
            self.at_start = *last == b'\n';
        }
        self.draw()
    }
}

/// Prints on a terminal, above its progress line.
#[derive(Debug)]
pub(super) struct Above<W>(Arc<Mutex<Line<W>>>);

impl<W: Write> Write for Above<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).print(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        lock(&self.0).out.flush()
    }
}

/// A progress line under way.
#[derive(Debug)]
pub(super) struct Progress {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Keeps a line on `out`, a terminal. What is printed there meanwhile goes through what is returned.
    pub(super) fn start<W: Write + AsFd + Send + 'static>(handle: RunHandle, out: W) -> io::Result<(Self, Above<W>)> {
        let line = Arc::new(Mutex::new(Line { out, text: String::new(), drawn: false, at_start: true }));
        let above = Above(line.clone());
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = stop.clone();
        let thread = Builder::new().name("progress".into()).spawn(move || {
            let (told, changed) = &*stopped;
            loop {
                {
                    let mut line = lock(&line);
                    let columns = columns(&line.out);
                    line.text = fitted(&text(&handle.snapshot(), handle.clock().now()), columns);
                    // Where this terminal is gone, who prints there tells it.
                    let _ = line.draw();
                }
                let waiting = changed.wait_timeout_while(lock(told), TICK, |stop| !*stop);
                if *waiting.unwrap_or_else(PoisonError::into_inner).0 {
                    break;
                }
            }
            let mut line = lock(&line);
            line.text.clear();
            let _ = line.clear().and_then(|()| line.out.flush());
        })?;
        Ok((Self { stop, thread }, above))
    }

    /// Takes the line away.
    pub(super) fn finish(self) {
        *lock(&self.stop.0) = true;
        self.stop.1.notify_all();
        // A panic of its own has been told already.
        let _ = self.thread.join();
    }
}

// What a panic elsewhere leaves is a line like any other.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The width of a terminal; 80 where it does not say.
fn columns(terminal: &impl AsFd) -> usize {
    rustix::termios::tcgetwinsize(terminal).map_or(80, |size| usize::from(size.ws_col)).max(1)
}

/// `12.4 s   2 ready, 1 running   checks 1/2   waits for client-b`
fn text(snapshot: &Snapshot, now: crate::model::At) -> String {
    let mut parts = vec![format!("{:.1} s", now.0 as f64 / 1e6)];
    let mut states: Vec<(&str, usize)> = Vec::new();
    for row in &snapshot.rows {
        match states.iter_mut().find(|(word, _)| *word == row.state.word()) {
            Some((_, n)) => *n += 1,
            None => states.push((row.state.word(), 1)),
        }
    }
    parts.push(states.iter().map(|(word, n)| format!("{n} {word}")).collect::<Vec<_>>().join(", "));
    let (met, of) = snapshot.checks;
    if of > 0 {
        parts.push(format!("checks {met}/{of}"));
    }
    let open = |wanted: &dyn Fn(&ProcessState) -> bool, test: bool| -> Vec<&str> {
        let rows = snapshot.rows.iter().filter(|row| wanted(&row.state) && (!test || row.info.role == Role::Test));
        rows.map(|row| row.id().as_str()).collect()
    };
    let (what, who) = match snapshot.phase {
        Phase::Running => ("waits for", open(&|state| !state.is_settled(), true)),
        Phase::Stopping | Phase::Ended => ("stops", open(&ProcessState::is_alive, false)),
    };
    if !who.is_empty() {
        let more = if who.len() > NAMES { format!(" and {} more", who.len() - NAMES) } else { String::new() };
        parts.push(format!("{what} {}{more}", who[..who.len().min(NAMES)].join(", ")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("   ")
}

/// What fits into a row without touching its last cell, where terminals would wrap. All of it is ASCII.
fn fitted(text: &str, columns: usize) -> String {
    text.chars().take(columns.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stands_below_whole_lines_only() {
        let mut line = Line { out: Vec::new(), text: "1.0 s".into(), drawn: false, at_start: true };
        line.draw().expect("memory");
        line.print(b"a | one\na | tw").expect("memory");
        line.print(b"o\n").expect("memory");
        line.clear().expect("memory");
        let shown = String::from_utf8(line.out).expect("text");
        assert_eq!(shown, "\r\x1b[K1.0 s\r\x1b[Ka | one\na | two\n\r\x1b[K1.0 s\r\x1b[K");
    }

    #[test]
    fn a_line_never_fills_its_row() {
        assert_eq!(fitted("12.4 s   2 ready", 10), "12.4 s   ");
        assert_eq!(fitted("12.4 s", 80), "12.4 s");
        assert_eq!(fitted("12.4 s", 1), "");
    }
}
