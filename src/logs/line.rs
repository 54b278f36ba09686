//! Reading lines back from chunks.

use std::{io, os::unix::fs::FileExt};

use super::{
    record::{CONTINUES, DROPPED, IN_MEMORY, LOST, Record},
    store::{Inner, LogStore},
    view::Part,
};
use crate::model::{At, Generation, Narration, ProcessId};

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
    /// It is longer than `bytes`.
    pub cut: bool,
    /// It may still grow: the newest line of its stream, without a newline yet.
    pub partial: bool,
    /// It is gone: said while the disk refused output, or dropped to stay within a disk cap.
    pub lost: bool,
}

impl LogStore {
    /// Reads a chunk into `into`; false if it is lost. The store's lock must not be held: this reads from disk.
    pub(super) fn chunk(&self, stream: u16, index: u64, record: &Record, into: &mut Vec<u8>) -> io::Result<bool> {
        self.chunk_part(stream, index, record, record.len(), into)
    }

    /// Reads the first `len` bytes of a chunk.
    fn chunk_part(&self, stream: u16, index: u64, record: &Record, len: u64, into: &mut Vec<u8>) -> io::Result<bool> {
        let mut record = *record;
        into.clear();
        if record.is(IN_MEMORY) {
            let inner = self.read();
            if let Some(bytes) = inner.ring.get(stream, index) {
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
        into.resize(usize::try_from(len.min(record.len())).map_err(io::Error::other)?, 0);
        files.data.read_exact_at(into, record.offset)?;
        // What was dropped between looking it up and reading it reads as zeros.
        Ok(index >= self.read().streams[usize::from(stream)].dropped.chunks)
    }

    /// Bytes `from..from + len` of a line that begins in a chunk, as far as they exist. What is before them is not read
    /// where it fills whole chunks.
    pub(super) fn line_part(&self, part: &Part, from: u64, len: usize) -> io::Result<Vec<u8>> {
        let (mut index, mut bytes, mut wanted) = (part.index, Vec::new(), Wanted { skip: from, len, found: Vec::new() });
        if !self.chunk(part.stream, index, &part.record, &mut bytes)? {
            return Ok(wanted.found);
        }
        let Some(line) = lines_in(&bytes, part.record.is(CONTINUES), part.skip).next() else { return Ok(wanted.found) };
        let mut ended = line.ends;
        wanted.take(line.bytes);
        while !ended && wanted.is_open() {
            index += 1;
            let records = self.records(&self.read(), part.stream, index, index + 2)?;
            let Some(record) = records.first().filter(|record| record.is(CONTINUES)) else { break };
            // No line begins in a chunk between two that continue the same line.
            let whole = records.get(1).is_some_and(|next| next.is(CONTINUES) && next.lines_before() == record.lines_before());
            if whole && record.len() <= wanted.skip {
                wanted.skip -= record.len();
                continue;
            }
            if !self.chunk(part.stream, index, record, &mut bytes)? {
                break;
            }
            let end = memchr::memchr(b'\n', &bytes);
            ended = end.is_some();
            wanted.take(&bytes[..end.unwrap_or(bytes.len())]);
        }
        Ok(wanted.found)
    }

    /// Adds to `line` what chunks behind `index` hold of it, up to `limit` bytes in all.
    pub(super) fn rest_of_line(&self, stream: u16, index: u64, line: &mut Vec<u8>, limit: usize) -> io::Result<Ended> {
        let mut next = index + 1;
        let mut bytes = Vec::new();
        loop {
            let records = {
                let inner = self.read();
                if next >= inner.streams[usize::from(stream)].records.len() {
                    return Ok(if may_grow(&inner, stream) { Ended::NotYet } else { Ended::Here });
                }
                self.records(&inner, stream, next, next + 64)?
            };
            for record in records {
                if !record.is(CONTINUES) {
                    return Ok(Ended::Here);
                }
                if line.len() >= limit {
                    return Ok(Ended::Later);
                }
                if !self.chunk_part(stream, next, &record, (limit - line.len() + 1) as u64, &mut bytes)? {
                    return Ok(Ended::Here);
                }
                if let Some(end) = memchr::memchr(b'\n', &bytes) {
                    line.extend_from_slice(&bytes[..end]);
                    return Ok(Ended::cut_to(line, limit));
                }
                line.extend_from_slice(&bytes);
                if line.len() > limit {
                    return Ok(Ended::cut_to(line, limit));
                }
                next += 1;
            }
        }
    }
}

/// A stretch of a line that is being collected.
struct Wanted {
    skip: u64,
    len: usize,
    found: Vec<u8>,
}

impl Wanted {
    fn is_open(&self) -> bool {
        self.found.len() < self.len
    }

    fn take(&mut self, bytes: &[u8]) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= skipped as u64;
        let more = &bytes[skipped..];
        self.found.extend_from_slice(&more[..more.len().min(self.len - self.found.len())]);
    }
}

/// How far the bytes of a line go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// To its end.
    Here,
    /// It goes on.
    Later,
    /// To the end of what was said so far.
    NotYet,
}

impl Ended {
    fn cut_to(line: &mut Vec<u8>, limit: usize) -> Self {
        if line.len() > limit {
            line.truncate(limit);
            Self::Later
        } else {
            Self::Here
        }
    }
}

/// Whether the last line of a stream may still grow.
fn may_grow(inner: &Inner, stream: u16) -> bool {
    let state = &inner.streams[usize::from(stream)];
    state.open && !state.at_line_start
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
