//! One entry of an index file: where a chunk of output lies, and when and in which order it came.
//!
//! An index file is [`MAGIC`], then records of [`SIZE`] bytes, little-endian, one per chunk read:
//!
//! ```text
//! u64 sequence   u64 offset   u64 first line   u64 time   u24 length, u8 flags   u32 generation
//! ```
//!
//! *Sequence* is the chunk's place among all chunks and events of the run. *First line* is the number, from 0,
//! of the line that the chunk's first byte belongs to; line numbers run through all generations of a stream.
//! *Time* is in microseconds since the run's start. The flags share a word with the length, as its top byte.

use crate::model::{At, Generation};

/// The first bytes of an index file.
pub(crate) const MAGIC: &[u8; 8] = b"E2EIDX1\n";

/// Bytes per record.
pub(crate) const SIZE: usize = 40;

/// The longest chunk that a record can describe; longer output is split.
pub(crate) const MAX_CHUNK: usize = 1 << 20;

/// The chunk's first byte continues the line of the chunk before it.
pub(crate) const CONTINUES: u8 = 0x80;

/// The chunk's bytes were lost (disk full, memory ring overrun): `length` says how many, the file holds none of them.
pub(crate) const LOST: u8 = 0x40;

/// The chunk's bytes were dropped to stay within a disk cap: the file has a hole in their place, which reads as zeros.
pub(crate) const DROPPED: u8 = 0x10;

/// The chunk holds escape sequences, control characters or bytes that are no UTF-8: what is shown of it differs from
/// what it holds.
pub(crate) const ROUGH: u8 = 0x01;

/// Flags of later versions are dropped on reading.
const KNOWN: u8 = CONTINUES | LOST | DROPPED | ROUGH;

/// Not on disk: the chunk's bytes are in the memory ring.
pub(crate) const IN_MEMORY: u8 = 0x20;

/// Where a chunk lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) seq: u64,
    pub(crate) offset: u64,
    pub(crate) first_line: u64,
    pub(crate) at: At,
    length_and_flags: u32,
    pub(crate) generation: Generation,
}

impl Record {
    pub(crate) fn new(seq: u64, offset: u64, first_line: u64, at: At, len: usize, flags: u8, generation: Generation) -> Self {
        debug_assert!(len <= MAX_CHUNK, "chunks are split before they are recorded");
        let length_and_flags = (len as u32 & 0x00ff_ffff) | u32::from(flags) << 24;
        Self { seq, offset, first_line, at, length_and_flags, generation }
    }

    /// Bytes in the chunk.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.length_and_flags & 0x00ff_ffff)
    }

    /// The record of this chunk and the `more` bytes behind it.
    pub(crate) fn longer(mut self, more: u64) -> Self {
        self.length_and_flags += more as u32;
        self
    }

    /// Whether all of `flags` are set.
    pub(crate) fn is(&self, flags: u8) -> bool {
        (self.length_and_flags >> 24) as u8 & flags == flags
    }

    pub(crate) fn set(&mut self, flags: u8) {
        self.length_and_flags |= u32::from(flags) << 24;
    }

    pub(crate) fn clear(&mut self, flags: u8) {
        self.length_and_flags &= !(u32::from(flags) << 24);
    }

    /// How many lines of its stream began before this chunk.
    pub(crate) fn lines_before(&self) -> u64 {
        self.first_line.saturating_add(u64::from(self.is(CONTINUES)))
    }

    /// The record as the index file holds it.
    pub(crate) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[0..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_line.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[32..36].copy_from_slice(&(self.length_and_flags & !(u32::from(IN_MEMORY) << 24)).to_le_bytes());
        bytes[36..40].copy_from_slice(&self.generation.to_le_bytes());
        bytes
    }

    /// The record that `bytes` hold.
    pub(crate) fn decode(bytes: &[u8; SIZE]) -> Self {
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let short = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let known = 0x00ff_ffff | u32::from(KNOWN) << 24;
        Self {
            seq: long(0),
            offset: long(8),
            first_line: long(16),
            at: At(long(24)),
            length_and_flags: short(32) & known,
            generation: short(36),
        }
    }
}

/// Lines that begin in each of `records`, where `after` lines began before the chunk behind the last of them.
pub(super) fn line_starts(records: &[Record], after: u64) -> impl Iterator<Item = u64> {
    let next = records.iter().skip(1).map(Record::lines_before).chain([after]);
    records.iter().zip(next).map(|(record, next)| next.saturating_sub(record.lines_before()).min(record.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_frozen() {
        let record = Record::new(1, 2, 3, At(4), 5, CONTINUES | ROUGH | IN_MEMORY, 6);
        let bytes = record.encode();
        let mut expected = Vec::new();
        for long in [1u64, 2, 3, 4] {
            expected.extend_from_slice(&long.to_le_bytes());
        }
        expected.extend_from_slice(&[5, 0, 0, CONTINUES | ROUGH]);
        expected.extend_from_slice(&6u32.to_le_bytes());
        assert_eq!(bytes.as_slice(), expected);
        let mut on_disk = record;
        on_disk.clear(IN_MEMORY);
        assert_eq!(Record::decode(&bytes), on_disk);
        assert_eq!(MAGIC, b"E2EIDX1\n");
    }

    #[test]
    fn a_chunk_in_the_middle_of_a_line_begins_no_line() {
        assert_eq!(Record::new(1, 0, 7, At(0), 1, 0, 1).lines_before(), 7);
        assert_eq!(Record::new(1, 0, 7, At(0), 1, CONTINUES, 1).lines_before(), 8);
    }
}
