//! Disk caps: the oldest output goes first, and what went is known to the line.
//!
//! Chunks are marked as dropped in the index, then their place in the segment becomes a hole: offsets and line numbers
//! of everything else stay as they are, and a view still has a row for each line that went.

use std::{io, sync::PoisonError};

use super::{
    record::{DROPPED, LOST, Record, line_starts},
    segment::{Dropped, StreamState},
    store::{Inner, LogStore},
};
use crate::model::ProcessId;

/// The share of a cap that goes at once: an eighth, so that it is seldom.
const STEP: u64 = 8;

/// Chunks that go at once at most; what is too much beyond that goes with the next chunk.
const MOST: u64 = 1 << 16;

impl LogStore {
    /// Keeps at most `bytes` of what `process` says on disk; at least its newest chunk stays.
    pub fn cap(&self, process: &ProcessId, bytes: u64) {
        if let Some((out, _)) = self.both(process) {
            self.write().caps.processes.insert(out as u16 / 2, bytes);
        }
    }

    /// Keeps at most `bytes` of what all processes say on disk.
    pub fn cap_all(&self, bytes: u64) {
        self.write().caps.run = Some(bytes);
    }

    /// What of a process's output went to stay within a cap.
    pub fn dropped(&self, process: &ProcessId) -> Dropped {
        let Some((out, err)) = self.both(process) else { return Dropped::default() };
        let inner = self.read();
        let (out, err) = (inner.streams[out].dropped, inner.streams[err].dropped);
        Dropped { chunks: out.chunks + err.chunks, lines: out.lines + err.lines, bytes: out.bytes + err.bytes }
    }

    /// Drops what is too much after `stream` has grown. What comes back is why that is not possible, told once.
    pub(super) fn stay_within_caps(&self, stream: u16) -> Option<io::Error> {
        let (process, all) = {
            let inner = self.read();
            let both = usize::from(stream) & !1;
            let process = inner.caps.processes.get(&(stream / 2)).and_then(|cap| too_much(&inner, both..both + 2, *cap));
            let all = inner.caps.run.and_then(|cap| too_much(&inner, 0..inner.streams.len(), cap));
            (process, all)
        };
        let mut results = process.into_iter().chain(all).map(|(stream, bytes)| self.drop_oldest(stream, bytes));
        let error = results.find_map(Result::err)?;
        Some(error)
    }

    /// Drops the oldest chunks of a stream, `bytes` at least, but never the newest.
    fn drop_oldest(&self, stream: u16, bytes: u64) -> io::Result<()> {
        let segment = &self.segments[usize::from(stream)];
        let mut writer = segment.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.keeps_all {
            return Ok(());
        }
        let (first, records, after) = {
            let inner = self.read();
            let state = &inner.streams[usize::from(stream)];
            let first = state.dropped.chunks;
            let mut records = self.records(&inner, stream, first, writer.records.min(first + MOST))?;
            let count = enough(&records, bytes);
            let after = state.lines_before(&records, count);
            records.truncate(count);
            (first, records, after)
        };
        let (Some(oldest), Some(newest)) = (records.first(), records.last()) else { return Ok(()) };
        let end = newest.offset + if newest.is(LOST) { 0 } else { newest.len() };
        let gone = Dropped {
            chunks: records.len() as u64,
            lines: line_starts(&records, after).sum(),
            bytes: records.iter().filter(|record| !record.is(LOST)).map(Record::len).sum(),
        };
        // Marked before it is done, so that nobody takes the hole for output; unmarked if it cannot be done.
        self.write().mark(stream, first, gone, true);
        let marked = |mut record: Record| {
            record.set(DROPPED);
            record
        };
        let done = segment
            .rewrite_records(first, &records.iter().copied().map(marked).collect::<Vec<_>>())
            .and_then(|()| segment.punch(oldest.offset, end));
        if done.is_err() {
            writer.keeps_all = true;
            self.write().mark(stream, first, gone, false);
            segment.rewrite_records(first, &records)?;
        }
        done
    }
}

impl Inner {
    /// Marks chunks of a stream as dropped, or takes that back.
    fn mark(&mut self, stream: u16, first: u64, gone: Dropped, dropped: bool) {
        let state = &mut self.streams[usize::from(stream)];
        for index in first..first + gone.chunks {
            if let Some(record) = state.records.recent_mut(index) {
                if dropped { record.set(DROPPED) } else { record.clear(DROPPED) }
            }
        }
        let all = &mut state.dropped;
        for (all, gone) in [(&mut all.chunks, gone.chunks), (&mut all.lines, gone.lines), (&mut all.bytes, gone.bytes)] {
            *all = if dropped { *all + gone } else { *all - gone };
        }
    }
}

/// How many of `records` make up `bytes`, the last one excepted.
fn enough(records: &[Record], bytes: u64) -> usize {
    let mut sum = 0;
    let fits = |record: &&Record| {
        let more = sum < bytes;
        sum += record.len();
        more
    };
    records.iter().take(records.len().saturating_sub(1)).take_while(fits).count()
}

/// The stream that has to give, and how much, so that `streams` together keep to `cap`.
fn too_much(inner: &Inner, streams: std::ops::Range<usize>, cap: u64) -> Option<(u16, u64)> {
    let kept = |state: &StreamState| state.bytes.saturating_sub(state.dropped.bytes);
    let sum: u64 = inner.streams[streams.clone()].iter().map(kept).sum();
    let over = sum.checked_sub(cap).filter(|over| *over > 0)?;
    let largest = streams.max_by_key(|stream| kept(&inner.streams[*stream]))?;
    Some((largest as u16, over + cap / STEP))
}
