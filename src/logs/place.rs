//! Where a line that is known by its number stands in the run.

use std::io;

use super::store::{LogStore, Stream};
use crate::model::{At, ProcessId};

impl LogStore {
    /// The number and time of the chunk in which line `number` (from 1) of a stream begins; none if it has not been said.
    /// Costs a few index records, however long the stream is.
    pub fn place_of_line(&self, process: &ProcessId, stream: Stream, number: u64) -> io::Result<Option<(u64, At)>> {
        let Some(stream) = self.number(process, stream) else { return Ok(None) };
        let inner = self.read();
        let state = &inner.streams[usize::from(stream)];
        if number == 0 || number > state.lines {
            return Ok(None);
        }
        // The last chunk before which fewer than `number` lines began.
        let (mut low, mut high) = (0, state.records.len());
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.records(&inner, stream, middle, middle + 1)?.first() {
                Some(record) if record.lines_before() < number => {
                    found = Some((record.seq, record.at));
                    low = middle + 1;
                }
                Some(_) => high = middle,
                None => break,
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        logs::{LogView, Selection},
        model::RunClock,
    };

    #[test]
    fn each_line_is_found_where_the_view_shows_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let process = ProcessId::new("up").expect("a name");
        let store = LogStore::create(dir.path(), std::slice::from_ref(&process), RunClock::start()).expect("a disk");
        for (n, text) in ["one\ntwo\nthr", "ee", "\nfour\n\n", "six"].into_iter().enumerate() {
            let at = At(n as u64 * 10);
            assert!(store.append(&process, Stream::Out, 1, at, text.as_bytes()).is_none());
            assert!(store.append(&process, Stream::Err, 1, at, b"noise\n").is_none());
        }
        let mut view = LogView::new(Selection::All);
        view.refresh(&store);
        let lines = view.window(&store, 0, 100).expect("readable");
        assert_eq!(lines.len(), 10);
        for line in lines {
            let stream = if line.source == crate::logs::Source::Out { Stream::Out } else { Stream::Err };
            let place = store.place_of_line(&process, stream, line.number).expect("readable");
            assert_eq!(place, Some((line.seq, line.at)), "line {} of {}", line.number, stream.word());
        }
        assert_eq!(store.place_of_line(&process, Stream::Out, 7).expect("readable"), None);
        assert_eq!(store.place_of_line(&process, Stream::Out, 0).expect("readable"), None);
    }
}
