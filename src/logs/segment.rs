//! One stream on disk: its segment file and the index beside it, and what is known of them in memory.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
    time::Instant,
};

use super::record::{self, Record};
use crate::model::{At, Generation};

/// Records of a stream kept in memory at least, once it has that many; older ones are read back from the index file.
const KEPT: usize = 256;

/// The files of a stream: made at its first byte, then only appended to.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) data: File,
    pub(crate) index: File,
}

impl Files {
    /// Makes both, readable for nobody else.
    fn create(path: &Path) -> io::Result<Self> {
        let make = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
        let data = make(path)?;
        let index = make(&index_path(path)).inspect_err(|_| {
            // Half a pair would stand in the way of the next attempt.
            let _ = std::fs::remove_file(path);
        })?;
        Ok(Self { data, index })
    }
}

/// `upstream.out` -> `upstream.out.idx`.
pub(crate) fn index_path(segment: &Path) -> PathBuf {
    let mut name = segment.as_os_str().to_owned();
    name.push(".idx");
    PathBuf::from(name)
}

/// A stream's place on disk. Only the capture thread writes; anybody may read what is complete.
#[derive(Debug)]
pub(crate) struct Segment {
    path: Option<PathBuf>,
    pub(crate) files: OnceLock<Files>,
    pub(crate) writer: Mutex<Writer>,
}

/// How far a stream's files are written.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// Bytes in the segment file that count.
    pub(crate) data: u64,
    /// Records in the index file that count.
    pub(crate) records: u64,
    /// When writing failed last; none while the disk does its work.
    pub(crate) failed: Option<Instant>,
    /// The file system cannot take anything back.
    pub(crate) keeps_all: bool,
}

impl Segment {
    /// A stream that has yet to say something. Without a path it lives in memory only.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, files: OnceLock::new(), writer: Mutex::default() }
    }

    /// A stream of a recording.
    pub(crate) fn existing(files: Files) -> Self {
        Self { path: None, files: OnceLock::from(files), writer: Mutex::default() }
    }

    /// The files, made if there are none.
    fn files(&self) -> io::Result<&Files> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let path = self.path.as_deref().ok_or_else(|| io::Error::other("logs are kept in memory only"))?;
        let files = Files::create(path)?;
        files.index.write_all_at(record::MAGIC, 0).inspect_err(|_| {
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_file(index_path(path));
        })?;
        Ok(self.files.get_or_init(|| files))
    }

    /// Appends `bytes`; on success `writer` counts them. What a failed attempt left behind is overwritten by the next.
    pub(crate) fn write_data(&self, writer: &mut Writer, bytes: &[u8]) -> io::Result<u64> {
        let offset = writer.data;
        self.files()?.data.write_all_at(bytes, offset)?;
        writer.data += bytes.len() as u64;
        Ok(offset)
    }

    /// Appends `record` to the index.
    pub(crate) fn write_record(&self, writer: &mut Writer, record: &Record) -> io::Result<()> {
        self.files()?.index.write_all_at(&record.encode(), position(writer.records))?;
        writer.records += 1;
        Ok(())
    }

    /// Writes records `from..` of the index anew: they are there already.
    pub(crate) fn rewrite_records(&self, from: u64, records: &[Record]) -> io::Result<()> {
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        self.files()?.index.write_all_at(&bytes, position(from))
    }

    /// Gives the disk back what lies before `end` in the segment. Its size stays.
    pub(crate) fn punch(&self, from: u64, end: u64) -> io::Result<()> {
        use rustix::fs::FallocateFlags;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(&self.files()?.data, flags, from, end - from)?)
    }

    /// Whether anything can ever be written.
    pub(crate) fn is_on_disk(&self) -> bool {
        self.path.is_some()
    }
}

/// Where record `index` lies in an index file.
fn position(index: u64) -> u64 {
    (record::MAGIC.len() as u64).saturating_add(index.saturating_mul(record::SIZE as u64))
}

/// What is known of a stream.
#[derive(Debug)]
pub(crate) struct StreamState {
    pub(crate) records: Records,
    /// Bytes it said.
    pub(crate) bytes: u64,
    /// Lines that began in it.
    pub(crate) lines: u64,
    /// Whether the next byte begins a line.
    pub(crate) at_line_start: bool,
    pub(crate) generation: Generation,
    pub(crate) last_at: Option<At>,
    /// Whether more may come.
    pub(crate) open: bool,
    /// What went to stay within a disk cap.
    pub(crate) dropped: Dropped,
}

/// What went to stay within a disk cap, oldest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    pub(crate) chunks: u64,
    /// Lines that began in it.
    pub lines: u64,
    /// Its size.
    pub bytes: u64,
}

impl Default for StreamState {
    fn default() -> Self {
        Self {
            records: Records::default(),
            bytes: 0,
            lines: 0,
            at_line_start: true,
            generation: 0,
            last_at: None,
            open: false,
            dropped: Dropped::default(),
        }
    }
}

impl StreamState {
    /// Whether the next byte, said by `generation`, continues a line.
    pub(crate) fn goes_on(&self, generation: Generation) -> bool {
        !self.at_line_start && self.generation == generation
    }

    /// How many lines began before chunk `index`, which may be the one to come.
    pub(crate) fn lines_before(&self, records: &[Record], at: usize) -> u64 {
        records.get(at).map_or(self.lines, Record::lines_before)
    }
}

/// The records of a stream: the newest in memory, the older ones in the index file.
#[derive(Debug, Default)]
pub(crate) struct Records {
    on_disk: u64,
    recent: VecDeque<Record>,
}

impl Records {
    /// Records that are all in an index file.
    pub(crate) fn stored(count: u64) -> Self {
        Self { on_disk: count, recent: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> u64 {
        self.on_disk + self.recent.len() as u64
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.recent.push_back(record);
    }

    /// Drops from memory what the first `written` records of the index file hold.
    pub(crate) fn spill(&mut self, written: u64) {
        if self.recent.len() < 2 * KEPT {
            return;
        }
        let safe = usize::try_from(written.saturating_sub(self.on_disk)).unwrap_or(usize::MAX);
        let gone = (self.recent.len() - KEPT).min(safe);
        self.recent.drain(..gone);
        self.on_disk += gone as u64;
    }

    /// A record that is still in memory, to change it.
    pub(crate) fn recent_mut(&mut self, index: u64) -> Option<&mut Record> {
        let at = usize::try_from(index.checked_sub(self.on_disk)?).ok()?;
        self.recent.get_mut(at)
    }

    /// Records `from..to`, as far as there are that many.
    pub(crate) fn range(&self, files: Option<&Files>, from: u64, to: u64) -> io::Result<Vec<Record>> {
        let to = to.min(self.len());
        let mut found = Vec::with_capacity(usize::try_from(to.saturating_sub(from)).unwrap_or(0));
        let stored = self.on_disk.min(to);
        if let (true, Some(files)) = (from < stored, files) {
            let count = usize::try_from(stored - from).map_err(io::Error::other)?;
            let mut bytes = vec![0; count * record::SIZE];
            files.index.read_exact_at(&mut bytes, position(from))?;
            found.extend(bytes.as_chunks::<{ record::SIZE }>().0.iter().map(Record::decode));
        }
        let first = from.max(self.on_disk);
        if first < to {
            let skip = usize::try_from(first - self.on_disk).map_err(io::Error::other)?;
            found.extend(self.recent.iter().skip(skip).take(usize::try_from(to - first).map_err(io::Error::other)?));
        }
        Ok(found)
    }
}
