//! A scrollable view over any processes, in the order in which things were said and happened.
//!
//! A row stands where its line *begins*, so rows never move: later output only adds rows at the end, and bytes to the
//! last row of a stream. A view counts the rows of each block of the order once; a row is found by binary search among
//! blocks, then among the chunks of one block (`walk`), then by counting newlines in one chunk (`window`).

use std::io;

use super::{
    order::{Block, NOTES},
    store::{Inner, LogStore, Note, Stream},
    walk::Entry,
};
use crate::model::{At, ProcessId};

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
    pub(super) fn has_chosen(&self, stream: u16) -> bool {
        self.chosen.get(usize::from(stream)).copied().unwrap_or(false)
    }

    pub(super) fn shows(&self, note: &Note) -> bool {
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

    /// Moves when rows moved: what was known of them is void.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The block that `row` is in.
    pub(super) fn block_of(&self, row: u64) -> usize {
        self.before.partition_point(|&before| before <= row).saturating_sub(1)
    }

    /// The first row of each block that it counted.
    pub(super) fn firsts(&self) -> impl Iterator<Item = u64> {
        self.before.iter().copied()
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
}
