//! Filter and find: which rows of a view match, found chunk by chunk, the newest first, and kept up to date as lines
//! arrive.
//!
//! A [`Filter`] is driven by whoever owns a thread for it: each [`advance`](Filter::advance) works for a little while
//! and can be the last. Several queries are asked in one pass (what is shown, what is highlighted, what alarms); each
//! has a [`RowSet`] of rows of the view, which never move, so that a front can hold on to them. [`Answers`] are a copy
//! that nobody has to wait for.
//!
//! The engine is linear, but a pattern can still be a thousand times slower than another. So a chunk is asked in slices
//! that grow while they are answered fast, and a step ends between any two of them.

use std::{
    io,
    ops::Range,
    time::{Duration, Instant},
};

use super::{
    line::{InChunk, Source},
    manner::Manner,
    matcher::ask,
    query::{Condition, Lifecycle, Query},
    record::{CONTINUES, ROUGH},
    rows::RowSet,
    store::{CHUNK, LogStore, Note},
    text::{plain, plain_lines},
    view::LogView,
    walk::Entry,
    window::Part,
};
use crate::model::{Narration, ProcessId, Tone};

/// Finds the rows of a view that match each of some queries.
#[derive(Debug)]
pub struct Filter {
    view: LogView,
    questions: Vec<Question>,
    /// Rows that were asked; none before the first step.
    asked: Option<Range<u64>>,
    /// Chunks of the block before them, in order; the last is asked next.
    older: Vec<Item>,
    /// The chunk that is being asked.
    pending: Option<Pending>,
    /// Bytes asked at once.
    slice: usize,
    /// Rows that were asked and may still grow.
    growing: Vec<u64>,
    changed: Option<u64>,
    bytes: Vec<u8>,
}

/// What a [`Filter`] has found so far.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    rows: Vec<RowSet>,
    asked: Range<u64>,
    complete: bool,
}

impl Answers {
    /// The rows found for the `n`th query.
    pub fn rows(&self, n: usize) -> &RowSet {
        &self.rows[n]
    }

    /// The rows that were asked: the newest ones.
    pub fn asked(&self) -> Range<u64> {
        self.asked.clone()
    }

    /// Whether every row of the view was asked.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

/// Which of a filter's questions are asked of a chunk's lines, how far that is done, and where its rows are.
#[derive(Debug)]
struct Pending {
    /// Its whole lines as text, the last without its newline.
    text: Vec<u8>,
    /// Text before that is done with.
    at: usize,
    /// The row of the line that begins there.
    row: u64,
    /// The row behind its last whole line.
    end: u64,
    wanted: Vec<bool>,
    process: ProcessId,
    rows: Range<u64>,
    older: bool,
}

/// Bytes asked at once, at first and at least.
const SLICE: usize = 4 << 10;

/// A slice answered within the first grows, one that took longer than the second shrinks.
const FAST: Duration = Duration::from_micros(500);
const SLOW: Duration = Duration::from_millis(2);

/// A query and its answer so far.
#[derive(Debug)]
struct Question {
    query: Query,
    conditions: Vec<Condition>,
    rows: RowSet,
}

/// What is asked in one step.
#[derive(Debug)]
enum Item {
    Note(u64, Box<Note>),
    Lines(Part),
}

impl Item {
    fn rows(&self) -> Range<u64> {
        match self {
            Self::Note(row, _) => *row..row + 1,
            Self::Lines(part) => part.row..part.row.saturating_add(part.take),
        }
    }
}

impl Filter {
    /// Asks `queries` of all rows of a fresh `view`.
    pub fn new(view: LogView, queries: Vec<Query>) -> Self {
        let question = |query: Query| Question { conditions: query.conditions(), query, rows: RowSet::default() };
        let questions = queries.into_iter().map(question).collect();
        Self {
            view,
            questions,
            asked: None,
            older: Vec::new(),
            pending: None,
            slice: SLICE,
            growing: Vec::new(),
            changed: None,
            bytes: Vec::new(),
        }
    }

    /// The view whose rows are asked, as of the last step.
    pub fn view(&self) -> &LogView {
        &self.view
    }

    /// The rows found so far for the `n`th query.
    pub fn rows(&self, n: usize) -> &RowSet {
        &self.questions[n].rows
    }

    /// The rows that were asked so far: the newest ones.
    pub fn asked(&self) -> Range<u64> {
        self.asked.clone().unwrap_or(0..0)
    }

    /// Whether every row of the view was asked.
    pub fn is_complete(&self) -> bool {
        self.asked == Some(0..self.view.len())
    }

    /// A copy of what was found so far, which shares all that does not change any more.
    pub fn answers(&self) -> Answers {
        let rows = self.questions.iter().map(|question| question.rows.clone()).collect();
        Answers { rows, asked: self.asked(), complete: self.is_complete() }
    }

    /// Works for about `budget` (at least one slice of a chunk), new lines first, then older ones. True: everything was
    /// asked.
    pub fn advance(&mut self, store: &LogStore, budget: Duration) -> io::Result<bool> {
        let started = Instant::now();
        self.take_in(store)?;
        if !self.work(store, started, budget) {
            return Ok(false);
        }
        let older = self.asked().start > 0;
        // Beside a flood of new lines the old ones get their turn too.
        if self.ask_newer(store, started, if older { budget / 2 } else { budget })? | self.ask_older(store, started, budget)? {
            return Ok(false);
        }
        Ok(self.is_complete())
    }

    /// Sees what has been added since the last step.
    fn take_in(&mut self, store: &LogStore) -> io::Result<()> {
        let changed = store.changed();
        if self.changed == Some(changed) {
            return Ok(());
        }
        let epoch = self.view.epoch();
        self.view.refresh(store);
        if self.asked.is_none() || epoch != self.view.epoch() {
            self.asked = Some(self.view.len()..self.view.len());
            self.older.clear();
            self.pending = None;
            self.growing.clear();
            self.questions.iter_mut().for_each(|question| question.rows = RowSet::default());
        }
        self.ask_growing(store)?;
        self.changed = Some(changed);
        Ok(())
    }

    /// Asks new rows; true if there are more.
    fn ask_newer(&mut self, store: &LogStore, started: Instant, budget: Duration) -> io::Result<bool> {
        while self.asked().end < self.view.len() {
            let from = self.asked().end;
            let block = self.view.block_of(from);
            let end = self.view.first_row_of(block + 1);
            for item in self.items(store, block, from..end)? {
                self.begin(store, &item, false)?;
                if !self.work(store, started, budget) || started.elapsed() >= budget {
                    return Ok(true);
                }
            }
            // Also where an index claims rows that are not there.
            self.asked = Some(self.asked().start..end);
        }
        Ok(false)
    }

    /// Asks older rows; true if there are more.
    fn ask_older(&mut self, store: &LogStore, started: Instant, budget: Duration) -> io::Result<bool> {
        while self.asked().start > 0 {
            let upto = self.asked().start;
            if self.older.is_empty() {
                let block = self.view.block_of(upto - 1);
                self.older = self.items(store, block, self.view.first_row_of(block)..upto)?;
            }
            match self.older.pop() {
                Some(item) => self.begin(store, &item, true)?,
                None => self.mark_asked(&(self.view.first_row_of(self.view.block_of(upto - 1))..upto), true),
            }
            if !self.work(store, started, budget) {
                return Ok(true);
            }
            if started.elapsed() >= budget {
                return Ok(self.asked().start > 0);
            }
        }
        Ok(false)
    }

    /// What lies in `rows` of a block.
    fn items(&self, store: &LogStore, block: usize, rows: Range<u64>) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        let inner = store.read();
        self.view.walk(store, &inner, block, &mut |row, entry| {
            if row >= rows.start && row < rows.end {
                match entry {
                    Entry::Note(note) => items.push(Item::Note(row, Box::new(note.clone()))),
                    Entry::Chunk { lines: 0, .. } => {}
                    Entry::Chunk { stream, index, record, lines } => {
                        items.push(Item::Lines(Part { row, stream, index, record, skip: 0, take: lines }));
                    }
                }
            }
            row < rows.end
        })?;
        Ok(items)
    }

    /// Begins to ask an item; a note is done with at once.
    fn begin(&mut self, store: &LogStore, item: &Item, older: bool) -> io::Result<()> {
        match item {
            Item::Note(row, note) => {
                for question in &mut self.questions {
                    if question.meets_note(note) {
                        question.rows.insert(*row);
                    }
                }
                self.mark_asked(&item.rows(), older);
                Ok(())
            }
            Item::Lines(part) => self.begin_chunk(store, part, older),
        }
    }

    /// Begins to ask the lines that begin in a chunk; the last of them, if it goes on behind it, is asked at once.
    fn begin_chunk(&mut self, store: &LogStore, part: &Part, older: bool) -> io::Result<()> {
        let rows = part.row..part.row.saturating_add(part.take);
        let wanted: Vec<bool> = self.questions.iter().map(|question| question.may_meet(store, part)).collect();
        let mut bytes = std::mem::take(&mut self.bytes);
        if !wanted.contains(&true) || !store.chunk(part.stream, part.index, &part.record, &mut bytes)? {
            self.bytes = bytes;
            self.mark_asked(&rows, older);
            return Ok(());
        }
        let process = store.owner(part.stream).0;
        let begun = if part.record.is(CONTINUES) { memchr::memchr(b'\n', &bytes).map(|at| at + 1) } else { Some(0) };
        let begun = begun.unwrap_or(bytes.len());
        let end = memchr::memrchr(b'\n', &bytes[begun..]).map(|end| begun + end);
        let tail = &bytes[end.map_or(begun, |end| end + 1)..];
        let count = part.take - u64::from(!tail.is_empty());
        if !tail.is_empty() {
            let (row, line) = (part.row + count, InChunk { bytes: tail, ends: false });
            let shown = store.shown(part.stream, part.index, &line)?;
            if shown.growing {
                self.growing.push(row);
            }
            self.ask_line(row, &shown.bytes, store.manner(process), &wanted);
        }
        let Some(end) = end else {
            self.bytes = bytes;
            self.mark_asked(&rows, older);
            return Ok(());
        };
        let text = if part.record.is(ROUGH) {
            let text = plain_lines(&bytes[begun..end]);
            self.bytes = bytes;
            text
        } else {
            bytes.truncate(end);
            bytes
        };
        let at = if part.record.is(ROUGH) { 0 } else { begun };
        let process = process.clone();
        self.pending = Some(Pending { text, at, row: part.row, end: part.row + count, wanted, process, rows, older });
        Ok(())
    }

    /// Goes on with the chunk that is being asked; true if it is done with.
    fn work(&mut self, store: &LogStore, started: Instant, budget: Duration) -> bool {
        let Some(mut pending) = self.pending.take() else { return true };
        let manner = store.manner(&pending.process);
        loop {
            let rest = &pending.text[pending.at..];
            let end = if rest.len() > self.slice { memchr::memchr(b'\n', &rest[self.slice..]).map(|end| self.slice + end) } else { None };
            let text = &rest[..end.unwrap_or(rest.len())];
            let count = end.map_or(pending.end - pending.row, |_| memchr::memchr_iter(b'\n', text).count() as u64 + 1);
            let began = Instant::now();
            for (question, _) in self.questions.iter_mut().zip(&pending.wanted).filter(|(_, wanted)| **wanted) {
                question.rows.insert_bits(pending.row, &ask(&question.conditions, manner, text, usize::try_from(count).unwrap_or(0)));
            }
            let took = began.elapsed();
            if took < FAST && text.len() >= self.slice {
                self.slice = (self.slice * 2).min(CHUNK);
            } else if took > SLOW {
                self.slice = (self.slice / 2).max(SLICE);
            }
            let Some(end) = end else { break };
            (pending.at, pending.row) = (pending.at + end + 1, pending.row + count);
            if started.elapsed() >= budget {
                self.pending = Some(pending);
                return false;
            }
        }
        self.mark_asked(&pending.rows, pending.older);
        self.bytes = pending.text;
        true
    }

    /// Counts rows as asked that lie beside those that were.
    fn mark_asked(&mut self, rows: &Range<u64>, older: bool) {
        let asked = self.asked();
        self.asked = Some(if older { rows.start.min(asked.start)..asked.end } else { asked.start..rows.end.max(asked.end) });
    }

    /// Asks one line, perhaps again.
    fn ask_line(&mut self, row: u64, line: &[u8], manner: &Manner, wanted: &[bool]) {
        let text = plain(line);
        for (question, _) in self.questions.iter_mut().zip(wanted).filter(|(_, wanted)| **wanted) {
            if ask(&question.conditions, manner, text.as_bytes(), 1) == [1] {
                question.rows.insert(row);
            } else {
                question.rows.remove(row);
            }
        }
    }

    /// Asks the lines again that may have grown.
    fn ask_growing(&mut self, store: &LogStore) -> io::Result<()> {
        for row in std::mem::take(&mut self.growing) {
            for line in self.view.window(store, row, 1)? {
                let Some(process) = &line.process else { continue };
                let meets = |question: &Question| question.query.may_meet(process, line.source == Source::Err, line.at);
                let wanted: Vec<bool> = self.questions.iter().map(meets).collect();
                self.ask_line(row, &line.bytes, store.manner(process), &wanted);
                if line.partial {
                    self.growing.push(row);
                }
            }
        }
        Ok(())
    }
}

impl Question {
    /// Whether lines of a chunk can meet the query, as far as that is known without reading it.
    fn may_meet(&self, store: &LogStore, part: &Part) -> bool {
        let (process, stream) = store.owner(part.stream);
        self.query.may_meet(process, stream == super::Stream::Err, part.record.at)
    }

    fn meets_note(&self, note: &Note) -> bool {
        match self.query.lifecycle {
            Lifecycle::Kept => return true,
            Lifecycle::Dropped => return false,
            Lifecycle::Asked => {}
        }
        let bad = matches!(note.narration.tone, Tone::Bad | Tone::Final);
        let serious = bad || note.narration.tone == Tone::Warn;
        let text = words(&note.narration);
        self.query.time.as_ref().is_none_or(|time| time.contains(&note.at))
            && self.query.stream.is_none()
            && note.narration.process.as_ref().is_none_or(|process| self.query.is_about(process))
            && self.conditions.iter().all(|condition| match condition {
                Condition::Within(regex) => regex.is_match(text.as_bytes()),
                Condition::Without(regex) => !regex.is_match(text.as_bytes()),
                Condition::AtLeast(level) => *level < super::Level::Warn || serious,
                Condition::Matters(_) => bad,
            })
    }
}

/// A lifecycle line as filters and searches see it: who, and what happened.
pub fn words(narration: &Narration) -> String {
    let what = narration.log_text().unwrap_or_else(|| narration.what.clone());
    narration.process.as_ref().map_or_else(|| what.clone(), |process| format!("{process} {what}"))
}
