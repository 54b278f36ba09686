//! The part of a stream that was said in some time, as a stream of its own.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{
    record::{CONTINUES, LOST, MAGIC, Record, SIZE},
    segment::index_path,
};
use crate::model::At;

/// A part of a recorded stream. Its lines and bytes are counted from its own beginning.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Its index file.
    pub(crate) index: Vec<u8>,
    /// Where its bytes begin in the whole stream's file.
    pub(crate) start: u64,
    /// How many they are.
    pub(crate) len: u64,
    /// Lines of the stream before it.
    pub(crate) lines_before: u64,
}

/// What the stream at `segment` said from `from` to `until`, in whole chunks, beginning with a line; none if it said
/// nothing then.
pub(crate) fn slice(segment: &Path, from: At, until: At) -> io::Result<Option<Slice>> {
    let mut index = match File::open(index_path(segment)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => io::BufReader::new(file?),
    };
    let mut magic = [0; MAGIC.len()];
    if index.read_exact(&mut magic).is_err() || &magic != MAGIC {
        return Ok(None);
    }
    let mut found: Option<Slice> = None;
    let mut bytes = [0; SIZE];
    while index.read_exact(&mut bytes).is_ok() {
        let mut record = Record::decode(&bytes);
        if record.at > until {
            break;
        }
        if record.at < from || found.is_none() && record.is(CONTINUES) {
            continue;
        }
        let slice =
            found.get_or_insert_with(|| Slice { index: MAGIC.to_vec(), start: record.offset, len: 0, lines_before: record.lines_before() });
        record.offset = slice.len;
        record.first_line = record.first_line.saturating_sub(slice.lines_before);
        slice.index.extend(record.encode());
        slice.len += if record.is(LOST) { 0 } else { record.len() };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::{
        logs::{LogStore, LogView, Selection, Stream},
        model::{ProcessId, RunClock},
    };

    #[test]
    fn a_slice_reads_as_a_stream_of_its_own() {
        let (dir, part) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let process = ProcessId::new("up").expect("a name");
        let all = [process.clone()];
        let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a disk");
        for (n, text) in ["zero\none\n", "two\nthr", "ee\n", "four\nfi", "ve\n", "six\n"].into_iter().enumerate() {
            assert!(store.append(&process, Stream::Out, 1, At(n as u64 * 10), text.as_bytes()).is_none());
        }
        store.settle();
        let segment = dir.path().join("up.out");
        // From the second chunk on, which begins with a line; the third would begin in the middle of one.
        let wanted: [(u64, u64, &[&str], u64); 3] =
            [(10, 45, &["two", "three", "four", "five"], 2), (15, 30, &["four", "fi"], 4), (0, 0, &["zero", "one"], 0)];
        for (from, until, lines, before) in wanted {
            let slice = slice(&segment, At(from), At(until)).expect("readable").expect("something was said");
            assert_eq!(slice.lines_before, before);
            let mut data = vec![0; slice.len as usize];
            File::open(&segment).expect("it is there").read_exact_at(&mut data, slice.start).expect("it is that long");
            std::fs::write(part.path().join("up.out"), data).expect("a disk");
            std::fs::write(part.path().join("up.out.idx"), &slice.index).expect("a disk");
            let read = LogStore::open(part.path(), &all).expect("a stream");
            let mut view = LogView::new(Selection::All);
            view.refresh(&read);
            let shown = view.window(&read, 0, 100).expect("readable");
            assert_eq!(shown.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect::<Vec<_>>(), lines);
            assert_eq!(shown[0].number, 1);
        }
        assert_eq!(slice(&segment, At(60), At(99)).expect("readable"), None);
        assert_eq!(slice(&dir.path().join("up.err"), At(0), At(99)).expect("readable"), None);
    }
}
