//! Who shares what: of the rows that hold a token, whose they are; and where nobody else holds it, what was said around
//! the same time.

use std::{io, ops::Range, time::Duration};

use super::{rows::RowSet, store::LogStore, view::LogView, walk::Entry};
use crate::model::{At, ProcessId};

/// How far around a line its neighbours are looked for, where it shares nothing.
pub const AROUND: Duration = Duration::from_millis(50);

/// Who holds a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shared {
    /// Lines of several processes hold it.
    By(Vec<ProcessId>),
    /// Nobody else's lines do. These rows were said within [`AROUND`] of it.
    Nothing {
        /// The rows.
        around: Range<u64>,
    },
}

impl LogView {
    /// Whose lines are in `rows`, each process once, in the order of their first. Nothing is read from the disk but the
    /// index.
    pub fn speakers(&self, store: &LogStore, rows: &RowSet) -> io::Result<Vec<ProcessId>> {
        let mut speakers: Vec<ProcessId> = Vec::new();
        let inner = store.read();
        let mut next = rows.iter(0..self.len()).next();
        while let Some(row) = next {
            let block = self.block_of(row);
            let end = self.first_row_of(block + 1);
            self.walk(store, &inner, block, &mut |first, entry| {
                let behind = first.saturating_add(entry.rows());
                if let Entry::Chunk { stream, .. } = entry
                    && next.is_some_and(|next| next < behind)
                {
                    let speaker = store.owner(stream).0;
                    if !speakers.contains(speaker) {
                        speakers.push(speaker.clone());
                    }
                }
                if next.is_some_and(|next| next < behind) {
                    next = rows.iter(behind..self.len()).next();
                }
                next.is_some_and(|next| next < end) && behind < end
            })?;
            // Damaged indexes may hold fewer rows than they claim.
            next = next.filter(|next| *next >= end).or_else(|| rows.iter(end.max(row + 1)..self.len()).next());
        }
        Ok(speakers)
    }

    /// The rows said within `span` of `at`.
    pub fn around(&self, store: &LogStore, at: At, span: Duration) -> io::Result<Range<u64>> {
        let span = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let first = self.row_at_time(store, At(at.0.saturating_sub(span)))?;
        Ok(first..self.row_at_time(store, At(at.0.saturating_add(span).saturating_add(1)))?)
    }

    /// Whether a token that a line said at `at` holds, and that all of `rows` hold, is shared across processes.
    pub fn shared(&self, store: &LogStore, rows: &RowSet, at: At) -> io::Result<Shared> {
        let speakers = self.speakers(store, rows)?;
        if speakers.len() > 1 {
            return Ok(Shared::By(speakers));
        }
        Ok(Shared::Nothing { around: self.around(store, at, AROUND)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        logs::{Filter, Selection, Stream, tokens},
        model::RunClock,
    };

    #[test]
    fn a_token_is_walked_across_processes_or_its_neighbours_are_shown() {
        let dir = tempfile::tempdir().expect("a folder");
        let all: Vec<_> = ["client", "proxy", "up"].iter().map(|name| ProcessId::new(name).expect("a name")).collect();
        let store = LogStore::create(dir.path(), &all, RunClock::start()).expect("a store");
        let mut view = LogView::new(Selection::All);
        let ms = |ms: u64| At(ms * 1000);
        for n in 0..3000 {
            let (process, text) = match n {
                100 => (0, "call session=6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2 id=7\n".to_owned()),
                2900 => (2, "got 6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2 {\"id\":7}\nmore\n".to_owned()),
                1500 => (1, "alone req=zz91\n".to_owned()),
                n => (n % 2, format!("line {n}\n")),
            };
            store.append(&all[process as usize], Stream::Out, 1, ms(n * 10), text.as_bytes());
        }
        view.refresh(&store);
        let ask = |row: u64, nth: usize| {
            let line = view.window(&store, row, 1).expect("readable").remove(0);
            let token = tokens(&crate::logs::plain(&line.bytes)).remove(nth);
            let mut filter = Filter::new(LogView::new(Selection::All), vec![token.query()]);
            assert!(filter.advance(&store, Duration::MAX).expect("readable"));
            let rows = filter.rows(0).iter(0..u64::MAX).collect::<Vec<_>>();
            (rows, view.shared(&store, filter.rows(0), line.at).expect("readable"))
        };
        let both = Shared::By(vec![all[0].clone(), all[2].clone()]);
        assert_eq!(ask(100, 0), (vec![100, 2900], both.clone()));
        assert_eq!(ask(100, 1), (vec![100, 2900], both), "the call, in its session");
        assert_eq!(ask(1500, 0), (vec![1500], Shared::Nothing { around: 1495..1506 }));
        let mut rows = RowSet::default();
        rows.insert_range(0..view.len());
        assert_eq!(view.speakers(&store, &rows).expect("readable"), all);
        assert_eq!(view.speakers(&store, &RowSet::default()).expect("readable"), []);
    }
}
