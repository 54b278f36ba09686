//! Reading a recording's logs back: whatever state its last writer left them in, and whoever wrote them.

use std::{
    collections::BinaryHeap,
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use super::{
    order::NOTES,
    record::{CONTINUES, DROPPED, LOST, MAGIC, ROUGH, Record, SIZE},
    segment::{Dropped, Files, Records, Segment, StreamState, index_path},
    store::{CHUNK, Inner, LogStore, Stream, segment_path},
    text::is_rough,
};
use crate::model::{At, ProcessId};

/// Records read at a time.
const BATCH: usize = 1024;

impl LogStore {
    /// The logs of a recording, in the folder `dir`. Nothing in it is changed.
    ///
    /// Where segment and index disagree (the writer was killed between two writes, a disk was full) the records that
    /// fit the segment count; bytes behind the last of them are kept too, in the place of the last thing known.
    pub fn open(dir: impl AsRef<Path>, processes: &[ProcessId]) -> io::Result<Arc<Self>> {
        let dir = dir.as_ref();
        let mut segments = Vec::with_capacity(processes.len() * 2);
        let mut states = Vec::with_capacity(processes.len() * 2);
        for process in processes {
            for stream in Stream::ALL {
                let files = open_files(&segment_path(dir, process, stream))?;
                states.push(files.as_ref().map_or_else(|| Ok(StreamState::default()), StreamState::of)?);
                segments.push(files.map_or_else(|| Segment::new(None), Segment::existing));
            }
        }
        let store = Self::new(processes, None, segments);
        {
            let mut inner = store.write();
            inner.streams = states;
            store.recover_tails(&mut inner)?;
            store.put_in_order(&mut inner)?;
        }
        Ok(Arc::new(store))
    }

    /// Gives the bytes behind the last record of each stream records of their own, after everything else.
    fn recover_tails(&self, inner: &mut Inner) -> io::Result<()> {
        let last = |stream: u16| -> io::Result<Option<Record>> {
            let count = inner.streams[usize::from(stream)].records.len();
            Ok(self.records(inner, stream, count.saturating_sub(1), count)?.last().copied())
        };
        let ends = (0..self.segments.len() as u16).map(last).collect::<io::Result<Vec<_>>>()?;
        let mut seq = ends.iter().flatten().map(|record| record.seq.saturating_add(1)).max().unwrap_or(1);
        for (stream, segment) in self.segments.iter().enumerate() {
            let Some(files) = segment.files.get() else { continue };
            let state = &mut inner.streams[stream];
            let size = files.data.metadata()?.len();
            let at = state.last_at.unwrap_or(At::START);
            while state.bytes < size {
                let mut bytes = vec![0; usize::try_from(size - state.bytes).unwrap_or(CHUNK).min(CHUNK)];
                files.data.read_exact_at(&mut bytes, state.bytes)?;
                state.recover(&bytes, seq, at);
                seq += 1;
            }
        }
        inner.next_seq = seq;
        Ok(())
    }

    /// Builds the order anew from all records and notes.
    pub(super) fn put_in_order(&self, inner: &mut Inner) -> io::Result<()> {
        inner.order.clear();
        let mut readers: Vec<_> = (0..self.segments.len() as u16).map(|stream| Reader { stream, ..Reader::default() }).collect();
        let mut heads = BinaryHeap::new();
        for reader in &mut readers {
            reader.next(self, inner)?.into_iter().for_each(|head| heads.push(std::cmp::Reverse(head)));
        }
        let mut next_note = 0;
        let mut last_at = At::START;
        loop {
            let upto = heads.peek().map_or(u64::MAX, |std::cmp::Reverse(head)| head.seq);
            while let Some(note) = inner.notes.get(next_note).filter(|note| note.seq <= upto) {
                last_at = last_at.max(note.at);
                inner.order.push(NOTES, next_note as u64, 1, note.seq, last_at);
                next_note += 1;
            }
            let Some(std::cmp::Reverse(head)) = heads.pop() else { break };
            last_at = last_at.max(head.at);
            inner.order.push(head.stream, head.index, head.lines, head.seq, last_at);
            readers[usize::from(head.stream)].next(self, inner)?.into_iter().for_each(|head| heads.push(std::cmp::Reverse(head)));
        }
        inner.last_at = last_at;
        Ok(())
    }
}

/// The next record of a stream, in the order of everything.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    seq: u64,
    stream: u16,
    index: u64,
    at: At,
    lines: u64,
}

/// Reads a stream's records in batches.
#[derive(Default)]
struct Reader {
    stream: u16,
    first: u64,
    batch: Vec<Record>,
    at: usize,
}

impl Reader {
    fn next(&mut self, store: &LogStore, inner: &Inner) -> io::Result<Option<Head>> {
        let state = &inner.streams[usize::from(self.stream)];
        // The last of a batch waits for its successor, which says how many lines it holds.
        let index = self.first + self.at as u64;
        if self.at + 1 >= self.batch.len() && index < state.records.len() {
            self.batch = store.records(inner, self.stream, index, index + BATCH as u64)?;
            (self.first, self.at) = (index, 0);
        }
        let Some(record) = self.batch.get(self.at).copied() else { return Ok(None) };
        self.at += 1;
        let lines = state.lines_before(&self.batch, self.at).saturating_sub(record.lines_before()).min(record.len());
        Ok(Some(Head { seq: record.seq, stream: self.stream, index, at: record.at, lines }))
    }
}

/// Segment and index, if there is a segment. An unreadable index counts as an empty one.
fn open_files(path: &Path) -> io::Result<Option<Files>> {
    let open = |path: &Path| -> io::Result<Option<File>> {
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.is_file() => File::open(path).map(Some),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a regular file", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        }
    };
    let Some(data) = open(path)? else { return Ok(None) };
    let index = match open(&index_path(path))? {
        Some(index) => index,
        None => File::open("/dev/null")?,
    };
    Ok(Some(Files { data, index }))
}

impl StreamState {
    /// What the files of a recording say.
    fn of(files: &Files) -> io::Result<Self> {
        let size = files.data.metadata()?.len();
        let mut reader = io::BufReader::with_capacity(BATCH * SIZE, &files.index);
        let mut magic = [0; MAGIC.len()];
        let mut state = Self::default();
        if reader.read_exact(&mut magic).is_err() || &magic != MAGIC {
            return Ok(state);
        }
        let (mut count, mut last) = (0, None::<Record>);
        let mut bytes = [0; SIZE];
        while reader.read_exact(&mut bytes).is_ok() {
            let record = Record::decode(&bytes);
            let end = state.bytes.saturating_add(if record.is(LOST) { 0 } else { record.len() });
            if !follows(last.as_ref(), &record) || record.offset != state.bytes || end > size {
                break;
            }
            state.bytes = end;
            if record.is(DROPPED) && state.dropped.chunks == count {
                state.dropped = Dropped { chunks: count + 1, lines: 0, bytes: state.dropped.bytes + record.len() };
            } else if state.dropped.chunks == count {
                state.dropped.lines = record.lines_before();
            }
            count += 1;
            last = Some(record);
        }
        state.records = Records::stored(count);
        if let Some(last) = last {
            state.resume(files, &last)?;
        }
        Ok(state)
    }

    /// Goes on behind the last record that counts.
    fn resume(&mut self, files: &Files, last: &Record) -> io::Result<()> {
        self.generation = last.generation;
        self.last_at = Some(last.at);
        self.lines = last.lines_before();
        if last.is(LOST) {
            self.at_line_start = true;
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(last.len()).map_err(io::Error::other)?];
        files.data.read_exact_at(&mut bytes, last.offset)?;
        self.at_line_start = !last.is(CONTINUES);
        self.count(&bytes);
        Ok(())
    }

    /// Counts the lines that begin in `bytes`.
    fn count(&mut self, bytes: &[u8]) {
        let ends_line = bytes.last() == Some(&b'\n');
        let newlines = memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.lines = self.lines.saturating_add(u64::from(self.at_line_start)).saturating_add(newlines - u64::from(ends_line));
        self.at_line_start = ends_line;
    }

    /// Takes in bytes that no record tells of.
    fn recover(&mut self, bytes: &[u8], seq: u64, at: At) {
        let continues = if self.at_line_start { 0 } else { CONTINUES };
        let rough = if is_rough(bytes, continues != 0) { ROUGH } else { 0 };
        let first_line = self.lines.saturating_sub(u64::from(!self.at_line_start));
        self.records.push(Record::new(seq, self.bytes, first_line, at, bytes.len(), continues | rough, self.generation));
        self.count(bytes);
        self.bytes += bytes.len() as u64;
        self.last_at = Some(at);
    }
}

/// Numbers and microseconds that no run ever reaches: behind them there must be room for what is recovered.
const BEYOND: u64 = u64::MAX >> 8;

/// Whether `next` can be the record after `last`.
fn follows(last: Option<&Record>, next: &Record) -> bool {
    if next.seq >= BEYOND || next.at.0 >= BEYOND {
        return false;
    }
    let Some(last) = last else { return next.lines_before() == 0 };
    let lines = next.lines_before().checked_sub(last.lines_before());
    next.seq > last.seq && next.at >= last.at && lines.is_some_and(|lines| lines <= last.len())
}
