//! How output gets into the store, and what happens while the disk refuses it.

use std::{
    io,
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    record::{CONTINUES, IN_MEMORY, LOST, ROUGH, Record},
    scan::Place,
    segment::{Segment, Writer},
    store::{CHUNK, Inner, LogStore, Stream},
    text::survey,
};
use crate::model::{At, Generation, ProcessId};

/// The pause before a disk that refused is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What became of a chunk.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) place: Place,
    /// Why the disk refused it, if it did so now; it is in memory then.
    pub(super) trouble: Option<io::Error>,
}

impl LogStore {
    /// Adds what `process` said: bytes as they came, already masked. This is how captured output gets in.
    ///
    /// A disk that refuses is no error to the caller: the bytes are kept in memory and written later, if it recovers.
    /// What comes back is the disk's refusal, for a notice. Output of processes that the store does not know is dropped.
    pub fn append(&self, process: &ProcessId, stream: Stream, generation: Generation, at: At, bytes: &[u8]) -> Option<io::Error> {
        let stream = self.number(process, stream)?;
        self.append_chunk(stream, generation, at, bytes).trouble
    }

    /// Adds `bytes` to a stream.
    pub(super) fn append_chunk(&self, stream: u16, generation: Generation, at: At, bytes: &[u8]) -> Appended {
        let segment = &self.segments[usize::from(stream)];
        let mut writer = segment.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut first = None;
        for piece in bytes.chunks(CHUNK) {
            let done = self.append_piece(stream, &mut writer, generation, at, piece);
            match &mut first {
                None => first = Some(done),
                Some(first) => {
                    first.place.rough |= done.place.rough;
                    first.place.newlines += done.place.newlines;
                    first.trouble = first.trouble.take().or(done.trouble);
                }
            }
        }
        drop(writer);
        let capped = self.stay_within_caps(stream);
        self.touch();
        let mut done =
            first.unwrap_or(Appended { place: Place { first_line: 0, continues: true, newlines: 0, rough: false }, trouble: None });
        done.trouble = done.trouble.or(capped);
        done
    }

    fn append_piece(&self, stream: u16, writer: &mut Writer, generation: Generation, at: At, bytes: &[u8]) -> Appended {
        let segment = &self.segments[usize::from(stream)];
        let mut trouble = None;
        let stored = match self.usable(stream, writer).and_then(|()| segment.write_data(writer, bytes)) {
            Ok(offset) => Some(offset),
            Err(error) => {
                trouble = self.fail(segment, writer, error);
                None
            }
        };
        // Only this thread appends to the stream, so whether its last line goes on cannot change meanwhile.
        let (newlines, rough) = survey(bytes, self.read().streams[usize::from(stream)].goes_on(generation));
        let flags = if rough { ROUGH } else { 0 } | if stored.is_none() { IN_MEMORY } else { 0 };
        let ends_line = bytes.last() == Some(&b'\n');
        let record = {
            let mut inner = self.write();
            let offset = stored.unwrap_or(writer.data);
            let record = inner.begin(stream, offset, generation, at, bytes.len(), flags);
            let starts = u64::from(!record.is(CONTINUES)) + newlines - u64::from(ends_line);
            let index = inner.finish(stream, record, starts, ends_line, writer.records);
            if stored.is_none() {
                inner.keep(stream, index, bytes);
            }
            record
        };
        if stored.is_some()
            && let Err(error) = segment.write_record(writer, &record)
        {
            trouble = self.fail(segment, writer, error);
        }
        Appended { place: Place { first_line: record.first_line, continues: record.is(CONTINUES), newlines, rough }, trouble }
    }

    /// Nothing more comes on a stream for now: its last line does not grow any more.
    pub(super) fn close(&self, stream: u16) {
        self.write().streams[usize::from(stream)].open = false;
        self.touch();
    }

    /// Whether the stream's files take more: `Err` while they are to be left alone after a failure.
    fn usable(&self, stream: u16, writer: &mut Writer) -> io::Result<()> {
        let Some(failed) = writer.failed else { return Ok(()) };
        if failed.elapsed() < RETRY {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.catch_up(stream, writer).inspect_err(|_| writer.failed = Some(Instant::now()))
    }

    /// Notes the failure; tells it once per spell.
    fn fail(&self, segment: &Segment, writer: &mut Writer, error: io::Error) -> Option<io::Error> {
        if writer.failed.is_some() {
            return None;
        }
        writer.failed = Some(Instant::now());
        segment.is_on_disk().then(|| {
            self.refused.fetch_add(1, Ordering::AcqRel);
            error
        })
    }

    /// Tries once more to write what is only in memory, for all streams: every now and then while the disk
    /// refuses, and when a run ends.
    pub fn settle(&self) {
        for (stream, segment) in (0..).zip(self.segments.iter()) {
            let mut writer = segment.writer.lock().unwrap_or_else(PoisonError::into_inner);
            if writer.failed.is_some() && segment.is_on_disk() {
                let _ = self.catch_up(stream, &mut writer);
            }
        }
    }

    /// Writes the chunks that are only in memory, and the records that are only there.
    fn catch_up(&self, stream: u16, writer: &mut Writer) -> io::Result<()> {
        let segment = &self.segments[usize::from(stream)];
        loop {
            let index = writer.records;
            let (record, bytes) = {
                let inner = self.read();
                let Some(record) = self.records(&inner, stream, index, index + 1)?.first().copied() else { break };
                (record, inner.ring.get(stream, index).map(<[u8]>::to_vec))
            };
            let stored = match (record.is(IN_MEMORY), bytes) {
                (true, Some(bytes)) => Some(segment.write_data(writer, &bytes)?),
                _ => None,
            };
            let record = {
                let mut inner = self.write();
                let at = writer.data;
                let Some(kept) = inner.streams[usize::from(stream)].records.recent_mut(index) else { break };
                if let Some(offset) = stored {
                    kept.offset = offset;
                    // The ring may have let it go in the meantime; it is on disk all the same.
                    kept.clear(IN_MEMORY | LOST);
                } else if kept.is(LOST) {
                    kept.offset = at;
                }
                let record = *kept;
                inner.ring.remove(stream, index);
                record
            };
            segment.write_record(writer, &record)?;
        }
        if writer.failed.take().is_some() && segment.is_on_disk() {
            self.refused.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

impl Inner {
    /// The record of a chunk that comes now.
    fn begin(&mut self, stream: u16, offset: u64, generation: Generation, at: At, len: usize, flags: u8) -> Record {
        let seq = self.take_seq();
        // Within the order time never runs backwards, so that it can be searched by time.
        self.last_at = self.last_at.max(at);
        let state = &mut self.streams[usize::from(stream)];
        if !state.goes_on(generation) {
            state.at_line_start = true;
        }
        state.generation = generation;
        let continues = if state.at_line_start { 0 } else { CONTINUES };
        let first_line = state.lines - u64::from(!state.at_line_start);
        Record::new(seq, offset, first_line, self.last_at, len, flags | continues, generation)
    }

    /// Files the record and returns its number in its stream.
    fn finish(&mut self, stream: u16, record: Record, starts: u64, ends_line: bool, written: u64) -> u64 {
        let state = &mut self.streams[usize::from(stream)];
        let index = state.records.len();
        state.records.push(record);
        state.records.spill(written);
        state.bytes += record.len();
        state.lines += starts;
        state.at_line_start = ends_line;
        state.last_at = Some(record.at);
        state.open = true;
        self.order.push(stream, index, starts, record.seq, record.at);
        index
    }

    /// Keeps a chunk in memory; what has to go for it is marked as lost.
    fn keep(&mut self, stream: u16, index: u64, bytes: &[u8]) {
        let (streams, lost) = (&mut self.streams, &mut self.lost);
        self.ring.push(stream, index, bytes, |stream, index| {
            if let Some(record) = streams[usize::from(stream)].records.recent_mut(index) {
                *lost += record.len();
                record.clear(IN_MEMORY);
                record.set(LOST);
            }
        });
    }
}
