//! Visiting what a view shows, in order: chunks and lifecycle lines, without reading what was said.

use std::io;

use super::{
    order::{Block, NOTES},
    record::{Record, line_starts},
    store::{Inner, LogStore, Note},
    view::LogView,
};
use crate::model::At;

impl LogView {
    /// Visits the selected entries from `block` on, each with its first row, until `visit` says no.
    pub(super) fn walk(
        &self,
        store: &LogStore,
        inner: &Inner,
        block: usize,
        visit: &mut dyn FnMut(u64, Entry<'_>) -> bool,
    ) -> io::Result<()> {
        // Rows that were added since the last refresh are not part of the view yet.
        for (block, before) in inner.order.blocks.iter().zip(self.firsts()).skip(block) {
            let mut row = before;
            let mut sources = Sources::of(self, store, inner, block)?;
            for &source in &block.entries {
                if row >= self.len() {
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

    pub(super) fn seq(&self) -> u64 {
        match self {
            Self::Note(note) => note.seq,
            Self::Chunk { record, .. } => record.seq,
        }
    }

    pub(super) fn at(&self) -> At {
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
