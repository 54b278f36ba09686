//! Lines that go on behind the chunk in which they begin.

use std::{io, ops::ControlFlow};

use super::{
    line::{InChunk, MAX_LINE, lines_in},
    record::{CONTINUES, IN_MEMORY, LOST, Record},
    store::LogStore,
    window::Part,
};

/// Records looked at together.
const BATCH: u64 = 256;

/// Bytes of a line that are put together at most, for those who want more of it than a view shows.
pub const MAX_WHOLE: usize = 16 << 20;

/// What a view shows of a line.
pub(super) struct Shown {
    pub(super) bytes: Vec<u8>,
    /// Bytes in all of it so far.
    pub(super) size: u64,
    /// There is more of it than that.
    pub(super) cut: bool,
    /// It may still grow.
    pub(super) growing: bool,
}

impl LogStore {
    /// What is shown of a line that begins in chunk `index`: its first [`MAX_LINE`] bytes; of a longer progress line,
    /// which writes over itself, the last ones.
    pub(super) fn shown(&self, stream: u16, index: u64, line: &InChunk<'_>) -> io::Result<Shown> {
        let mut bytes = line.bytes[..line.bytes.len().min(MAX_LINE + 1)].to_vec();
        let mut growing = false;
        if bytes.len() <= MAX_LINE && !line.ends {
            growing = self.go_on(stream, index, &mut bytes)?;
        }
        let cut = bytes.len() > MAX_LINE;
        let mut size = bytes.len() as u64;
        if cut {
            // First whether it may grow, then how long it is: a line that ends in between is then measured whole.
            growing = !line.ends && self.is_last_line(stream, index)?;
            size = line.bytes.len() as u64 + if line.ends { 0 } else { self.rest_len(stream, index)? };
            bytes.truncate(MAX_LINE);
            if bytes.contains(&b'\r') {
                bytes = self.last_of_line(stream, index, line)?;
            }
        }
        Ok(Shown { bytes, size, cut, growing })
    }

    /// Whether the line that goes on behind chunk `index` is its stream's last and has no end yet.
    fn is_last_line(&self, stream: u16, index: u64) -> io::Result<bool> {
        let inner = self.read();
        let state = &inner.streams[usize::from(stream)];
        let before = self.records(&inner, stream, index + 1, index + 2)?.first().map_or(state.lines, Record::lines_before);
        Ok(state.open && !state.at_line_start && before == state.lines)
    }

    /// Adds what chunks behind `index` hold of a line, until it is longer than a view shows; true if it may still grow.
    fn go_on(&self, stream: u16, index: u64, line: &mut Vec<u8>) -> io::Result<bool> {
        let mut next = index + 1;
        while line.len() <= MAX_LINE {
            let (records, growing) = {
                let inner = self.read();
                let state = &inner.streams[usize::from(stream)];
                (self.records(&inner, stream, next, next + BATCH)?, state.open && !state.at_line_start)
            };
            if records.is_empty() {
                return Ok(growing);
            }
            let count = records.iter().take_while(|record| record.is(CONTINUES)).count();
            let more = self.chunks(stream, next, &records[..count], MAX_LINE + 1 - line.len())?;
            let end = memchr::memchr(b'\n', &more);
            line.extend_from_slice(&more[..end.unwrap_or(more.len())]);
            if end.is_some() || count < records.len() || more.is_empty() {
                return Ok(false);
            }
            next += count as u64;
        }
        Ok(false)
    }

    /// The last [`MAX_LINE`] bytes of a line that begins in chunk `index`.
    fn last_of_line(&self, stream: u16, index: u64, line: &InChunk<'_>) -> io::Result<Vec<u8>> {
        let begun = &line.bytes[line.bytes.len().saturating_sub(MAX_LINE)..];
        if line.ends {
            return Ok(begun.to_vec());
        }
        let last = self.last_chunk(stream, index)?;
        let (mut first, mut size, mut records) = (last + 1, 0, Vec::<Record>::new());
        // Of the last chunk perhaps only the beginning belongs to the line.
        let enough = |records: &[Record]| MAX_LINE as u64 + records.last().map_or(0, Record::len);
        while first > index + 1 && size <= enough(&records) {
            let from = first.saturating_sub(BATCH).max(index + 1);
            let mut more = self.records(&self.read(), stream, from, first)?;
            size += more.iter().map(Record::len).sum::<u64>();
            more.append(&mut records);
            (first, records) = (from, more);
        }
        let mut skip = 0;
        while records.get(skip).is_some_and(|record| size - record.len() > enough(&records)) {
            size -= records[skip].len();
            skip += 1;
        }
        let mut bytes = if skip == 0 && first == index + 1 { begun.to_vec() } else { Vec::new() };
        bytes.extend(self.chunks(stream, first + skip as u64, &records[skip..], usize::MAX)?);
        if let Some(end) = memchr::memchr(b'\n', &bytes) {
            bytes.truncate(end);
        }
        bytes.drain(..bytes.len().saturating_sub(MAX_LINE));
        Ok(bytes)
    }

    /// Bytes behind chunk `index` of a line that goes on there. Where the disk has them their places tell, so that a line of
    /// gigabytes is measured as fast as a short one.
    fn rest_len(&self, stream: u16, index: u64) -> io::Result<u64> {
        let last = self.last_chunk(stream, index)?;
        if last == index {
            return Ok(0);
        }
        let (mut size, mut from) = (0, index + 1);
        let end = {
            let inner = self.read();
            let record = |at: u64| Ok::<_, io::Error>(self.records(&inner, stream, at, at + 1)?.first().copied());
            let (Some(first), Some(end)) = (record(from)?, record(last)?) else { return Ok(0) };
            if !first.is(IN_MEMORY) && !end.is(IN_MEMORY) {
                (size, from) = (end.offset.saturating_sub(first.offset), last);
            }
            end
        };
        while from < last {
            let records = self.records(&self.read(), stream, from, last.min(from + BATCH))?;
            size += records.iter().filter(|record| !record.is(LOST)).map(Record::len).sum::<u64>();
            from += records.len().max(1) as u64;
        }
        // Of the last chunk perhaps only the beginning belongs to the line.
        let mut bytes = Vec::new();
        self.chunk(stream, last, &end, &mut bytes)?;
        Ok(size + memchr::memchr(b'\n', &bytes).unwrap_or(bytes.len()) as u64)
    }

    /// The chunk in which the line ends, or ends so far, that goes on behind chunk `index`.
    fn last_chunk(&self, stream: u16, index: u64) -> io::Result<u64> {
        let inner = self.read();
        let record = |at: u64| Ok::<_, io::Error>(self.records(&inner, stream, at, at + 1)?.first().copied());
        let Some(next) = record(index + 1)?.filter(|next| next.is(CONTINUES)) else { return Ok(index) };
        // Chunks that continue the same line know of the same number of lines before them.
        let (mut same, mut other) = (index + 1, inner.streams[usize::from(stream)].records.len());
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            let is_same = record(middle)?.is_some_and(|at| at.is(CONTINUES) && at.lines_before() == next.lines_before());
            (same, other) = if is_same { (middle, other) } else { (same, middle) };
        }
        Ok(same)
    }

    /// Hands all bytes of a line that begins in a chunk to `each`, chunk by chunk, until it has enough. Ends before what is
    /// lost.
    pub(super) fn each_part(&self, part: &Part, each: &mut dyn FnMut(&[u8]) -> io::Result<ControlFlow<()>>) -> io::Result<()> {
        let (mut index, mut bytes) = (part.index, Vec::new());
        if !self.chunk(part.stream, index, &part.record, &mut bytes)? {
            return Ok(());
        }
        let Some(line) = lines_in(&bytes, part.record.is(CONTINUES), part.skip).next() else { return Ok(()) };
        let mut done = each(line.bytes)?.is_break() || line.ends;
        while !done {
            let records = self.records(&self.read(), part.stream, index + 1, index + 1 + BATCH)?;
            done = records.is_empty();
            for record in &records {
                index += 1;
                if !record.is(CONTINUES) || !self.chunk(part.stream, index, record, &mut bytes)? {
                    return Ok(());
                }
                let end = memchr::memchr(b'\n', &bytes);
                if each(&bytes[..end.unwrap_or(bytes.len())])?.is_break() || end.is_some() {
                    return Ok(());
                }
            }
        }
        Ok(())
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
