//! A scrollable view over any processes, in the order in which things were said and happened.
//!
//! A row stands where its line *begins*, so rows never move: later output only adds rows at the end, and bytes to the
//! last row of a stream. A view counts the rows of each block of the order once; a window is found by binary search
//! among blocks, then among the chunks of one block, then by counting newlines in one chunk.

use std::io;

use super::{
    line::{LogLine, Source, lines_in},
    order::{Block, NOTES},
    record::{CONTINUES, Record, line_starts},
    rows::RowSet,
    store::{Inner, LogStore, Note, Stream},
};
use crate::model::{At, LogFormat, ProcessId};

/// Whose lines a view shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Everybody's.
    All,
    /// Those of these processes.
    Some(Vec<ProcessId>),
}

/// A view over the lines of some processes. It belongs to whoever shows it and holds a few bytes per thousand chunks.
#[derive(Debug)]
pub struct LogView {
    selection: Selection,
    lifecycle: bool,
    /// By stream number: whether it is selected. Known at the first refresh.
    chosen: Vec<bool>,
    epoch: u64,
    /// Rows before each block.
    before: Vec<u64>,
    rows: u64,
}

/// Rows to read, found under the store's lock and read outside of it.
enum Piece {
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
    /// A view that shows nothing before its first [`refresh`](Self::refresh). Lifecycle lines of the selected processes,
    /// and of the run, are part of it.
    pub fn new(selection: Selection) -> Self {
        Self { selection, lifecycle: true, chosen: Vec::new(), epoch: 0, before: Vec::new(), rows: 0 }
    }

    /// The same view without lifecycle lines.
    #[must_use]
    pub fn without_lifecycle(mut self) -> Self {
        self.lifecycle = false;
        self.before.clear();
        self
    }

    /// Whose lines it shows.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Takes in what was added since the last refresh. Costs a few operations per thousand chunks added.
    pub fn refresh(&mut self, store: &LogStore) {
        let inner = store.read();
        if self.chosen.len() != inner.streams.len() || self.epoch != inner.order.epoch {
            self.chosen = (0..inner.streams.len() as u16).map(|stream| self.selects(store.owner(stream).0)).collect();
            self.epoch = inner.order.epoch;
            self.before.clear();
        }
        // The last block counted may have grown.
        let (first, mut rows) = match self.before.pop() {
            Some(rows) => (self.before.len(), rows),
            None => (0, 0),
        };
        for block in inner.order.blocks.get(first..).unwrap_or_default() {
            self.before.push(rows);
            rows = rows.saturating_add(self.rows_in(&inner, block));
        }
        self.rows = rows;
    }

    /// How many rows it has.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Rows `from..from + count`, as far as they exist.
    pub fn window(&self, store: &LogStore, from: u64, count: usize) -> io::Result<Vec<LogLine>> {
        let pieces = self.plan(store, from, count)?;
        let mut lines = Vec::with_capacity(count.min(1024));
        let mut chunk = ChunkReader::default();
        for piece in pieces {
            match piece {
                Piece::Note(row, note) => lines.push(lifecycle_line(row, *note)),
                Piece::Lines(part) => chunk.read(store, &part, &mut lines)?,
            }
        }
        Ok(lines)
    }

    /// The rows of `set` from its `n`th on, at most `count`: what a filter leaves of the view.
    pub fn window_of(&self, store: &LogStore, set: &RowSet, n: u64, count: usize) -> io::Result<Vec<LogLine>> {
        let Some(first) = set.nth(n) else { return Ok(Vec::new()) };
        self.rows(store, &set.iter(first..self.rows).take(count).collect::<Vec<_>>())
    }

    /// The given rows, which must be in order.
    pub fn rows(&self, store: &LogStore, rows: &[u64]) -> io::Result<Vec<LogLine>> {
        let mut lines = Vec::with_capacity(rows.len());
        let mut chunk = ChunkReader::default();
        for piece in self.plan_rows(store, rows)? {
            match piece {
                Piece::Note(row, note) => lines.push(lifecycle_line(row, *note)),
                Piece::Lines(part) => chunk.read(store, &part, &mut lines)?,
            }
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

    /// The first row at or after sequence number `seq`; [`len`](Self::len) if there is none.
    pub fn row_at_seq(&self, store: &LogStore, seq: u64) -> io::Result<u64> {
        let inner = store.read();
        self.first_row(store, &inner, inner.order.block_of_seq(seq), |entry_seq, _| entry_seq >= seq)
    }

    /// The first row at or after `at`; [`len`](Self::len) if there is none.
    pub fn row_at_time(&self, store: &LogStore, at: At) -> io::Result<u64> {
        let inner = store.read();
        // Entries at exactly `at` may begin in the block before the one that is found.
        let block = inner.order.blocks.partition_point(|block| block.first_at < at).saturating_sub(1);
        self.first_row(store, &inner, block, |_, entry_at| entry_at >= at)
    }

    /// The row of a line that is known by its place: `number` from 1 in `stream` of `process`, begun in chunk `seq`.
    /// None if the view does not show it.
    pub fn row_of(&self, store: &LogStore, process: &ProcessId, stream: Stream, number: u64, seq: u64) -> io::Result<Option<u64>> {
        let Some(source) = store.number(process, stream) else { return Ok(None) };
        let inner = store.read();
        let mut found = None;
        let block = inner.order.block_of_seq(seq);
        self.walk(store, &inner, block, &mut |row, entry| {
            if let Entry::Chunk { stream, record, lines, .. } = entry
                && stream == source
                && (record.lines_before()..record.lines_before() + lines).contains(&(number - 1))
            {
                found = Some(row + (number - 1 - record.lines_before()));
            }
            found.is_none() && entry.seq() <= seq
        })?;
        Ok(found)
    }

    fn selects(&self, process: &ProcessId) -> bool {
        match &self.selection {
            Selection::All => true,
            Selection::Some(some) => some.contains(process),
        }
    }

    /// A stream that was added since the last refresh is not part of the view yet.
    fn has_chosen(&self, stream: u16) -> bool {
        self.chosen.get(usize::from(stream)).copied().unwrap_or(false)
    }

    fn shows(&self, note: &Note) -> bool {
        self.lifecycle && note.narration.process.as_ref().is_none_or(|process| self.selects(process))
    }

    fn rows_in(&self, inner: &Inner, block: &Block) -> u64 {
        let rows = block.shares.iter().map(|share| match share.source {
            NOTES => {
                let first = usize::try_from(share.first).unwrap_or(usize::MAX);
                let notes = inner.notes.iter().skip(first).take(usize::try_from(share.lines).unwrap_or(0));
                notes.filter(|note| self.shows(note)).count() as u64
            }
            stream if self.has_chosen(stream) => share.lines,
            _ => 0,
        });
        rows.fold(0, u64::saturating_add)
    }

    fn plan(&self, store: &LogStore, from: u64, count: usize) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let until = from.saturating_add(count as u64).min(self.rows);
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
        while let Some(&next) = left.first().filter(|row| **row < self.rows) {
            let block = self.block_of(next);
            let end = self.before.get(block + 1).copied().unwrap_or(self.rows);
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

    /// Moves when rows moved: what was known of them is void.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The block that `row` is in.
    pub(super) fn block_of(&self, row: u64) -> usize {
        self.before.partition_point(|&before| before <= row).saturating_sub(1)
    }

    /// The first row of `block`.
    pub(super) fn first_row_of(&self, block: usize) -> u64 {
        self.before.get(block).copied().unwrap_or(self.rows)
    }

    fn first_row(&self, store: &LogStore, inner: &Inner, block: usize, reached: impl Fn(u64, At) -> bool) -> io::Result<u64> {
        let mut found = None;
        self.walk(store, inner, block, &mut |row, entry| {
            if reached(entry.seq(), entry.at()) && entry.rows() > 0 {
                found = Some(row);
            }
            found.is_none()
        })?;
        Ok(found.unwrap_or(self.rows))
    }

    /// Visits the selected entries from `block` on, each with its first row, until `visit` says no.
    pub(super) fn walk(
        &self,
        store: &LogStore,
        inner: &Inner,
        block: usize,
        visit: &mut dyn FnMut(u64, Entry<'_>) -> bool,
    ) -> io::Result<()> {
        // Rows that were added since the last refresh are not part of the view yet.
        for (block, &before) in inner.order.blocks.iter().zip(&self.before).skip(block) {
            let mut row = before;
            let mut sources = Sources::of(self, store, inner, block)?;
            for &source in &block.entries {
                if row >= self.rows {
                    return Ok(());
                }
                let Some(entry) = sources.next(self, inner, source) else { continue };
                let rows = entry.rows();
                if !visit(row, entry) {
                    return Ok(());
                }
                row = row.saturating_add(rows);
            }
        }
        Ok(())
    }
}

/// One step of the order.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    Note(&'a Note),
    Chunk { stream: u16, index: u64, record: Record, lines: u64 },
}

impl Entry<'_> {
    pub(super) fn rows(&self) -> u64 {
        match self {
            Self::Note(_) => 1,
            Self::Chunk { lines, .. } => *lines,
        }
    }

    fn seq(&self) -> u64 {
        match self {
            Self::Note(note) => note.seq,
            Self::Chunk { record, .. } => record.seq,
        }
    }

    fn at(&self) -> At {
        match self {
            Self::Note(note) => note.at,
            Self::Chunk { record, .. } => record.at,
        }
    }
}

/// The records of a block, source by source, handed out in the order of the block.
struct Sources {
    /// By stream: the next record, as a place in `records`.
    next: Vec<usize>,
    next_note: usize,
    records: Vec<(u64, Record, u64)>,
}

impl Sources {
    fn of(view: &LogView, store: &LogStore, inner: &Inner, block: &Block) -> io::Result<Self> {
        let mut all = Self { next: vec![0; inner.streams.len()], next_note: 0, records: Vec::with_capacity(block.entries.len()) };
        for share in &block.shares {
            if share.source == NOTES {
                all.next_note = usize::try_from(share.first).unwrap_or(usize::MAX);
                continue;
            }
            if !view.has_chosen(share.source) {
                continue;
            }
            let count = share.count as usize;
            // One more than the block holds: it says how many lines begin in the last.
            let records = store.records(inner, share.source, share.first, share.first + u64::from(share.count) + 1)?;
            all.next[usize::from(share.source)] = all.records.len();
            let state = &inner.streams[usize::from(share.source)];
            let counted = line_starts(&records, state.lines);
            all.records.extend((share.first..).zip(&records).zip(counted).take(count).map(|((i, r), n)| (i, *r, n)));
        }
        Ok(all)
    }

    fn next<'a>(&mut self, view: &LogView, inner: &'a Inner, source: u16) -> Option<Entry<'a>> {
        if source == NOTES {
            let note = inner.notes.get(self.next_note);
            self.next_note += 1;
            return note.filter(|note| view.shows(note)).map(Entry::Note);
        }
        if !view.has_chosen(source) {
            return None;
        }
        let at = &mut self.next[usize::from(source)];
        let (index, record, lines) = *self.records.get(*at)?;
        *at += 1;
        Some(Entry::Chunk { stream: source, index, record, lines })
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
struct ChunkReader {
    read: Option<(u16, u64)>,
    lost: bool,
    bytes: Vec<u8>,
}

impl ChunkReader {
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
