//! The one order of everything: which stream's chunk, or which lifecycle line, came after which.
//!
//! Two bytes per chunk in blocks of [`BLOCK`]; a block knows for each source in it where its run of records begins
//! and how many lines begin in it. So a view over any streams counts its rows block by block, and only the block
//! that a window lies in is looked at chunk by chunk.

use crate::model::At;

/// Chunks and notes per block.
pub(crate) const BLOCK: usize = 1024;

/// The source of lifecycle lines; all others are stream numbers.
pub(crate) const NOTES: u16 = u16::MAX;

/// The whole order.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) blocks: Vec<Block>,
    /// Moves when something was put anywhere but at the end: rows counted before are void.
    pub(crate) epoch: u64,
}

/// A stretch of the order.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) first_seq: u64,
    pub(crate) first_at: At,
    /// The source of each entry.
    pub(crate) entries: Vec<u16>,
    /// One for each source in it.
    pub(crate) shares: Vec<Share>,
}

/// What one source has in a block: a contiguous run of its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) source: u16,
    /// The source's first record (or note) in the block.
    pub(crate) first: u64,
    /// Records it has in the block.
    pub(crate) count: u32,
    /// Lines that begin in the block.
    pub(crate) lines: u64,
}

impl Order {
    /// Puts record `index` of `source`, in which `lines` lines begin, at the end.
    pub(crate) fn push(&mut self, source: u16, index: u64, lines: u64, seq: u64, at: At) {
        if self.blocks.last().is_none_or(|block| block.entries.len() >= BLOCK) {
            if let Some(full) = self.blocks.last_mut() {
                full.entries.shrink_to_fit();
                full.shares.shrink_to_fit();
            }
            self.blocks.push(Block { first_seq: seq, first_at: at, entries: Vec::new(), shares: Vec::new() });
        }
        let block = self.blocks.last_mut().expect("one was just made");
        block.entries.push(source);
        match block.shares.iter_mut().find(|share| share.source == source) {
            Some(share) => {
                share.count += 1;
                share.lines += lines;
            }
            None => block.shares.push(Share { source, first: index, count: 1, lines }),
        }
    }

    /// The last block that begins at or before `seq`.
    pub(crate) fn block_of_seq(&self, seq: u64) -> usize {
        self.blocks.partition_point(|block| block.first_seq <= seq).saturating_sub(1)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
        self.epoch += 1;
    }
}
