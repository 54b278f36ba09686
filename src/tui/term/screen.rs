//! Frames: what differs from the frame before goes to the terminal, in one synchronized update.

use std::{fmt::Write as _, io, os::fd::BorrowedFd};

use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::output::Output;

/// The terminal's picture, as we believe it to be.
pub(crate) struct Screen {
    out: Output,
    shown: Buffer,
    cursor: Option<Position>,
    /// Whether the terminal understands more than plain cursor movement.
    plain: bool,
    stale: bool,
}

const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

impl Screen {
    /// A screen of so many cells, blank.
    pub(crate) fn new(width: u16, height: u16, plain: bool) -> io::Result<Self> {
        let shown = Buffer::empty(Rect::new(0, 0, width, height));
        Ok(Self { out: Output::open()?, shown, cursor: None, plain, stale: false })
    }

    /// The cells to draw into.
    pub(crate) fn area(&self) -> Rect {
        *self.shown.area()
    }

    /// What it shows, once it has taken all of the last frame.
    pub(crate) fn shown(&self) -> &Buffer {
        &self.shown
    }

    /// The terminal has another size now.
    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.shown = Buffer::empty(Rect::new(0, 0, width, height));
        self.stale = true;
    }

    /// The terminal's picture is not what we believe: draw all of it next time.
    pub(crate) fn forget(&mut self) {
        self.stale = true;
    }

    /// Whether the terminal has not taken the last frame yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.out.is_behind()
    }

    /// Where to wait for room.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.out.fd()
    }

    /// Sends more of the last frame.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        self.out.send()
    }

    /// Sends escape sequences of our own, between frames.
    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.push(text.as_bytes())
    }

    /// Sends the rest, and gives up after a second.
    pub(crate) fn finish(&mut self) {
        let _ = self.out.finish(std::time::Duration::from_secs(1));
    }

    /// Whether parts of a frame can be laid over the last one.
    pub(crate) fn takes_parts(&self) -> bool {
        !self.stale && self.cursor.is_none()
    }

    /// Shows parts of a frame, each as wide as the screen or with nothing wide at its edges; the rest stays as it is.
    pub(crate) fn show_parts(&mut self, parts: Vec<Buffer>) -> io::Result<usize> {
        let mut bytes = Vec::new();
        for mut part in parts {
            let area = part.area().intersection(*self.shown.area());
            part.resize(area);
            let mut before = Buffer::empty(area);
            for at in area.positions() {
                std::mem::swap(&mut before[at], &mut self.shown[at]);
            }
            let updates = before.diff(&part);
            if !updates.is_empty() {
                CrosstermBackend::new(&mut bytes).draw(updates.into_iter())?;
            }
            for at in area.positions() {
                std::mem::swap(&mut part[at], &mut self.shown[at]);
            }
        }
        if bytes.is_empty() { Ok(0) } else { self.push_frame(&bytes) }
    }

    /// Shows `next`. Returns how many bytes it took; none if nothing has changed.
    pub(crate) fn show(&mut self, next: Buffer, cursor: Option<Position>) -> io::Result<usize> {
        let mut bytes = Vec::new();
        if self.stale {
            bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
            self.shown = Buffer::empty(*next.area());
        }
        let updates = self.shown.diff(&next);
        if updates.is_empty() && cursor == self.cursor && !self.stale {
            return Ok(0);
        }
        if !updates.is_empty() {
            CrosstermBackend::new(&mut bytes).draw(updates.into_iter())?;
        }
        let mut end = String::new();
        match cursor {
            Some(at) => write!(end, "\x1b[{};{}H\x1b[?25h", at.y + 1, at.x + 1).map_err(io::Error::other)?,
            None if self.cursor.is_some() => end.push_str("\x1b[?25l"),
            None => {}
        }
        bytes.extend_from_slice(end.as_bytes());
        (self.shown, self.cursor, self.stale) = (next, cursor, false);
        self.push_frame(&bytes)
    }

    /// Sends what draws a frame, in one synchronized update. Returns how many bytes that are.
    fn push_frame(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (begin, end) = if self.plain { ("", "") } else { (BEGIN, END) };
        let frame = [begin.as_bytes(), bytes, end.as_bytes()].concat();
        self.out.push(&frame)?;
        Ok(frame.len())
    }
}
