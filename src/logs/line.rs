//! Reading lines back from chunks.

use std::{io, os::unix::fs::FileExt};

use super::{
    present::{Presented, present_as},
    record::{DROPPED, IN_MEMORY, LOST, MAX_CHUNK, Record},
    store::LogStore,
};
use crate::model::{At, Generation, LogFormat, Narration, ProcessId};

/// Bytes of a line that a view shows at most; [`LogView::line_part`](super::LogView::line_part) reads on.
pub const MAX_LINE: usize = 64 << 10;

/// Where a row of a view comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// Something happened to the process.
    Lifecycle(Narration),
}

/// One row of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its place in the view, from 0.
    pub row: u64,
    /// Its place in the run: the sequence number of the chunk in which it begins. Lines of one chunk share it.
    pub seq: u64,
    /// Who said it, or whom it is about; none: the run as a whole.
    pub process: Option<ProcessId>,
    /// Which stream, or what happened.
    pub source: Source,
    /// Its number in its stream, from 1; 0 for lifecycle lines.
    pub number: u64,
    /// Which start of the process said it; 0 for lifecycle lines.
    pub generation: Generation,
    /// When its first byte was read.
    pub at: At,
    /// What was said, as it was, without the newline; at most [`MAX_LINE`] bytes.
    pub bytes: Vec<u8>,
    /// Bytes in all of it so far; of what is lost of it, none.
    pub size: u64,
    /// It is longer than `bytes`: [`LogView::line_part`](super::LogView::line_part) has the rest.
    pub cut: bool,
    /// It may still grow: the newest line of its stream, without a newline yet.
    pub partial: bool,
    /// How its process writes lines.
    pub format: LogFormat,
    /// It is gone: said while the disk refused output, or dropped to stay within a disk cap.
    pub lost: bool,
}

impl LogLine {
    /// It, made ready to be shown.
    pub fn present(&self) -> Presented {
        present_as(&self.bytes, self.format)
    }
}

impl LogStore {
    /// Reads a chunk into `into`; false if it is lost, with anything in `into`. The store's lock must not be held: this reads from disk.
    pub(super) fn chunk(&self, stream: u16, index: u64, record: &Record, into: &mut Vec<u8>) -> io::Result<bool> {
        self.chunk_part(stream, index, record, record.len(), into)
    }

    /// Reads the first `len` bytes of a chunk.
    fn chunk_part(&self, stream: u16, index: u64, record: &Record, len: u64, into: &mut Vec<u8>) -> io::Result<bool> {
        let mut record = *record;
        if record.is(IN_MEMORY) {
            let inner = self.read();
            if let Some(bytes) = inner.ring.get(stream, index) {
                into.clear();
                into.extend_from_slice(&bytes[..usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len())]);
                return Ok(true);
            }
            // It has reached the disk since, or is lost.
            let Some(now) = self.records(&inner, stream, index, index + 1)?.first().copied() else { return Ok(false) };
            record = now;
        }
        if record.is(LOST) || record.is(DROPPED) {
            return Ok(false);
        }
        let Some(files) = self.segments[usize::from(stream)].files.get() else { return Ok(false) };
        // What is there already is overwritten, not cleared first.
        into.resize(usize::try_from(len.min(record.len())).map_err(io::Error::other)?, 0);
        files.data.read_exact_at(into, record.offset)?;
        // What was dropped between looking it up and reading it reads as zeros.
        Ok(index >= self.read().streams[usize::from(stream)].dropped.chunks)
    }

    /// Reads chunks that follow each other, up to `limit` bytes, with one read where they lie side by side. Ends before
    /// what is lost.
    pub(super) fn chunks(&self, stream: u16, first: u64, records: &[Record], limit: usize) -> io::Result<Vec<u8>> {
        let (mut all, mut bytes, mut at) = (Vec::new(), Vec::new(), 0);
        while at < records.len() && all.len() < limit {
            let mut run = records[at];
            let joined = records[at + 1..].iter().take_while(|next| {
                let side_by_side = [IN_MEMORY, LOST, DROPPED].iter().all(|flag| !next.is(*flag) && !run.is(*flag));
                let fits = side_by_side && next.offset == run.offset + run.len() && run.len() + next.len() <= MAX_CHUNK as u64;
                if fits {
                    run = run.longer(next.len());
                }
                fits
            });
            let count = 1 + joined.count();
            if !self.chunk_part(stream, first + at as u64, &run, (limit - all.len()) as u64, &mut bytes)? {
                break;
            }
            all.extend_from_slice(&bytes);
            at += count;
        }
        Ok(all)
    }
}

/// A line within a chunk: its bytes there, and whether it ends in it.
pub(super) struct InChunk<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ends: bool,
}

/// The lines that begin in a chunk, the first `skip` left out.
pub(super) fn lines_in(bytes: &[u8], continues: bool, skip: u64) -> impl Iterator<Item = InChunk<'_>> {
    let mut at = Some(0);
    if continues {
        at = memchr::memchr(b'\n', bytes).map(|end| end + 1);
    }
    if skip > 0 {
        let nth = usize::try_from(skip - 1).unwrap_or(usize::MAX);
        at = at.and_then(|at| memchr::memchr_iter(b'\n', &bytes[at..]).nth(nth).map(|end| at + end + 1));
    }
    std::iter::from_fn(move || {
        let start = at.filter(|&at| at < bytes.len())?;
        let end = memchr::memchr(b'\n', &bytes[start..]).map(|end| start + end);
        at = end.map(|end| end + 1);
        Some(InChunk { bytes: &bytes[start..end.unwrap_or(bytes.len())], ends: end.is_some() })
    })
}
