//! Rows of a view, read back: found under the store's lock, read outside of it.

use std::{io, ops::ControlFlow};

use super::{
    line::{LogLine, Source, lines_in},
    long::MAX_WHOLE,
    record::{CONTINUES, Record},
    rows::RowSet,
    store::{LogStore, Note, Stream},
    view::LogView,
    walk::Entry,
};
use crate::model::LogFormat;

/// Rows of a batch, and bytes after which there is no more of it.
const BATCH: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

/// Rows to read.
pub(super) enum Piece {
    Note(u64, Box<Note>),
    Lines(Part),
}

/// Some of the lines that begin in a chunk.
#[derive(Debug)]
pub(super) struct Part {
    /// The row of the first of them.
    pub(super) row: u64,
    pub(super) stream: u16,
    pub(super) index: u64,
    pub(super) record: Record,
    /// Lines left out before it.
    pub(super) skip: u64,
    pub(super) take: u64,
}

impl LogView {
    /// Rows `from..from + count`, as far as they exist.
    pub fn window(&self, store: &LogStore, from: u64, count: usize) -> io::Result<Vec<LogLine>> {
        let pieces = self.plan(store, from, count)?;
        let mut lines = Vec::with_capacity(count.min(1024));
        let mut chunk = ChunkReader::default();
        for piece in pieces {
            chunk.read_piece(store, piece, &mut lines)?;
        }
        Ok(lines)
    }

    /// Rows from `from` on, for who goes through all of them: so many that they cost little each, so few that they need no
    /// memory to speak of. At least one, if there is one.
    pub fn batch(&self, store: &LogStore, from: u64) -> io::Result<Vec<LogLine>> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        let mut chunk = ChunkReader::default();
        for piece in self.plan(store, from, BATCH)? {
            if bytes >= BATCH_BYTES {
                break;
            }
            let first = lines.len();
            chunk.read_piece(store, piece, &mut lines)?;
            bytes += lines[first..].iter().map(|line| line.bytes.len()).sum::<usize>();
        }
        Ok(lines)
    }

    /// The rows of `set` from its `n`th on, at most `count`: what a filter leaves of the view.
    pub fn window_of(&self, store: &LogStore, set: &RowSet, n: u64, count: usize) -> io::Result<Vec<LogLine>> {
        let Some(first) = set.nth(n) else { return Ok(Vec::new()) };
        self.rows(store, &set.iter(first..self.len()).take(count).collect::<Vec<_>>())
    }

    /// The given rows, which must be in order.
    pub fn rows(&self, store: &LogStore, rows: &[u64]) -> io::Result<Vec<LogLine>> {
        let mut lines = Vec::with_capacity(rows.len());
        let mut chunk = ChunkReader::default();
        for piece in self.plan_rows(store, rows)? {
            chunk.read_piece(store, piece, &mut lines)?;
        }
        Ok(lines)
    }

    /// Bytes `from..from + len` of the line in `row`, as far as they exist: for lines that a window cuts.
    pub fn line_part(&self, store: &LogStore, row: u64, from: u64, len: usize) -> io::Result<Vec<u8>> {
        match self.plan(store, row, 1)?.first() {
            Some(Piece::Lines(part)) => store.line_part(part, from, len),
            _ => Ok(Vec::new()),
        }
    }

    /// Hands all bytes of `line` to `each`, in parts, until it has enough: what a window leaves out of it, too.
    pub fn each_part(
        &self,
        store: &LogStore,
        line: &LogLine,
        each: &mut dyn FnMut(&[u8]) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<()> {
        match self.plan(store, line.row, 1)?.first() {
            Some(Piece::Lines(part)) => store.each_part(part, each),
            _ => Ok(()),
        }
    }

    /// `line` with all that there is to read in it, also where a window cut it: at most [`MAX_WHOLE`] bytes. A progress line,
    /// which writes over itself, is what it came to.
    pub fn whole(&self, store: &LogStore, line: &LogLine) -> io::Result<LogLine> {
        if !line.cut || line.bytes.contains(&b'\r') {
            return Ok(LogLine { cut: false, ..line.clone() });
        }
        let mut bytes = Vec::new();
        self.each_part(store, line, &mut |part| {
            bytes.extend_from_slice(&part[..part.len().min(MAX_WHOLE - bytes.len())]);
            Ok(if bytes.len() == MAX_WHOLE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(LogLine { cut: (bytes.len() as u64) < line.size, bytes, ..line.clone() })
    }

    pub(super) fn plan(&self, store: &LogStore, from: u64, count: usize) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let until = from.saturating_add(count as u64).min(self.len());
        if from >= until {
            return Ok(pieces);
        }
        let inner = store.read();
        let block = self.block_of(from);
        self.walk(store, &inner, block, &mut |row, entry| {
            match entry {
                Entry::Note(note) if row >= from && row < until => pieces.push(Piece::Note(row, Box::new(note.clone()))),
                Entry::Chunk { stream, index, record, lines } => {
                    let (skip, end) = (from.saturating_sub(row), lines.min(until.saturating_sub(row)));
                    if skip < end {
                        pieces.push(Piece::Lines(Part { row: row + skip, stream, index, record, skip, take: end - skip }));
                    }
                }
                Entry::Note(_) => {}
            }
            row < until
        })?;
        Ok(pieces)
    }

    fn plan_rows(&self, store: &LogStore, rows: &[u64]) -> io::Result<Vec<Piece>> {
        let (mut pieces, mut left) = (Vec::with_capacity(rows.len()), rows);
        let inner = store.read();
        while let Some(&next) = left.first().filter(|row| **row < self.len()) {
            let block = self.block_of(next);
            let end = self.first_row_of(block + 1);
            self.walk(store, &inner, block, &mut |row, entry| {
                while let Some(&wanted) = left.first().filter(|wanted| **wanted < row + entry.rows()) {
                    left = &left[1..];
                    match entry {
                        Entry::Note(note) => pieces.push(Piece::Note(row, Box::new(note.clone()))),
                        Entry::Chunk { stream, index, record, .. } => {
                            pieces.push(Piece::Lines(Part { row: wanted, stream, index, record, skip: wanted - row, take: 1 }));
                        }
                    }
                }
                row + entry.rows() < end && !left.is_empty()
            })?;
            // Damaged indexes may hold fewer rows than they claim.
            if left.first() == Some(&next) {
                left = &left[1..];
            }
        }
        Ok(pieces)
    }
}

fn lifecycle_line(row: u64, note: Note) -> LogLine {
    LogLine {
        row,
        seq: note.seq,
        process: note.narration.process.clone(),
        source: Source::Lifecycle(note.narration),
        number: 0,
        generation: 0,
        at: note.at,
        bytes: Vec::new(),
        size: 0,
        cut: false,
        partial: false,
        format: LogFormat::Auto,
        lost: false,
    }
}

/// Reads lines of chunks, and remembers the last chunk: neighbours often share it.
#[derive(Default)]
pub(super) struct ChunkReader {
    read: Option<(u16, u64)>,
    lost: bool,
    bytes: Vec<u8>,
}

impl ChunkReader {
    pub(super) fn read_piece(&mut self, store: &LogStore, piece: Piece, into: &mut Vec<LogLine>) -> io::Result<()> {
        match piece {
            Piece::Note(row, note) => into.push(lifecycle_line(row, *note)),
            Piece::Lines(part) => self.read(store, &part, into)?,
        }
        Ok(())
    }

    fn read(&mut self, store: &LogStore, part: &Part, into: &mut Vec<LogLine>) -> io::Result<()> {
        let &Part { stream, index, ref record, skip, take, .. } = part;
        if self.read != Some((stream, index)) {
            self.lost = !store.chunk(stream, index, record, &mut self.bytes)?;
            self.read = Some((stream, index));
        }
        let mut found = 0;
        let bytes = if self.lost { &[][..] } else { &self.bytes };
        for inside in lines_in(bytes, record.is(CONTINUES), skip).take(usize::try_from(take).unwrap_or(0)) {
            let shown = store.shown(stream, index, &inside)?;
            let line = LogLine { size: shown.size, cut: shown.cut, partial: shown.growing, ..part.line(store, found, shown.bytes) };
            into.push(line);
            found += 1;
        }
        // Lost chunks, and indexes that claim more lines than there are, still have their rows.
        into.extend((found..take).map(|n| LogLine { lost: true, ..part.line(store, n, Vec::new()) }));
        Ok(())
    }
}

impl Part {
    /// Its `n`th line.
    fn line(&self, store: &LogStore, n: u64, bytes: Vec<u8>) -> LogLine {
        let (process, which) = store.owner(self.stream);
        LogLine {
            row: self.row + n,
            seq: self.record.seq,
            process: Some(process.clone()),
            source: if which == Stream::Out { Source::Out } else { Source::Err },
            number: self.record.lines_before().saturating_add(self.skip).saturating_add(n).saturating_add(1),
            generation: self.record.generation,
            at: self.record.at,
            size: bytes.len() as u64,
            bytes,
            cut: false,
            partial: false,
            format: store.manner(process).format,
            lost: false,
        }
    }
}
